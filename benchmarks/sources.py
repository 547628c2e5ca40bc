"""What text, pictures and form fields add to each other, and what is left where one of them is missing.

The official split is learnt and tested once. Small data are also split anew,
ten times, so that a patient, a lesion or an event is on one side alone; then
all sources together are held against the one that the training rows would
choose, and against models that never had the source that is taken away.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extras ``image`` and ``tune``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from harness import DATA, clocked, run_cases, told

import huiyi
from huiyi import Columns, TrainConfig
from huiyi.evaluate.metrics import expected_calibration_error
from huiyi.train.config import Session
from huiyi.train.fast import Assignment, Seen, fit_aligners, see
from huiyi.train.lessons import task_of
from huiyi.values import Context, Record, Task

SPLITS, TEST_SHARE = 10, 0.25
STUDENT = 2.262
"""Two-sided 95 % of Student's t with SPLITS - 1 degrees of freedom."""

FROZEN, LEARNT = ("text", "image"), ("words", "fields")
"""What is perceived once for all splits, and what learns from the training rows."""


@dataclass(frozen=True)
class Case:
    """A folder with an index, which of its columns are read, and what may not be on both sides of a split."""

    folder: str
    group: str
    text: str | None = None
    fields: tuple[str, ...] = ()

    @property
    def columns(self) -> Columns:
        """As reading takes them."""
        return Columns(
            text=self.text, label="label", fields=self.fields, ignore=() if self.text == "text" else ("text",)
        )


CASES = {
    "mm_ham10000": Case("mm_ham10000", "lesion_id", fields=("age", "sex", "localization")),
    "mm_covid_cxr": Case("mm_covid_cxr", "patient_id", "text_masked", ("age", "sex", "view")),
    "mm_tweet_sentiment": Case("mm_tweet_sentiment", "id", "text"),
    "mm_tweet_verification": Case("mm_tweet_verification", "event", "text"),
}


def read(case: Case, **where: str) -> huiyi.Table:
    """The labelled rows."""
    columns = case.columns
    options = Columns(columns.text, columns.label, columns.fields, columns.ignore, where)
    return huiyi.read(DATA / case.folder / "index.jsonl", options).labelled()


def groups(case: Case, table: huiyi.Table) -> np.ndarray:
    """The group of each row."""
    with (DATA / case.folder / "index.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return np.array([str(rows[number - 1][case.group]) for number in table.rows])


def calibrated_ece(confidence: np.ndarray, *, draws: int = 1_000) -> float:
    """The 95th percentile of the ECE that these confidences would have if they were exactly right."""
    rng = np.random.default_rng(0)
    found = [expected_calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)]
    return float(np.quantile([value for value in found if value is not None], 0.95))


def official(case: Case, signals: Sequence[str], effort: str = "fast") -> dict[str, Any]:
    """Trained on the split called ``train``, tested on the one called ``test``."""
    train, test = read(case, split="train"), read(case, split="test")
    with clocked() as spent:
        model = huiyi.train(train, config=TrainConfig(signals=tuple(signals), effort=effort), on_epoch=told)
    evaluation = huiyi.evaluate(model, test)
    figures = {name: float(evaluation.figures[name]) for name in ("accuracy", "macro_f1", "ece")}
    confidence = np.array([decision.probability for decision in evaluation.decisions])
    return {
        "rows": len(train.records),
        "tests": len(test.records),
        **figures,
        "ece_95": calibrated_ece(confidence),
        **spent,
    }


class Splits:
    """Rows that are split anew again and again; what no row changes is perceived once."""

    def __init__(self, case: Case) -> None:
        table = read(case)
        self.records: Sequence[Record] = table.records
        self.groups = groups(case, table)
        self.task: Task = task_of(table, None)
        self.right = np.array([self.task.names.index(record.labels["label"]) for record in self.records])
        self._frozen = self._see(self.records, FROZEN)

    def measured(self, seed: int) -> dict[str, float]:
        """Accuracies of one split, by what was heard when it learnt and when it was asked."""
        rng = np.random.default_rng(seed)
        names = rng.permutation(np.unique(self.groups))
        is_test = np.isin(self.groups, names[: max(1, round(TEST_SHARE * len(names)))])
        train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        learnt = self._see([self.records[row] for row in train], LEARNT)
        whole = _beside(self._frozen.context, learnt.perception.perceive(self.records))
        seen = Seen(
            self._frozen.perception.joined(learnt.perception),
            whole.rows(train),
            _beside(self._frozen.names, learnt.names),
            self._frozen.named,
        )
        sources = [source for source in whole.sources if whole.has(source).any()]
        asked, figures = whole.rows(test), {}

        def learn(kept: Collection[str]) -> Any:
            some = Seen(seen.perception, seen.context.only(kept), seen.names.only(kept), seen.named)
            return fit_aligners([self.task], some, Session())

        def share(aligner: Any, kept: Collection[str]) -> float:
            told = aligner.align(asked.only(kept)).probabilities.argmax(axis=1)
            return float((told == self.right[test]).mean())

        fused = learn(sources).aligners[self.task.name]
        figures["together"] = share(fused, sources)
        evidence = {}
        for source in sources:
            alone = learn([source])
            told = alone.held_out[self.task.name]
            rights = self.right[train][told.rows]
            evidence[source] = float((told.intents.probabilities.argmax(axis=1) == rights).mean())
            figures[f"{source} alone"] = share(alone.aligners[self.task.name], [source])
            others = [other for other in sources if other != source]
            without = learn(others).aligners[self.task.name]
            figures[f"{source} taken away"] = share(fused, others) - share(without, others)
        best = max(evidence, key=evidence.__getitem__)
        figures["together - chosen"] = figures["together"] - figures[f"{best} alone"]
        return figures

    def _see(self, records: Sequence[Record], signals: Sequence[str]) -> Seen:
        return see(Assignment([self.task], records, TrainConfig(signals=tuple(signals)), Session()))


def _beside(left: Context, right: Context) -> Context:
    """Two contexts of the same records as one."""
    present = np.column_stack([left.present, right.present])
    return Context(left.records, {**left.signals, **right.signals}, present)


def again(case: Case) -> dict[str, Any]:
    """Mean and 95 % interval of each figure over the splits."""
    with clocked() as spent:
        splits = Splits(case)
        found: list[Mapping[str, float]] = [splits.measured(seed) for seed in range(SPLITS)]
    row: dict[str, Any] = {"rows": len(splits.records)}
    for name in found[0]:
        values = np.array([figures[name] for figures in found])
        half = STUDENT * values.std(ddof=1) / len(values) ** 0.5
        row[name] = f"{values.mean():.3f} ({values.mean() - half:+.3f} to {values.mean() + half:+.3f})"
    return {**row, **spent}


WAYS: dict[str, dict[str, tuple[Any, ...]]] = {
    "mm_ham10000": {
        "image": (("image",),),
        "image, fields": (("image", "fields"),),
        "tuned": (("image", "fields"), "tuned"),
    },
    "mm_covid_cxr": {},
    "mm_tweet_sentiment": {
        "text": (("text", "words"),),
        "text, image": (("text", "words", "image"),),
        "tuned": (("text", "words", "image"), "tuned"),
    },
    "mm_tweet_verification": {},
}
"""What is perceived of the official splits, and with what effort it is learnt."""

if __name__ == "__main__":
    cases = {
        f"{name}: {called}": partial(official, CASES[name], *way)
        for name, ways in WAYS.items()
        for called, way in ways.items()
    }
    run_cases("sources", cases | {f"{name}, split anew": partial(again, case) for name, case in CASES.items()}, __doc__)
