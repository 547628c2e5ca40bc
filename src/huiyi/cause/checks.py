"""What is wrong, or odd, in a log, before anything is estimated from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from huiyi.cause.log import Categories, Column, Log, Numbers, are_known
from huiyi.errors import DataError

FEWEST_ROWS = 20
"""Rows with an outcome, below which nothing is estimated."""

FEWEST_OF_AN_ACTION = 10
"""Rows with an action, below which it is not compared."""

LEAKS = 0.999
"""A column that tells this share of the outcome's variance was hardly known before it."""

_DEPENDS = 0.001  # p-value of missing outcomes that have nothing to do with the action


def checked(log: Log, outcome: str) -> Log:
    """The same log with a sentence for whatever is odd in it, and without columns that say nothing.

    Args:
        log: Of n decisions.
        outcome: The outcome that will be looked at.

    Raises:
        DataError: Nothing can be estimated: too few rows, an action that never varies, an outcome that never varies.
        ColumnError: There is no such outcome.

    Example:
        >>> import numpy as np
        >>> reply = Categories.of(["call", "mail"] * 50)
        >>> log = Log("log.csv", "reply", reply, {"solved": np.tile([1.0, 0, 0, 1, np.nan], 20)})
        >>> checked(log, "solved").notices
        ("log.csv: 'solved' is missing in 20 of 100 rows; they are left out.",)
    """
    ended = log.column(outcome)
    if isinstance(ended, Categories):
        raise DataError(f"{log.source}: {outcome!r} holds names. Expected an outcome of numbers, or yes and no")
    _refuse(log, outcome, ended)
    empty = tuple(name for name, column in log.context.items() if not are_known(column).any())
    notices = [f"{log.source}: {name!r} is blank everywhere and was left out." for name in empty]
    log = log.without(*empty)
    notices += [*_missing(log, outcome, ended), *_rare(log), *_repeated(log), *_leaks(log, outcome, ended)]
    return replace(log, notices=(*log.notices, *notices))


def _refuse(log: Log, outcome: str, ended: Numbers) -> None:
    """Raise where nothing can be estimated."""
    known = int(np.isfinite(ended).sum())
    if known < FEWEST_ROWS:
        raise DataError(
            f"{log.source}: {known:,} of {len(log):,} rows have an action and {outcome!r}. Expected at least "
            f"{FEWEST_ROWS}: log more decisions"
        )
    if isinstance(log.actions, Categories) and np.count_nonzero(log.actions.counts()) < 2:
        raise DataError(
            f"{log.source}: the action {log.action_name!r} is always {log.actions.names[0]!r}. What another one would "
            "have done cannot be told: log decisions with at least two different actions"
        )
    if np.ptp(ended[np.isfinite(ended)]) == 0:
        raise DataError(
            f"{log.source}: the outcome {outcome!r} is always {ended[np.isfinite(ended)][0]:g}, so no action changes "
            "it. Expected one that varies: name another column with --outcome"
        )


def _missing(log: Log, outcome: str, ended: Numbers) -> Iterator[str]:
    """Say where outcomes are missing, and whether that depends on the action."""
    gone = ~np.isfinite(ended)
    if not gone.any():
        return
    said = f"{log.source}: {outcome!r} is missing in {gone.sum():,} of {len(log):,} rows; they are left out."
    if isinstance(log.actions, Categories):
        table = np.array([[(gone & log.actions.are(name)).sum(), (~gone & log.actions.are(name)).sum()]
                          for name in log.actions.names])  # fmt: skip
        if table.sum(axis=0).min() > 0 and stats.chi2_contingency(table).pvalue < _DEPENDS:
            shares = ", ".join(
                f"{row[0] / row.sum():.0%} after {name!r}" for name, row in zip(log.actions.names, table, strict=True)
            )
            said += (
                f" It depends on the action ({shares}): if who answers differs in how it ended, effects are wrong. "
                "Find out how some of the missing ones ended."
            )
    yield said


def _rare(log: Log) -> Iterator[str]:
    """Name actions that were hardly ever taken."""
    if isinstance(log.actions, Categories):
        for name, count in zip(log.actions.names, log.actions.counts(), strict=True):
            if count < FEWEST_OF_AN_ACTION:
                yield (
                    f"{log.source}: {name!r} was done {count:,} {'time' if count == 1 else 'times'}; what it does "
                    f"cannot be told from fewer than {FEWEST_OF_AN_ACTION} rows."
                )


def _repeated(log: Log) -> Iterator[str]:
    """Say that rows are about the same one, or are the same."""
    if log.units is not None:
        counts = log.units.counts()
        if counts.max(initial=0) > 1:
            yield (
                f"{log.source}: {len(log):,} rows are about {np.count_nonzero(counts):,} units, such as people; "
                "intervals are made for these."
            )
        return
    different = _different(log)
    copies = len(log) - different
    if copies > len(log) // 20 and any(_varies(column, different) for column in log.context.values()):
        yield (
            f"{log.source}: {copies:,} of {len(log):,} rows are copies of others. If they are the same decision twice, "
            "delete them: intervals are too narrow. If they are about the same people, name the column with --unit."
        )


def _different(log: Log) -> int:
    """How many rows differ from each other."""
    columns = [*log.context.values(), log.actions, *log.outcomes.values()]
    flat = [_codes(column) for column in columns]
    rng = np.random.default_rng(0)  # rows by a random sum of their columns: equal ones have equal sums
    return len(np.unique(sum(codes * rng.normal() for codes in flat)))


def _varies(column: Column, different: int) -> bool:
    """Whether a column of numbers has one of its own in most rows, so that rows are not alike by chance."""
    if isinstance(column, Categories):
        return False
    return 2 * len(np.unique(_codes(column))) > different


def _codes(column: Column) -> Numbers:
    if isinstance(column, Categories):
        return column.codes.astype(float)
    rows = np.nan_to_num(column, nan=-1e9)
    return rows if rows.ndim == 1 else rows @ np.random.default_rng(1).normal(size=rows.shape[1])


def _leaks(log: Log, outcome: str, ended: Numbers) -> Iterator[str]:
    """Name columns that tell the outcome so well that they were hardly known before it."""
    for name, column in log.context.items():
        if _told(column, ended) > LEAKS:
            yield (
                f"{log.source}: {name!r} tells {outcome!r} almost by itself. Was it known before the action? If not, "
                "leave it out with --ignore: whatever follows the action hides what it does."
            )


def _told(column: Column, ended: Numbers) -> float:
    """The share of the outcome's variance that a column tells, by a line or by the mean of each name."""
    known = are_known(column) & np.isfinite(ended)
    if known.sum() < FEWEST_ROWS or (not isinstance(column, Categories) and column.ndim > 1):
        return 0.0
    values = ended[known]
    if np.ptp(values) == 0:
        return 0.0
    if isinstance(column, Categories):
        codes = column.codes[known]
        counts = np.bincount(codes)
        if np.count_nonzero(counts) > known.sum() / 5:
            return 0.0
        means = np.bincount(codes, values) / np.maximum(counts, 1)
        return 1 - float(np.var(values - means[codes]) / np.var(values))
    numbers = column[known]
    return 0.0 if np.ptp(numbers) == 0 else float(np.corrcoef(numbers, values)[0, 1] ** 2)
