"""Facts, the values in them, and plain collections of facts.

A value is a text, a number, a date or a moment. What is written like a number
or a date is one, wherever it was written: the entity ``30`` of one file, the
number 30 of another and ``30`` in a rule are the same value, so that they meet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol, TypeGuard

from huiyi.errors import DataError

Value = str | int | float | date
"""A text, a number, a date, or a moment (a ``datetime``, which is a ``date`` too)."""

Key = tuple[str, int]
"""A relation and how many arguments it has here. ``used/1`` and ``used/2`` are two relations."""

LARGEST_TEXT = 100_000
"""How many characters a name or a text in a graph may have. A longer one is refused."""

UNNAMED = "given"
"""What is said of where a fact came from when nobody has said it."""

_LARGEST_NUMBER = 10**18  # larger ones stay text, and arithmetic ends there, so that numbers cannot eat the memory
_NUMBER_CHARACTERS = 24  # as many as Python writes a number with: "-0.000", and 17 digits
_ADDRESS = re.compile(r"https?:[^\s<>\"{}|^`\\]+")
_NUMBER_STARTS = frozenset("-0123456789")


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement: a relation between things, or with one argument, that a thing is of a kind.

    Example:
        >>> print(Fact("placed_on", ("order 7", date(2026, 1, 31))))
        placed_on('order 7', 2026-01-31)
    """

    relation: str
    arguments: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{relation_named(self.relation)}({', '.join(named(value) for value in self.arguments)})"

    @property
    def key(self) -> Key:
        """The relation and the number of arguments."""
        return self.relation, len(self.arguments)


@dataclass(frozen=True, slots=True)
class Given:
    """A fact that is not derived.

    Attributes:
        fact: What is so.
        weight: How sure it is, above 0 and up to 1.
        source: Where it came from, in words, such as ``orders.csv, line 3``.
    """

    fact: Fact
    weight: float = 1.0
    source: str = ""


class Source(Protocol):
    """What facts can be had from: a ``Knowledge``, or ``Statements``."""

    def relations(self) -> Mapping[str, frozenset[int]]:
        """The relations there are, and with how many arguments each."""

    def facts(self, keys: Collection[Key] | None = None) -> Iterator[tuple[Fact, float]]:
        """The facts of some relations, or of all, with their weights. A fact may come twice."""

    def sources(self, fact: Fact) -> tuple[str, ...]:
        """Where a fact came from; empty when it is not there."""

    def weight(self, fact: Fact) -> float:
        """How sure a fact is, and 0 when it is not there."""


class Statements:
    """Facts in memory, in the order given.

    Args:
        facts: Facts, or facts with weight and source.
        source: What is said of those that come without one.

    Raises:
        DataError: A weight is not above 0 and up to 1, or a value is none.

    Example:
        >>> said = Statements([Fact("used", ("o1",)), Given(Fact("used", ("o1",)), 0.5, "a note")], source="the form")
        >>> said.sources(Fact("used", ("o1",)))
        ('the form', 'a note')
    """

    def __init__(self, facts: Iterable[Fact | Given] = (), *, source: str = UNNAMED) -> None:
        self._given: dict[Fact, list[Given]] = {}
        for item in facts:
            given = item if isinstance(item, Given) else Given(item)
            fact = checked(given.fact)
            if not 0 < given.weight <= 1:
                raise DataError(
                    f"{fact} has the weight {given.weight}. Expected a number above 0 and up to 1: correct it."
                )
            self._given.setdefault(fact, []).append(Given(fact, given.weight, given.source or source))

    def __len__(self) -> int:
        """How many different facts."""
        return len(self._given)

    def relations(self) -> dict[str, frozenset[int]]:
        """The relations there are, and with how many arguments each."""
        found: dict[str, frozenset[int]] = {}
        for fact in self._given:
            found[fact.relation] = found.get(fact.relation, frozenset()) | {len(fact.arguments)}
        return found

    def facts(self, keys: Collection[Key] | None = None) -> Iterator[tuple[Fact, float]]:
        """The facts of some relations, or of all, each with its highest weight."""
        for fact, given in self._given.items():
            if keys is None or fact.key in keys:
                yield fact, max(one.weight for one in given)

    def sources(self, fact: Fact) -> tuple[str, ...]:
        """Where a fact came from; empty when it is not there."""
        return tuple(dict.fromkeys(given.source for given in self._given.get(normal(fact), ())))

    def weight(self, fact: Fact) -> float:
        """The highest weight that a fact was given with, and 0 when it is not there."""
        return max((given.weight for given in self._given.get(normal(fact), ())), default=0.0)


