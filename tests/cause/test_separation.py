from itertools import combinations

import numpy as np

from huiyi.cause.graph import Graph
from huiyi.cause.separation import minimal_separator, separated

from .graphs import random_model


def open_way(graph: Graph, start: str, end: str, given: set[str]) -> bool:
    """The definition itself: whether any path is open."""

    def steps(name: str) -> list[tuple[str, bool, bool]]:
        """Neighbours, and whether the edge has a head here, and there."""
        found = [(child, False, True) for child in graph.children[name]]
        found += [(parent, True, False) for parent in graph.parents[name]]
        return found + [(other, True, True) for other in graph.siblings[name]]

    def walk(name: str, by_head: bool, seen: set[str]) -> bool:
        for other, head, far in steps(name):
            if other in seen:
                continue
            collider = by_head and head
            if name != start and (not graph.descendants([name]) & given if collider else name in given):
                continue
            if other == end or walk(other, far, seen | {other}):
                return True
        return False

    return walk(start, False, {start})


def random_graph(rng: np.random.Generator) -> Graph:
    model = random_model(rng, nodes=6, hidden=3)
    return model.graph.projected(model.hidden)


def test_separation_is_that_no_path_is_open() -> None:
    rng = np.random.default_rng(0)
    answers = set()
    for _ in range(40):
        graph = random_graph(rng)
        for one, other in combinations(graph.names, 2):
            rest = [name for name in graph.names if name not in (one, other)]
            given = {name for name in rest if rng.random() < 0.4}
            answer = separated(graph, [one], [other], given)
            assert answer != open_way(graph, one, other, given)
            answers.add(answer)
    assert answers == {True, False}


def test_projection_says_the_same_of_what_is_left() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        model = random_model(rng, nodes=5, hidden=3)
        hidden = {*model.hidden, "c"}  # c has causes and effects
        smaller = model.graph.projected(hidden)
        for one, other in combinations(smaller.names, 2):
            given = {name for name in smaller.names if name not in (one, other) and rng.random() < 0.5}
            assert separated(smaller, [one], [other], given) == separated(model.graph, [one], [other], given)


def test_separators_are_found_where_there_are_any_and_are_minimal() -> None:
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(40):
        graph = random_graph(rng)
        for one, other in combinations(graph.names, 2):
            rest = [name for name in graph.names if name not in (one, other)]
            sets = [set(some) for size in range(len(rest) + 1) for some in combinations(rest, size)]
            good = [some for some in sets if separated(graph, [one], [other], some)]
            given = minimal_separator(graph, one, other, rest)
            assert (given is None) == (not good)
            if given is not None:
                found += 1
                assert set(given) in good
                assert not any(some < set(given) for some in good)
    assert found > 50
