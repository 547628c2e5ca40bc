"""What would have to be known for rules to conclude an action: answers are tried, and what changes most is asked for.

Each relation that may be asked for, and of which nothing is known, is given
some values in turn: the names that rules and the graph have for it, or else
numbers and dates to either side of those that it is compared with, which stand
in rules or in the graph; and one that no rule knows, for any other. With the share s(a) of the values after which the
rules conclude a (an action, or none), a relation is worth asking for by the
bits H = −Σ s(a) log₂ s(a), each value being taken for as likely as any other.
One after which nothing ever changes is not asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil, log2
from typing import TYPE_CHECKING

from huiyi.reason.facts import Fact, Given, Key, Value
from huiyi.reason.logic import TODAY, Age, Atom, Comparison, Expression, Rule, Sum, Variable, variables_of
from huiyi.reason.request import DO, REQUEST
from huiyi.values import Question, alike

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from huiyi.reason.closure import View
    from huiyi.reason.rules import Rules

MOST_VALUES = 40
"""How many values are tried for one relation."""

MOST_OPTIONS = 8
"""A question offers at most so many; of more it leaves the answer free."""

_OTHER = "something else"
_YES_NO = {"yes": {"en": "yes", "zh": "是"}, "no": {"en": "no", "zh": "否"}}
_DAY, _YEAR = 1.0, 365.25  # days
_FARTHEST = 40_000  # days from today, about a century


@dataclass
class Compared:
    """What the value of a relation is compared with.

    Attributes:
        names: Names that it may be.
        named: Those of them that stand in rules.
        numbers: Numbers; of a day, how many days or years lie between it and today.
        dates: Dates.
        units: Days in what the numbers count, where the value is a day that is compared with today.
        passed_on: Whether rules pass the value on before they compare it, so that it may be a number or a day.
    """

    names: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    numbers: set[int | float] = field(default_factory=set)
    dates: set[date] = field(default_factory=set)
    units: set[float] = field(default_factory=set)
    passed_on: bool = False

    def add(self, value: Value) -> None:
        """Take in a value that stands in a rule or in the graph."""
        if isinstance(value, date):
            self.dates.add(value)
        elif isinstance(value, int | float):
            self.numbers.add(value)

    def values(self, today: date) -> list[Value]:
        """What to try: names, or else what lies to either side."""
        if self.names:
            return sorted(self.names)
        near = {number + step for number in self.numbers | ({0} if self.units else set()) for step in (-1, 0, 1)}
        apart = {sign * round(number * unit) for unit in self.units for number in near for sign in (-1, 1)}
        found: list[Value] = sorted(near) if self.passed_on or not self.units else []
        found += sorted({day + timedelta(days=step) for day in self.dates for step in (-1, 0, 1)})
        return found + [today + timedelta(days=days) for days in sorted(apart) if abs(days) < _FARTHEST]

    def expected(self, value: Value) -> str:
        """What should have been said instead of a value, if rules can make nothing of it; else "".

        Example:
            >>> Compared(units={1.0}).expected("tomorrow"), Compared(numbers={60}).expected("sixty")
            ('a day, such as 2026-01-31', 'a number')
            >>> Compared(numbers={60}).expected(59), Compared({"flex", "saver"}).expected("first class")
            ('', '')
        """
        if self.names or self.passed_on:
            return ""
        if (self.dates or self.units) and not isinstance(value, date):
            return "a day, such as 2026-01-31"
        if self.numbers and not (self.dates or self.units) and not isinstance(value, int | float):
            return "a number"
        return ""


@dataclass(frozen=True)
class Trials:
    """What may be asked for, and what is tried for it.

    Attributes:
        questions: Relation of the request to language to the words of its question.
        compared: Relation to what its value is compared with.
    """

    questions: Mapping[str, Mapping[str, str]]
    compared: Mapping[str, Compared]

    @classmethod
    def of(cls, questions: Mapping[str, Mapping[str, str]], rules: Rules, known: View) -> Trials:
        """Gather what rules and the graph have for each relation that may be asked for.

        Args:
            questions: Relation to language to the words of its question.
            rules: The rules.
            known: What is known without a request.
        """
        facts = _Facts(known)
        compared = {}
        for name in questions:
            found = Compared({value for fact in facts.of((name, 2)) if isinstance(value := fact.arguments[1], str)})
            for rule in rules.rules:
                for atom in (*rule.atoms, *rule.negated):
                    if atom.key == (name, 2):
                        _gather(rule, atom, facts, found)
            if not (found.names or found.named or found.numbers or found.dates or found.units):
                found.passed_on = True
                for rule in rules.rules:
                    _add_constants(rule.comparisons, found)
            found.names |= _YES_NO.keys() if found.named and found.named <= _YES_NO.keys() else found.named
            compared[name] = found
        return cls(questions, compared)

    def option(self, relation: str, reply: str, label: Callable[[str, str], str]) -> str | None:
        """The name that a reply means, by what it is called in any language; nothing where it is none of them."""
        for name in sorted(self.compared[relation].names):
            if alike(reply) in {alike(_called(name, label, language)) for language in ("", "en", "zh")} | {alike(name)}:
                return name
        return None

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
        with view(given) as found:
            known |= {name for name in self.questions if (name, 2) in found.tables and found.facts(name, REQUEST, None)}
        best, worth = "", 0.0
        for relation in self.questions:
            if relation not in known:
                bits = _bits(self._outcomes(relation, given, today, view))
                if bits > worth + 1e-9:
                    best, worth = relation, bits
        if not best:
            return None
        words = self.questions[best]
        options = tuple(_called(name, label, language) for name in sorted(self.compared[best].names))
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
        values = self.compared[relation].values(today)
        some = values[:: max(ceil(len(values) / MOST_VALUES), 1)]
        for value in dict.fromkeys([*sorted(self.compared[relation].named), *some, _OTHER]):
            with view([*given, Given(Fact(relation, (REQUEST, value)))]) as found:
                yield frozenset(found.facts(DO, REQUEST, None))


def _called(name: str, label: Callable[[str, str], str], language: str) -> str:
    """What to call a name that may be a value."""
    called = label(name, language)
    return _YES_NO.get(name, {}).get(language, name) if called == name else called


class _Facts:
    """The facts of a view by their relation, each relation read once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._found: dict[Key, list[Fact]] = {}

    def of(self, key: Key) -> list[Fact]:
        """What was given and what follows; nothing where rules do not speak of it."""
        if key not in self._found:
            relation, arity = key
            self._found[key] = self._view.facts(relation, *[None] * arity) if key in self._view.tables else []
        return self._found[key]


