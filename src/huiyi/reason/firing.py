"""What rules predict of some things, and how sure several rules together are.

Source:
    Max-plus, the lexicographic comparison of the confidences of all rules that
    predict a candidate, and noisy-or: Meilicke et al., IJCAI 2019; Ott,
    Meilicke and Samwald, "SAFRAN: An interpretable, rule-based link prediction
    method outperforming embedding models", AKBC 2021. Noisy-or of the best h
    rules alone: Betz et al., "On the Aggregation of Rules for Knowledge Graph
    Completion", arXiv 2309.00306, 2023.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from huiyi.reason.paths import Walks
from huiyi.reason.rulebook import WHOLE, MinedRules
from huiyi.reason.triples import expanded, spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.reason.triples import Numbers
    from huiyi.values import Array

MAX_PLUS = 0
"""The aggregation that looks at the best rule, then at the second best, then at the third. Others are how many of the
best rules count in a noisy-or."""

AGGREGATIONS = (MAX_PLUS, 2, 3, 5, 8, 12, 20)
"""What can be chosen from."""

_MOST_COUNTED = max(AGGREGATIONS)
_MOST_BY_CONSTANT = 1_000_000  # predictions of rules that name one thing, from the surest rule down


@dataclass(frozen=True, eq=False)
class Fired:
    """Candidates that rules predict, ordered by question and candidate.

    Attributes:
        questions: Which question each of n candidates answers, shape (n,).
        things: The candidates, same shape.
        begins: Where the rules of each candidate begin in ``rows``, shape (n + 1,).
        rows: Rows of the rulebook, the surest rule of a candidate first.
        parts: Confidences of the best rules of each candidate in parts of ``WHOLE``, padded by 0.
    """

    questions: Numbers
    things: Numbers
    begins: Numbers
    rows: Numbers
    parts: NDArray[np.float64]

    def scores(self, aggregation: int) -> Array:
        """How sure each candidate is, shape (n,)."""
        if aggregation == MAX_PLUS:  # one number, as each confidence has four digits
            return np.asarray(self.parts[:, :3] @ [1 / WHOLE, 1 / WHOLE**2, 1 / WHOLE**3])
        return np.asarray(1 - (1 - self.parts[:, :aggregation] / WHOLE).prod(axis=1))


@dataclass(frozen=True, eq=False)
class _OfRelation:
    """The rules of a relation, arranged for use; all of them by their place within the relation."""

    paths: tuple[tuple[tuple[int, ...], int], ...]
    paths_back: tuple[tuple[tuple[int, ...], int], ...]
    features: Numbers
    """Of the rules that name a thing: their feature, ordered by way of the head and feature."""
    constants: Numbers
    places: Numbers
    by_way: dict[int, slice]


@dataclass
class Firing:
    """Applies rules.

    Attributes:
        rules: Rules and graph.
    """

    rules: MinedRules
    _walks: Walks = field(init=False)
    _arranged: dict[int, _OfRelation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._walks = Walks(self.rules.triples)

    def fire(self, way: int, things: Numbers) -> Fired:
        """All that rules predict to stand at the end of a way from some things.

        Args:
            way: From heads to tails, or back.
            things: Numbers of the things that are asked about.
        """
        triples, size = self.rules.triples, len(self.rules.triples.things)
        relation = way % len(triples.relations)
        first, end = self.rules.begins[relation : relation + 2]
        arranged = self._arrange(relation)
        span = int(end - first) + 1
        keys = [np.zeros(0, dtype=np.int64)]
        bodies = arranged.paths if way == relation else arranged.paths_back
        for (_, place), ends in zip(bodies, self._walks.each([body for body, _ in bodies], things), strict=True):
            found = ends.tocoo()
            keys.append((found.row.astype(np.int64) * size + found.col) * span + place)
        keys += [self._named(arranged, way, things, span), self._naming(arranged, way, things, span)]
        every = np.concatenate(keys)
        answers = every // span
        every = np.sort(every[answers % size != things[answers // size]] if len(every) else every)
        answers, rows = every // span, every % span + first
        begins = np.flatnonzero(np.diff(answers, prepend=-1))
        answers, begins = answers[begins], np.append(begins, len(rows)).astype(np.int64)
        counts = np.minimum(np.diff(begins), _MOST_COUNTED)
        best, which = spans(begins[:-1], begins[:-1] + counts)
        parts = np.zeros((len(answers), _MOST_COUNTED))
        parts[which, best - begins[which]] = self.rules.book.parts[rows[best]]
        return Fired(answers // size, answers % size, begins, rows, parts)

    def _named(self, arranged: _OfRelation, way: int, things: Numbers, span: int) -> Numbers:
        """The things that rules name for what has a feature."""
        triples = self.rules.triples
        mine = arranged.by_way.get(way)
        if mine is None:
            return np.zeros(0, dtype=np.int64)
        features = triples.features.of_things
        at, question = expanded(features.indptr.astype(np.int64), things)
        own = arranged.features[mine]
        which, of = spans(
            np.searchsorted(own, features.indices[at], "left"), np.searchsorted(own, features.indices[at], "right")
        )
        found = question[of] * len(triples.things) + arranged.constants[mine][which]
        return np.asarray(found * span + arranged.places[mine][which])

    def _naming(self, arranged: _OfRelation, way: int, things: Numbers, span: int) -> Numbers:
        """What has the features for which rules name one of the things."""
        triples = self.rules.triples
        mine = arranged.by_way.get(int(triples.back(way)))
        if mine is None:
            return np.zeros(0, dtype=np.int64)
        constants, order = arranged.constants[mine], np.argsort(arranged.constants[mine], kind="stable")
        which, question = spans(
            np.searchsorted(constants[order], things, "left"), np.searchsorted(constants[order], things, "right")
        )
        rules = order[which]
        places, features = arranged.places[mine][rules], arranged.features[mine][rules]
        best = np.lexsort((places, question))
        places, features, question = places[best], features[best], question[best]
        having = triples.features.things_of
        counts = np.diff(having.indptr)[features].astype(np.int64)
        before = np.cumsum(counts) - counts
        before -= before[np.searchsorted(question, question)] if len(question) else before
        kept = before < _MOST_BY_CONSTANT
        at, of = expanded(having.indptr.astype(np.int64), features[kept])
        return np.asarray((question[kept][of] * len(triples.things) + having.indices[at]) * span + places[kept][of])

    def _arrange(self, relation: int) -> _OfRelation:
        """The rules of a relation, arranged once."""
        if relation not in self._arranged:
            triples, book = self.rules.triples, self.rules.book
            first, end = self.rules.begins[relation : relation + 2]
            mine = book.chosen(np.arange(first, end))
            naming = np.flatnonzero(mine.constants >= 0)
            size = len(triples.things) + 1
            known = triples.features.ways * size + triples.features.ends + 1
            wanted = mine.bodies[naming, 0] * size + mine.ends[naming] + 1
            features = np.searchsorted(known, wanted)
            there = features < len(known)
            there[there] = known[features[there]] == wanted[there]  # a graph that was changed may lack some
            naming, features = naming[there], features[there]
            order = np.lexsort((naming, features, mine.heads[naming]))
            naming, features = naming[order], features[order]
            ways, starts = np.unique(mine.heads[naming], return_index=True)
            limits = [*starts.tolist(), len(naming)]
            paths = [
                (tuple(int(way) for way in mine.bodies[place] if way >= 0), int(place))
                for place in np.flatnonzero(mine.constants < 0)
            ]
            back = [(tuple(int(triples.back(way)) for way in body[::-1]), place) for body, place in paths]
            self._arranged[relation] = _OfRelation(
                paths=tuple(sorted(paths)),
                paths_back=tuple(sorted(back)),
                features=features,
                constants=mine.constants[naming],
                places=naming,
                by_way={int(way): slice(*limits[at : at + 2]) for at, way in enumerate(ways)},
            )
        return self._arranged[relation]
