"""What a graph must be like for an effect to be told in one of the usual ways. No way lists all sets of variables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from huiyi.cause.graph import Graph
from huiyi.cause.separation import minimal_separator, nearest_separator, separated


@dataclass(frozen=True)
class FrontDoor:
    """Mediators through which all of an effect goes, and what is held equal meanwhile."""

    mediators: tuple[str, ...]
    adjustment: tuple[str, ...]


@dataclass(frozen=True)
class Instrument:
    """What moves the action and reaches the outcome in no other way, once some columns are held equal."""

    name: str
    adjustment: tuple[str, ...]


def adjustment_sets(graph: Graph, action: str, outcome: str, measured: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Sets of columns to hold equal, so that what is left between action and outcome is the effect; small ones first.

    Args:
        graph: With hidden nodes or arcs.
        action: What is done.
        outcome: What comes of it.
        measured: Nodes that can be held equal.

    Returns:
        Up to three sets: those of which nothing can be spared, near the outcome and near the action, and the narrow
        one. Empty where no set will do.

    Example:
        >>> graph = Graph.of("zxyp", [("z", "x"), ("z", "y"), ("x", "y"), ("p", "y")])
        >>> adjustment_sets(graph, "x", "y", "zp")
        (('z',), ('z', 'p'))

    Source:
        The criterion is complete: Perković, Textor, Kalisch and Maathuis, JMLR 18(220), 2018. Small sets by separators:
        van der Zander, Liśkiewicz and Textor, 2014.
    """
    proper, allowed = _proper(graph, action, outcome, measured)
    near_outcome = minimal_separator(proper, action, outcome, allowed)
    near_action = minimal_separator(proper, outcome, action, allowed)
    narrow = narrow_set(graph, action, outcome, measured)
    found = dict.fromkeys(some for some in (near_outcome, near_action, narrow) if some is not None)
    return tuple(sorted(found, key=len))


def narrow_set(graph: Graph, action: str, outcome: str, measured: Collection[str]) -> tuple[str, ...] | None:
    """The set of columns to hold equal that gives the narrowest intervals; ``None`` where it is not measured.

    Example:
        >>> graph = Graph.of("axyp", [("a", "x"), ("x", "y"), ("p", "y")])
        >>> narrow_set(graph, "x", "y", "ap")
        ('p',)

    Source:
        Henckel, Perković and Maathuis, "Graphical criteria for efficient total effect estimation", JRSS-B 84(2), 2022.
    """
    proper, allowed = _proper(graph, action, outcome, measured)
    on_way = _on_way(graph, action, outcome)
    narrow = frozenset[str]().union(*(graph.parents[name] for name in on_way)) - graph.descendants(on_way) - {action}
    return graph.sorted(narrow) if narrow <= allowed and separated(proper, [action], [outcome], narrow) else None


def _on_way(graph: Graph, action: str, outcome: str) -> frozenset[str]:
    """What lies on the ways from the action to the outcome, and the outcome."""
    return graph.descendants((action,)) & graph.ancestors((outcome,)) - {action}


def _proper(graph: Graph, action: str, outcome: str, measured: Collection[str]) -> tuple[Graph, frozenset[str]]:
    """The graph without the first arrows of the ways from action to outcome, and what may be held equal."""
    on_way = _on_way(graph, action, outcome)
    cut = graph.without_arrows((action, child) for child in graph.children[action] & on_way)
    return cut, frozenset(measured) - graph.descendants(on_way) - {action, outcome}


