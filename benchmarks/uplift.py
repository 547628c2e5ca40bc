"""Who gains most: effects by row on an e-mail experiment (Hillstrom 2008), women's mail against none, on visits.

Each of 20 splits learns from one half of the 42,693 rows and is measured on the other by the Qini coefficient, in
visits per thousand rows. ``better than`` is the mean difference of ours to a peer on the same splits, with its standard
error by the correction for splits that overlap (Nadeau and Bengio, "Inference for the Generalization Error", Machine
Learning 52, 2003). Peers are econml's T-learner, of boosted trees and of linear models, and its causal forest of 100
trees, its default, with boosted trees for what it must know beside. Splits that are done are kept in
`results/uplift_splits.json` and not run again: remove it where a learner has changed.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
from harness import DATA, report, result_file, told
from numpy.typing import NDArray

from huiyi.cause.borrowed import fitted
from huiyi.cause.by_row import effects_of_rows
from huiyi.cause.covariates import Covariates
from huiyi.cause.log import Log, Numbers
from huiyi.cause.table import Roles, log_of
from huiyi.cause.uplift import uplift

SPLITS = 20
PAIR = {"action": "Womens E-Mail", "against": "No E-Mail"}
CONTEXT = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")

Learner = Callable[[Log, Log, int], Numbers]
"""From rows to learn from and rows to tell of, and a seed, to the effect in each of the latter."""


def experiment() -> Log:
    """The rows of both arms; leaves the script with a clear word when the data are not there."""
    file = DATA / "causal_hillstrom" / "hillstrom.csv.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has it")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["segment"] in PAIR.values()]
    cells = {name: [row[name] for row in rows] for name in (*CONTEXT, "segment", "visit")}
    return log_of(cells, Roles("segment", ("visit",), context=CONTEXT))


def ours(train: Log, test: Log, seed: int) -> Numbers:
    """Effects by row as the package has them."""
    return effects_of_rows(train, outcome="visit", **PAIR, rows=test, seed=seed)


def by_econml(method: str) -> Learner:
    """A method of econml as the package has it."""

    def learn(train: Log, test: Log, seed: int) -> Numbers:
        rows, other = _designs(train, test)
        return fitted(method, train.outcomes["visit"], _got(train), rows, seed).effects(other)

    return learn


def by_lines(train: Log, test: Log, seed: int) -> Numbers:
    """T-learner of econml, of linear models."""
    from econml.metalearners import TLearner
    from sklearn.linear_model import RidgeCV

    rows, other = _designs(train, test)
    model = TLearner(models=RidgeCV(np.logspace(-1, 4, 12)))
    model.fit(train.outcomes["visit"], _got(train).astype(int), X=rows)
    return np.asarray(model.effect(other), dtype=float).ravel()


def _designs(train: Log, test: Log) -> tuple[Numbers, Numbers]:
    covariates = Covariates(CONTEXT, np.random.default_rng(0))
    return covariates.fit(train, train.outcomes["visit"][:, None]).rows, covariates.of(test).rows


def _got(log: Log) -> NDArray[np.bool_]:
    return log.actions.are(PAIR["action"])


LEARNERS: dict[str, Learner] = {
    "ours": ours,
    "econml T-learner": by_econml("t-learner"),
    "econml T-learner, linear": by_lines,
    "econml causal forest": by_econml("forest"),
}


def halves(log: Log, seed: int) -> tuple[Log, Log]:
    """Two random halves."""
    order = np.random.default_rng([5, seed]).permutation(len(log))
    return log.rows(order[: len(log) // 2]), log.rows(order[len(log) // 2 :])


def split(log: Log, seed: int) -> dict[str, dict[str, float]]:
    """What each learner makes of one split."""
    train, test = halves(log, seed)
    done = {}
    for name, learn in LEARNERS.items():
        began = process_time()
        predicted = learn(train, test, seed)
        seconds = process_time() - began
        found = uplift(test, "visit", predicted, **PAIR, repeats=2)
        done[name] = {"qini": 1000 * found.qini.value, "auuc": 1000 * found.auuc.value, "seconds": seconds}
    told(f"split {seed + 1}", {name: done[name]["qini"] for name in LEARNERS})
    return done


def main() -> None:
    log, kept = experiment(), result_file("uplift_splits")
    splits = json.loads(kept.read_text("utf-8")) if kept.is_file() else []
    for seed in range(len(splits), SPLITS):
        splits.append(split(log, seed))
        kept.write_text(json.dumps(splits, indent=1) + "\n", encoding="utf-8")
    report("uplift", [_row(name, splits) for name in LEARNERS])


def _row(name: str, splits: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    apart = np.array([done["ours"]["qini"] - done[name]["qini"] for done in splits])
    error = float(np.sqrt((1 / SPLITS + 1) * apart.var(ddof=1)))  # halves: as many rows to measure as to learn from
    return {
        "learner": name,
        "splits": SPLITS,
        "qini_per_1000": float(np.mean([done[name]["qini"] for done in splits])),
        "auuc_per_1000": float(np.mean([done[name]["auuc"] for done in splits])),
        "ours_better_by": float(apart.mean()),
        "error": error,
        "ours_better_in": int((apart > 0).sum()),
        "processor_seconds": round(sum(done[name]["seconds"] for done in splits)),
    }


if __name__ == "__main__":
    main()
