"""Accuracy, calibration and scope with the defaults of the core: full data, few examples, no example, Chinese."""

from __future__ import annotations

import sys
from typing import Any

from harness import Pair, in_scope, load, report

import huiyi
from huiyi.values import Label, Record, Task

KEPT = (
    "accuracy", "ece", "oos_auroc", "oos_f1", "oos_recall", "act_error", "act_rate", "act_error_in_scope",
    "oos_act_rate", "set_coverage", "set_size", "ms_per_record_p50",
)  # fmt: skip


def measured(name: str, train: list[Pair], test: list[Pair], **options: Any) -> dict[str, Any]:
    model = huiyi.train(train, **options)
    figures = huiyi.evaluate(model, test).figures
    summary = {"data": name, "rows": len(train), "train_seconds": model.summary["seconds"]}
    row = {**summary, **{key: float(figures[key]) for key in KEPT if key in figures}, "promise": model.promise.kind}
    print(row, file=sys.stderr, flush=True)
    return row


def no_example(name: str, test: list[Pair]) -> dict[str, Any]:
    labels = tuple(Label(label) for label in sorted({label for _, label in in_scope(test)}))
    records = [Record(text="", labels={})]
    model = huiyi.train(records, task=Task("intent", "choice", labels))
    figures = huiyi.evaluate(model, test).figures
    return {"data": name, "rows": 0, **{key: float(figures[key]) for key in KEPT if key in figures}}


def main() -> None:
    banking, clinc = load("banking77/test"), load("clinc150/test")
    rows = [
        measured("banking77", load("banking77/train"), banking),
        measured("clinc150", in_scope(load("clinc150/train")), clinc, validation=in_scope(load("clinc150/validation"))),
        *(measured(f"banking77, {n} a class", load(f"banking77/fewshot_train_{n}"), banking) for n in (5, 10)),
        *(measured(f"clinc150, {n} a class", in_scope(load(f"clinc150/fewshot_train_{n}")), clinc) for n in (5, 10)),
        no_example("banking77, names only", banking),
        measured("kuake_qic", load("kuake_qic/train"), load("kuake_qic/validation")),
        measured("thucnews10, 10,000 rows", load("thucnews10/validation"), load("thucnews10/test")),
    ]
    report("accuracy", rows)


if __name__ == "__main__":
    main()
