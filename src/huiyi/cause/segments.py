"""Segments: the rows that share a value of some column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Log
from huiyi.errors import ColumnError, DataError

MOST_VALUES = 10
"""A column of numbers with more different ones is told apart by its quarters."""

MOST_NAMES = 200
"""A column with more different names tells nobody apart whom one could look at."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Some rows, and what they share.

    Attributes:
        name: The column.
        value: What they have there, in words.
        are: Which rows they are, shape (n,).
    """

    name: str
    value: str
    are: NDArray[np.bool_]


def segments(log: Log, by: Sequence[str]) -> tuple[Segment, ...]:
    """The segments of each of some columns; what is not known is in none.

    Raises:
        ColumnError: There is no such column, or it is the action or an outcome.
        DataError: One holds vectors, or too many names.

    Example:
        >>> log = Log("log.csv", "reply", Categories.of(["a"] * 8), {}, {"waiting": np.arange(8.0) * 10 % 70})
        >>> [(one.value, int(one.are.sum())) for one in segments(log, ["waiting"])][:2]
        [('0', 2), ('10', 1)]
    """
    found: list[Segment] = []
    for name in by:
        column = log.column(name)
        if name == log.action_name or name in log.outcomes:
            raise ColumnError(
                f"{log.source}: effects cannot be told by {name!r}, which is an action or an outcome. Expected a "
                "column that was known before the action: name another one"
            )
        if isinstance(column, Categories):
            if len(column.names) > MOST_NAMES:
                raise DataError(
                    f"{log.source}: {name!r} has {len(column.names):,} different names. Expected at most {MOST_NAMES} "
                    "to tell effects by: group them, or name another column"
                )
            found += [Segment(name, value, column.are(value)) for value in column.names]
            continue
        if column.ndim > 1:
            raise DataError(
                f"{log.source}: {name!r} holds texts or vectors, which have no segments. Name another column"
            )
        values = np.unique(column[np.isfinite(column)])
        if len(values) <= MOST_VALUES:
            found += [Segment(name, f"{value:g}", column == value) for value in values.tolist()]
            continue
        ends = np.unique(np.nanquantile(column, [0, 0.25, 0.5, 0.75, 1])).tolist()
        for low, high in pairwise(ends):
            above = column >= low if low == ends[0] else column > low
            found.append(Segment(name, f"{low:g} to {high:g}", above & (column <= high)))
    return tuple(found)
