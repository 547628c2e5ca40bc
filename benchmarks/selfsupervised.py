"""What each self-supervised objective is worth before fine-tuning to few labels: the gain over none, with its interval.

The backbone alone is measured, without the frozen signals that stand beside it
in a trained model. A sample of the unlabelled texts bounds the time. The
interval is over test rows, each with its share of seeds told right: it holds
for these seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import Pair, in_scope, load, publish, result_file

from huiyi.train.tuning.backbones import E5, MINILM, load_backbone
from huiyi.train.tuning.finetune import FinetuneConfig, Rows, finetune
from huiyi.train.tuning.pretexts import PRETEXTS
from huiyi.train.tuning.selfsupervision import SelfSupervisionConfig, selfsupervise
from huiyi.values import Label, Task, alike

CHOICES: dict[str, tuple[str, ...]] = {
    "none": (),
    **{name: (name,) for name in PRETEXTS},
    "all": tuple(PRETEXTS),
}


@dataclass(frozen=True)
class Case:
    """Rows to learn from and to test on, texts without labels, and how to tune."""

    backbone: str
    train: list[Pair]
    test: list[Pair]
    unlabelled: list[str]
    epochs: int
    seeds: int


def banking77() -> Case:
    """Five shots; the other training texts without their labels."""
    rest = [text for text, _ in load("banking77/train")]
    return Case(MINILM, load("banking77/fewshot_train_5"), in_scope(load("banking77/test")), rest, epochs=5, seeds=3)


def tnews() -> Case:
    """The few labelled titles of FewCLUE, and its unlabelled ones."""
    titles = [text for text, _ in load("tnews_fewclue/unlabeled", label="text")]
    train, test = load("tnews_fewclue/train_few_all"), load("tnews_fewclue/test_public")
    return Case(E5, train, test, titles, epochs=3, seeds=1)


CASES = {"banking77-5": banking77, "tnews": tnews}


def measured(name: str, case: Case, *, sample: int, seeds: int | None) -> list[dict[str, Any]]:
    """A row of the table for each choice of objectives."""
    count = seeds or case.seeds
    right: dict[str, Any] = {}
    rows = []
    for choice, objectives in CHOICES.items():
        started = time.process_time()
        right[choice] = np.mean([told_right(case, objectives, sample, seed) for seed in range(count)], axis=0)
        gains = right[choice] - right["none"]
        half = 1.96 * float(gains.std(ddof=1)) / len(gains) ** 0.5
        row: dict[str, Any] = {"data": name, "objectives": choice, "seeds": count, "texts": sample}
        row["accuracy"], row["gain"] = float(right[choice].mean()), float(gains.mean())
        row["gain_low"], row["gain_high"] = row["gain"] - half, row["gain"] + half
        row["processor_seconds"] = round((time.process_time() - started) / count)
        print(row, file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def told_right(case: Case, objectives: tuple[str, ...], sample: int, seed: int) -> Any:
    """Which test rows a backbone gets right that first learnt from texts, then from the few labels."""
    names = sorted({label for _, label in case.train})
    task = Task("intent", "choice", tuple(Label(label) for label in names))
    targets = np.eye(len(names), dtype=np.float32)[[names.index(label) for _, label in case.train]]
    backbone = load_backbone(case.backbone)
    known = {alike(text) for text, _ in [*case.train, *case.test]}
    others = [text for text in dict.fromkeys(case.unlabelled) if alike(text) not in known]
    texts = [others[i] for i in np.random.default_rng(seed).permutation(len(others))[:sample]]
    selfsupervise(backbone, texts, config=SelfSupervisionConfig(objectives=objectives, seed=seed))
    config = FinetuneConfig(epochs=case.epochs, seed=seed)
    tuned = finetune(backbone, Rows([text for text, _ in case.train], {"intent": targets}), [task], config=config)
    learnt = tuned.learnt["intent"]
    vectors = tuned.encode([text for text, _ in case.test], max_tokens=config.max_tokens)
    told = (config.sharpness * vectors @ learnt.weights.T + learnt.bias).argmax(axis=1)
    return np.array([names[place] == label for place, (_, label) in zip(told, case.test, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"some of {', '.join(CASES)}; all when none is named")
    parser.add_argument("--texts", type=int, default=1_000, help="unlabelled texts that are sampled")
    parser.add_argument("--seeds", type=int, help="runs a choice; the case's own number when left out")
    parser.add_argument("--out", type=Path, default=result_file("selfsupervised"))
    asked = parser.parse_args()
    if unknown := [name for name in asked.cases if name not in CASES]:
        sys.exit(f"not known: {', '.join(unknown)}; expected some of {', '.join(CASES)}")
    rows: list[dict[str, Any]] = []
    for name in asked.cases or CASES:
        rows += measured(name, CASES[name](), sample=asked.texts, seeds=asked.seeds)
        publish("selfsupervised", rows, asked.out)


if __name__ == "__main__":
    main()
