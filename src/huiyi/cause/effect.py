"""What an action does to an outcome, for all and by segment, with intervals that can be trusted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from huiyi.cause.borrowed import METHODS
from huiyi.cause.checks import checked
from huiyi.cause.comparing import DOUBLY_ROBUST, Comparing, Estimated
from huiyi.cause.log import Categories, Log
from huiyi.cause.nuisance import Progress, columns
from huiyi.errors import OptionError, did_you_mean
from huiyi.values import Effects

ESTIMANDS = ("ATE", "ATT")

_NOTHING_DONE = frozenset({"0", "no", "none", "control", "false", "nothing", "否", "无"})


def effect(
    log: Log,
    *,
    outcome: str,
    action: str | None = None,
    against: str | None = None,
    adjust: Sequence[str] | None = None,
    estimand: str = "ATE",
    by: Sequence[str] = (),
    method: str = DOUBLY_ROBUST,
    level: float = 0.95,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Effects:
    """Estimate what an action does to an outcome.

    Args:
        log: n decisions.
        outcome: The outcome.
        action: What is done; every action but the one compared with, when not given. Not for a dose.
        against: What it is compared with; ``no``, ``none``, ``control`` or ``0`` where there is one, else the most
            frequent action.
        adjust: The columns to hold equal, known before the action; the whole context when not given. For what to hold
            equal see ``huiyi.cause.identify``.
        estimand: ``ATE``, over everybody, or ``ATT``, over those who got the action.
        by: Columns to tell apart. Numbers of many values are told by their quarters.
        method: ``doubly robust``, or by name from econml: ``forest``, ``t-learner``, ``x-learner``, ``dr-learner``.
        level: How often an interval holds the truth; those of all segments hold at once at this level.
        seed: Of folds and learners.
        on_progress: Told of each fold.

    Returns:
        Effects. One that cannot be told says why, and what to do, in ``refused``.

    Raises:
        DataError: Nothing can be estimated at all: too few rows, one action, an outcome that never varies.
        ColumnError: There is no such column.
        OptionError: There is no such action, method or estimand.
        MissingExtraError: The method needs econml, and it is not installed.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> hard = rng.normal(size=400)
        >>> calls = rng.random(400) < 1 / (1 + np.exp(-hard))
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls.astype(np.intp)),
        ...     {"solved": calls - 2 * hard + rng.normal(size=400)}, {"hard": hard})
        >>> (found,) = effect(log, outcome="solved", against="mail").overall
        >>> found.estimate.low < 1 < found.estimate.high, found.naive < 0
        (True, True)
    """
    return estimated(
        log,
        outcome=outcome,
        action=action,
        against=against,
        adjust=adjust,
        estimand=estimand,
        by=by,
        method=method,
        level=level,
        seed=seed,
        on_progress=on_progress,
    ).effects


def estimated(
    log: Log,
    *,
    outcome: str,
    action: str | None = None,
    against: str | None = None,
    adjust: Sequence[str] | None = None,
    estimand: str = "ATE",
    by: Sequence[str] = (),
    method: str = DOUBLY_ROBUST,
    level: float = 0.95,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Estimated:
    """Effects, and what they were made of: overlap, propensities and predictions. See ``effect``."""
    _check_options(estimand, method, level, known=(DOUBLY_ROBUST, *METHODS))
    odd = set(log.notices)
    names = columns(log, adjust)
    log = checked(log, outcome)
    notices = [notice for notice in log.notices if notice not in odd]
    log = log.rows(np.isfinite(log.outcomes[outcome]))
    pairs = pairs_of(log, action, against)
    if pairs == [(log.action_name, "")] and (estimand == "ATT" or method != DOUBLY_ROBUST):
        raise OptionError(
            f"{log.action_name!r} is a dose. Expected the estimand ATE and the method {DOUBLY_ROBUST!r}: its effect is "
            "that of one unit more"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = Comparing(
            log=log,
            outcome=outcome,
            adjust=tuple(name for name in names if name in log.context),
            estimand=estimand,
            method=method,
            level=level,
            seed=seed,
            on_progress=on_progress,
        ).run(pairs, by)
    said = dict.fromkeys(f"While estimating: {str(one.message).splitlines()[0]}" for one in caught)
    return replace(done, effects=replace(done.effects, notices=(*notices, *done.effects.notices, *said)))


def untold(log: Log, why: str, *, outcome: str, against: str | None = None, estimand: str = "ATE") -> Effects:
    """Each action beside the one compared with, whose effect cannot be told.

    Args:
        log: n decisions.
        why: Why not, and what to measure.
        outcome: The outcome, known in every row.
        against: What actions are compared with, as in ``effect``.
        estimand: Over whom it was asked.
    """
    asked = Comparing(log, outcome, (), estimand, "", 0.95, 0, None)
    return Effects(asked.refuse(pairs_of(log, None, against), why))


def pairs_of(log: Log, action: str | None = None, against: str | None = None) -> list[tuple[str, str]]:
    """Which action is compared with which, as in ``effect``; of a dose, its name with "".

    Raises:
        OptionError: There is no such action, or it is compared with itself.
    """
    actions = log.actions
    if not isinstance(actions, Categories):
        if action is not None or against is not None:
            raise OptionError(
                f"{log.source}: {log.action_name!r} is a dose. Expected no actions to compare: its effect is that of "
                "one unit more"
            )
        return [(log.action_name, "")]
    log.check_done(*(name for name in (action, against) if name is not None))
    if against is None:
        plain = [name for name in actions.names if name.lower() in _NOTHING_DONE and name != action]
        counts = actions.counts().tolist()
        rest = [(count, name) for count, name in zip(counts, actions.names, strict=True) if name != action]
        against = plain[0] if plain else max(rest)[1]
    if action == against:
        raise OptionError(f"{action!r} is compared with itself. Expected two different actions")
    return [(name, against) for name in ([action] if action else actions.names) if name != against]


def _check_options(estimand: str, method: str, level: float, known: Sequence[str]) -> None:
    if estimand not in ESTIMANDS:
        raise OptionError(f"There is no estimand {estimand!r}. Expected one of: {', '.join(ESTIMANDS)}")
    if method not in known:
        raise OptionError(
            f"There is no method {method!r}.{did_you_mean(method, known)} Expected one of: {', '.join(known)}"
        )
    if not 0 < level < 1:
        raise OptionError(f"The level is {level:g}. Expected one above 0 and below 1, such as 0.95")