class Sources:
    """Several sources as one.

    Args:
        parts: The sources.

    Example:
        >>> note = Given(Fact("used", ("o1",)), 0.5, "a note")
        >>> both = Sources(Statements([note]), Statements([note.fact]))
        >>> both.weight(Fact("used", ("o1",))), both.sources(Fact("used", ("o1",)))
        (1.0, ('a note', 'given'))
    """

    def __init__(self, *parts: Source) -> None:
        self._parts = parts

    def relations(self) -> dict[str, frozenset[int]]:
        """The relations there are, and with how many arguments each."""
        found: dict[str, frozenset[int]] = {}
        for part in self._parts:
            for name, arities in part.relations().items():
                found[name] = found.get(name, frozenset()) | arities
        return found

    def facts(self, keys: Collection[Key] | None = None) -> Iterator[tuple[Fact, float]]:
        """The facts of some relations, or of all, with their weights."""
        for part in self._parts:
            yield from part.facts(keys)

    def sources(self, fact: Fact) -> tuple[str, ...]:
        """Where a fact came from; empty when it is not there."""
        return tuple(dict.fromkeys(one for part in self._parts for one in part.sources(fact)))

    def weight(self, fact: Fact) -> float:
        """How sure a fact is, and 0 when it is not there."""
        return max((part.weight(fact) for part in self._parts), default=0.0)


def checked(fact: Fact) -> Fact:
    """The fact with its values as ``value_of`` reads them, or an error that says what is wrong with it.

    Raises:
        DataError: It has no relation or argument, or an argument that is no value.
    """
    if not isinstance(fact.relation, str) or not fact.relation or not fact.arguments:
        raise DataError(f"{fact!r} is no fact. Expected a relation and at least one argument.")
    if all(_reads_as_itself(value) and 0 < len(value) <= LARGEST_TEXT for value in (fact.relation, *fact.arguments)):
        return fact  # of most; looking further would take several times as long
    for value in (fact.relation, *fact.arguments):
        if not _is_value(value):
            raise DataError(f"{value!r} in a fact of {fact.relation!r} is no value. Expected text, a number or a date.")
        if isinstance(value, str) and len(value) > LARGEST_TEXT:
            raise DataError(
                f"A value of {fact.relation!r} has {len(value):,} characters. "
                f"Expected at most {LARGEST_TEXT:,}: shorten it, or keep the text elsewhere and its name here."
            )
        if value == "":
            raise DataError(f"A fact of {fact.relation!r} has an empty value. Expected text, a number or a date.")
    return normal(fact)


def _is_value(value: object) -> bool:
    """Whether it is a text, a finite number, a date or a moment."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int | date) and not isinstance(value, bool)


def _reads_as_itself(value: Value) -> TypeGuard[str]:
    """Whether it is a text that looks like no number, date or moment."""
    return type(value) is str and value[:1] not in _NUMBER_STARTS


def normal(fact: Fact) -> Fact:
    """The fact with its values as ``value_of`` reads them."""
    if all(map(_reads_as_itself, fact.arguments)):
        return fact
    return Fact(fact.relation, tuple(normalised(value) for value in fact.arguments))


def value_of(text: str) -> Value:
    """Read a text as a number, a date or a moment where that is how one is written, so that writing it gives it back.

    Example:
        >>> value_of("30"), value_of("-2.5"), value_of("007"), value_of("2026-01-31")
        (30, -2.5, '007', datetime.date(2026, 1, 31))
    """
    if len(text) > 30 or text[:1] not in _NUMBER_STARTS:
        return text
    value = _parsed(text)
    return text if value is None or written(value) != text else value


def _parsed(text: str) -> Value | None:
    """A number, date or moment, or nothing."""
    try:
        if len(text) >= 10 and text[4] == "-":
            return date.fromisoformat(text) if len(text) == 10 else normalised(datetime.fromisoformat(text))
        if len(text) > _NUMBER_CHARACTERS or "_" in text or not text.isascii():
            return None
        return normalised(float(text)) if "." in text else normalised(int(text))
    except ValueError:
        return None


def normalised(value: Value) -> Value:
    """One value for each thing: 3.0 is 3, a moment is in UTC, a text that reads as a number is one.

    Example:
        >>> normalised(3.0), normalised("3")
        (3, 3)
    """
    if isinstance(value, str):
        return value_of(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_NUMBER:
        return int(value)
    if isinstance(value, int | float) and not abs(value) < _LARGEST_NUMBER:
        return str(value)
    return value


def written(value: Value) -> str:
    """A value as text.

    Example:
        >>> written(date(2026, 1, 31)), written(2.5), written("refund")
        ('2026-01-31', '2.5', 'refund')
    """
    return value.isoformat() if isinstance(value, date) else str(value)


def relation_named(name: str) -> str:
    """A relation as rules write it; ``today`` is the one word that stands there for itself."""
    return name if name == "today" else named(name)


def named(value: Value) -> str:
    r"""A value as rules write it: in quotes where it is no plain word.

    Example:
        >>> named("退款"), named("it's"), named(3), named("?x")
        ('退款', '"it\'s"', '3', "'?x'")
    """
    text = written(value)
    if not isinstance(value, str) or (text.isidentifier() and text not in {"not", "today"}):
        return text
    if _ADDRESS.fullmatch(text):
        return f"<{text}>"
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    if "'" not in escaped:
        return f"'{escaped}'"
    return '"' + escaped.replace('"', '\\"') + '"'
