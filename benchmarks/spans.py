"""Spans under ``tuned``: slots beside the intent, and named entities, with what they cost.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``tune``.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness import DATA, clocked, one_pass, run_cases, told

import huiyi

KEPT = ("accuracy", "span_f1", "token_accuracy", "ece", "act_rate", "act_error", "ms_per_record_p50")


@dataclass(frozen=True)
class Case:
    """A folder of rows, which of its splits is tested, and which columns are learnt."""

    folder: str
    test: str
    labels: str


CASES = {
    "snips": Case("snips", "test", "intent,tags"),
    "atis": Case("atis", "test", "intent,tags"),
    "conll2003": Case("conll2003", "test", "tags"),
    "cluener": Case("cluener2020", "validation", "tags"),
    "resume_ner": Case("resume_ner", "test", "tags"),
    "cais": Case("cais", "test", "intent,tags"),
}


def rows(folder: str, split: str, labels: str) -> list[dict[str, Any]]:
    """Rows with the columns that are learnt; leaves the script with a clear word when the data are not there."""
    file = DATA / folder / f"{split}.jsonl.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has {folder}")
    wanted = {"text", "tokens", *labels.split(",")}
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        return [{name: value for name, value in json.loads(line).items() if name in wanted} for line in lines]


def measured(name: str, case: Case) -> dict[str, Any]:
    """One row of the table."""
    train, test = (rows(case.folder, split, case.labels) for split in ("train", case.test))
    columns = huiyi.Columns(label=case.labels)
    with clocked() as spent:
        model = huiyi.train(train, columns=columns, config=huiyi.TrainConfig(effort="tuned"), on_epoch=told)
    figures = huiyi.evaluate(model, huiyi.read(test, columns)).figures
    passes = spent["processor_seconds"] / one_pass([row.get("text") or " ".join(row["tokens"]) for row in train])
    return {
        "rows": len(train),
        "backbone": model.summary["backbone"],
        **{key: float(figures[key]) for key in KEPT if figures.get(key) is not None},
        **spent,
        "passes": round(passes, 1),
    }


if __name__ == "__main__":
    run_cases("spans", {name: partial(measured, name, case) for name, case in CASES.items()}, __doc__)
