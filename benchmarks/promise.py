"""Is the promise kept? Twenty seeded re-splits of pooled in-scope rows: 60 % train, 20 % held out, 20 % test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any, ClassVar

import numpy as np
from harness import Pair, in_scope, load, report

import huiyi
from huiyi.data import Table, read, split
from huiyi.perceive.encoders import ENCODERS, UniversalSentenceEncoder

SPLITS = 20
MAX_ERROR = {"banking77": 0.05, "clinc150": 0.02}


class Remembering(UniversalSentenceEncoder):
    """The encoder of the core; each text, which recurs in every split, is encoded once."""

    known: ClassVar[dict[str, dict[str, Any]]] = {}

    def encode(self, texts: Sequence[str], *, tick: Callable[[int], None] | None = None) -> Any:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            views = super().encode(new, tick=tick)
            self.known |= {text: {view: rows[i] for view, rows in views.items()} for i, text in enumerate(new)}
        return {view: np.stack([self.known[text][view] for text in texts]) for view in self.widths}


def part(table: Table, rows: Sequence[int]) -> Table:
    return replace(table, records=tuple(table.records[i] for i in rows), rows=tuple(table.rows[i] for i in rows))


def resplits(name: str, pooled: list[Pair], max_error: float, count: int) -> dict[str, Any]:
    table = read(pooled)
    errors, act_rates, coverages, sizes, kinds = [], [], [], [], set()
    for seed in range(count):
        parts = split(table.records, "intent", (0.6, 0.2, 0.2), np.random.default_rng(seed))
        training, held_out, test = (part(table, rows) for rows in parts)
        config = huiyi.TrainConfig(max_error=max_error, oos_rate=0)
        model = huiyi.train(training, validation=held_out, config=config)
        figures = huiyi.evaluate(model, test).figures
        kinds.add(model.promise.kind)
        errors.append(figures["act_error_in_scope"])
        act_rates.append(figures["act_rate"])
        coverages.append(figures["set_coverage"])
        sizes.append(figures["set_size"])
        print(f"{name} {seed}: error {errors[-1]:.4f} acts {act_rates[-1]:.4f}", file=sys.stderr, flush=True)
    return {
        "data": name,
        "max_error": max_error,
        "splits": count,
        "promise": ", ".join(sorted(kinds)),
        "splits_over": sum(error > max_error for error in errors),
        "mean_error": float(np.mean(errors)),
        "mean_act_rate": float(np.mean(act_rates)),
        "mean_coverage": float(np.mean(coverages)),
        "worst_coverage": float(np.min(coverages)),
        "mean_set_size": float(np.mean(sizes)),
    }


def measured(name: str) -> dict[str, Any]:
    ENCODERS[UniversalSentenceEncoder.name] = Remembering
    splits = ("train", "test") if name == "banking77" else ("train", "validation", "test")
    pooled = [row for part in splits for row in in_scope(load(f"{name}/{part}"))]
    return resplits(name, pooled, MAX_ERROR[name], SPLITS)


def main() -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the data sets run side by side, a core each
    with ProcessPoolExecutor(len(MAX_ERROR), mp_context=get_context("spawn")) as pool:
        report("promise", list(pool.map(measured, MAX_ERROR)))


if __name__ == "__main__":
    main()
