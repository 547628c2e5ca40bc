"""Mined rules as arrays, and each as a rule that people read and proofs name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from huiyi.reason.facts import Value, named, written
from huiyi.reason.logic import Atom, Comparison, Part, Rule, Term, Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.reason.triples import Numbers, Triples

WHOLE = 10_000
"""Confidences are kept in parts of this, so that a rule that was written and read again weighs the same."""

_X, _Y, _A, _B = (Variable(name) for name in "xyab")
_READABLE = re.compile(r"-?\d+(\.\d+)?|\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")


@dataclass(frozen=True)
class MinedRule:
    """A rule, and what the graph says of it.

    Attributes:
        rule: The rule; its weight is the confidence.
        support: How many facts of the graph it predicts.
        predictions: How many facts it predicts in all, those that the graph lacks too.
    """

    rule: Rule
    support: int
    predictions: int

    @property
    def confidence(self) -> float:
        """``support / (predictions + prior)``, rounded."""
        return self.rule.weight

    def __str__(self) -> str:
        """The rule in the notation of ``Rules.parse``, with its name and weight."""
        return f"@rule {named(self.rule.name)} weight {self.rule.weight:.4f}\n{self.rule}"


@dataclass(frozen=True, eq=False)
class Rulebook:
    """m rules, ordered by relation, and within one from the surest to the least sure.

    Attributes:
        heads: Way of each head, shape (m,): from what is open to the constant, or that of a relation for a path.
        constants: Thing that the head names, same shape; −1 for a path.
        bodies: Ways of the body, shape (m, 3), padded by −1; from 2 R on they are kinds.
        ends: Thing that the one step of the body leads to, shape (m,); −1 for any, and for a path.
        supports: Right predictions, same shape.
        predictions: All predictions, same shape.
        parts: Confidences in parts of ``WHOLE``, same shape.
    """

    heads: Numbers
    constants: Numbers
    bodies: Numbers
    ends: Numbers
    supports: Numbers
    predictions: Numbers
    parts: Numbers

    def __len__(self) -> int:
        """How many rules."""
        return len(self.heads)

    def chosen(self, which: NDArray[Any]) -> Rulebook:
        """Some of the rules, in this order."""
        return Rulebook(**{name: getattr(self, name)[which] for name in self.__dataclass_fields__})

    @classmethod
    def joined(cls, parts: list[Rulebook]) -> Rulebook:
        """The rules of all parts, one part after the other."""
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__})

    def ordered(self, relations: int, most: int) -> Rulebook:
        """In the order that the class promises; of each relation the ``most`` surest."""
        ranked = (self.ends, *self.bodies.T[::-1], self.constants, self.heads, -self.supports, -self.parts)
        order = np.lexsort((*ranked, self.heads % max(relations, 1)))
        of = self.heads[order] % max(relations, 1)
        place = np.arange(len(order)) - np.searchsorted(of, of)
        return self.chosen(order[place < most])


@dataclass(frozen=True, eq=False)
class MinedRules(Sequence[MinedRule]):
    """All rules, each made when it is looked at.

    Attributes:
        triples: The graph that the numbers belong to.
        book: The rules.
    """

    triples: Triples
    book: Rulebook

    def __len__(self) -> int:
        """How many rules."""
        return len(self.book)

    @overload
    def __getitem__(self, index: int) -> MinedRule: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[MinedRule, ...]: ...

    def __getitem__(self, index: int | slice) -> MinedRule | tuple[MinedRule, ...]:
        """One rule, or some."""
        rows = range(len(self.book))[index]
        return self.rule(rows) if isinstance(rows, int) else tuple(self.rule(row) for row in rows)

    @cached_property
    def begins(self) -> Numbers:
        """Where the rules of each relation begin, shape (R + 1,)."""
        count = len(self.triples.relations)
        return np.searchsorted(self.book.heads % max(count, 1), np.arange(count + 1)).astype(np.int64)

    def rule(self, row: int) -> MinedRule:
        """A rule of the book. It has the comparisons without which some path would meet itself in this graph."""
        book, count = self.book, len(self.triples.relations)
        relation = int(book.heads[row]) % count
        body = [int(way) for way in book.bodies[row] if way >= 0]
        head, parts = self._path(relation, body) if book.constants[row] < 0 else self._naming(row, body[0])
        rule = Rule(
            name=f"{self.triples.relations[relation]} mined {row - int(self.begins[relation]) + 1}",
            head=head,
            body=tuple(parts),
            weight=float(book.parts[row]) / WHOLE,
            source="mined from the graph",
        )
        return MinedRule(rule, int(book.supports[row]), int(book.predictions[row]))

    def _path(self, relation: int, body: list[int]) -> tuple[Atom, list[Part]]:
        """Head and body of a path: all its variables differ."""
        way = [_X, *(_A, _B)[: len(body) - 1], _Y]
        parts: list[Part] = [self._atom(step, *way[at : at + 2]) for at, step in enumerate(body)]
        for at, step in enumerate(body):
            if self._has_loops(step):
                parts.append(Comparison("!=", way[at], way[at + 1]))
            if at + 1 < len(body) and self.triples.overlap(step, self.triples.back(body[at + 1])):
                parts.append(Comparison("!=", way[at], way[at + 2]))
        if len(body) == 3:
            parts.append(Comparison("!=", _X, _Y))
        return self._atom(relation, _X, _Y), parts

    def _naming(self, row: int, step: int) -> tuple[Atom, list[Part]]:
        """Head and body of a rule whose head names a thing."""
        triples, book = self.triples, self.book
        head, number, end = int(book.heads[row]), int(book.constants[row]), int(book.ends[row])
        constant = triples.things[number]
        last: Term = _A if end < 0 else triples.things[end]
        if step >= 2 * len(triples.relations):
            parts: list[Part] = [Atom(triples.kinds[step - 2 * len(triples.relations)], (_X,))]
        else:
            parts = [self._atom(step, _X, last)]
            if self._has_loops(step, end):
                parts.append(Comparison("!=", _X, last))
            if end < 0 and step == head:
                parts.append(Comparison("!=", _A, constant))
        at = np.flatnonzero((triples.features.ways == step) & (triples.features.ends == end))
        if end != number and number in triples.features.things_of[at].indices:
            parts.append(Comparison("!=", _X, constant))
        return self._atom(head, _X, constant), parts

    def _atom(self, way: int, start: Term, end: Term) -> Atom:
        """A step as a condition."""
        count = len(self.triples.relations)
        terms = (start, end) if way < count else (end, start)
        return Atom(self.triples.relations[way % count], terms)

    def _has_loops(self, way: int, thing: int = -1) -> bool:
        """Whether any thing stands in a relation to itself, or a certain one does."""
        triples = self.triples
        loops = (triples.heads == triples.tails) & (triples.labels == way % len(triples.relations))
        return bool(loops.any() if thing < 0 else (triples.heads[loops] == thing).any())


def readable(value: Value) -> bool:
    """Whether a rule that names a value can be written and read again.

    Example:
        >>> readable("it's"), readable(-2.5), readable(1e-07)
        (True, True, False)
    """
    return isinstance(value, str) or _READABLE.fullmatch(written(value)) is not None
