"""What is told from recordings alone: by what is said in them, by what they sound like, and by both.

Spoken digits are learnt from takes 5 to 19 of six speakers, and asked of takes
0 to 4. Spoken orders of coffee have six slots, each a task that chooses one of
its values, or ``none`` where the order does not name it; what counts is the
micro F1 over the pairs of slot and value. Nobody transcribed them.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``audio``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from harness import DATA, clocked, run_cases

import huiyi
from huiyi import TrainConfig
from huiyi.values import Media, Record

SLOTS = ("coffeeDrink", "size", "roast", "numberOfShots", "milkAmount", "sugarAmount")
NONE = "none"


def digits(row: Mapping[str, Any]) -> dict[str, str]:
    """The digit."""
    return {"digit": row["label"]}


def slots(row: Mapping[str, Any]) -> dict[str, str]:
    """A label for each slot."""
    return {slot: row["slots"].get(slot, NONE) for slot in SLOTS}


def records(folder: str, split: str, labels: Callable[[Mapping[str, Any]], dict[str, str]]) -> list[Record]:
    """The recordings of one split, with nothing but sound."""
    with (DATA / folder / "index.jsonl").open(encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["split"] == split]
    return [
        Record(id=row["id"], audios=(Media(path=DATA / folder / row["audio"]),), labels=labels(row)) for row in rows
    ]


def told(folder: str, labels: Callable[[Mapping[str, Any]], dict[str, str]], signals: Sequence[str]) -> dict[str, Any]:
    """Trained on one split, asked of the other, by some signals."""
    train, test = (records(folder, split, labels) for split in ("train", "test"))
    with clocked() as spent:
        model = huiyi.train(train, config=TrainConfig(signals=tuple(signals)))
    with clocked() as asked:
        decisions = model.decide_all(test)
    tasks = [task.name for task in model.tasks]
    given = [decision.tasks or {tasks[0]: decision} for decision in decisions]
    pairs = [(record.labels[task], own[task].label) for record, own in zip(test, given, strict=True) for task in tasks]
    right = sum(label == found != NONE for label, found in pairs)
    named, found = (sum(pair[side] != NONE for pair in pairs) for side in (0, 1))
    return {
        "rows": len(train),
        "tests": len(test),
        "accuracy": float(np.mean([label == found for label, found in pairs])),
        "pair_f1": 2 * right / (named + found) if len(tasks) > 1 else None,
        **spent,
        "ms_a_record": round(1_000 * asked["processor_seconds"] / len(test)),
    }


if __name__ == "__main__":
    data = {"au_spoken_digits": digits, "au_spoken_orders": slots}
    ways = {"audio": ("audio",), "speech": ("speech",), "speech, audio": ("speech", "audio")}
    run_cases(
        "recordings",
        {
            f"{folder}: {way}": partial(told, folder, labels, signals)
            for folder, labels in data.items()
            for way, signals in ways.items()
        },
        __doc__,
    )
