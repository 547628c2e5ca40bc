"""Rules that were mined from a graph, and what they predict of it, with proofs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.facts import Fact, Source, Value, normal, normalised, written
from huiyi.reason.firing import AGGREGATIONS, Fired, Firing
from huiyi.reason.groundings import proof_by
from huiyi.reason.proof import Proof
from huiyi.reason.ranks import ranked
from huiyi.reason.rulebook import MinedRule, MinedRules, Rulebook
from huiyi.reason.rules import Rules
from huiyi.reason.triples import Triples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.reason.triples import Numbers
    from huiyi.values import Array

    Progress = Callable[[str, int, int], None]

_SHOWN = 3  # rules that a prediction names
_MOST_HELD = 2_000  # facts by which aggregations are chosen
_TOGETHER = 64  # things that are asked about at once


@dataclass(frozen=True)
class Prediction:
    """A fact that the graph does not have, and why it may be so.

    Attributes:
        fact: The fact.
        score: How sure the rules together are.
        rules: The surest rules that predict it, the surest first.
        proofs: The proof by each of these. One of them alone weighs as much as its rule and the facts it rests on.
    """

    fact: Fact
    score: float
    rules: tuple[MinedRule, ...]
    proofs: tuple[Proof, ...]

    @property
    def proof(self) -> Proof:
        """The proof by the surest rule."""
        return self.proofs[0]

    def as_rules(self) -> Rules:
        """The rules, as ``replay`` takes them."""
        return Rules([mined.rule for mined in self.rules])


@dataclass(frozen=True, eq=False)
class Mined:
    """Rules mined from a graph. Made by ``mine``.

    Attributes:
        rules: All of them, by relation, and within one from the surest to the least sure. Each is made when it is
            looked at.
        source: The graph.
        aggregations: How the rules for a candidate are put together, for each relation: 0 for max-plus, else how
            many of the best count in a noisy-or.
        config: The options they were mined with.
        is_complete: Whether mining came to its end within the time budget.
    """

    rules: MinedRules
    source: Source
    aggregations: Numbers
    config: Mapping[str, Any]
    is_complete: bool = True

    @cached_property
    def _firing(self) -> Firing:
        return Firing(self.rules)

    def best(self, relation: str, top: int = 10) -> tuple[MinedRule, ...]:
        """The surest rules for a relation.

        Raises:
            DataError: The graph does not have the relation.
        """
        number = self._label(relation)
        first, end = self.rules.begins[number : number + 2].tolist()
        return self.rules[first : min(end, first + top)]

    def text(self, top: int | None = None) -> str:
        """The rules in the notation of ``Rules.parse``.

        Args:
            top: How many of each relation, the surest; all by default.
        """
        begins = self.rules.begins.tolist()
        rows = [
            row
            for first, end in pairwise(begins)
            for row in range(first, end if top is None else min(end, first + top))
        ]
        return "".join(f"{self.rules[row]}\n" for row in rows)

    def predict(
        self, relation: str, *, head: Value | None = None, tail: Value | None = None, top: int = 10
    ) -> list[Prediction]:
        """Facts that the graph does not have, the surest first. Of equally sure ones the order of their texts counts.

        Args:
            relation: Its name.
            head: The first argument; ``None`` to ask for it.
            tail: The second argument; ``None`` to ask for it. If neither is named, all things are asked about.
            top: How many.

        Raises:
            DataError: The graph does not have the relation, or the thing.
        """
        label, triples = self._label(relation), self.rules.triples
        way = label if head is not None or tail is None else label + len(triples.relations)
        named = head if head is not None else tail
        things = np.arange(len(triples.things)) if named is None else np.array([self._number(named)])
        other = None if head is None or tail is None else self._number(tail)
        best: list[tuple[float, int, int, tuple[int, ...]]] = []
        for first in range(0, len(things), _TOGETHER):
            part = things[first : first + _TOGETHER]
            found = self._candidates(way, label, part, self._firing.fire(way, part), other, top)
            best = heapq.nsmallest(top, [*best, *found])
        return [self._prediction(label, *one) for one in best]

    def _candidates(
        self, way: int, label: int, things: Numbers, fired: Fired, other: int | None, top: int
    ) -> list[tuple[float, int, int, tuple[int, ...]]]:
        """The best of what fired: score with its sign turned, head, tail, and the rows of the surest rules."""
        triples = self.rules.triples
        scores = fired.scores(int(self.aggregations[label]))
        asked = things[fired.questions]
        heads, tails = (asked, fired.things) if way == label else (fired.things, asked)
        new = ~np.isin(heads * len(triples.things) + tails, self._known(label))
        if other is not None:
            new &= fired.things == other
        kept = np.flatnonzero(new)
        kept = kept[np.lexsort((tails[kept], heads[kept], -scores[kept]))[:top]]
        return [
            (
                -float(scores[at]),
                int(heads[at]),
                int(tails[at]),
                tuple(fired.rows[fired.begins[at] : fired.begins[at + 1]][:_SHOWN].tolist()),
            )
            for at in kept
        ]

    def _known(self, label: int) -> Numbers:
        """The facts of a relation, each as one number."""
        triples = self.rules.triples
        mine = triples.labels == label
        return np.asarray(triples.heads[mine] * len(triples.things) + triples.tails[mine])

    def _prediction(self, label: int, score: float, head: int, tail: int, rows: Sequence[int]) -> Prediction:
        """A prediction with its rules and proofs."""
        rules = tuple(self.rules[row] for row in rows)
        proofs = tuple(
            proof_by(self.rules, row, mined.rule, head, tail, self.source)
            for row, mined in zip(rows, rules, strict=True)
        )
        return Prediction(self.rules.triples.fact(label, head, tail), -score, rules, proofs)

    def ranks(self, facts: Iterable[Fact], *, known: Iterable[Fact] = (), progress: Progress | None = None) -> Array:
        """Where each of some facts stands among all that could be in the place of its tail, and of its head.

        This is the filtered setting: other facts of the graph, of ``known`` and of ``facts`` are left out of the
        comparison. Of equally sure candidates, the mean rank counts.

        Args:
            facts: Facts that the graph does not have.
            known: Further facts that are so.
            progress: Told what is being done, how much of it is done, and how much there is.

        Returns:
            Shape (n, 2): ranks, from 1, of the tails and of the heads. The mean of ``1 / ranks`` is the MRR.

        Raises:
            DataError: A fact is of a relation that the graph does not have, is in the graph, or has not two arguments.
        """
        every, labels = self._ranks(facts, known, progress)
        chosen = np.searchsorted(AGGREGATIONS, self.aggregations[labels])
        return np.asarray(np.take_along_axis(every, chosen[:, None, None], axis=2)[:, :, 0])

    def tuned(self, facts: Iterable[Fact], *, fewest: int = 20, progress: Progress | None = None) -> Mined:
        """The same rules, put together for each relation as gives held-out facts the best reciprocal ranks.

        Of more than 2,000 facts a sample chooses; the others are no wrong answers.

        Args:
            facts: Facts that are so and that the graph does not have.
            fewest: How many a relation needs for a choice of its own; the others get the one best for all.
            progress: Told what is being done, how much of it is done, and how much there is.

        Raises:
            DataError: As for ``ranks``.
        """
        held = list(facts)
        rng = np.random.default_rng(self.config["seed"])
        some = np.sort(rng.permutation(len(held))[:_MOST_HELD])
        every, labels = self._ranks([held[at] for at in some], held, progress)
        reciprocal = (1 / every).mean(axis=1)
        if not len(labels):
            return self
        choices = np.array(AGGREGATIONS)
        aggregations = np.full(len(self.aggregations), choices[reciprocal.mean(axis=0).argmax()])
        for label in np.unique(labels):
            mine = labels == label
            if mine.sum() >= fewest:
                aggregations[label] = choices[reciprocal[mine].mean(axis=0).argmax()]
        return replace(self, aggregations=aggregations)

    def _ranks(self, facts: Iterable[Fact], known: Iterable[Fact], progress: Progress | None) -> tuple[Array, Numbers]:
        """Ranks by each aggregation, shape (n, 2, aggregations), and the relations of the facts."""
        triples = self.rules.triples
        numbers, done = dict(triples.number), 0
        own = np.stack([triples.heads, triples.labels, triples.tails], axis=1)
        asked = self._encoded(facts, numbers, strict=True)
        more = self._encoded(known, numbers, strict=False)
        there = set(map(tuple, own.tolist()))
        for row in asked.tolist():
            if tuple(row) in there:
                raise DataError(
                    f"{triples.fact(row[1], row[0], row[2])} is in the graph that the rules were mined from, so its "
                    "rank says nothing. Expected facts that are held out."
                )

        def tick(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress("questions ranked", done, 2 * len(asked))

        every = np.unique(np.concatenate([own, asked, more]), axis=0)
        return ranked(self._firing, asked, every, len(numbers), tick=tick), asked[:, 1]

    def _encoded(self, facts: Iterable[Fact], numbers: dict[Value, int], *, strict: bool) -> Numbers:
        """Facts as numbers; things that are new get new ones. Unless strict, other relations are left out."""
        rows = []
        for fact in map(normal, facts):
            if len(fact.arguments) != 2:
                if strict:
                    raise DataError(f"{fact} has not two arguments. Expected facts of two: only these are predicted.")
                continue
            if not strict and fact.relation not in self.rules.triples.label:
                continue
            head, tail = (numbers.setdefault(value, len(numbers)) for value in fact.arguments)
            rows.append((head, self._label(fact.relation), tail))
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

    def _label(self, relation: str) -> int:
        """Number of a relation."""
        known = self.rules.triples.label
        if relation not in known:
            raise DataError(
                f"The graph has no relation {relation!r} of two arguments.{did_you_mean(relation, known)} "
                "Expected one of those that rules were mined for."
            )
        return known[relation]

    def _number(self, thing: Value) -> int:
        """Number of a thing."""
        known, value = self.rules.triples.number, normalised(thing)
        if value not in known:
            near = (
                did_you_mean(value, (name for name in known if isinstance(name, str))) if isinstance(value, str) else ""
            )
            raise DataError(f"The graph has no {written(value)!r}.{near} Expected a thing that its facts speak of.")
        return known[value]

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The rules; and the names they use, and options. The graph is not kept with them."""
        book, triples = self.rules.book, self.rules.triples
        used = np.unique(np.concatenate([book.constants, book.ends]))
        used = used[used >= 0]
        arrays: dict[str, NDArray[Any]] = {field.name: getattr(book, field.name) for field in fields(Rulebook)}
        for name in ("constants", "ends"):
            arrays[name] = np.where(arrays[name] < 0, -1, np.searchsorted(used, arrays[name]))
        document = {
            "relations": list(triples.relations),
            "kinds": list(triples.kinds),
            "things": [written(triples.things[number]) for number in used],
            "config": dict(self.config),
            "is_complete": self.is_complete,
        }
        return {**arrays, "aggregations": self.aggregations}, document

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any], source: Source) -> Mined:
        """Take back what ``to_arrays`` gave, for the same graph or one that was changed since.

        Rules that speak of what the graph does not have any more are left out.

        Args:
            arrays: As it gave them.
            document: As it gave it.
            source: The graph.
        """
        triples = Triples.of(source)
        labels = np.array([triples.label.get(name, -1) for name in document["relations"]], dtype=np.int64)
        kinds = {name: number for number, name in enumerate(triples.kinds)}
        of_kinds = np.array([kinds.get(name, -1) for name in document["kinds"]], dtype=np.int64)
        things = np.array([triples.number.get(normalised(name), -1) for name in document["things"]], dtype=np.int64)
        count = len(triples.relations)
        ways = np.concatenate(
            [labels, np.where(labels < 0, -1, labels + count), np.where(of_kinds < 0, -1, of_kinds + 2 * count)]
        )
        old = Rulebook(**{field.name: arrays[field.name] for field in fields(Rulebook)})
        renumbered = {
            "heads": ways, "bodies": ways, "constants": things, "ends": things,
        }  # fmt: skip
        new = {name: _renumbered(getattr(old, name), by) for name, by in renumbered.items()}
        lost = np.zeros(len(old), dtype=bool)
        for name, numbers in new.items():
            gone = (numbers < 0) & (getattr(old, name) >= 0)
            lost |= gone if gone.ndim == 1 else gone.any(axis=1)
        book = replace(old, **new).chosen(np.flatnonzero(~lost))
        aggregations = np.full(count, arrays["aggregations"][0] if len(arrays["aggregations"]) else AGGREGATIONS[0])
        aggregations[labels[labels >= 0]] = arrays["aggregations"][labels >= 0]
        return cls(
            rules=MinedRules(triples, book.ordered(count, len(book))),
            source=source,
            aggregations=aggregations,
            config=dict(document["config"]),
            is_complete=document["is_complete"],
        )


def _renumbered(numbers: Numbers, by: Numbers) -> Numbers:
    """Other numbers in their place; −1 stays."""
    if not len(by):
        return np.full_like(numbers, -1)
    return np.asarray(np.where(numbers < 0, -1, by[np.maximum(numbers, 0)]))
