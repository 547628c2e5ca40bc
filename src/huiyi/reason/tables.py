"""Facts as rows of whole numbers, with hash indexes, in two layers: what is known, and what a request lays over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from huiyi.reason.facts import Fact, Key, Value, written

Row = tuple[int, ...]
Item = tuple[Key, Row]
Places = tuple[int, ...]
Absence = tuple[Key, Places, Row]
"""That no row of a relation has certain values in certain places."""

GIVEN = -1
"""In the place of a rule's number: the fact was given."""

_NOTHING: tuple[Row, ...] = ()


class Entry(NamedTuple):
    """Why a row is there: the best of its derivations.

    Attributes:
        weight: The product of all weights that went into it.
        size: How many facts and steps its proof has, one used twice counted twice.
        rule: Number of the rule, or ``GIVEN``.
        used: The rows that the rule's conditions were met by, in their order.
        absent: What was not there.
    """

    weight: float
    size: int
    rule: int = GIVEN
    used: tuple[tuple[Key, Row], ...] = ()
    absent: tuple[Absence, ...] = ()


class Symbols:
    """Values and the numbers that stand for them. An overlay counts on from those it lies on.

    Args:
        below: What it lies on; that is never changed.
    """

    def __init__(self, below: Symbols | None = None) -> None:
        self._below = below
        self._start = 0 if below is None else len(below)
        self._values: list[Value] = []
        self._numbers: dict[Value, int] = {}

    def __len__(self) -> int:
        return self._start + len(self._values)

    def number(self, value: Value) -> int:
        """The number of a value, a new one if need be."""
        number = self.known(value)
        if number is None:
            number = len(self)
            self._numbers[value] = number
            self._values.append(value)
        return number

    def known(self, value: Value) -> int | None:
        """The number of a value, if it has one."""
        if self._below is not None and (number := self._below.known(value)) is not None:
            return number
        return self._numbers.get(value)

    def value(self, number: int) -> Value:
        """The value of a number."""
        if number >= self._start:
            return self._values[number - self._start]
        assert self._below is not None
        return self._below.value(number)

    def fact(self, key: Key, row: Row) -> Fact:
        """A row as a fact."""
        return Fact(key[0], tuple(self.value(number) for number in row))

    def order(self, row: Row) -> tuple[str, ...]:
        """What rows are ordered by, so that the order does not depend on which value was seen first."""
        return tuple(written(self.value(number)) for number in row)


class Table:
    """The rows of one relation.

    Args:
        indexed: The places by which rows are looked up.
        below: The table it lies on; that is never changed.
    """

    __slots__ = ("_below", "_hidden", "_indexes", "_rows")

    def __init__(self, indexed: Sequence[Places], below: Table | None = None) -> None:
        self._below = below
        self._rows: dict[Row, Entry] = {}
        self._hidden: set[Row] = set()
        self._indexes: dict[Places, dict[Row, list[Row]]] = {places: {} for places in indexed}

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Row]:
        if self._below is None:
            yield from self._rows
            return
        for row in self._below:
            if row not in self._hidden:
                yield row
        for row in self._rows:
            if not self._shows_below(row):
                yield row

    def get(self, row: Row) -> Entry | None:
        """Why a row is there, if it is."""
        entry = self._rows.get(row)
        if entry is None and self._below is not None and row not in self._hidden:
            return self._below.get(row)
        return entry

    def _shows_below(self, row: Row) -> bool:
        """Whether the row is seen in the table below, so that it is not to be counted again."""
        return self._below is not None and row not in self._hidden and self._below.get(row) is not None

    def put(self, row: Row, entry: Entry) -> None:
        """Add a row, or change why it is there."""
        if row not in self._rows and not self._shows_below(row):
            for places, index in self._indexes.items():
                index.setdefault(tuple([row[place] for place in places]), []).append(row)
        self._rows[row] = entry

    def hide(self, row: Row) -> None:
        """Let a row of the table below not be seen."""
        self._hidden.add(row)

    def find(self, places: Places, values: Row) -> Sequence[Row]:
        """The rows that have these values in these places; the places must be indexed."""
        own = self._indexes[places].get(values, _NOTHING)
        if self._below is None:
            return own
        below = self._below.find(places, values)
        if self._hidden:
            below = [row for row in below if row not in self._hidden]
        if not own:
            return below
        return [*below, *own]

    def own(self) -> Iterator[tuple[Row, Entry]]:
        """What was put here, and not below."""
        yield from self._rows.items()
