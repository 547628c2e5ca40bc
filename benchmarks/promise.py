"""Is the promise kept? Twenty seeded re-splits of pooled in-scope rows: 60 % train, 20 % held out, 20 % test."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from harness import Pair, in_scope, load, report

import huiyi
from huiyi.data import Table, read, split

SPLITS = 20
DELTA = 0.1


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


def main() -> None:
    banking = load("banking77/train") + load("banking77/test")
    clinc = [row for name in ("train", "validation", "test") for row in in_scope(load(f"clinc150/{name}"))]
    report("promise", [resplits("banking77", banking, 0.05, SPLITS), resplits("clinc150", clinc, 0.02, SPLITS)])


if __name__ == "__main__":
    main()
