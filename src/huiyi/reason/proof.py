"""Proofs: each derived fact with all that it rests on, down to facts and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from huiyi.errors import DataError, OptionError
from huiyi.reason.closure import View
from huiyi.reason.facts import Fact, Key, Value, normal, normalised, written
from huiyi.reason.logic import (
    ANONYMOUS,
    Age,
    Atom,
    Bindings,
    Comparison,
    Expression,
    Rule,
    Sum,
    Term,
    Variable,
    evaluate,
    shown,
    variables_of,
)
from huiyi.reason.plain import settled
from huiyi.reason.tables import GIVEN, Entry, Row

EVIDENCE = "evidence"
"""What a step names in the place of a rule where evidence says how probable a label is. See ``huiyi.reason.belief``."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fact of a proof, and why it holds.

    Attributes:
        fact: What holds.
        weight: How sure it is: the rule's weight times those of the facts it was concluded from.
        rule: Name of the rule that concludes it; "" when it was given.
        because: Places of the earlier steps that meet the rule's conditions, in the order of these.
        bindings: The values of the rule's variables.
        absent: What was not known, where the rule says ``not``.
        comparisons: The rule's comparisons with values in them, such as ``22 <= 30``.
        sources: Where it came from, when it was given.
    """

    fact: Fact
    weight: float
    rule: str = ""
    because: tuple[int, ...] = ()
    bindings: Mapping[str, Value] = field(default_factory=dict)
    absent: tuple[Atom, ...] = ()
    comparisons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """The steps to a fact, each after those it rests on. A fact that is needed twice is there once.

    Example:
        >>> from huiyi.reason import Rules, close
        >>> closure = close([Fact("human", ("Ada",))], Rules.parse("mortal(?x) :- human(?x)."))
        >>> [str(step.fact) for step in prove(closure, Fact("mortal", ("Ada",))).steps]
        ['human(Ada)', 'mortal(Ada)']
    """

    steps: tuple[Step, ...]

    @property
    def fact(self) -> Fact:
        """What is proved."""
        return self.steps[-1].fact

    @property
    def weight(self) -> float:
        """How sure it is."""
        return self.steps[-1].weight

    @property
    def given(self) -> tuple[Step, ...]:
        """The facts that it rests on."""
        return tuple(step for step in self.steps if not step.rule)

    def to_json(self) -> dict[str, Any]:
        """The proof as plain JSON.

        Example:
            >>> proof = Proof((Step(Fact("human", ("Ada",)), 1.0, sources=("people.csv, line 2",)),))
            >>> Proof.from_json(proof.to_json()) == proof
            True
        """
        return {"steps": [_step_to_json(step) for step in self.steps]}

    @classmethod
    def from_json(cls, document: Any) -> Proof:
        """Read what ``to_json`` wrote.

        Raises:
            DataError: It is something else.
        """
        try:
            steps = tuple(_step_from_json(step, place) for place, step in enumerate(document["steps"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"This is no proof ({error!r}). Expected what `to_json` of a proof wrote.") from error
        if not steps:
            raise DataError("This proof has no steps. Expected what `to_json` of a proof wrote.")
        return cls(steps)


def prove(view: View, fact: Fact) -> Proof:
    """The proof of a fact: of those of the highest weight the shortest, and always the same one.

    Raises:
        OptionError: The fact does not hold, or no rule speaks of its relation.
    """
    fact = normal(fact)
    if view.entry(fact) is None:
        raise OptionError(f"{fact} does not follow, so it has no proof. Expected a fact that holds: ask `holds` first.")
    return proof_of(view, fact.key, tuple(view.symbols.number(value) for value in fact.arguments))


def proof_of(view: View, key: Key, row: Row) -> Proof:
    """The proof of a row, which must be there."""
    places: dict[tuple[Key, Row], int] = {}
    steps: list[Step] = []
    waiting = [(key, row)]
    while waiting:
        item = waiting[-1]
        entry = view.tables[item[0]].get(item[1])
        assert entry is not None
        missing = [used for used in entry.used if used not in places]
        if missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        if item not in places:
            places[item] = len(steps)
            steps.append(_step(view, *item, entry, tuple(places[used] for used in entry.used)))
    return Proof(tuple(steps))


def _step(view: View, key: Key, row: Row, entry: Entry, because: tuple[int, ...]) -> Step:
    fact = view.symbols.fact(key, row)
    if entry.rule == GIVEN:
        return Step(fact, entry.weight, sources=view.sources(fact))
    rule = view.rule_of(entry).rule
    bindings = bound_by(rule, [view.symbols.fact(*used) for used in entry.used])
    assert bindings is not None
    return Step(
        fact,
        entry.weight,
        rule.name,
        because,
        {name: value for name, value in bindings.items() if not name.startswith(ANONYMOUS)},
        tuple(left_open(atom.bound(bindings)) for atom in rule.negated),
        tuple(filled(comparison, bindings) for comparison in rule.comparisons),
    )


def left_open(atom: Atom) -> Atom:
    """An atom whose variables are named by their places, so that equal shapes are equal."""
    return Atom(
        atom.relation,
        tuple(Variable(f"{ANONYMOUS}{n}") if isinstance(term, Variable) else term for n, term in enumerate(atom.terms)),
    )


def bound_by(rule: Rule, facts: list[Fact]) -> dict[str, Value] | None:
    """The values of a rule's variables when facts meet its conditions, in this order; nothing when they do not."""
    if len(facts) != len(rule.atoms):
        return None
    bindings: dict[str, Value] = {}
    for atom, fact in zip(rule.atoms, facts, strict=True):
        if fact.key != atom.key:
            return None
        for term, value in zip(atom.terms, fact.arguments, strict=True):
            if (bindings.setdefault(term.name, value) if isinstance(term, Variable) else term) != value:
                return None
    waiting = list(rule.comparisons)
    while waiting:
        part = next((part for part in waiting if _computable(part, bindings)), None)
        if part is None:
            return None
        waiting.remove(part)
        more = settled(part, bindings)
        if more is None:
            return None
        bindings = more
    return bindings