def front_door(graph: Graph, action: str, outcome: str, measured: Collection[str]) -> FrontDoor | None:
    """Mediators by which an effect can be told although its causes are hidden, with as few columns as will do.

    Example:
        >>> front_door(Graph.of("xmy", [("x", "m"), ("m", "y")], [("x", "y")]), "x", "y", "m")
        FrontDoor(mediators=('m',), adjustment=())

    Source:
        Pearl, "Causality", 3.3.2, given columns that the action does not change. The largest set of mediators is found
        by leaving out what cannot be in any: Jeong, Tian and Bareinboim, NeurIPS 2022.
    """
    on_way = _on_way(graph, action, outcome) - {outcome}
    before = (frozenset(measured) - graph.descendants((action,))) & graph.ancestors((outcome,)) - {outcome}

    def largest(candidates: frozenset[str], held: frozenset[str]) -> frozenset[str]:
        return _mediators(graph, action, outcome, candidates, held)

    for held in (frozenset[str](), before):
        if found := largest(on_way & frozenset(measured), held):
            break
    else:
        return None
    fewer_held = _spared(graph, held, lambda fewer: largest(found, fewer) == found)
    fewest = _spared(graph, found, lambda fewer: bool(fewer) and largest(fewer, fewer_held) == fewer)
    return FrontDoor(graph.sorted(fewest), graph.sorted(fewer_held))


def _mediators(
    graph: Graph, action: str, outcome: str, candidates: frozenset[str], held: frozenset[str]
) -> frozenset[str]:
    """All candidates that can be front-door mediators together; empty where the effect goes past them."""
    behind = graph.without_effects([action])
    found = frozenset(name for name in candidates if separated(behind, [action], [name], held))
    while True:
        cut = graph.without_effects(found)
        open_ones = {name for name in found if not separated(cut, [name], [outcome], held | {action})}
        if not open_ones:
            break
        found -= open_ones
    past = graph.among(frozenset(graph.names) - found)
    return frozenset() if outcome in past.descendants((action,)) else found


def instruments(graph: Graph, action: str, outcome: str, measured: Collection[str]) -> tuple[Instrument, ...]:
    """What can stand in for a lot that was drawn, those first that need the least held equal.

    Example:
        >>> graph = Graph.of("zxyw", [("z", "x"), ("x", "y"), ("w", "z"), ("w", "y")], [("x", "y")])
        >>> instruments(graph, "x", "y", "zw")
        (Instrument(name='z', adjustment=('w',)),)

    Source:
        van der Zander, Textor and Liśkiewicz, "Efficiently finding conditional instruments for causal inference",
        IJCAI 2015.
    """
    behind = graph.without_effects([action])
    before = frozenset(measured) - graph.descendants((action,)) - {outcome}
    found: list[Instrument] = []
    for name in graph.sorted(before):
        nearest = nearest_separator(behind, name, outcome, before - {name})
        if nearest is None:
            continue
        fewest = minimal_separator(behind, name, outcome, before - {name})
        for held in (frozenset(fewest or ()), nearest):
            if not separated(graph, [name], [action], held):
                found.append(Instrument(name, graph.sorted(held)))
                break
    return tuple(sorted(found, key=lambda one: len(one.adjustment)))


def mediation(
    graph: Graph, action: str, outcome: str, mediators: Collection[str], measured: Collection[str]
) -> tuple[str, ...] | None:
    """What to hold equal to tell the effect through some mediators from the rest; ``None`` where nothing will do.

    Example:
        >>> graph = Graph.of("xmyw", [("x", "m"), ("m", "y"), ("x", "y"), ("w", "m"), ("w", "y")])
        >>> mediation(graph, "x", "y", "m", "w")
        ('w',)

    Source:
        Pearl, "Interpretation and identification of causal mediation", Psychological Methods 19(4), 2014.
    """
    through = frozenset(mediators)
    before = frozenset(measured) - graph.descendants((action,)) - {outcome}
    behind, beyond = graph.without_effects([action]), graph.without_effects(through)

    def holds(held: frozenset[str]) -> bool:
        return separated(behind, [action], through | {outcome}, held) and separated(
            beyond, through, [outcome], held | {action}
        )

    if not through <= graph.descendants((action,)) & graph.ancestors((outcome,)):
        return None
    widest = before & graph.ancestors({action, outcome, *through})
    return graph.sorted(_spared(graph, widest, holds)) if holds(widest) else None


def _spared(graph: Graph, names: frozenset[str], holds: Callable[[frozenset[str]], bool]) -> frozenset[str]:
    """A set without what can be spared, tried one by one from the last."""
    for name in reversed(graph.sorted(names)):
        if holds(names - {name}):
            names -= {name}
    return names
