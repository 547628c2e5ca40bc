"""The log: what was known, what was done, and how it ended, one row a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from huiyi.errors import ColumnError, OptionError, did_you_mean

Numbers: TypeAlias = NDArray[np.float64]
"""Of a column: shape (n,), NaN where nothing is known; of vectors, such as those of a text: shape (n, d)."""


@dataclass(frozen=True, eq=False)
class Categories:
    """A column of names.

    Attributes:
        names: The different ones.
        codes: The place of each row's name among them, shape (n,); -1 where nothing is known.

    Example:
        >>> reply = Categories.of(["call", None, "mail", "call"])
        >>> reply.names, reply.codes.tolist()
        (('call', 'mail'), [0, -1, 1, 0])
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.codes)

    @classmethod
    def of(cls, cells: Sequence[str | None]) -> Categories:
        """Names in their order of spelling; ``None`` and blank texts are not known."""
        names = tuple(sorted({cell for cell in cells if cell}))
        places = {name: place for place, name in enumerate(names)}
        return cls(names, np.array([places.get(cell or "", -1) for cell in cells], dtype=np.intp))

    def rows(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Categories:
        """Those of some rows, under the same names."""
        return Categories(self.names, self.codes[which])

    def are(self, name: str) -> NDArray[np.bool_]:
        """Which rows have this name, shape (n,)."""
        return np.asarray(self.codes == self.names.index(name), dtype=bool)

    def counts(self) -> NDArray[np.intp]:
        """How many rows have each name."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)).astype(np.intp)


Column: TypeAlias = Categories | Numbers


def rows_of(column: Column, which: NDArray[np.intp] | NDArray[np.bool_]) -> Column:
    """A column of some of the rows, by their places or by a mask."""
    return column.rows(which) if isinstance(column, Categories) else column[which]


def are_known(column: Column) -> NDArray[np.bool_]:
    """Which rows say anything, shape (n,); of vectors those that say all.

    Example:
        >>> are_known(Categories.of(["call", None])).tolist(), are_known(np.array([[1.0, 2.0], [1.0, np.nan]])).tolist()
        ([True, False], [True, False])
    """
    if isinstance(column, Categories):
        return np.asarray(column.codes >= 0, dtype=bool)
    known = np.isfinite(column)
    return known if known.ndim == 1 else np.asarray(known.all(axis=1), dtype=bool)


@dataclass(frozen=True, eq=False)
class Log:
    """A table of n decisions. What each column is for has been said; nothing is assumed of what causes what.

    Attributes:
        source: What to call it in messages.
        action_name: The column of what was done.
        actions: What was done in each row: one of several, or a dose. Known in every row.
        outcomes: Name to what came of it, larger is more, shape (n,); NaN where nothing is known.
        context: Name to what was known before the action: numbers, names, or vectors of shape (n, d). The intent, where
            there is one, is among them.
        intent_name: The column of ``context`` that holds the intent.
        propensities: How probable the action that was taken was, by what chose it, shape (n,), where that was written
            down.
        units: Who a row is about, where the same one may come again. Such rows are not independent.
        times: When it was done, in days, shape (n,).
        notices: A sentence for each thing that was done without asking, or is odd.
    """

    source: str
    action_name: str
    actions: Column
    outcomes: Mapping[str, Numbers]
    context: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))
    intent_name: str | None = None
    propensities: Numbers | None = None
    units: Categories | None = None
    times: Numbers | None = None
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many rows."""
        return len(self.actions)

    @property
    def intents(self) -> Categories | None:
        """What was wanted in each row."""
        found = self.context[self.intent_name] if self.intent_name else None
        return found if isinstance(found, Categories) else None

    @property
    def names(self) -> tuple[str, ...]:
        """All columns by name: the context, the action, the outcomes."""
        return (*self.context, self.action_name, *self.outcomes)

    def column(self, name: str) -> Column:
        """One of ``names``.

        Raises:
            ColumnError: There is none of that name.
        """
        if name == self.action_name:
            return self.actions
        if name in self.outcomes:
            return self.outcomes[name]
        if name in self.context:
            return self.context[name]
        raise ColumnError(
            f"{self.source}: there is no column {name!r}.{did_you_mean(name, self.names)} "
            f"Expected one of: {', '.join(self.names)}"
        )

    def check_done(self, *names: str) -> None:
        """Refuse actions that were never done.

        Raises:
            OptionError: There is no such action.
        """
        actions = self.actions.names if isinstance(self.actions, Categories) else ()
        for name in names:
            if name not in actions:
                raise OptionError(
                    f"{self.source}: {self.action_name!r} is never {name!r}.{did_you_mean(name, actions)} Expected one "
                    f"of: {', '.join(actions)}"
                )

    def rows(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Log:
        """The log of some of the rows, by their places or by a mask."""
        return replace(
            self,
            actions=rows_of(self.actions, which),
            outcomes={name: column[which] for name, column in self.outcomes.items()},
            context={name: rows_of(column, which) for name, column in self.context.items()},
            propensities=None if self.propensities is None else self.propensities[which],
            units=None if self.units is None else self.units.rows(which),
            times=None if self.times is None else self.times[which],
        )

    def with_column(self, name: str, column: Column) -> Log:
        """The same log with one more column of context, or another one in its place."""
        return replace(self, context={**self.context, name: column})

    def without(self, *names: str) -> Log:
        """The same log without some columns of context."""
        context = {name: column for name, column in self.context.items() if name not in names}
        return replace(self, context=context, intent_name=None if self.intent_name in names else self.intent_name)
