"""The effect of an action by an instrument, which moves it and reaches the outcome in no other way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Column, Log, Numbers
from huiyi.cause.nuisance import deal, expected, known
from huiyi.errors import DataError
from huiyi.values import Effect, Estimate

WEAK = 10.0
"""An instrument whose F is below this moves the action so little that a small other way spoils everything."""


def instrument_effect(
    log: Log,
    outcome: str,
    instrument: str,
    *,
    action: str | None = None,
    adjust: Sequence[str] = (),
    level: float = 0.95,
    seed: int = 0,
) -> Effect:
    """What an action does to those whom an instrument moves to it.

    With y, d and z the outcome, the action and the instrument less what is expected of them given the columns that are
    held equal, the effect is E[z y] / E[z d]. Its interval holds however weak the instrument is.

    Args:
        log: Of two actions with names, or of doses.
        outcome: Of the log; known in every row.
        instrument: A column of the context: numbers, or names.
        action: Which of the two is done; the second where it is not said. Of doses: left out.
        adjust: Columns of the context to hold equal.
        level: Of the interval.
        seed: Of folds and learners.

    Raises:
        DataError: There are more than two actions, or the instrument is not known in every row or never varies.
        ColumnError: There is no such column.
        OptionError: There is no such action.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> lot, mood = rng.integers(2, size=4000), rng.normal(size=4000)
        >>> calls = (lot + mood + rng.normal(size=4000) > 0.5).astype(np.intp)
        >>> solved = calls + 2 * mood + rng.normal(size=4000)
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls), {"solved": solved}, {"lot": lot * 1.0})
        >>> effect = instrument_effect(log, "solved", "lot")
        >>> bool(effect.estimate.low < 1 < effect.estimate.high), round(effect.naive)
        (True, 3)

    Source:
        Partialling out: Chernozhukov et al., Econometrics Journal 21, 2018, section 4.2. Interval: Anderson and Rubin,
        Annals of Mathematical Statistics 20(1), 1949, by the roots of Fieller, JRSS-B 16(2), 1954. Whose effect it is:
        Imbens and Angrist, Econometrica 62(2), 1994.
    """
    outcomes = known(log, outcome)
    doses, done, against = _doses(log, action)
    folds = deal(log, None, seed)
    moved = _moving(log, instrument, doses, folds)
    held = tuple(name for name in dict.fromkeys(adjust) if name != instrument)
    y, d, z = (_rest(log, values, held, folds, seed) for values in (outcomes, doses, moved))
    groups = np.arange(len(log)) if log.units is None else log.units.codes
    by_y, by_d = float((z * y).mean()), float((z * d).mean())
    spread = _spread(z * y, z * d, groups)
    strength = by_d**2 / max(float(spread[1, 1]), 1e-300)
    cut = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    base = Effect(
        action=done,
        against=against,
        outcome=outcome,
        estimand="LATE",
        segment={},
        rows=len(log),
        estimate=None,
        naive=_naive(outcomes, doses),
        adjusted=held,
        method=f"instrument {instrument!r}",
    )
    if strength <= cut:
        return replace(base, refused=(
            f"{instrument!r} hardly moves {log.action_name!r} (F = {strength:.1f}), so nothing can be told by it. "
            "Log more rows, or find an instrument that moves it more."
        ))  # fmt: skip
    value = by_y / by_d
    low, high = _roots(by_y, by_d, spread, cut)
    at_value = float(spread[0, 0] - 2 * value * spread[0, 1] + value**2 * spread[1, 1])
    notices = (
        f"The effect is that on those whom {instrument!r} moves to another action, which is that on all only if it is "
        "the same for everyone.",
        *(
            [f"{instrument!r} moves {log.action_name!r} little (F = {strength:.1f}): if it reaches {outcome!r} in any "
             "other way, however small, the effect is wrong."]
            if strength < WEAK
            else []
        ),
    )  # fmt: skip
    estimate = Estimate(value, low, high, math.sqrt(max(at_value, 0.0)) / abs(by_d), level)
    return replace(base, estimate=estimate, notices=notices)


def _doses(log: Log, action: str | None) -> tuple[Numbers, str, str]:
    """The action as numbers, and the names of what is done and what it is compared with."""
    if not isinstance(log.actions, Categories):
        return log.actions, log.action_name, ""
    taken = [name for name, count in zip(log.actions.names, log.actions.counts(), strict=True) if count]
    if len(taken) != 2:
        raise DataError(
            f"{log.source}: {log.action_name!r} has {len(taken)} different values. Expected two, since one instrument "
            "tells one difference: group the actions into two"
        )
    done = taken[1] if action is None else action
    log.check_done(done)
    return log.actions.are(done).astype(float), done, next(name for name in taken if name != done)


def _moving(log: Log, instrument: str, doses: Numbers, folds: NDArray[np.intp]) -> Numbers:
    """The instrument as numbers; of names, the mean dose that others with the same name got."""
    column: Column = log.column(instrument)
    if instrument not in log.context:
        raise DataError(f"{log.source}: {instrument!r} is no context. Expected what was there before the action")
    if isinstance(column, Categories):
        here = column.codes >= 0
        moved = np.empty(len(log))
        for fold in np.unique(folds):
            others = folds != fold
            counts = np.bincount(column.codes[others & here], minlength=len(column.names))
            sums = np.bincount(column.codes[others & here], doses[others & here], minlength=len(column.names))
            means = np.divide(sums, counts, out=np.full(len(counts), doses[others].mean()), where=counts > 0)
            moved[~others] = means[column.codes[~others]]
        column = np.where(here, moved, np.nan)
    if column.ndim > 1 or not np.isfinite(column).all():
        raise DataError(
            f"{log.source}: the instrument {instrument!r} is not known in every row. Expected a number or a name: "
            "leave out the other rows"
        )
    if np.ptp(column) == 0:
        raise DataError(f"{log.source}: the instrument {instrument!r} never varies. Expected one that moves the action")
    return column


def _rest(log: Log, values: Numbers, held: Sequence[str], folds: NDArray[np.intp], seed: int) -> Numbers:
    """What is left of numbers once what is held equal is taken out."""
    if not held:
        return np.asarray(values - values.mean())
    return np.asarray(values - expected(log, values, adjust=held, folds=folds, seed=seed))


def _spread(by_y: Numbers, by_d: Numbers, groups: NDArray[np.intp]) -> Numbers:
    """The covariance of the two means, shape (2, 2), where rows of one group hang together."""
    sums = np.stack([np.bincount(groups, column - column.mean()) for column in (by_y, by_d)])
    return np.asarray(sums @ sums.T / len(by_y) ** 2)


def _roots(by_y: float, by_d: float, spread: Numbers, cut: float) -> tuple[float, float]:
    """All effects that the two means do not speak against, where they leave out some."""
    a = by_d**2 - cut * float(spread[1, 1])
    b = by_y * by_d - cut * float(spread[0, 1])
    c = by_y**2 - cut * float(spread[0, 0])
    root = math.sqrt(max(b**2 - a * c, 0.0))
    return (b - root) / a, (b + root) / a


def _naive(outcomes: Numbers, doses: Numbers) -> float:
    """The slope of the outcome in the action: of two actions, the difference of means."""
    return float(np.cov(outcomes, doses)[0, 1] / max(float(doses.var(ddof=1)), 1e-300))
