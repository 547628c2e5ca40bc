"""Attempts to prove effects wrong, on designs that are right and on wrong ones; and what a hidden cause would overturn.

``hidden``: worlds in which a cause that drives action and outcome is left out of the log. The effect that is then seen
is about the same in all of them; what the action really does is what the hidden cause leaves of it. Right is the phrase
that says "would overturn" where the effect with that cause held equal is 0 or less, and only there. ``almost`` leaves
so little of it that the phrase, which speaks of the worst such cause, may say so where this one does not quite.

``valid``: designs that differ in rows, columns, outcome, repeated units, bends, whether actions were drawn at random,
and estimand, each with a negative control. A false alarm is a design on which any attempt alarms.

All others are wrong in one way, and told is how often any attempt alarms. All worlds are drawn from fixed seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from harness import clocked, run_cases, told

from huiyi.cause.effect import effect, estimated
from huiyi.cause.log import Categories, Log
from huiyi.cause.refute import REFUTERS, Estimator, refute
from huiyi.cause.sensitivity import Sensitivity, doubly_robust_parts, explained_by, sensitivity
from huiyi.values import Effect, Estimate

DESIGNS, WRONG_DESIGNS, WORLDS = 50, 10, 10
STRENGTHS = {"weak": 0.25, "middle": 0.5, "strong": 1.0, "almost": 0.7}
HIDDEN_ROWS = 2_000
SEEN = 0.5
"""About the effect that is seen while the cause is hidden, so that what is true differs."""

PAIR = {"action": "mail", "against": "call"}
EARLIER = "score before"


@dataclass(frozen=True)
class Design:
    """A world, and what is asked of it."""

    log: Log
    estimand: str


def design(seed: int, *, per_unit: int | None = None, at_random: bool | None = None) -> Design:
    """A world in which all that drives the action and the outcome is in the log."""
    rng = np.random.default_rng([7, seed])
    rows, width = int(rng.integers(400, 1_200)), int(rng.integers(2, 6))
    is_random, is_bent, is_yes_no = rng.random(3) < (0.3, 0.5, 0.5)
    is_random = is_random if at_random is None else at_random
    repeats = per_unit or (4 if seed % 4 == 3 else 1)
    unit = np.arange(rows) // repeats
    own = 0.5 * rng.normal(size=unit[-1] + 1)[unit] if repeats > 1 else np.zeros(rows)
    X = rng.normal(size=(rows, width))
    office = rng.integers(0, 4, rows)
    of_office = rng.normal(size=4)[office]
    drive = np.zeros(rows) if is_random else 0.7 * X[:, 0] - 0.4 * X[:, 1] + 0.4 * of_office
    if is_bent and not is_random:
        drive = drive + 0.4 * (X[:, 1] ** 2 - 1)
    whim = rng.logistic(size=unit[-1] + 1)[unit] if per_unit else rng.logistic(size=rows)
    mailed = drive + whim > 0
    base = X[:, 0] + 0.5 * of_office + (np.sin(2 * X[:, 1]) if is_bent else 0.5 * X[:, 1])
    gain = 0.3 + 0.3 * X[:, 0]
    solved = base + gain * mailed + own * (3 if per_unit else 1) + rng.normal(size=rows)
    if is_yes_no and not per_unit:
        solved = (solved > 0.3).astype(float)
    log = Log(
        f"design {seed}",
        "reply",
        Categories(("call", "mail"), mailed.astype(np.intp)),
        {"solved": solved, EARLIER: base + rng.normal(size=rows)},
        {
            **{f"x{place}": column for place, column in enumerate(X.T)},
            "office": Categories(tuple("abcd"), office),
        },
        units=Categories(tuple(f"{one:05d}" for one in range(unit[-1] + 1)), unit) if repeats > 1 else None,
    )
    return Design(log, "ATT" if seed % 5 == 4 else "ATE")


def ours(estimand: str, *, left_out: tuple[str, ...] = ()) -> Estimator:
    """The doubly robust default, but for columns that are left out."""

    def estimate(log: Log) -> Effect:
        adjust = [name for name in log.context if name not in left_out]
        return effect(log, outcome="solved", **PAIR, adjust=adjust, estimand=estimand).overall[0]

    return estimate


def difference(log: Log) -> Effect:
    """The plain difference of means."""
    ended, mailed = log.outcomes["solved"], log.actions.are("mail")
    value = float(ended[mailed].mean() - ended[~mailed].mean())
    return _told(value, float(np.sqrt(ended[mailed].var() / mailed.sum() + ended[~mailed].var() / (~mailed).sum())))


def fitted_to_itself(log: Log) -> Effect:
    """Two forests that predict the rows they have learnt, and how these predictions scatter as the error."""
    from sklearn.ensemble import RandomForestRegressor

    columns = [one.codes.astype(float) if isinstance(one, Categories) else one for one in log.context.values()]
    X, ended, mailed = np.column_stack(columns), log.outcomes["solved"], log.actions.are("mail")
    after, without = (
        RandomForestRegressor(50, random_state=0).fit(X[which], ended[which]).predict(X) for which in (mailed, ~mailed)
    )
    return _told(float(np.mean(after - without)), float(np.std(after - without) / np.sqrt(len(log))))


def _told(value: float, error: float) -> Effect:
    told = Estimate(value, value - 1.96 * error, value + 1.96 * error, error)
    return Effect("mail", "call", "solved", "ATE", {}, 0, told, value)


def blind_to_units(estimand: str) -> Estimator:
    """The default, not told that rows are about the same ones."""
    return lambda log: ours(estimand)(replace(log, units=None))


def following(made: Design) -> Log:
    """A log with a column that follows from the action, and from what drives the outcome."""
    log = made.log
    mailed = log.actions.are("mail")
    noise = np.random.default_rng(1).normal(size=len(log))
    return log.with_column("calls later", mailed - log.outcomes["solved"] + noise)


Wrong = Callable[[int], tuple[Log, Estimator, str | None]]
"""Of a seed: the log, the estimate, and a negative control."""

DRIVER = "x0"


def chosen(seed: int) -> Design:
    """A design in which the action was not drawn at random."""
    return design(seed, at_random=False)


WRONG: Mapping[str, Wrong] = {
    "a column of the log not held equal": lambda seed: (
        chosen(seed).log,
        ours(chosen(seed).estimand, left_out=(DRIVER,)),
        None,
    ),
    "a cause not in the log, negative control": lambda seed: (
        chosen(seed).log.without(DRIVER),
        ours(chosen(seed).estimand),
        EARLIER,
    ),
    "a cause not in the log, no control": lambda seed: (
        chosen(seed).log.without(DRIVER),
        ours(chosen(seed).estimand),
        None,
    ),
    "plain difference of means": lambda seed: (chosen(seed).log, difference, None),
    "errors blind to units": lambda seed: (
        design(seed, per_unit=8).log,
        blind_to_units(design(seed).estimand),
        None,
    ),
    "forests that learnt the rows they predict": lambda seed: (design(seed).log, fitted_to_itself, None),
    "a column that follows the action held equal": lambda seed: (
        following(chosen(seed)),
        ours(chosen(seed).estimand),
        None,
    ),
}


def alarms(what: str, count: int, of: Wrong) -> dict[str, Any]:
    """How often any attempt alarms, and each of them."""
    seen: dict[str, int] = dict.fromkeys(REFUTERS, 0)
    untried = any_alarm = estimates = 0
    with clocked() as spent:
        for seed in range(count):
            log, estimate, control = of(seed)
            made = refute(log, estimate, negative_control=control, seed=seed)
            for one in made:
                seen[one.name] += one.passed is False
                untried += one.passed is None
                estimates += one.runs
            any_alarm += any(one.passed is False for one in made)
            told(what, {"designs": seed + 1, "alarms": any_alarm})
    shares = {name: number / count for name, number in seen.items()}
    return {
        "designs": count,
        "alarms": any_alarm / count,
        **shares,
        "untried": untried,
        "estimates_each": estimates / count,
        **spent,
    }


def valid(seed: int) -> tuple[Log, Estimator, str | None]:
    made = design(seed)
    return made.log, ours(made.estimand), EARLIER


def hidden_world(seed: int, strength: float) -> Log:
    """A log of a world in which ``mood`` drives both; without it, the effect seems to be about ``SEEN``."""
    rng = np.random.default_rng([11, seed])
    x, other, mood, luck = rng.normal(size=(4, HIDDEN_ROWS))
    drive = 0.6 * x - 0.3 * np.abs(other) + strength * mood
    mailed = rng.logistic(size=HIDDEN_ROWS) + drive > 0
    apart = strength * (mood[mailed].mean() - mood[~mailed].mean())  # about what the cause adds while it is hidden
    ended = (SEEN - apart) * mailed + x + np.sin(other) + strength * mood + luck
    return Log(
        f"world {seed}",
        "reply",
        Categories(("call", "mail"), mailed.astype(np.intp)),
        {"solved": ended},
        {"x": x, "other": other, "mood": mood},
    )


def hidden(strength: float) -> dict[str, Any]:
    """Whether the phrase is right about a cause of which we know how strong it is."""
    rows = []
    with clocked() as spent:
        for seed in range(WORLDS):
            full = hidden_world(seed, strength)
            log = full.without("mood")
            with_it, without = (estimated(one, outcome="solved", **PAIR) for one in (full, log))
            true, seen = (one.effects.overall[0] for one in (with_it, without))
            kept = with_it.overlaps[0].kept & without.overlaps[0].kept
            parts = [doubly_robust_parts(one.found, **PAIR, kept=kept) for one in (with_it, without)]
            cause = explained_by(*parts)
            found: Sensitivity = sensitivity(log, seen, parts=parts[1])
            says = "would overturn it" in found.told(cause)
            overturned = true.estimate.value <= 0
            rows.append(
                {
                    "seen": seen.estimate.value,
                    "true": true.estimate.value,
                    "overturned": overturned,
                    "said": says,
                    "right": says == overturned,
                    "of_outcome": cause.of_outcome,
                    "of_action": cause.of_action,
                    "to_overturn": found.to_overturn,
                }
            )
            told("hidden", {key: float(value) for key, value in rows[-1].items()})
    return {**{key: float(np.mean([row[key] for row in rows])) for key in rows[0]}, "worlds": WORLDS, **spent}


CASES: dict[str, Callable[[], Mapping[str, Any]]] = {
    **{f"hidden, {name}": partial(hidden, strength) for name, strength in STRENGTHS.items()},
    "valid": partial(alarms, "valid", DESIGNS, valid),
    **{name: partial(alarms, name, WRONG_DESIGNS, of) for name, of in WRONG.items()},
}

if __name__ == "__main__":
    run_cases("refuting", CASES, __doc__, key="design")
