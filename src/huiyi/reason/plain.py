"""A second, plainer evaluator, which shares nothing with the engine but what comparisons mean.

It tries every rule on every fact until nothing new follows. Proofs are checked
by it, and tests hold the engine to it. It is slow, and easy to be sure of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from huiyi.reason.facts import Fact, Key, Value
from huiyi.reason.logic import (
    Atom,
    Bindings,
    Comparison,
    Negation,
    Part,
    Rule,
    Variable,
    compare,
    evaluate,
    variables_of,
)

Weights = dict[Fact, float]


class Shelves:
    """Facts put where they are found by their relation, or by one value in one place."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._by_key: dict[Key, list[Fact]] = defaultdict(list)
        for fact in facts:
            self._by_key[fact.key].append(fact)
        self._by_value: dict[tuple[Key, int], dict[Value, list[Fact]]] = {}

    def of(self, atom: Atom) -> Sequence[Fact]:
        """The facts among which those of a shape are; others may be among them."""
        for place, term in enumerate(atom.terms):
            if not isinstance(term, Variable):
                return self._sorted(atom.key, place).get(term, ())
        return self._by_key.get(atom.key, ())

    def lack(self, atom: Atom) -> bool:
        """Whether there is no fact of a shape."""
        return not any(atom.admits(fact) for fact in self.of(atom))

    def _sorted(self, key: Key, place: int) -> Mapping[Value, Sequence[Fact]]:
        if (key, place) not in self._by_value:
            found: dict[Value, list[Fact]] = defaultdict(list)
            for fact in self._by_key.get(key, ()):
                found[fact.arguments[place]].append(fact)
            self._by_value[key, place] = found
        return self._by_value[key, place]


def follows(
    facts: Mapping[Fact, float], layers: Sequence[Sequence[Rule]], *, absent: Callable[[Atom], bool] | None = None
) -> Weights:
    """All facts that were given or follow, with their weights.

    Args:
        facts: The given ones.
        layers: Rules, those first whose conclusions others negate. Constraints are passed over.
        absent: What tells whether nothing of a shape is known; else what follows here decides.

    Example:
        >>> from huiyi.reason.rules import Rules
        >>> rules = Rules.parse("mortal(?x) :- human(?x).")
        >>> [str(fact) for fact in follows({Fact("human", ("Ada",)): 0.9}, rules.strata)]
        ['human(Ada)', 'mortal(Ada)']
    """
    known = dict(facts)
    for layer in layers:
        rules = [rule for rule in layer if rule.head is not None]
        changed = True
        while changed:
            changed = False
            shelves = Shelves(known)
            for rule in rules:
                for bindings, weight in list(solutions(rule, known, shelves, absent)):
                    assert rule.head is not None
                    fact, found = rule.head.fact(bindings), rule.weight * weight
                    if found > known.get(fact, 0.0):
                        known[fact] = found
                        changed = True
    return known


def broken(
    facts: Mapping[Fact, float], rules: Iterable[Rule], *, absent: Callable[[Atom], bool] | None = None
) -> list[tuple[Rule, Bindings]]:
    """The constraints that facts break, each with the values of its variables."""
    shelves = Shelves(facts)
    return [
        (rule, bindings)
        for rule in rules
        if rule.head is None
        for bindings, _ in solutions(rule, facts, shelves, absent)
    ]


def solutions(
    rule: Rule,
    known: Mapping[Fact, float],
    shelves: Shelves,
    absent: Callable[[Atom], bool] | None = None,
) -> Iterator[tuple[dict[str, Value], float]]:
    """The ways in which the body of a rule holds, and the product of the weights of its facts."""
    yield from _solutions(list(_in_order(rule)), {}, 1.0, known, shelves, absent or shelves.lack)


def _in_order(rule: Rule) -> Iterator[Part]:
    """Facts first, then values that are computed, then what only tests."""
    yield from rule.atoms
    bound = {name for atom in rule.atoms for name in atom.variables}
    waiting = list(rule.comparisons)
    while waiting:
        part = next(part for part in waiting if _ready(part, bound))
        waiting.remove(part)
        bound |= {*variables_of(part.left), *variables_of(part.right)}
        yield part
    yield from (part for part in rule.body if isinstance(part, Negation))


def _ready(part: Comparison, bound: set[str]) -> bool:
    left, right = set(variables_of(part.left)) - bound, set(variables_of(part.right)) - bound
    if not left and not right:
        return True
    alone = isinstance(part.left, Variable) if left else isinstance(part.right, Variable)
    return part.sign == "=" and alone and not (left and right)


def _solutions(
    parts: Sequence[Part],
    bindings: dict[str, Value],
    weight: float,
    known: Mapping[Fact, float],
    shelves: Shelves,
    absent: Callable[[Atom], bool],
) -> Iterator[tuple[dict[str, Value], float]]:
    if not parts:
        yield bindings, weight
        return
    part, rest = parts[0], parts[1:]
    if isinstance(part, Atom):
        atom = part.bound(bindings)
        for fact in shelves.of(atom):
            if atom.admits(fact):
                more = dict(bindings)
                for term, value in zip(atom.terms, fact.arguments, strict=True):
                    if isinstance(term, Variable):
                        more[term.name] = value
                yield from _solutions(rest, more, weight * known[fact], known, shelves, absent)
    elif isinstance(part, Negation):
        if absent(part.atom.bound(bindings)):
            yield from _solutions(rest, bindings, weight, known, shelves, absent)
    else:
        found = settled(part, bindings)
        if found is not None:
            yield from _solutions(rest, found, weight, known, shelves, absent)


def settled(part: Comparison, bindings: Mapping[str, Value]) -> dict[str, Value] | None:
    """The bindings with the value that ``=`` may give to a variable; nothing where the comparison does not hold."""
    for side, other in ((part.left, part.right), (part.right, part.left)):
        if part.sign == "=" and isinstance(side, Variable) and side.name not in bindings:
            value = evaluate(other, bindings)
            return None if value is None else {**bindings, side.name: value}
    holds = compare(part.sign, evaluate(part.left, bindings), evaluate(part.right, bindings))
    return dict(bindings) if holds else None
