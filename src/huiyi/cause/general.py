"""The general algorithm: what follows from a graph about an action, where no simple adjustment does."""

from __future__ import annotations

from dataclasses import dataclass

from huiyi.cause.formula import Chance, Formula, product, ratio, total
from huiyi.cause.graph import Graph
from huiyi.cause.separation import separated


@dataclass(frozen=True)
class Tangle:
    """Why an effect cannot be told: variables that unmeasured causes tie together (a hedge).

    Attributes:
        nodes: Those tied together.
        core: Those of them whose own part would have to be told apart.
    """

    nodes: frozenset[str]
    core: frozenset[str]


def identified(graph: Graph, action: str, outcome: str) -> Formula | Tangle:
    """The probability of the outcome if the action is done, as a formula of what is measured.

    It is complete: where it finds none, there is none without further assumptions.

    Args:
        graph: Of measured nodes alone, see ``Graph.projected``.
        action: What is done.
        outcome: What comes of it.

    Returns:
        The formula, in which the action has the value that is done. Where another variable is free in it too, all its
        values give the same.

    Example:
        >>> from huiyi.cause.formula import text
        >>> front_door = Graph.of("xmy", [("x", "m"), ("m", "y")], [("x", "y")])
        >>> text(identified(front_door, "x", "y"), "xmy")
        'Σ_m P(m | x) Σ_x′ P(x′) P(y | x′, m)'

    Source:
        Tian and Pearl, "A general identification condition for causal effects", AAAI 2002; complete by Shpitser and
        Pearl, AAAI 2006, and Huang and Valtorta, UAI 2006.
    """
    graph = graph.among(graph.ancestors((outcome,)))
    if action not in graph.parents:
        return Chance(frozenset((outcome,)))
    rest = graph.among(frozenset(graph.names) - {action})
    needed = rest.ancestors((outcome,))
    factors: list[Formula] = []
    for part in rest.among(needed).districts():
        whole = graph.district(next(iter(part)))
        found = _told_apart(graph, part, whole, product(_chance(graph, name) for name in graph.order if name in whole))
        if isinstance(found, Tangle):
            return found
        factors.append(found)
    return total(needed - {outcome}, product(factors))


def _told_apart(graph: Graph, part: frozenset[str], whole: frozenset[str], formula: Formula) -> Formula | Tangle:
    """The factor of a part of a district, from that of the district (Tian and Pearl's ``Identify``)."""
    inner = graph.among(whole)
    closed = inner.ancestors(part)
    if closed == part:
        return total(whole - part, formula)
    if closed == whole:
        return Tangle(whole, part)
    formula = total(whole - closed, formula)
    order = [name for name in graph.order if name in closed]
    smaller = inner.among(closed).district(next(iter(part)))
    factors = [
        ratio(total(order[place + 1 :], formula), total(order[place:], formula))
        for place, name in enumerate(order)
        if name in smaller
    ]
    return _told_apart(graph, part, smaller, product(factors))


def _chance(graph: Graph, name: str) -> Chance:
    """The probability of a node given those before it that tell of it."""
    before = graph.order[: graph.order.index(name)]
    earlier = graph.among({*before, name})
    district = earlier.district(name)
    telling = set(district.union(*(earlier.parents[other] for other in district))) - {name}
    for other in graph.sorted(telling):
        if separated(earlier, [name], [other], telling - {other}):
            telling.discard(other)
    return Chance(frozenset((name,)), frozenset(telling))
