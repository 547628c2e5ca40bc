"""What would have to be known for rules to conclude an action: answers are tried, and what changes most is asked for.

Each relation that may be asked for, and of which nothing is known, is given
some values in turn: those that rules and the graph have for it, and numbers and
dates to either side of those that rules compare with. With the share s(a) of
the values after which the rules conclude a (an action, or none), a relation is
worth asking for by the bits H = −Σ s(a) log₂ s(a), each value being taken for as
likely as any other. One after which nothing ever changes is not asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import log2
from typing import TYPE_CHECKING

from huiyi.reason.facts import Fact, Given, Value
from huiyi.reason.logic import Age, Expression, Sum, Variable
from huiyi.reason.request import DO, REQUEST
from huiyi.values import Question

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from huiyi.reason.closure import View
    from huiyi.reason.domain import Domain
    from huiyi.reason.rules import Rules

MOST_VALUES = 40
"""How many values are tried for one relation."""

MOST_OPTIONS = 8
"""A question offers at most so many; of more it leaves the answer free."""


@dataclass(frozen=True)
class Trials:
    """What may be asked for, and what is tried for it.

    Attributes:
        questions: Relation of the request to language to the words of its question.
        names: Relation to the names it may have as a value.
        numbers: Numbers that rules compare with, and those next to them.
        dates: Dates that rules compare with, and those next to them.
    """

    questions: Mapping[str, Mapping[str, str]]
    names: Mapping[str, tuple[str, ...]]
    numbers: tuple[Value, ...]
    dates: tuple[date, ...]

    @classmethod
    def of(cls, domain: Domain, rules: Rules) -> Trials:
        """Gather what rules and the graph have for each relation that may be asked for."""
        constants = {
            value
            for rule in rules.rules
            for part in rule.comparisons
            for side in (part.left, part.right)
            for value in _constants(side)
        }
        numbers = sorted(
            {near for one in constants if isinstance(one, int | float) for near in (one - 1, one, one + 1)}
        )
        days = {one for one in constants if isinstance(one, date)}
        dates = sorted({one + timedelta(days=near) for one in days for near in (-1, 0, 1)})
        names: dict[str, dict[str, None]] = {name: {} for name in domain.questions}
        for fact, _ in domain.knowledge.facts({(name, 2) for name in names}):
            if isinstance(fact.arguments[1], str):
                names[fact.relation][fact.arguments[1]] = None
        for rule in rules.rules:
            for atom in (*rule.atoms, *rule.negated):
                if atom.relation in names and len(atom.terms) == 2 and isinstance(atom.terms[1], str):
                    names[atom.relation][atom.terms[1]] = None
        return cls(
            domain.questions, {name: tuple(sorted(found)) for name, found in names.items()}, (*numbers,), (*dates,)
        )

    def question(
        self,
        given: Sequence[Given],
        today: date,
        view: Callable[[Iterable[Given]], AbstractContextManager[View]],
        label: Callable[[str, str], str],
        language: str,
    ) -> Question | None:
        """The question whose answer changes most what rules conclude; nothing where none changes anything.

        Args:
            given: What is known of the request.
            today: The day on which it is decided.
            view: What follows when facts are added.
            label: What to call a thing in a language.
            language: Of the question.
        """
        known = {one.fact.relation for one in given}
        best, worth = "", 0.0
        for relation in self.questions:
            if relation not in known:
                found = _bits(self._outcomes(relation, given, today, view))
                if found > worth + 1e-9:
                    best, worth = relation, found
        if not best:
            return None
        words = self.questions[best]
        names = self.names[best]
        options = tuple(label(name, language) for name in names) if len(names) <= MOST_OPTIONS else ()
        return Question(words.get(language) or next(iter(words.values())), options, best)

    def _outcomes(
        self,
        relation: str,
        given: Sequence[Given],
        today: date,
        view: Callable[[Iterable[Given]], AbstractContextManager[View]],
    ) -> Iterator[frozenset[Fact]]:
        """What rules conclude after each value."""
        ages = [one for one in self.numbers if isinstance(one, int) and 0 <= one < 40_000]
        values: list[Value] = list(self.names[relation])
        values = values or [*self.numbers, *self.dates, *(today - timedelta(days=age) for age in ages)]
        for value in values[:MOST_VALUES]:
            with view([*given, Given(Fact(relation, (REQUEST, value)))]) as found:
                yield frozenset(found.facts(DO, REQUEST, None))


def _constants(side: Expression) -> Iterator[Value]:
    """The values that stand in an expression."""
    if isinstance(side, Sum):
        yield from _constants(side.left)
        yield from _constants(side.right)
    elif isinstance(side, Age):
        yield from _constants(side.of)
    elif not isinstance(side, Variable):
        yield side


def _bits(outcomes: Iterable[frozenset[Fact]]) -> float:
    """How much what follows depends on the value."""
    counts = Counter(outcomes)
    total = sum(counts.values())
    return -sum(count / total * log2(count / total) for count in counts.values()) if len(counts) > 1 else 0.0
