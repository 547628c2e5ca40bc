"""What rules are made of, and what their comparisons mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from huiyi.reason.facts import Fact, Key, Value, named, relation_named

Bindings = Mapping[str, Value]

TODAY = "today"
"""The relation of one argument that says which day it is, and the variable that stands for it."""

ANONYMOUS = "*"
"""What the names of variables begin with that were written ``?_``: each stands for anything."""

_LARGEST = 10**18
FUNCTIONS = ("age_days", "age_years")


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that a rule leaves open, written ``?name``."""

    name: str

    def __str__(self) -> str:
        return "?_" if self.name.startswith(ANONYMOUS) else f"?{self.name}"


Term = Variable | Value


@dataclass(frozen=True, slots=True)
class Atom:
    """A relation between terms."""

    relation: str
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return f"{relation_named(self.relation)}({', '.join(shown(term) for term in self.terms)})"

    @property
    def key(self) -> Key:
        """The relation and the number of arguments."""
        return self.relation, len(self.terms)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, each once."""
        return tuple(dict.fromkeys(term.name for term in self.terms if isinstance(term, Variable)))

    def bound(self, bindings: Bindings) -> Atom:
        """The atom with values in the place of the variables that have some."""
        return Atom(
            self.relation,
            tuple(bindings.get(term.name, term) if isinstance(term, Variable) else term for term in self.terms),
        )

    def fact(self, bindings: Bindings) -> Fact:
        """The fact that it is when all variables have values; ``KeyError`` when they have not."""
        return Fact(
            self.relation, tuple(bindings[term.name] if isinstance(term, Variable) else term for term in self.terms)
        )

    def admits(self, fact: Fact) -> bool:
        """Whether a fact is of this shape, whatever the variables."""
        seen: dict[str, Value] = {}
        return fact.key == self.key and all(
            seen.setdefault(term.name, value) == value if isinstance(term, Variable) else term == value
            for term, value in zip(self.terms, fact.arguments, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Negation:
    """That nothing of a shape is known."""

    atom: Atom

    def __str__(self) -> str:
        return f"not {self.atom}"


@dataclass(frozen=True, slots=True)
class Sum:
    """Two values and ``+``, ``-``, ``*`` or ``/`` between them."""

    sign: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"({shown(self.left)} {self.sign} {shown(self.right)})"


@dataclass(frozen=True, slots=True)
class Age:
    """How many whole days, or years, ago a date was."""

    function: str
    of: Expression

    def __str__(self) -> str:
        return f"{self.function}({shown(self.of)})"


Expression = Variable | Sum | Age | Value


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values, and what is said of their order. With ``=`` it can also give a variable its value."""

    sign: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{shown(self.left)} {self.sign} {shown(self.right)}"


Part = Atom | Negation | Comparison
Kind = Literal["rule", "constraint", "subclass", "subrelation", "inverse", "symmetric", "transitive"]


