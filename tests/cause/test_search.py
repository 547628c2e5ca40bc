from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from huiyi.cause import Categories
from huiyi.cause.scores import Lines, Names, blocks_of, codes_of
from huiyi.cause.search import best_graph, certain

Graph = NDArray[np.bool_]


def all_graphs(count: int) -> list[Graph]:
    """Every graph without circles."""
    pairs = list(combinations(range(count), 2))
    found = []
    for choice in product(range(3), repeat=len(pairs)):
        graph = np.zeros((count, count), dtype=bool)
        for (a, b), way in zip(pairs, choice, strict=True):
            if way:
                graph[(a, b) if way == 1 else (b, a)] = True
        if not np.linalg.matrix_power(graph.astype(int), count).any():
            found.append(graph)
    return found


FOUR = all_graphs(4)


def likeness(graph: Graph) -> tuple[object, object]:
    """What two graphs have in common that say the same: edges, and where arrows meet."""
    both = graph | graph.T
    meetings = {
        (a, node, b)
        for node in range(len(graph))
        for a, b in combinations(np.flatnonzero(graph[:, node]).tolist(), 2)
        if not both[a, b]
    }
    return both.tobytes(), frozenset(meetings)


def test_there_are_as_many_graphs_as_robinson_counted() -> None:
    assert len(FOUR) == 543


def test_the_search_finds_the_best_of_all_graphs() -> None:
    free, none = ~np.eye(4, dtype=bool), np.zeros((4, 4), dtype=bool)
    for seed in range(15):
        rng = np.random.default_rng(seed)
        codes = np.zeros((200, 4), dtype=np.intp)
        for node in range(4):
            codes[:, node] = (codes[:, :node].sum(axis=1) * rng.integers(2) + rng.integers(3, size=200)) % 3
        score = Names(codes)
        found = best_graph(score, free, none)

        def whole(graph: Graph, score: Names = score) -> float:
            return sum(score(node, tuple(np.flatnonzero(graph[:, node]).tolist())) for node in range(4))

        assert whole(found) == pytest.approx(max(map(whole, FOUR)))


def test_graphs_that_say_the_same_score_the_same() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=(100, 4))
    numbers = rng.normal(size=(100, 4)) @ rng.normal(size=(4, 4))
    for score in (Names(codes), Lines([numbers[:, [place]] for place in range(4)])):
        by_class: dict[object, float] = {}
        for graph in FOUR:
            whole = sum(score(node, tuple(np.flatnonzero(graph[:, node]).tolist())) for node in range(4))
            assert by_class.setdefault(likeness(graph), whole) == pytest.approx(whole)


def test_what_is_certain_is_what_all_graphs_that_say_the_same_have() -> None:
    alike: dict[object, list[Graph]] = {}
    for graph in FOUR:
        alike.setdefault(likeness(graph), []).append(graph)
    free, none = ~np.eye(4, dtype=bool), np.zeros((4, 4), dtype=bool)
    for graph in FOUR[::3]:
        union = np.logical_or.reduce(alike[likeness(graph)])
        assert (certain(graph, free, none) == union).all()


def test_what_is_certain_with_tiers() -> None:
    free, none = ~np.eye(4, dtype=bool), np.zeros((4, 4), dtype=bool)
    allowed = free.copy()
    allowed[3, :] = False  # the last column leads to nothing
    alike: dict[object, list[Graph]] = {}
    for graph in FOUR:
        if not (graph & ~allowed).any():
            alike.setdefault(likeness(graph), []).append(graph)
    for graphs in alike.values():
        for graph in graphs[::2]:
            assert (certain(graph, allowed, none) == np.logical_or.reduce(graphs)).all()


def test_the_score_of_names_is_the_chance_of_what_is_seen_in_its_order() -> None:
    """Of two values and no parents: a beta-binomial."""
    codes = np.array([[0], [1], [1], [1]])
    (seen,) = [float(Names(codes, 2.0)(0, ()))]
    assert seen == pytest.approx(stats.betabinom.logpmf(3, 4, 1, 1) - np.log(4))  # 4 orders of 3 ones


def test_the_score_of_lines_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(300, 1)), rng.normal(size=(300, 1))
    c = a - b + rng.normal(size=(300, 1))
    score = Lines([a, b, c])
    rest = (
        c - np.hstack([a, b, np.ones_like(a)]) @ np.linalg.lstsq(np.hstack([a, b, np.ones_like(a)]), c, rcond=None)[0]
    )
    gained = -150 * np.log(float(rest.var() / c.var())) - np.log(300)
    assert score(2, (0, 1)) - score(2, ()) == pytest.approx(gained, abs=0.01)


def test_rare_and_unknown_names() -> None:
    column = Categories(tuple(f"n{place:03}" for place in range(100)), np.append(np.arange(100), [0, 0, -1, -1, -1]))
    codes = codes_of({"a": column})
    assert codes.max() == 19
    assert len(np.unique(codes[column.codes == -1])) == 1
    assert blocks_of({"a": column})[0].shape == (105, 19)


def test_as_few_rows_as_cells_do_not_explain_anything() -> None:
    codes = np.random.default_rng(0).integers(10, size=(20, 4))
    assert Names(codes)(0, (1, 2, 3)) == -np.inf
