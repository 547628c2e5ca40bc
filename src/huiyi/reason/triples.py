"""A graph as numbers: what is counted on when rules are mined.

A *way* is a relation walked in one of its two directions: with R relations, way
r leads from heads to tails, and way R + r back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.reason.facts import Fact, Source, Value, normal, written
from huiyi.reason.logic import TODAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Triples:
    """The facts of two arguments of a graph, and of what kinds its things are.

    Things and relations are in the order of their texts, so that the numbers do not depend on that of the facts.

    Attributes:
        things: What stands in the facts.
        relations: Names of the R relations of two arguments.
        kinds: Names of the relations of one argument.
        heads: Number of each fact's first argument, shape (n,).
        labels: Number of its relation, same shape.
        tails: Number of its second argument, same shape.
        members: Things and the kinds they are of, shape (m, 2).
    """

    things: tuple[Value, ...]
    relations: tuple[str, ...]
    kinds: tuple[str, ...]
    heads: Numbers
    labels: Numbers
    tails: Numbers
    members: Numbers

    @classmethod
    def of(cls, source: Source) -> Triples:
        """Read a graph.

        Left out are facts of more than two arguments, ``today``, which means the day of a question, and kinds whose
        name is a relation of two arguments too, since rules could not tell the two.

        Example:
            >>> from huiyi.reason.facts import Statements
            >>> triples = Triples.of(Statements([Fact("in", ("Lyon", "France")), Fact("city", ("Lyon",))]))
            >>> triples.things, triples.relations, triples.kinds
            (('France', 'Lyon'), ('in',), ('city',))
        """
        facts = {normal(fact) for fact, _ in source.facts() if len(fact.arguments) < 3 and fact.relation != TODAY}
        pairs = [fact for fact in facts if len(fact.arguments) == 2]
        relations = sorted({fact.relation for fact in pairs})
        order = {name: number for number, name in enumerate(relations)}
        kinded = [fact for fact in facts if len(fact.arguments) == 1 and fact.relation not in order]
        kinds = sorted({fact.relation for fact in kinded})
        things = sorted({value for fact in (*pairs, *kinded) for value in fact.arguments}, key=_place)
        number = {thing: at for at, thing in enumerate(things)}
        rows = sorted((number[f.arguments[0]], order[f.relation], number[f.arguments[1]]) for f in pairs)
        known = {name: at for at, name in enumerate(kinds)}
        members = sorted((number[fact.arguments[0]], known[fact.relation]) for fact in kinded)
        heads, labels, tails = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        return cls(
            things=tuple(things),
            relations=tuple(relations),
            kinds=tuple(kinds),
            heads=heads,
            labels=labels,
            tails=tails,
            members=np.array(members, dtype=np.int64).reshape(-1, 2),
        )

    def __len__(self) -> int:
        """How many facts of two arguments."""
        return len(self.heads)

    @cached_property
    def number(self) -> dict[Value, int]:
        """Thing to its number."""
        return {thing: at for at, thing in enumerate(self.things)}

    @cached_property
    def label(self) -> dict[str, int]:
        """Relation to its number."""
        return {name: at for at, name in enumerate(self.relations)}

    def back(self, way: Any) -> Any:
        """The same relation in the other direction: of one way, or of an array of them."""
        return (way + len(self.relations)) % (2 * len(self.relations))

    def fact(self, way: int, start: int, end: int) -> Fact:
        """The fact that a step from one thing to another stands for."""
        if way >= len(self.relations):
            way, start, end = way - len(self.relations), end, start
        return Fact(self.relations[way], (self.things[start], self.things[end]))

    def kind(self, way: int, thing: int) -> Fact:
        """The fact that a thing is of a kind, whose number comes after those of the ways."""
        return Fact(self.kinds[way - 2 * len(self.relations)], (self.things[thing],))

    @cached_property
    def ways(self) -> tuple[Any, ...]:
        """For each way a sparse matrix of what leads where, without steps from a thing to itself."""
        from scipy.sparse import csr_array

        size, found = len(self.things), []
        steps = self.heads != self.tails
        for relation in range(len(self.relations)):
            mine = steps & (self.labels == relation)
            ones = np.ones(int(mine.sum()), dtype=np.int32)
            matrix = csr_array((ones, (self.heads[mine], self.tails[mine])), shape=(size, size))
            matrix.sort_indices()
            found.append(matrix)
        return (*found, *(matrix.T.tocsr() for matrix in found))

    @cached_property
    def steps(self) -> tuple[Numbers, Numbers, Numbers]:
        """All steps from each thing: where those of a thing begin, shape (things + 1,), their ways, and their ends."""
        apart = self.heads != self.tails
        heads, labels, tails = self.heads[apart], self.labels[apart], self.tails[apart]
        starts = np.concatenate([heads, tails])
        ways = np.concatenate([labels, labels + len(self.relations)])
        ends = np.concatenate([tails, heads])
        order = np.lexsort((ends, ways, starts))
        begin = np.searchsorted(starts[order], np.arange(len(self.things) + 1))
        return begin.astype(np.int64), ways[order], ends[order]

    @cached_property
    def pairs(self) -> tuple[Any, Any]:
        """Pairs of different things as a sparse matrix of their numbers, from 1, and the relations of each pair."""
        from scipy.sparse import csr_array

        size = len(self.things)
        apart = self.heads != self.tails
        keys, which = np.unique(self.heads[apart] * size + self.tails[apart], return_inverse=True)
        numbers = np.arange(1, len(keys) + 1, dtype=np.int32)
        matrix = csr_array((numbers, (keys // max(size, 1), keys % max(size, 1))), shape=(size, size))
        shape = (len(keys), len(self.relations))
        return matrix, csr_array((np.ones(len(which), dtype=np.int32), (which, self.labels[apart])), shape=shape)

    @cached_property
    def overlaps(self) -> frozenset[int]:
        """Pairs of ways, as ``first * 2 R + second``, that lead from some thing to the same other one."""
        from scipy.sparse import csr_array

        size, count = len(self.things), 2 * len(self.relations)
        begin, ways, ends = self.steps
        starts = np.repeat(np.arange(size), np.diff(begin))
        _, which = np.unique(starts * size + ends, return_inverse=True)
        held = csr_array((np.ones(len(which), dtype=np.int32), (which, ways)), shape=(which.max(initial=-1) + 1, count))
        both = (held.T @ held).tocoo()
        return frozenset((both.row.astype(np.int64) * count + both.col).tolist())

    def overlap(self, first: int, second: int) -> bool:
        """Whether two ways lead from some thing to the same other one."""
        return first * 2 * len(self.relations) + second in self.overlaps

    @cached_property
    def features(self) -> Features:
        """What can be said of a thing alone."""
        from scipy.sparse import csr_array

        size, count = len(self.things), 2 * len(self.relations)
        begin, ways, ends = self.steps
        starts = np.repeat(np.arange(size), np.diff(begin))
        codes = ways * (size + 1)  # the first of a way: that it leads anywhere
        kinds = (count + self.members[:, 1]) * (size + 1)
        every = np.concatenate([codes, codes + 1 + ends, kinds])
        known, columns = np.unique(every, return_inverse=True)
        rows = np.concatenate([starts, starts, self.members[:, 0]])
        matrix = csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=(size, len(known)))
        matrix.data[:] = 1  # a thing may be led to several others by one way
        return Features(known // (size + 1), known % (size + 1) - 1, matrix, matrix.T.tocsr())


@dataclass(frozen=True, eq=False)
class Features:
    """What can be said of a thing alone: that a way leads from it to some thing, or to a certain one, or its kind.

    Attributes:
        ways: Of each of the f features, shape (f,); from 2 R on they are kinds.
        ends: Thing that the way leads to, same shape; −1 for any.
        of_things: Sparse, shape (things, f).
        things_of: The same the other way round, shape (f, things).
    """

    ways: Numbers
    ends: Numbers
    of_things: Any
    things_of: Any


def _place(value: Value) -> tuple[str, str]:
    """What things are ordered by."""
    return written(value), type(value).__name__


def expanded(begin: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
    """The places of all that belongs to some rows of a sparse structure, and which of these rows each belongs to.

    Example:
        >>> places, which = expanded(np.array([0, 2, 2, 5]), np.array([2, 0]))
        >>> places.tolist(), which.tolist()
        ([2, 3, 4, 0, 1], [0, 0, 0, 1, 1])
    """
    return spans(begin[rows], begin[rows + 1])


def spans(first: Numbers, end: Numbers) -> tuple[Numbers, Numbers]:
    """All numbers of some ranges, one range after the other, and which range each belongs to."""
    counts = end - first
    which = np.repeat(np.arange(len(first)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(which)) - before[which] + first[which], which
