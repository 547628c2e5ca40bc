"""What is held of rules before anything follows from them: safe variables, no circles through ``not``, an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from huiyi.errors import DataError
from huiyi.reason.facts import Key
from huiyi.reason.logic import ANONYMOUS, Age, Atom, Comparison, Rule, Sum, Variable, variables_of


def check_names(rules: Sequence[Rule]) -> None:
    """Hold that each rule has a name of its own.

    Raises:
        DataError: Two have the same; the message names it.
    """
    counts = Counter(rule.name for rule in rules)
    for rule in rules:
        if counts[rule.name] > 1:
            raise DataError(
                f"{rule.source}: the rule {rule.name!r} has a name that another has too. "
                "Expected a name of its own, which proofs can tell: rename it after '@rule'."
            )


def check_safe(rule: Rule) -> None:
    """Hold that the body says of every variable which values it can have.

    Raises:
        DataError: It does not; the message names the variable.
    """
    bound = {name for atom in rule.atoms for name in atom.variables}
    computed(rule, bound)
    needed = [("the head", name) for name in (rule.head.variables if rule.head else ())]
    needed += [
        (f"'not {atom}'", name) for atom in rule.negated for name in atom.variables if not name.startswith(ANONYMOUS)
    ]
    needed += [
        (f"'{comparison}'", name)
        for comparison in rule.comparisons
        for name in (*variables_of(comparison.left), *variables_of(comparison.right))
    ]
    for where, name in needed:
        if name not in bound:
            raise DataError(
                f"{rule.source}: {Variable(name)} in {where} is not safe, since nothing says which values it can have. "
                f"Expected it in a condition without 'not' too, such as kind({Variable(name)})."
            )


def computed(rule: Rule, bound: set[str]) -> list[tuple[str, Comparison]]:
    """Which variables get their values by ``=``, in an order in which they can; they join those bound."""
    found: list[tuple[str, Comparison]] = []
    waiting = [comparison for comparison in rule.comparisons if comparison.sign == "="]
    while True:
        for comparison in waiting:
            for side, other in ((comparison.left, comparison.right), (comparison.right, comparison.left)):
                if isinstance(side, Variable) and side.name not in bound and bound.issuperset(variables_of(other)):
                    found.append((side.name, comparison))
                    bound.add(side.name)
                    waiting.remove(comparison)
                    break
            else:
                continue
            break
        else:
            return found


def stratified(rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], ...]:
    """The rules in layers: what a layer negates is settled in the layers before it.

    Raises:
        DataError: Rules go in a circle through ``not``, or make new values in a circle without a limit.
    """
    heads: dict[Key, list[Rule]] = {}
    for rule in rules:
        if rule.head is not None:
            heads.setdefault(rule.head.key, []).append(rule)
    below = {
        key: list(dict.fromkeys(atom.key for rule in of for atom in (*rule.atoms, *rule.negated) if atom.key in heads))
        for key, of in heads.items()
    }
    layers: list[tuple[Rule, ...]] = []
    for circle in circles(below):
        together = tuple(rule for key in circle for rule in heads[key])
        for rule in together:
            for atom in rule.negated:
                if atom.key in circle:
                    raise DataError(_circle_through_not(rule, atom, below, heads))
            if any(atom.key in circle for atom in rule.atoms):
                _check_bounded(rule)
        layers.append(together)
    constraints = tuple(rule for rule in rules if rule.head is None)
    return (*layers, constraints) if constraints else tuple(layers)


def circles(below: Mapping[Key, Sequence[Key]]) -> list[list[Key]]:
    """Groups of relations that depend on each other, those first on which the others depend.

    Source:
        Tarjan, "Depth-first search and linear graph algorithms", SIAM Journal on Computing 1(2), 1972; without
        recursion, since rules may be many.
    """
    index: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    found: list[list[Key]] = []
    for root in below:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        work = [(root, iter(below[root]))]
        while work:
            key, rest = work[-1]
            for child in rest:
                if child not in index:
                    index[child] = low[child] = len(index)
                    stack.append(child)
                    work.append((child, iter(below[child])))
                    break
                if child in stack:
                    low[key] = min(low[key], index[child])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == index[key]:
                    at = stack.index(key)
                    found.append(stack[at:])
                    del stack[at:]
    return found


def _circle_through_not(
    rule: Rule, atom: Atom, below: Mapping[Key, Sequence[Key]], heads: Mapping[Key, Sequence[Rule]]
) -> str:
    """Name the way from what is negated back to what is concluded."""
    assert rule.head is not None
    start, goal = atom.key, rule.head.key
    came: dict[Key, Key] = {start: start}
    queue = [start]
    for key in queue:
        for child in below[key]:
            if child not in came:
                came[child] = key
                queue.append(child)
    way = [goal]
    while way[-1] != start:
        way.append(came[way[-1]])
    names = " needs ".join(key[0] for key in way[::-1])
    return (
        f"{rule.source}: {rule.head.relation} needs 'not {atom.relation}', and {names}: a circle through 'not', "
        "which has no clear meaning. Expected what is negated to be settled first: take one of the conditions out."
        if start != goal
        else f"{rule.source}: {rule.head.relation} needs 'not {atom.relation}' of itself: a circle through 'not', "
        "which has no clear meaning. Expected what is negated to be settled first: take the condition out."
    )


def _check_bounded(rule: Rule) -> None:
    """Refuse a rule that makes new values out of those it made, unless a comparison limits them."""
    assert rule.head is not None
    bound = {name for atom in rule.atoms for name in atom.variables}
    made = computed(rule, bound)
    for name, comparison in made:
        new = any(isinstance(side, Sum | Age) for side in (comparison.left, comparison.right))
        limited = any(
            other is not comparison
            and other.sign in ("<", "<=", ">", ">=")
            and name in (*variables_of(other.left), *variables_of(other.right))
            for other in rule.comparisons
        )
        if new and name in rule.head.variables and not limited:
            raise DataError(
                f"{rule.source}: the rule {rule.name!r} makes new values of {Variable(name)} out of those it made "
                f"before, without end. Expected a limit such as '{Variable(name)} <= 100' beside '{comparison}'."
            )
