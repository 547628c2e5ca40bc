"""The graph with the best score that is found by changing one arrow after the other, and what of it is certain."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.scores import Score

MOST_PARENTS = 6
PATIENCE = 15
"""So many changes that make it worse are tried in a row, to get out of where nothing single makes it better."""

Allowed = NDArray[np.bool_]
"""Whether an arrow may lead from the row to the column, shape (nodes, nodes)."""


def best_graph(
    score: Score,
    allowed: Allowed,
    required: Allowed,
    *,
    patience: int = PATIENCE,
    is_late: Callable[[], bool] = lambda: False,
) -> NDArray[np.bool_]:
    """Search among graphs without circles.

    Args:
        score: Of a node given its parents.
        allowed: Which arrows may be there.
        required: Which must be there.
        patience: How many changes that make it worse are tried in a row.
        is_late: Whether to stop.

    Returns:
        Whether there is an arrow from the row to the column, shape (nodes, nodes).

    Example:
        >>> from huiyi.cause.scores import Names
        >>> codes = np.array([[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1]] * 20)
        >>> free = ~np.eye(3, dtype=bool)
        >>> best_graph(Names(codes), free, np.zeros((3, 3), dtype=bool)).sum()
        np.int64(1)

    Source:
        Tabu search as in Scutari, Graafland and Gutiérrez, "Who learns better Bayesian network structures: accuracy and
        speed of structure learning algorithms", International Journal of Approximate Reasoning 115, 2019.
    """
    count = len(allowed)
    known: dict[tuple[int, tuple[int, ...]], float] = {}

    def scored(node: int, parents: NDArray[np.bool_]) -> float:
        key = (node, tuple(np.flatnonzero(parents).tolist()))
        if key not in known:
            known[key] = score(*key) if len(key[1]) <= MOST_PARENTS else -np.inf
        return known[key]

    def changes_of(node: int) -> NDArray[np.float64]:
        """What each arrow to a node gains if it comes, or goes."""
        parents, gains = graph[:, node].copy(), np.full(count, -np.inf)
        now = scored(node, parents)
        for other in np.flatnonzero(allowed[:, node] & ~required[:, node]).tolist():
            parents[other] ^= True
            gains[other] = scored(node, parents) - now
            parents[other] ^= True
        return gains

    graph = required.copy()
    gains = np.stack([changes_of(node) for node in range(count)], axis=1)
    seen = {graph.tobytes()}
    best, gained, most, worse = graph.copy(), 0.0, 0.0, 0
    while worse < patience and not is_late():
        step = _step(graph, gains, seen)
        if step is None:
            break
        gain, (cause, effect), turns = step
        graph[cause, effect] ^= True
        if turns:
            graph[effect, cause] = True
            gains[:, cause] = changes_of(cause)
        gains[:, effect] = changes_of(effect)
        seen.add(graph.tobytes())
        gained += gain
        if gained > most + 1e-9:
            best, most, worse = graph.copy(), gained, 0
        else:
            worse += 1
    return best


def _step(
    graph: NDArray[np.bool_], gains: NDArray[np.float64], seen: set[bytes]
) -> tuple[float, tuple[int, int], bool] | None:
    """The best change to a graph that was not seen: its gain, the arrow, and whether it is turned."""
    turning = np.where(graph, gains + gains.T, -np.inf)
    adding = np.where(graph.T, -np.inf, gains)  # or taking away
    choices = np.concatenate([adding.ravel(), turning.ravel()])
    size = len(graph)
    for choice in np.argsort(-choices, kind="stable").tolist():
        gain = float(choices[choice])
        if not np.isfinite(gain):
            return None
        turns, place = divmod(choice, size * size)
        cause, effect = divmod(place, size)
        changed = graph.copy()
        changed[cause, effect] ^= True
        if turns:
            changed[effect, cause] = True
        start, end = (effect, cause) if turns else (cause, effect)
        if changed[start, end] and _leads(changed, end, start):
            continue
        if changed.tobytes() not in seen:
            return gain, (cause, effect), bool(turns)
    return None


def _leads(graph: NDArray[np.bool_], start: int, end: int) -> bool:
    """Whether arrows lead from one node to another."""
    waiting, found = [start], {start}
    while waiting:
        for child in np.flatnonzero(graph[waiting.pop()]).tolist():
            if child == end:
                return True
            if child not in found:
                found.add(child)
                waiting.append(child)
    return False


def certain(graph: NDArray[np.bool_], allowed: Allowed, required: Allowed) -> NDArray[np.bool_]:
    """The same graph where arrows that could as well be turned point both ways.

    Example:
        >>> chain = np.zeros((3, 3), dtype=bool)
        >>> chain[0, 1] = chain[1, 2] = True
        >>> certain(chain, ~np.eye(3, dtype=bool), np.zeros((3, 3), dtype=bool)).sum()
        np.int64(4)

    Source:
        Meek, "Causal inference and causal explanation with background knowledge", UAI 1995.
    """
    both = graph | graph.T
    fixed = np.zeros_like(graph)  # arrows whose direction is certain
    for node in range(len(graph)):
        for one, other in combinations(np.flatnonzero(graph[:, node]).tolist(), 2):
            if not both[one, other]:
                fixed[one, node] = fixed[other, node] = True
    fixed |= graph & (required | ~allowed.T)
    while True:
        more = graph & ~fixed & _follows(fixed, both, graph)
        if not more.any():
            break
        fixed |= more
    return np.asarray(fixed | (both & ~fixed & ~fixed.T))


def _follows(fixed: NDArray[np.bool_], both: NDArray[np.bool_], graph: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which directions follow from those that are certain, by Meek's four rules."""
    found = np.zeros_like(graph)
    for a, b in np.argwhere(graph & ~fixed).tolist():
        into_a = fixed[:, a] & ~both[:, b]
        into_a[b] = False
        on_way = fixed[a] & fixed[:, b]
        open_ones = both[a] & ~fixed[a] & ~fixed[:, a]
        pointing = np.flatnonzero(open_ones & fixed[:, b])
        apart = any(not both[c, d] for c, d in combinations(pointing.tolist(), 2))
        # a - d, d -> c, c -> b, and d and b not beside each other
        fourth = any(
            open_ones[d] and not both[d, b] and bool((fixed[d] & fixed[:, b] & both[a]).any())
            for d in range(len(graph))
            if d != b
        )
        found[a, b] = bool(into_a.any()) or bool(on_way.any()) or apart or fourth
    return found
