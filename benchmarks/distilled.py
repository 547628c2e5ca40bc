"""A small student beside what taught it, and beside ``fast``: how right, how fast, how large on disk.

Run it in an environment with the extra ``tune``. A tuned model that ``tuned.py`` kept is taken from there. Models are
trained in a process of their own, so that what answers has not loaded torch, whose threads would be in the way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

from harness import clocked, keep, kept, run_cases, told
from tuned import CASES, Case

import huiyi
from huiyi import TrainConfig
from huiyi.data.desk import FOLDER
from huiyi.values import Record

DATA = ("desk", "banking77", "banking77-10-unlabelled")
KINDS = {
    "fast": TrainConfig(),
    "student": TrainConfig(effort="tuned", distil=True),
    "tuned": TrainConfig(effort="tuned"),
}
FIGURES = ("accuracy", "ece", "ms_per_record_p50")


@cache
def case_of(data: str) -> Case:
    return desk() if data == "desk" else CASES[data]()


def desk() -> Case:
    """The built-in desk."""
    parts = [huiyi.read(FOLDER / f"{part}.csv").records for part in ("train", "test")]
    return Case(*([(record.text or "", record.labels_of("intent")[0]) for record in part] for part in parts))


def train(data: str, kind: str) -> Mapping[str, float]:
    """Train a model, keep it, and tell the processor seconds that it took; of one that is there already, nothing."""
    if kind == "tuned" and kept(data, kind).is_dir():
        return {}
    case, extra = case_of(data), {}
    if KINDS[kind].effort != "fast" and case.unlabelled is not None:
        extra["unlabelled"] = [Record(text=text) for text in case.unlabelled]
    with clocked() as spent:
        model = huiyi.train(case.train, config=KINDS[kind], on_epoch=told, **extra)
    keep(model, data, kind)
    return {"processor_seconds": spent["processor_seconds"]}


def measured(data: str, kind: str) -> Mapping[str, Any]:
    """One row of the table."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        spent = process.submit(train, data, kind).result()
    figures = huiyi.evaluate(huiyi.load(kept(data, kind)), case_of(data).test).figures
    size = sum(file.stat().st_size for file in kept(data, kind).iterdir()) / 1e6
    return {"rows": len(case_of(data).train), **{name: figures[name] for name in FIGURES}, "folder_mb": size, **spent}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    cases: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"{data}, {kind}": partial(measured, data, kind) for data in DATA for kind in KINDS
    }
    run_cases("distilled", cases, __doc__)
