"""Paths from one argument of a fact to the other, as bodies of rules: which there are, and how often they are right.

Bodies are found from below: of a sample of the facts of each relation, all
paths between the two arguments. What is found often is measured on the whole
graph. All things along a path are different, so that no path goes through the
fact it is to predict.

Source:
    Meilicke et al., "Anytime Bottom-Up Rule Learning for Knowledge Graph
    Completion", IJCAI 2019: rules from paths, object identity, a prior in the
    confidence. Here bodies are measured by sparse products of counts instead of
    one grounding after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.reason.triples import Triples, expanded, spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.reason.triples import Numbers

_TOGETHER = 64  # facts whose paths are looked for at once
_STEPS_OF_ONE = 50_000  # second steps from one fact that are looked at; of more, a sample

LONGEST = 3
"""How many steps a path may have."""


def coded(triples: Triples, bodies: NDArray[Any]) -> Numbers:
    """Bodies of shape (n, 3), padded by −1, as one number each."""
    base = 2 * len(triples.relations) + 1
    first, second, third = np.asarray(bodies, dtype=np.int64).T + 1
    return np.asarray((first * base + second) * base + third)


def decoded(triples: Triples, codes: Numbers) -> Numbers:
    """The bodies of codes, shape (n, 3)."""
    base = 2 * len(triples.relations) + 1
    return np.stack([codes // base**2, codes // base % base, codes % base], axis=1) - 1


def turned(triples: Triples, bodies: Numbers) -> Numbers:
    """The same bodies from the other end."""
    back = np.where(bodies >= 0, triples.back(bodies), -1)
    lengths = (bodies >= 0).sum(axis=1)
    place = np.arange(LONGEST)
    taken = np.take_along_axis(back, np.maximum(lengths[:, None] - 1 - place, 0), axis=1)
    return np.asarray(np.where(place < lengths[:, None], taken, -1))


def found_bodies(
    triples: Triples, facts: Numbers, rng: np.random.Generator, *, longest: int = LONGEST
) -> tuple[Numbers, Numbers]:
    """Bodies of paths between the arguments of facts of one relation.

    Args:
        triples: The graph.
        facts: Numbers of the facts.
        rng: Draws steps where there are very many.
        longest: How many steps a path may have.

    Returns:
        The codes of the bodies, from head to tail, and of how many of the facts each is a path.
    """
    begin, _, ends = triples.steps
    degrees = np.diff(begin)
    beyond = np.bincount(np.repeat(np.arange(len(degrees)), degrees), degrees[ends], minlength=len(degrees))
    facts = facts[triples.heads[facts] != triples.tails[facts]]
    heads, tails = triples.heads[facts], triples.tails[facts]
    turn = beyond[tails] < beyond[heads]  # begin where fewer steps lead further
    codes = [np.zeros(0, dtype=np.int64)]
    for way_back in (False, True):
        starts, goals = (tails[turn], heads[turn]) if way_back else (heads[~turn], tails[~turn])
        for first in range(0, len(starts), _TOGETHER):
            part = slice(first, first + _TOGETHER)
            own = int(triples.labels[facts[0]])
            own = triples.back(own) if way_back else own
            bodies = _between(triples, own, starts[part], goals[part], rng, longest)
            codes.append(coded(triples, turned(triples, bodies) if way_back else bodies))
    found, counts = np.unique(np.concatenate(codes), return_counts=True)
    return found, counts


def _between(
    triples: Triples, own: int, starts: Numbers, goals: Numbers, rng: np.random.Generator, longest: int
) -> Numbers:
    """Bodies of the paths from each start to its goal, but for the way ``own`` itself. Once for each pair."""
    begin, ways, ends = triples.steps
    size, count = len(triples.things), 2 * len(triples.relations)
    places, pair = expanded(begin, starts)
    way, thing = ways[places], ends[places]
    home = thing == goals[pair]
    direct = home & (way != own)
    none = np.full(int(direct.sum()), -1)
    found = [np.stack([pair[direct], way[direct], none, none], axis=1)]
    if longest > 1:
        pair, way, thing = pair[~home], way[~home], thing[~home]
        further = begin[thing + 1] - begin[thing]
        share = _STEPS_OF_ONE / np.maximum(np.bincount(pair, further, minlength=len(starts)), _STEPS_OF_ONE)
        if (share < 1).any():
            kept = rng.random(len(pair)) < share[pair]
            pair, way, thing = pair[kept], way[kept], thing[kept]
        places, which = expanded(begin, thing)
        pair, way, second, thing = pair[which], way[which], ways[places], ends[places]
        home = thing == goals[pair]
        none = np.full(int(home.sum()), -1)
        found.append(np.stack([pair[home], way[home], second[home], none], axis=1))
    if longest > 2:
        places, of = expanded(begin, goals)
        near = np.zeros((len(starts), size), dtype=bool)
        near[of, ends[places]] = True
        near[np.arange(len(starts)), starts] = False
        kept = near[pair, thing]  # the goal itself is none of its neighbours
        pair, way, second, thing = pair[kept], way[kept], second[kept], thing[kept]
        keys = of * size + ends[places]
        order = np.argsort(keys, kind="stable")
        wanted = pair * size + thing
        last, which = spans(np.searchsorted(keys[order], wanted, "left"), np.searchsorted(keys[order], wanted, "right"))
        third = triples.back(ways[places][order][last])
        found.append(np.stack([pair[which], way[which], second[which], third], axis=1))
    every = np.concatenate(found)
    base = count + 1
    codes = np.unique(every[:, 0] * base**LONGEST + coded(triples, every[:, 1:]))
    return decoded(triples, codes % base**LONGEST)


@dataclass
class Walks:
    """Where paths lead. Keeps what several of them need.

    Attributes:
        triples: The graph.
    """

    triples: Triples
    _rounds: dict[tuple[int, int], NDArray[Any]] = field(default_factory=dict)

    def ends(self, body: tuple[int, ...], rows: Numbers) -> Any:
        """What paths of a body lead to from some things, all things along a path being different.

        Args:
            body: One to three ways.
            rows: Numbers of n things.

        Returns:
            Sparse, shape (n, things), with the number of paths.
        """
        return next(self.each([body], rows))

    def each(self, bodies: Iterable[tuple[int, ...]], rows: Numbers) -> Iterator[Any]:
        """What ``ends`` gives, for several bodies: quickest in their order, as what they begin with is walked once."""
        ways = self.triples.ways
        before: tuple[int, ...] = ()
        first = second = None
        for body in bodies:
            if first is None or before[:1] != body[:1]:
                first = ways[body[0]][rows]
            if len(body) > 1 and (second is None or before[:2] != body[:2]):
                second = _elsewhere(first @ ways[body[1]], rows)
            if len(body) > 1:
                before = body[:2]
            elif before[:1] != body:
                before, second = body, None
            yield (first, second)[len(body) - 1] if len(body) < 3 else self._third(body, first, second, rows)

    def _third(self, body: tuple[int, ...], first: Any, second: Any, rows: Numbers) -> Any:
        """The last of three steps, but not through the end itself: x → y, y → b, b → y with b ≠ x is taken away."""
        ways, back = self.triples.ways, self.triples.back
        third = second @ ways[body[2]]
        if self.triples.overlap(body[1], back(body[2])):
            through = first.copy()
            through.data = through.data * self._round(body[1], body[2])[through.indices]
            home = first.multiply(ways[back(body[1])][rows]).multiply(ways[body[2]][rows])
            third = (third - through + home).tocsr()
            third.eliminate_zeros()
        return _elsewhere(third, rows)

    def _round(self, there: int, back: int) -> NDArray[Any]:
        """In how many ways two steps lead from each thing back to it."""
        key = (there, back)
        if key not in self._rounds:
            both = self.triples.ways[there].multiply(self.triples.ways[self.triples.back(back)])
            self._rounds[key] = np.asarray(both.sum(axis=1)).ravel().astype(np.int32)
        return self._rounds[key]

    def counts(self, body: tuple[int, ...], rng: np.random.Generator, most: int) -> tuple[NDArray[Any], int, float]:
        """How often what a path leads to stands in each relation to where it began.

        Args:
            body: One to three ways.
            rng: Draws the things to begin with, where there are too many paths.
            most: How many paths may be walked.

        Returns:
            Right predictions of each relation, all predictions, and of which share of the things these are.
        """
        triples = self.triples
        begins = np.flatnonzero(np.diff(triples.ways[body[0]].indptr))
        rows = begins
        if len(body) > 1:
            further = np.ones(len(triples.things))
            for way in reversed(body):
                further = triples.ways[way] @ further
            if further.sum() > most:
                rows = rng.permutation(begins)
                rows = np.sort(rows[: 1 + int(np.searchsorted(np.cumsum(further[rows]), most))])
        found = self.ends(body, rows)
        pairs, relations = triples.pairs
        known = found.astype(bool).multiply(pairs[rows]).tocsr().data - 1
        places, _ = expanded(relations.indptr, known)
        right = np.bincount(relations.indices[places], minlength=len(triples.relations))
        return right, found.nnz, len(rows) / len(begins) if len(begins) else 1.0


def _elsewhere(matrix: Any, rows: Numbers) -> Any:
    """A sparse matrix without, in each row, the thing that the row is of."""
    own = matrix.indices == np.repeat(rows, np.diff(matrix.indptr))
    if own.any():
        matrix.data[own] = 0
        matrix.eliminate_zeros()
    return matrix
