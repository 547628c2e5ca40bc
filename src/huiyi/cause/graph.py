"""Mixed graphs: arrows from causes to effects, and arcs between what shares an unmeasured cause."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes with what points at each of them. Nothing is its own cause.

    Attributes:
        parents: Of each node, those with an arrow to it.
        siblings: Of each node, those with an arc to it.
    """

    parents: Mapping[str, frozenset[str]]
    siblings: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, names: Iterable[str], arrows: Iterable[Pair], arcs: Iterable[Pair] = ()) -> Graph:
        """A graph of pairs, (cause, effect) for arrows.

        Example:
            >>> graph = Graph.of("xmy", [("x", "m"), ("m", "y")], [("x", "y")])
            >>> sorted(graph.ancestors("y")), graph.siblings["x"]
            (['m', 'x', 'y'], frozenset({'y'}))
        """
        parents: dict[str, set[str]] = {name: set() for name in names}
        siblings: dict[str, set[str]] = {name: set() for name in parents}
        for cause, effect in arrows:
            parents[effect].add(cause)
        for one, other in arcs:
            siblings[one].add(other)
            siblings[other].add(one)
        return cls(_frozen(parents), _frozen(siblings))

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, in the order in which they were given."""
        return tuple(self.parents)

    @cached_property
    def children(self) -> Mapping[str, frozenset[str]]:
        """Of each node, those it has an arrow to."""
        children: dict[str, set[str]] = {name: set() for name in self.parents}
        for effect, causes in self.parents.items():
            for cause in causes:
                children[cause].add(effect)
        return _frozen(children)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nodes, causes first; of those that may come next, the one that was given first.

        Nodes of a circle are not in it.
        """
        missing = {name: len(causes) for name, causes in self.parents.items()}
        found: list[str] = []
        ready = [name for name, count in missing.items() if not count]
        while ready:
            name = ready.pop(0)
            found.append(name)
            for child in self.sorted(self.children[name]):
                missing[child] -= 1
                if not missing[child]:
                    ready.append(child)
        return tuple(found)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.parents)}

    def sorted(self, names: Iterable[str]) -> tuple[str, ...]:
        """Some of the nodes in the order in which they were given."""
        return tuple(sorted(names, key=self._places.__getitem__))

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """Some nodes and all from which arrows lead to them."""
        return _closed(names, self.parents)

    def descendants(self, names: Iterable[str]) -> frozenset[str]:
        """Some nodes and all to which arrows lead from them."""
        return _closed(names, self.children)

    def among(self, names: Collection[str]) -> Graph:
        """The graph of some of the nodes."""
        kept = frozenset(names)
        return Graph(
            {name: causes & kept for name, causes in self.parents.items() if name in kept},
            {name: others & kept for name, others in self.siblings.items() if name in kept},
        )

    def without_arrows(self, arrows: Iterable[Pair]) -> Graph:
        """The same graph but for some (cause, effect) pairs."""
        parents = {name: set(causes) for name, causes in self.parents.items()}
        for cause, effect in arrows:
            parents[effect].discard(cause)
        return Graph(_frozen(parents), self.siblings)

    def without_effects(self, names: Iterable[str]) -> Graph:
        """The same graph, with no arrow from some of the nodes."""
        gone = frozenset(names)
        return Graph({name: causes - gone for name, causes in self.parents.items()}, self.siblings)

    def districts(self) -> tuple[frozenset[str], ...]:
        """The nodes in groups that hang together by arcs."""
        found: list[frozenset[str]] = []
        seen: set[str] = set()
        for name in self.parents:
            if name not in seen:
                found.append(_closed([name], self.siblings))
                seen |= found[-1]
        return tuple(found)

    def district(self, name: str) -> frozenset[str]:
        """Those that hang together with a node by arcs, and the node."""
        return _closed([name], self.siblings)

    def projected(self, hidden: Iterable[str]) -> Graph:
        """The graph of the other nodes that says the same about them.

        Source:
            Latent projection: Verma and Pearl, "Equivalence and synthesis of causal models", UAI 1990.
        """
        parents = {name: set(causes) for name, causes in self.parents.items()}
        siblings = {name: set(others) for name, others in self.siblings.items()}
        for gone in hidden:
            children = [name for name, causes in parents.items() if gone in causes]
            for child in children:
                parents[child].remove(gone)
                parents[child] |= parents[gone]
                for other in (*children, *siblings[gone]):
                    if other != child:
                        siblings[child].add(other)
                        siblings[other].add(child)
            for other in siblings[gone]:
                siblings[other].discard(gone)
            del parents[gone], siblings[gone]
        return Graph(_frozen(parents), _frozen(siblings))

    def circle(self) -> tuple[str, ...]:
        """Nodes of which each causes the next, and the last the first; empty where there are none."""
        rest = frozenset(self.parents) - frozenset(self.order)
        if not rest:
            return ()
        walk = [next(name for name in self.parents if name in rest)]
        while walk[-1] not in walk[:-1]:  # each of them has a cause among them
            walk.append(self.sorted(self.parents[walk[-1]] & rest)[0])
        return tuple(walk[walk.index(walk[-1]) + 1 :][::-1])


def _closed(names: Iterable[str], beside: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Some nodes and all that are reached from them."""
    found = set(names)
    waiting = list(found)
    while waiting:
        for other in beside[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return frozenset(found)


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(members) for name, members in sets.items()}