def _gather(rule: Rule, atom: Atom, facts: _Facts, found: Compared) -> None:
    """What a rule compares with the value of a relation of which it speaks."""
    value = atom.terms[1]
    if not isinstance(value, Variable):
        found.named.update({value} if isinstance(value, str) else ())
        found.add(value)
        return
    for part in rule.comparisons:
        if value in (part.left, part.right):
            found.named.update(one for one in (part.left, part.right) if isinstance(one, str))
    linked = _linked(rule, value.name, found)
    for other in rule.atoms:
        places = [place for place, term in enumerate(other.terms) if isinstance(term, Variable) and term.name in linked]
        for fact in facts.of(other.key) if places and other != atom else ():
            for place in places if other.admits(fact) else ():
                known = fact.arguments[place]
                found.names.update({known} if isinstance(known, str) and other.terms[place] == value else ())
                found.add(known)


def _linked(rule: Rule, name: str, found: Compared) -> set[str]:
    """The variables with which one is compared, directly or through others. What else stands there is taken in."""
    linked = {name}
    parts: list[Comparison] = []
    while more := [
        part
        for part in rule.comparisons
        if part not in parts and linked.intersection((*variables_of(part.left), *variables_of(part.right)))
    ]:
        parts += more
        linked |= {name for part in more for name in (*variables_of(part.left), *variables_of(part.right))} - {TODAY}
    _add_constants(parts, found)
    return linked


def _add_constants(parts: Iterable[Comparison], found: Compared) -> None:
    """Take in the numbers and dates of comparisons, and whether they speak of today."""
    for part in parts:
        for side in (part.left, part.right):
            for constant in _constants(side):
                found.add(constant)
            if TODAY in variables_of(side):
                found.units.add(_YEAR if _in_years(side) else _DAY)


def _in_years(side: Expression) -> bool:
    """Whether an expression counts years."""
    if isinstance(side, Sum):
        return _in_years(side.left) or _in_years(side.right)
    return isinstance(side, Age) and side.function == "age_years"


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
