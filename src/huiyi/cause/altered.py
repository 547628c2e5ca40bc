"""Logs that were changed so that we know what must come of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Log


def shuffled(log: Log, rng: np.random.Generator) -> Log:
    """The log with each action given to another row or unit, and the chances that go with that.

    Where units come again, the rows of one get the actions of the rows of another one.

    Example:
        >>> log = Log("log.csv", "dose", np.arange(4.0), {"y": np.arange(4.0)})
        >>> sorted(shuffled(log, np.random.default_rng(0)).actions.tolist())
        [0.0, 1.0, 2.0, 3.0]
    """
    places = rng.permutation(len(log)) if log.units is None else _from_other_units(log.units, rng)
    if not isinstance(log.actions, Categories):
        return replace(log, actions=log.actions[places], propensities=None)
    actions = log.actions.rows(places)
    if log.propensities is None:
        return replace(log, actions=actions)
    shares = actions.counts() / len(log)
    return replace(log, actions=actions, propensities=shares[actions.codes])


def _from_other_units(units: Categories, rng: np.random.Generator) -> NDArray[np.intp]:
    """For each row one of another unit, all rows of a unit from the same one, in order and again from its start."""
    codes = _who(units)
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    donors = rng.permutation(len(counts))[codes[order]]
    within = np.arange(len(codes)) - starts[codes[order]]
    places = np.empty(len(codes), dtype=np.intp)
    places[order] = order[starts[donors] + within % counts[donors]]
    return places


def _who(units: Categories) -> NDArray[np.intp]:
    """The unit of each row, counted from 0; a row of which that is not known is a unit of its own, shape (n,)."""
    own = len(units.names) + np.arange(len(units))
    return np.unique(np.where(units.codes >= 0, units.codes, own), return_inverse=True)[1].astype(np.intp)


def half(log: Log, rng: np.random.Generator) -> Log:
    """A random half of the rows, or of the units.

    Example:
        >>> log = Log("log.csv", "dose", np.arange(10.0), {"y": np.arange(10.0)})
        >>> len(half(log, np.random.default_rng(0)))
        5
    """
    which = np.arange(len(log)) if log.units is None else _who(log.units)
    count = int(which.max()) + 1
    kept = np.zeros(count, dtype=bool)
    kept[rng.permutation(count)[: count // 2]] = True
    return log.rows(kept[which])


def at_most(log: Log, most_rows: int, rng: np.random.Generator) -> Log:
    """The log, or as many of its rows, unit by unit.

    Example:
        >>> log = Log("log.csv", "dose", np.arange(10.0), {"y": np.arange(10.0)})
        >>> len(at_most(log, 3, np.random.default_rng(0)))
        3
    """
    if len(log) <= most_rows:
        return log
    which = np.arange(len(log)) if log.units is None else _who(log.units)
    counts = np.bincount(which)
    order = rng.permutation(len(counts))
    kept = np.zeros(len(counts), dtype=bool)
    kept[order[np.cumsum(counts[order]) <= most_rows]] = True
    return log.rows(kept[which])
