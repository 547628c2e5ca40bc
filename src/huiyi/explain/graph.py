"""The explanation graph: from words over what they stand for to what was meant, and to what was decided.

    word ─▶ source ──────────────▶ intent ─▶ decision
      └───▶ thing ─▶ fact, rule ────┘    └─▶ rule ─┘

A model without knowledge has the upper line alone. Every edge points at what rests
on its beginning.

Source:
    Mission of the source paper (explanation graphs); Lecue, "On the role of knowledge graphs in explainable AI",
    Semantic Web 11(1), 2020 (words of an explanation bound to the things of a graph).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from huiyi.errors import DataError

NodeKind = Literal["word", "source", "thing", "fact", "rule", "intent", "decision"]
"""What a node is: a word of the text; a source of the record, such as ``text`` or ``fields``; something that the record
says of the graph's things; a fact that was given; what a rule concludes; a label; what was decided."""


@dataclass(frozen=True)
class Node:
    """Something that an explanation rests on, or leads to.

    Attributes:
        id: Unique in its graph.
        kind: What it is.
        text: What it is called or says.
        value: What a word or a source added to the probability; how sure a thing, a fact or a rule's conclusion is;
            how probable a label is. None where there is no such number.
        notes: What else there is to say: by which rule it holds, where it is from, why it was declined.
    """

    id: str
    kind: NodeKind
    text: str
    value: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """One node rests on another.

    Attributes:
        source: Id of what it rests on.
        target: Id of what rests on it.
        value: What it added, where that is known.
    """

    source: str
    target: str
    value: float | None = None


@dataclass(frozen=True)
class Graph:
    """An explanation graph. It has no circles and ends in one decision.

    Example:
        >>> nodes = (Node("w", "word", "stolen", 0.4), Node("i", "intent", "theft", 0.9), Node("d", "decision", "act"))
        >>> graph = Graph(nodes, (Edge("w", "i", 0.4), Edge("i", "d")))
        >>> [[node.text for node in row] for row in graph.rows]
        [['stolen'], ['theft'], ['act']]
        >>> Graph.from_dict(graph.to_dict()) == graph
        True
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes}

    def of(self, kind: NodeKind) -> tuple[Node, ...]:
        """The nodes of one kind, in their order."""
        return tuple(node for node in self.nodes if node.kind == kind)

    def into(self, node: str) -> tuple[Node, ...]:
        """What a node rests on."""
        return tuple(self.by_id[edge.source] for edge in self.edges if edge.target == node)

    @property
    def rows(self) -> tuple[tuple[Node, ...], ...]:
        """The nodes from top to bottom: words first, the decision last, all else right above what rests on it."""
        below: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            below[edge.source].append(edge.target)
        heights: dict[str, int] = {}

        def height(node: str) -> int:
            if node not in heights:
                heights[node] = max((height(one) + 1 for one in below[node]), default=0)
            return heights[node]

        highest = max((height(node.id) for node in self.nodes), default=0)
        at = {node.id: highest if node.kind == "word" else heights[node.id] for node in self.nodes}
        rows = (tuple(node for node in self.nodes if at[node.id] == row) for row in range(highest, -1, -1))
        return tuple(row for row in rows if row)

    def without(self, gone: Sequence[str]) -> Graph:
        """The same without some nodes, and without their edges."""
        return Graph(
            tuple(node for node in self.nodes if node.id not in gone),
            tuple(edge for edge in self.edges if edge.source not in gone and edge.target not in gone),
        )

    def to_dict(self) -> dict[str, Any]:
        """The graph as plain JSON."""
        plain = asdict(self)
        nodes = [{**node, "notes": list(node["notes"])} for node in plain["nodes"]]
        return {"nodes": nodes, "edges": list(plain["edges"])}

    @classmethod
    def from_dict(cls, document: Any) -> Graph:
        """Read what ``to_dict`` wrote.

        Raises:
            DataError: It is something else.
        """
        try:
            nodes = tuple(Node(**{**node, "notes": tuple(node["notes"])}) for node in document["nodes"])
            edges = tuple(Edge(**edge) for edge in document["edges"])
            ids = {node.id for node in nodes}
            if len(ids) < len(nodes) or any(node.kind not in get_args(NodeKind) for node in nodes):
                raise ValueError("two nodes have one id, or one is of no kind")
            if any({edge.source, edge.target} - ids for edge in edges):
                raise ValueError("an edge has no node")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"This is no explanation graph ({error}). Expected what `to_dict` of one wrote.") from error
        return cls(nodes, edges)