def _computable(part: Comparison, bindings: Bindings) -> bool:
    """Whether a comparison can be looked at: at most one side is a variable without a value."""
    left = {name for name in variables_of(part.left) if name not in bindings}
    right = {name for name in variables_of(part.right) if name not in bindings}
    if not left and not right:
        return True
    side, other = (part.left, right) if left else (part.right, left)
    return part.sign == "=" and isinstance(side, Variable) and not other


def filled(comparison: Comparison, bindings: Bindings) -> str:
    """A comparison with values in it; what is computed stands beside its result.

    Example:
        >>> from huiyi.reason.logic import Sum
        >>> filled(Comparison("<=", Sum("-", Variable("a"), 1), 30), {"a": 3})
        '3 - 1 = 2 <= 30'
        >>> filled(Comparison("=", Variable("left"), Sum("-", Variable("a"), 1)), {"a": 3, "left": 2})
        '3 - 1 = 2'
    """
    if comparison.sign == "=" and isinstance(comparison.left, Variable) and isinstance(comparison.right, Sum | Age):
        return _side(comparison.right, bindings)  # it gave the variable its value
    sides = [_side(side, bindings) for side in (comparison.left, comparison.right)]
    return f"{sides[0]} {comparison.sign} {sides[1]}"


def _side(side: Expression, bindings: Bindings) -> str:
    value = evaluate(side, bindings)
    said = "nothing" if value is None else written(value)
    return said if isinstance(side, Variable | str | int | float) else f"{_written(side, bindings)} = {said}"


def _written(side: Expression, bindings: Bindings) -> str:
    if isinstance(side, Sum):
        inner = [
            f"({_written(part, bindings)})" if isinstance(part, Sum) else _written(part, bindings)
            for part in (side.left, side.right)
        ]
        return f"{inner[0]} {side.sign} {inner[1]}"
    if isinstance(side, Age):
        return f"{side.function}({_written(side.of, bindings)})"
    return written(bindings[side.name]) if isinstance(side, Variable) else shown(side)


def _value_to_json(value: Value) -> str | int | float:
    return value if isinstance(value, int | float | str) else written(value)


def _value_from_json(value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no value")
    return normalised(value)


def _step_to_json(step: Step) -> dict[str, Any]:
    return {
        "relation": step.fact.relation,
        "arguments": [_value_to_json(value) for value in step.fact.arguments],
        "weight": step.weight,
        "rule": step.rule,
        "because": list(step.because),
        "bindings": {name: _value_to_json(value) for name, value in step.bindings.items()},
        "absent": [
            {
                "relation": atom.relation,
                "arguments": [None if isinstance(term, Variable) else _value_to_json(term) for term in atom.terms],
            }
            for atom in step.absent
        ],
        "comparisons": list(step.comparisons),
        "sources": list(step.sources),
    }


def _step_from_json(step: Any, place: int) -> Step:
    because = tuple(step["because"])
    if not all(type(earlier) is int and 0 <= earlier < place for earlier in because):
        raise ValueError(f"step {place} rests on a step that is not before it")
    return Step(
        Fact(str(step["relation"]), tuple(_value_from_json(value) for value in step["arguments"])),
        float(step["weight"]),
        str(step["rule"]),
        because,
        {str(name): _value_from_json(value) for name, value in step["bindings"].items()},
        tuple(
            Atom(str(atom["relation"]), tuple(_term_from_json(term, n) for n, term in enumerate(atom["arguments"])))
            for atom in step["absent"]
        ),
        tuple(map(str, step["comparisons"])),
        tuple(map(str, step["sources"])),
    )


def _term_from_json(term: Any, place: int) -> Term:
    return Variable(f"{ANONYMOUS}{place}") if term is None else _value_from_json(term)
