"""Several tasks in one model: beside a model for each, and what adding the last of them later changes of the others.

NLU++ learns from its folds 0 to 17 and is tested on 18 and 19; its slots are
made into spans here. ``fast`` does the tasks that are no spans. Name some
cases to run these alone; their rows then replace the ones of before. The
``tuned`` ones want an environment with the extra ``tune``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import DATA, clocked, load, publish, result_file, today

import huiyi
from huiyi import Columns, Model, TrainConfig
from huiyi.data.desk import FOLDER, TASKS
from huiyi.evaluate import Evaluation

TESTED_FOLDS = (18, 19)
FIGURES = {"choice": "accuracy", "several": "micro_f1", "spans": "span_f1"}


@dataclass(frozen=True)
class Case:
    """Rows to learn from and to test on, and what is told from them, the task that is added later last."""

    train: Any
    test: Any
    tasks: tuple[str, ...]
    described: Path | None = None


def desk() -> Case:
    """The built-in desk."""
    return Case(FOLDER / "tasks_train.jsonl", FOLDER / "tasks_test.jsonl", TASKS, FOLDER / "tasks.yaml")


def nlupp(domain: str) -> Case:
    """One domain of NLU++, its slots as spans."""
    load(f"nlupp/{domain}", "intents")  # says so where the data are missing
    with gzip.open(DATA / f"nlupp/{domain}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as lines:
        rows = [json.loads(line) for line in lines]
    parts: tuple[list[Any], list[Any]] = ([], [])
    for row in rows:
        spans = [{"label": slot["slot"], "start": slot["start"], "end": slot["end"]} for slot in row["slots"]]
        parts[row["fold"] in TESTED_FOLDS].append({"text": row["text"], "intents": row["intents"], "spans": spans})
    return Case(*parts, ("intents", "spans"))


CASES: dict[str, Callable[[], Case]] = {
    "desk, fast": desk,
    "desk, tuned": desk,
    "nlupp banking, tuned": lambda: nlupp("banking"),
    "nlupp hotels, tuned": lambda: nlupp("hotels"),
}


def learnt(case: Case, tasks: Sequence[str], effort: str, add_to: Model | None = None) -> tuple[Model, int]:
    """A model that learnt these tasks, saved and loaded, and the processor seconds it took."""
    with clocked() as spent, tempfile.TemporaryDirectory() as folder:
        columns = Columns(label=",".join(tasks))
        config = TrainConfig(effort=effort)
        model = huiyi.train(case.train, task=case.described, columns=columns, config=config, add_to=add_to)
        model.save(Path(folder) / "model")
        loaded = huiyi.load(Path(folder) / "model")
    return loaded, spent["processor_seconds"]


def tested(model: Model, case: Case) -> Evaluation:
    """What a model is worth on the test rows."""
    columns = Columns(label=",".join(task.name for task in model.tasks))
    return huiyi.evaluate(model, huiyi.read(case.test, columns))


def told(model: Model, case: Case, task: str) -> list[float]:
    """Every number that a model tells of the test rows for a task, and where its spans lie."""
    context = model.perceive(huiyi.read(case.test, Columns(label=",".join(case.tasks))).records)
    intents = model.align(context, task)
    spans = [span for found in intents.spans or () for span in found]
    places = [[span.start, span.end, span.probability or 0.0] for span in spans]
    return [*intents.probabilities.ravel(), *intents.in_scope, *np.ravel(places)]


def difference(first: list[float], second: list[float]) -> float:
    """The largest one; infinite where one tells of another number of spans."""
    return float(np.abs(np.subtract(first, second)).max()) if len(first) == len(second) else np.inf


def measured(name: str, case: Case) -> list[dict[str, Any]]:
    """One row of the table for each task."""
    effort = name.rsplit(", ", 1)[1]
    tasks = [task for task in case.tasks if effort != "fast" or task != "spans"]
    together, seconds = learnt(case, tasks, effort)
    base, seconds_base = learnt(case, tasks[:-1], effort)
    extended, _ = learnt(case, tasks[-1:], effort, add_to=base)
    all_of, later = tested(together, case).tasks, tested(extended, case).tasks
    rows = []
    for task in tasks:
        alone, seconds_alone = (base, seconds_base) if [task] == tasks[:-1] else learnt(case, [task], effort)
        figure = FIGURES[alone.task.kind]
        row: dict[str, Any] = {"data": name, "task": task, "figure": figure, "rows": all_of[task].figures["n"]}
        row |= {"together": all_of[task].figures[figure], "alone": tested(alone, case).figures[figure]}
        row |= {"added_later": None, "changed_by_adding": None}
        if task == tasks[-1]:
            row["added_later"] = later[task].figures[figure]
        else:
            row["changed_by_adding"] = difference(told(base, case, task), told(extended, case, task))
        row |= {"processor_seconds_together": seconds, "processor_seconds_alone": seconds_alone, "date": today()}
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"some of {'; '.join(CASES)}; all when none is named")
    parser.add_argument("--out", type=Path, default=result_file("tasks"))
    asked = parser.parse_args()
    if unknown := [name for name in asked.cases if name not in CASES]:
        sys.exit(f"not known: {'; '.join(unknown)}; expected some of {'; '.join(CASES)}")
    rows = json.loads(asked.out.read_text("utf-8"))["rows"] if asked.out.is_file() else []
    for name in asked.cases or CASES:
        rows = [row for row in rows if row["data"] != name] + measured(name, CASES[name]())
        publish("tasks", rows, asked.out)


if __name__ == "__main__":
    main()
