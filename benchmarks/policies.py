"""Values of policies that were never run, and policies learnt from logs: Open Bandit and the made-up log of the desk.

    python benchmarks/policies.py [CASE …]

`open_bandit_…`: the clicks that the policy `random` brings, told from 10,000 rows that `bts` chose; `on_policy` is of
10,000 rows that `random` chose itself. `value`: 50 logs of 100,000 rows; the policy calls back what is difficult, sends
vouchers to who waited for long, and draws a tenth evenly; `relative_error_effect` is of the effect of a call against a
ready answer, the mean difference of doubly robust scores. `coverage`: 200 logs of 10,000 rows; how often 95 % intervals
hold the truth about that policy, about its gain over the policy that logged, and about that effect. `policy_…`: 50
logs; `regret` is what the learnt policy lacks to the best one, as a share of what the best one is better than the
policy that logged. `no_effect`: 100 logs of 5,000 rows in which the reply changes nothing, and policies that were
adopted all the same. True values are means over 1,000,000 other rows; those of learnt policies, over 200,000.

Propensities are those of the log. Outcomes are predicted out of fold by ridge regression on the intent and, for each
intent, lines of the difficulty and the days: quicker than the learners of `huiyi effect`, so that many logs can be
looked at. Its penalty, and the options of learning, were chosen on logs of other seeds.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from harness import DATA, clocked, run_cases

from huiyi.cause.learning import learn
from huiyi.cause.log import Categories, Log
from huiyi.cause.means import mean_of
from huiyi.cause.nuisance import Nuisances
from huiyi.cause.offpolicy import METHODS, Logged, value
from huiyi.data.interactions import REPLIES, Interactions, simulate

FOLDS = 5
PENALTY = 20.0
COLUMNS = ("intent", "difficulty", "waiting", "channel")
PRIOR_ROWS = 500.0  # as many rows the mean click rate counts as, beside those of an item


# Open Bandit


def campaign(name: str, policy: str) -> Logged:
    """A log of one campaign by one policy, with predictions by the click rate of each item."""
    file = DATA / "causal_open_bandit" / f"{policy}_{name}.csv.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder of causal_open_bandit")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    items = np.array([int(row["item_id"]) for row in rows])
    clicks = np.array([float(row["click"]) for row in rows])
    k, folds = int(items.max()) + 1, np.random.default_rng(0).integers(FOLDS, size=len(rows))
    predictions = np.empty((len(rows), k))
    for fold in range(FOLDS):
        train = folds != fold
        seen = np.bincount(items[train], minlength=k)
        clicked = np.bincount(items[train], clicks[train], k)
        predictions[~train] = (clicked + PRIOR_ROWS * clicks[train].mean()) / (seen + PRIOR_ROWS)
    propensities = np.array([float(row["propensity_score"]) for row in rows])
    return Logged(tuple(map(str, range(k))), items, clicks, propensities, predictions, source=file.name)


def open_bandit(name: str) -> dict[str, Any]:
    """What `random` brings, from the log of `bts`."""
    logged = campaign(name, "bts")
    target = np.full((len(logged), len(logged.names)), 1 / len(logged.names))
    on_policy = mean_of(campaign(name, "random").rewards)
    row: dict[str, Any] = {"rows": len(logged), "clicks": int(logged.rewards.sum())}
    row["on_policy"] = [round(on_policy.low, 5), round(on_policy.high, 5)]
    for method in METHODS:
        told = value(logged, target, method=method)
        row["effective_sample"] = round(told.effective, 1)
        if told.estimate is None:
            row.update(refused=told.refused, notices=list(told.notices))
            return row
        row[method] = [round(told.estimate.low, 5), round(told.estimate.high, 5)]
        row[f"{method}_overlaps"] = told.estimate.low <= on_policy.high and on_policy.low <= told.estimate.high
        row["notices"] = list(told.notices)
    return row


# The made-up log


def known_of(sim: Interactions, seed: int) -> tuple[Log, Nuisances]:
    """The log, and what is known of each reply in it."""
    cells = sim.columns
    _, units = np.unique(cells["customer"], return_inverse=True)
    codes = np.argmax(cells["reply"][:, None] == np.array(REPLIES), axis=1)
    context = {
        name: Categories.of(cells[name].tolist()) if cells[name].dtype.kind == "U" else cells[name].astype(float)
        for name in COLUMNS
    }
    solved = cells["solved"].astype(float)
    customers = Categories(tuple(map(str, range(units.max() + 1))), units)
    log = Log("log", "reply", Categories(REPLIES, codes), {"solved": solved}, context, "intent", cells["propensity"],
              customers)  # fmt: skip
    folds = np.random.default_rng(seed).integers(FOLDS, size=units.max() + 1)[units]
    predictions = predicted(context, codes, solved, folds)
    return log, Nuisances(REPLIES, codes, solved, sim.propensities, predictions, folds, ())


def predicted(context: Mapping[str, Any], codes: Any, solved: Any, folds: Any) -> Any:
    """What each reply brings, told for each fold by the others, shape (n, k)."""
    intents = np.eye(len(context["intent"].names))[context["intent"].codes]
    days, hard = context["waiting"][:, None], context["difficulty"][:, None]
    rows = np.hstack([intents, intents * (hard - 2.5), intents * (days - 3) / 3, intents * (days > 3)])
    told = np.empty((len(solved), len(REPLIES)))
    for code in range(len(REPLIES)):
        mean = solved[codes == code].mean()
        parts = [rows[(codes == code) & (folds == fold)] for fold in range(FOLDS)]
        rest = [solved[(codes == code) & (folds == fold)] - mean for fold in range(FOLDS)]
        squares, products = [part.T @ part for part in parts], [part.T @ y for part, y in zip(parts, rest, strict=True)]
        for fold in range(FOLDS):
            left = sum(squares) - squares[fold] + PENALTY * np.eye(rows.shape[1])
            told[folds == fold, code] = mean + rows[folds == fold] @ np.linalg.solve(
                left, sum(products) - products[fold]
            )
    return np.clip(told, 0, 1)


def target_of(sim: Interactions) -> Any:
    """The policy whose value is asked for."""
    late, hard = sim.columns["waiting"] > 7, sim.columns["difficulty"] >= 3
    return 0.9 * np.eye(3)[np.where(late, 2, np.where(hard, 1, 0))] + 0.1 / 3


@cache
def truth() -> dict[str, float]:
    """True means, over rows that are in no other log."""
    logs = [simulate(100_000, 10_000 + part) for part in range(10)]
    found = {
        "target": [log.value(target_of(log)) for log in logs],
        "logging": [log.value(log.propensities) for log in logs],
        "best": [log.value(np.eye(3)[log.best]) for log in logs],
        "effect": [(log.solved[:, 1] - log.solved[:, 0]).mean() for log in logs],
    }
    return {name: float(np.mean(parts)) for name, parts in found.items()}


def rmse(errors: Any) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def values(seeds: int, rows: int) -> dict[str, Any]:
    """Errors of each method."""
    errors: dict[str, list[float]] = {method: [] for method in METHODS}
    effects = []
    with clocked() as spent:
        for seed in range(seeds):
            sim = simulate(rows, seed)
            log, found = known_of(sim, seed)
            logged, target = Logged.of(log, found), target_of(sim)
            effects.append((found.scores[:, 1] - found.scores[:, 0]).mean() - truth()["effect"])
            for method in METHODS:
                told = value(logged, target, method=method)
                assert told.estimate is not None
                errors[method].append(told.estimate.value - truth()["target"])
    relative = {f"relative_error_{m}": float(np.mean(np.abs(e))) / truth()["target"] for m, e in errors.items()}
    relative["relative_error_effect"] = float(np.mean(np.abs(effects))) / truth()["effect"]
    return {"seeds": seeds, "rows": rows, "truth": truth()["target"], **relative,
            **{f"rmse_{method}": rmse(found) for method, found in errors.items()}, **spent}  # fmt: skip


def coverage(seeds: int, rows: int) -> dict[str, Any]:
    """How often intervals hold the truth."""
    held: Counter[str] = Counter()
    naive = []
    with clocked() as spent:
        for seed in range(seeds):
            sim = simulate(rows, seed)
            log, found = known_of(sim, seed)
            logged, target = Logged.of(log, found), target_of(sim)
            for method in METHODS:
                told = value(logged, target, method=method)
                assert told.estimate is not None and told.gain is not None
                gain = truth()["target"] - truth()["logging"]
                held[f"covers_{method}"] += told.estimate.low <= truth()["target"] <= told.estimate.high
                held[f"covers_gain_{method}"] += told.gain.low <= gain <= told.gain.high
            effect = mean_of(found.scores[:, 1] - found.scores[:, 0], units=logged.units)
            held["covers_effect"] += effect.low <= truth()["effect"] <= effect.high
            naive.append(found.outcomes[found.codes == 1].mean() - found.outcomes[found.codes == 0].mean())
    shares = {name: count / seeds for name, count in held.items()}
    return {"seeds": seeds, "rows": rows, "effect": truth()["effect"], "naive_effect": float(np.mean(naive)), **shares,
            **spent}  # fmt: skip


def policies(seeds: int, rows: int) -> dict[str, Any]:
    """What learnt policies are worth."""
    fresh = simulate(200_000, 20_000)
    context = known_of(fresh, 0)[0].context
    best, logging = fresh.value(np.eye(3)[fresh.best]), fresh.value(fresh.propensities)
    gains, told, shapes = [], [], Counter[str]()
    with clocked() as spent:
        for seed in range(seeds):
            learned = learn(*known_of(simulate(rows, seed), seed), outcome="solved")
            gains.append(fresh.value(learned.policy.probabilities(context, len(fresh))) - logging)
            told.append((learned.adopted, learned.value.gain))
            shapes[learned.shape] += 1
    adopted = np.array([one for one, _ in told])
    regrets = (best - logging - np.array(gains)) / (best - logging)
    return {
        "seeds": seeds,
        "rows": rows,
        "regret": float(regrets.mean()),
        "regret_worst": float(regrets.max()),
        "adopted": int(adopted.sum()),
        "adopted_and_worse": int((adopted & (np.array(gains) < 0)).sum()),
        "gain": float(np.mean(gains)),
        "gain_told": float(np.mean([gain.value for _, gain in told])),
        "above_lower_bound": sum(gain.low <= true for (_, gain), true in zip(told, gains, strict=True)),
        "shapes": dict(shapes),
        **spent,
    }


def no_effect(seeds: int, rows: int) -> dict[str, Any]:
    """Policies that are adopted where no reply is better than another."""
    adopted = 0
    with clocked() as spent:
        for seed in range(seeds):
            sim = simulate(rows, seed)
            solved = np.random.default_rng([seed, 1]).random(rows) < sim.solved[:, 0]
            columns = {**sim.columns, "solved": solved.astype(np.intp)}
            same = Interactions(columns, sim.replies, sim.propensities, sim.solved, sim.satisfaction)
            adopted += learn(*known_of(same, seed), outcome="solved").adopted
    return {"seeds": seeds, "rows": rows, "adopted": adopted, **spent}


CASES: dict[str, Callable[[], Mapping[str, Any]]] = {
    "open_bandit_men": partial(open_bandit, "men"),
    "open_bandit_women": partial(open_bandit, "women"),
    "value": partial(values, 50, 100_000),
    "coverage": partial(coverage, 200, 10_000),
    "policy_100000": partial(policies, 50, 100_000),
    "policy_10000": partial(policies, 50, 10_000),
    "no_effect": partial(no_effect, 100, 5_000),
}

if __name__ == "__main__":
    run_cases("policies", CASES, __doc__)
