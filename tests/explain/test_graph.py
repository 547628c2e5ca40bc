"""Explanation graphs: rows, parts, and what can be read back."""

from typing import Any

import pytest

from huiyi.errors import DataError
from huiyi.explain import Edge, Graph, Node

GRAPH = Graph(
    (
        Node("w", "word", "dog", 0.6),
        Node("v", "word", "my", -0.1),
        Node("s", "source", "text", 0.5),
        Node("t", "thing", "a dog", 1.0, ("given",)),
        Node("f", "fact", "a dog may come"),
        Node("i", "intent", "pets", 0.9),
        Node("r", "rule", "it may come", 0.9),
        Node("d", "decision", "act"),
    ),
    (
        Edge("w", "s", 0.6),
        Edge("v", "s", -0.1),
        Edge("s", "i", 0.5),
        Edge("w", "t"),
        Edge("t", "r"),
        Edge("f", "r"),
        Edge("i", "r"),
        Edge("i", "d"),
        Edge("r", "d"),
    ),
)


def test_what_rests_on_something_stands_below_it() -> None:
    rows = GRAPH.rows
    at = {node.id: number for number, row in enumerate(rows) for node in row}
    assert all(at[edge.source] < at[edge.target] for edge in GRAPH.edges)
    assert [node.id for node in rows[0]] == ["w", "v"] and [node.id for node in rows[-1]] == ["d"]
    assert at["f"] == at["r"] - 1  # right above what rests on it
    assert sorted(at) == sorted(node.id for node in GRAPH.nodes)


def test_parts() -> None:
    assert [node.id for node in GRAPH.into("r")] == ["t", "f", "i"]
    assert [node.id for node in GRAPH.of("word")] == ["w", "v"]
    less = GRAPH.without(["w"])
    assert "w" not in less.by_id and not any("w" in (edge.source, edge.target) for edge in less.edges)
    assert len(less.edges) == len(GRAPH.edges) - 2


def test_a_graph_is_read_back() -> None:
    assert Graph.from_dict(GRAPH.to_dict()) == GRAPH


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {"nodes": []},
        {"nodes": [{"id": "a", "kind": "word"}], "edges": []},
        {"nodes": [{"id": "a", "kind": "thought", "text": "x", "value": None, "notes": []}], "edges": []},
        {"nodes": [], "edges": [{"source": "a", "target": "b", "value": None}]},
        {"nodes": [{"id": "a", "kind": "word", "text": "x", "value": None, "notes": []}] * 2, "edges": []},
    ],
)
def test_what_is_no_graph(broken: Any) -> None:
    with pytest.raises(DataError, match="no explanation graph"):
        Graph.from_dict(broken)