@dataclass(frozen=True, slots=True)
class Rule:
    """If the body holds, so does the head; without a head, the body must never hold.

    Attributes:
        name: What proofs call it.
        head: What follows.
        body: What must hold.
        weight: How sure the step is, above 0 and up to 1.
        descriptions: Language to what it says, with ``?name`` for the variables.
        source: File and line.
        kind: Whether it was written as a rule, or stands for a declaration.
    """

    name: str
    head: Atom | None
    body: tuple[Part, ...]
    weight: float = 1.0
    descriptions: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    kind: Kind = "rule"

    def __str__(self) -> str:
        head, body = "" if self.head is None else str(self.head), ", ".join(map(str, self.body))
        return f"{head} :- {body}.".lstrip() if body else f"{head}."

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """What must be known for it."""
        return tuple(part for part in self.body if isinstance(part, Atom))

    @property
    def negated(self) -> tuple[Atom, ...]:
        """What must not be known for it."""
        return tuple(part.atom for part in self.body if isinstance(part, Negation))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, each once, in the order of the body."""
        found: dict[str, None] = {}
        for part in self.body:
            if isinstance(part, Comparison):
                found |= dict.fromkeys((*variables_of(part.left), *variables_of(part.right)))
            else:
                found |= dict.fromkeys((part.atom if isinstance(part, Negation) else part).variables)
        return tuple(found)

    @property
    def concludes(self) -> Atom:
        """The head; of a constraint an atom of its own, which speaks of all its variables but those only negated."""
        if self.head is not None:
            return self.head
        negated = {name for atom in self.negated for name in atom.variables if name.startswith(ANONYMOUS)}
        terms = tuple(Variable(name) for name in self.variables if name not in negated)
        return Atom(f":- {self.name}", terms or (self.name,))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """What is said of values."""
        return tuple(part for part in self.body if isinstance(part, Comparison))


def shown(term: Expression) -> str:
    """A term as rules write it."""
    return str(term) if isinstance(term, Variable | Sum | Age) else named(term)


def variables_of(expression: Expression) -> Iterator[str]:
    """The variables in an expression; a function of age speaks of today."""
    if isinstance(expression, Variable):
        yield expression.name
    elif isinstance(expression, Sum):
        yield from variables_of(expression.left)
        yield from variables_of(expression.right)
    elif isinstance(expression, Age):
        yield TODAY
        yield from variables_of(expression.of)


def evaluate(expression: Expression, bindings: Bindings) -> Value | None:
    """The value of an expression, or nothing where it has none, as the sum of a text and a number.

    Example:
        >>> evaluate(Sum("-", date(2026, 3, 1), date(2026, 1, 31)), {}), evaluate(Sum("+", "a", 1), {})
        (29, None)
    """
    if isinstance(expression, Variable):
        return bindings.get(expression.name)
    if isinstance(expression, Age):
        return _age(expression.function, evaluate(expression.of, bindings), bindings.get(TODAY))
    if isinstance(expression, Sum):
        return _sum(expression.sign, evaluate(expression.left, bindings), evaluate(expression.right, bindings))
    return expression


def compare(sign: str, left: Value | None, right: Value | None) -> bool:
    """Whether two values stand so. Numbers have an order among themselves, and so have dates; nothing else has one.

    Example:
        >>> compare("<=", 29, 30), compare("<", "a", "b"), compare("!=", "a", 3), compare("=", 2, 2.0)
        (True, False, True, True)
    """
    if left is None or right is None:
        return False
    if sign in ("=", "!="):
        return (left == right) == (sign == "=")
    if isinstance(left, date) and isinstance(right, date):
        if isinstance(left, datetime) != isinstance(right, datetime):  # a day is compared with the day of a moment
            left, right = _day(left), _day(right)
    elif not (isinstance(left, int | float) and isinstance(right, int | float)):
        return False
    low, high = (left, right) if sign in ("<", "<=") else (right, left)
    return bool(low <= high if "=" in sign else low < high)  # type: ignore[operator]  # both are numbers, or both dates


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _sum(sign: str, left: Value | None, right: Value | None) -> Value | None:
    """Two values put together, when there is a sense in it and the result is not enormous."""
    if isinstance(left, date) and isinstance(right, date) and sign == "-":
        return (_day(left) - _day(right)).days
    if isinstance(left, date) and isinstance(right, int) and sign in "+-":
        try:
            return left + timedelta(days=right if sign == "+" else -right)
        except OverflowError:
            return None
    if not (isinstance(left, int | float) and isinstance(right, int | float)) or (sign == "/" and right == 0):
        return None
    value: float
    value = left / right if sign == "/" else left * right if sign == "*" else left + (right if sign == "+" else -right)
    if not abs(value) < _LARGEST:
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _age(function: str, born: Value | None, today: Value | None) -> Value | None:
    """Whole days or years from a date to today."""
    if not (isinstance(born, date) and isinstance(today, date)):
        return None
    born, today = _day(born), _day(today)
    if function == "age_days":
        return (today - born).days
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
