"""What would have to be known for rules to conclude an action: answers are tried, and what changes most is asked for.

Each relation that may be asked for, and of which nothing is known, is given
some values in turn: those that rules and the graph have for it, or else numbers
and dates to either side of those that rules compare with; and one that no rule
knows, which stands for any other. With the share s(a) of the values after which the
rules conclude a (an action, or none), a relation is worth asking for by the bits
H = −Σ s(a) log₂ s(a), each value being taken for as likely as any other. One
after which nothing ever changes is not asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import zip_longest
from math import log2
from typing import TYPE_CHECKING

from huiyi.reason.facts import Fact, Given, Key, Value
from huiyi.reason.logic import Age, Expression, Sum, Variable
from huiyi.reason.request import DO, REQUEST
from huiyi.values import Question, alike

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

_OLDEST_DAYS, _OLDEST_YEARS, _DAYS_OF_YEAR = 40_000, 200, 366
_OTHER = "something else"
_YES_NO = {"yes": {"en": "yes", "zh": "是"}, "no": {"en": "no", "zh": "否"}}


@dataclass(frozen=True)
class Trials:
    """What may be asked for, and what is tried for it.

    Attributes:
        questions: Relation of the request to language to the words of its question.
        names: Relation to the names it may have as a value, those that rules name first.
        numbers: Numbers that rules compare with, and those next to them.
        dates: Dates that rules compare with, and those next to them.
        label: What to call a thing in a language.
    """

    questions: Mapping[str, Mapping[str, str]]
    names: Mapping[str, tuple[str, ...]]
    numbers: tuple[Value, ...]
    dates: tuple[date, ...]
    label: Callable[[str, str], str]

    @classmethod
    def of(cls, domain: Domain, rules: Rules, label: Callable[[str, str], str]) -> Trials:
        """Gather what rules and the graph have for each relation that may be asked for."""
        constants = {
            value
            for rule in rules.rules
            for part in rule.comparisons
            for side in (part.left, part.right)
            for value in _constants(side)
        }
        constants |= {
            term
            for rule in rules.rules
            for atom in (*rule.atoms, *rule.negated)
            if atom.relation in domain.questions
            for term in atom.terms
            if not isinstance(term, Variable)
        }
        numbers = sorted(
            {near for one in constants if isinstance(one, int | float) for near in (one - 1, one, one + 1)}
        )
        days = {one for one in constants if isinstance(one, date)}
        dates = sorted({one + timedelta(days=near) for one in days for near in (-1, 0, 1)})
        names = {name: tuple(_names(name, domain, rules)) for name in domain.questions}
        return cls(domain.questions, names, (*numbers,), (*dates,), label)

    def option(self, relation: str, reply: str) -> str | None:
        """The name that a reply means, by what it is called in any language; nothing where it is none of them."""
        for name in self.names[relation]:
            if alike(reply) in {alike(self._called(name, language)) for language in ("", "en", "zh")} | {alike(name)}:
                return name
        return None

    def _called(self, name: str, language: str) -> str:
        """What to call a name that may be a value."""
        label = self.label(name, language)
        return _YES_NO.get(name, {}).get(language, name) if label == name else label

    def question(
        self,
        given: Sequence[Given],
        today: date,
        view: Callable[[Iterable[Given]], AbstractContextManager[View]],
        language: str,
    ) -> Question | None:
        """The question whose answer changes most what rules conclude; nothing where none changes anything.

        Args:
            given: What is known of the request.
            today: The day on which it is decided.
            view: What follows when facts are added.
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
        options = tuple(self._called(name, language) for name in sorted(self.names[best]))
        options = options if 1 < len(set(options)) == len(options) <= MOST_OPTIONS else ()
        return Question(words.get(language) or next(iter(words.values())), options, best)

    def _outcomes(
        self,
        relation: str,
        given: Sequence[Given],
        today: date,
        view: Callable[[Iterable[Given]], AbstractContextManager[View]],
    ) -> Iterator[frozenset[Fact]]:
        """What rules conclude after each value, and after any other."""
        numbers = [one for one in self.numbers if isinstance(one, int) and one >= 0]
        ages = [today - timedelta(days=one) for one in numbers if one < _OLDEST_DAYS]
        ages += [today - timedelta(days=_DAYS_OF_YEAR * one) for one in numbers if one < _OLDEST_YEARS]
        kinds = (self.names[relation],) if self.names[relation] else (self.numbers, self.dates, ages)
        values = [one for some in zip_longest(*kinds) for one in some if one is not None]
        for value in (*values[:MOST_VALUES], _OTHER):
            with view([*given, Given(Fact(relation, (REQUEST, value)))]) as found:
                yield frozenset(found.facts(DO, REQUEST, None))


def _names(relation: str, domain: Domain, rules: Rules) -> Iterator[str]:
    """The names that a relation may have as a value, each once: those in rules, then those of the graph.

    Rules name them where they speak of the relation, compare its value with them, or say of the value what else must
    hold of it.
    """
    found: dict[Value, None] = {}
    also: set[tuple[Key, int]] = {((relation, 2), 1)}
    for rule in rules.rules:
        atoms = (*rule.atoms, *rule.negated)
        own = [atom.terms[1] for atom in atoms if atom.key == (relation, 2)]
        found |= {term: None for term in own if not isinstance(term, Variable)}
        open_ = [term for term in own if isinstance(term, Variable)]
        for part in rule.comparisons:
            for side, other in ((part.left, part.right), (part.right, part.left)):
                found |= dict.fromkeys(_constants(other)) if side in open_ else {}
        also |= {(atom.key, place) for atom in atoms for place, term in enumerate(atom.terms) if term in open_}
    found |= dict.fromkeys(
        sorted(
            value
            for key, place in also
            for fact, _ in domain.facts.facts({key})
            if fact.key == key and isinstance(value := fact.arguments[place], str)
        )
    )
    names = [value for value in found if isinstance(value, str)]
    yield from names if not names or not set(names) <= set(_YES_NO) else _YES_NO


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
