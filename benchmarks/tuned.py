"""What fine-tuning adds: ``tuned`` beside ``fast`` in one run, with what it costs.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``tune``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from harness import Pair, clocked, in_scope, keep, load, one_pass, run_cases, told

import huiyi
from huiyi.train.tuning.device import device
from huiyi.values import Record

KEPT = ("ece", "oos_auroc", "oos_f1", "act_error", "act_rate", "oos_act_rate", "ms_per_record_p50")


@dataclass(frozen=True)
class Case:
    """Rows to learn from, to test on, held out, and without labels."""

    train: list[Pair]
    test: list[Pair]
    validation: list[Pair] | None = None
    unlabelled: list[str] | None = None


def few(data: str, shots: int, *, with_rest: bool = False) -> Case:
    """Some examples a class, and the texts of the other training rows where they are wanted."""
    train, test = in_scope(load(f"{data}/fewshot_train_{shots}")), load(f"{data}/test")
    rest = [text for text, _ in in_scope(load(f"{data}/train"))] if with_rest else None
    return Case(train, test, unlabelled=rest)


CASES: dict[str, Callable[[], Case]] = {
    "banking77": lambda: Case(load("banking77/train"), load("banking77/test")),
    "clinc150": lambda: Case(
        in_scope(load("clinc150/train")), load("clinc150/test"), in_scope(load("clinc150/validation"))
    ),
    "banking77-5": lambda: few("banking77", 5),
    "banking77-10": lambda: few("banking77", 10),
    "clinc150-5": lambda: few("clinc150", 5),
    "banking77-5-unlabelled": lambda: few("banking77", 5, with_rest=True),
    "banking77-10-unlabelled": lambda: few("banking77", 10, with_rest=True),
    "clinc150-5-unlabelled": lambda: few("clinc150", 5, with_rest=True),
    "kuake_qic": lambda: Case(load("kuake_qic/train"), load("kuake_qic/validation")),
    "tnews": lambda: Case(
        load("tnews_fewclue/train_few_all"),
        load("tnews_fewclue/test_public"),
        unlabelled=[text for text, _ in load("tnews_fewclue/unlabeled", label="text")],
    ),
}


def measured(name: str, make: Callable[[], Case]) -> dict[str, Any]:
    """One row of the table."""
    case = make()
    row: dict[str, Any] = {"rows": len(case.train), "device": device().type}
    right = {}
    for effort in ("fast", "tuned"):
        extra = {}
        if effort == "tuned" and case.unlabelled is not None:
            extra["unlabelled"] = [Record(text=text) for text in case.unlabelled]
        config = huiyi.TrainConfig(effort=effort)
        with clocked() as spent:
            model = huiyi.train(case.train, validation=case.validation, config=config, on_epoch=told, **extra)
        evaluation = huiyi.evaluate(model, case.test)
        right[effort] = np.array(
            [
                decision.label == record.labels["intent"]
                for record, decision in zip(evaluation.records, evaluation.decisions, strict=True)
                if record.labels["intent"] != "oos"
            ]
        )
        row[effort] = float(right[effort].mean())
        row |= {f"{effort}_{unit}": value for unit, value in spent.items()}
        if effort == "tuned":
            row |= {key: float(evaluation.figures[key]) for key in KEPT if key in evaluation.figures}
            row["promise"] = model.promise.kind
            keep(model, name, effort)
            row["weights"] = json.dumps(model.skills["intent"].summary["weights"])
            row["passes"] = round(spent["processor_seconds"] / one_pass([text for text, _ in case.train]), 1)
    gain = right["tuned"].astype(float) - right["fast"]
    row["gain"], half = float(gain.mean()), 1.96 * float(gain.std(ddof=1)) / len(gain) ** 0.5
    row["gain_low"], row["gain_high"] = row["gain"] - half, row["gain"] + half
    return row


if __name__ == "__main__":
    run_cases("tuned", {name: partial(measured, name, case) for name, case in CASES.items()}, __doc__)
