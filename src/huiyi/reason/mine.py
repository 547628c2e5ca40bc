"""Rules that a graph itself shows, weighed by how often they are right there, and what they predict.

Of a rule that predicts p facts, s of which the graph has,

    confidence = s / (p + prior)

so that what was seen a few times only is not taken for sure. There are three
kinds of rules, with x and y open, c and d things, and b relations walked
forwards or backwards:

    r(x, y) :- b(x, a), b(a, b), b(b, y)        paths of up to three steps
    r(x, c) :- b(x, d)                          what has a feature stands so to c; r(c, x) alike
    r(x, c) :- b(x, a)                          whatever the relation leads to; or x is of a kind

No rule rests on the fact that it predicts: all things along a path differ, and
a feature that is the fact itself does not count.

Source:
    Meilicke et al., "Anytime Bottom-Up Rule Learning for Knowledge Graph
    Completion", IJCAI 2019; "Reinforced Anytime Bottom Up Rule Learning for
    Knowledge Graph Completion", arXiv 2004.04412, 2020; "Anytime bottom-up rule
    learning for large-scale knowledge graph completion", VLDB Journal 33, 2023.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from huiyi.errors import OptionError
from huiyi.reason.constants import counted
from huiyi.reason.facts import Fact, Given, Source, Statements
from huiyi.reason.mined import Mined
from huiyi.reason.paths import LONGEST, Walks, decoded, found_bodies
from huiyi.reason.rulebook import WHOLE, MinedRules, Rulebook, readable
from huiyi.reason.triples import Triples
from huiyi.together import side_by_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.reason.triples import Numbers

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

USUAL = 5
"""The aggregation where no facts were held out to choose by: noisy-or of the five surest rules."""

_BLOCK = 200  # bodies that are measured one after the other
_FINDING = 0.4  # share of the time that is left which may go into finding bodies


@dataclass(frozen=True)
class MineConfig:
    """What is mined.

    Chosen on the validation facts of the graphs of ``benchmarks/mined.py``.

    Attributes:
        longest: How many steps a path may have, 1 to 3.
        prior: What is added to the predictions of a rule, so that rules seen a few times are not sure.
        least_support: How many facts of the graph a rule must predict.
        least_confidence: How sure a rule must be.
        samples: Of how many facts of each relation the paths are looked for.
        bodies: How many paths, those found most often, are measured for each relation.
        walks: How many walks along a path are counted at most. Of more, those from a random part of the things:
            support and predictions are then estimates.
        most_paths: How many rules of paths each relation keeps, the surest.
        most_constants: The same of rules that name a thing.
        seconds: Time budget; what was found by then is kept. ``None`` for no limit.
        seed: Of the samples.
    """

    longest: int = LONGEST
    prior: float = 5.0
    least_support: int = 2
    least_confidence: float = 0.0001
    samples: int = 500
    bodies: int = 500
    walks: int = 50_000
    most_paths: int = 300
    most_constants: int = 20_000
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("least_support", "samples", "bodies", "walks", "most_paths", "most_constants")
        wrong = [f"{name} = {getattr(self, name)}" for name in counts if getattr(self, name) < 1]
        wrong += [f"longest = {self.longest}"] if not 1 <= self.longest <= LONGEST else []
        wrong += [f"prior = {self.prior}"] if not self.prior > 0 else []
        wrong += [f"least_confidence = {self.least_confidence}"] if not 0 <= self.least_confidence < 1 else []
        wrong += [f"seconds = {self.seconds}"] if self.seconds is not None and not self.seconds > 0 else []
        if wrong:
            raise OptionError(
                f"MineConfig cannot be used: {', '.join(wrong)}. Expected longest from 1 to {LONGEST}, "
                "prior and seconds above 0, least_confidence from 0 to below 1, and all counts at least 1."
            )


def mine(
    facts: Source | Iterable[Fact | Given],
    config: MineConfig | None = None,
    *,
    held_out: Iterable[Fact] = (),
    progress: Progress | None = None,
) -> Mined:
    """Mine rules.

    Facts count as so, whatever their weight; those of more than two arguments are left out.

    Args:
        facts: A ``Knowledge``, or facts.
        config: See there.
        held_out: Facts that are so and that the graph does not have. They choose, for each relation of which there
            are enough, how the rules for one candidate are put together.
        progress: Told what is being done, how much of it is done, and how much there is.

    Raises:
        DataError: A held-out fact is of a relation that the graph does not have, or in the graph.

    Example:
        >>> said = [("Ada", "Bo"), ("Bo", "Ada"), ("Cy", "Di"), ("Di", "Cy"), ("Eve", "Flo")]
        >>> mined = mine([Fact("married_to", pair) for pair in said], MineConfig(prior=1))
        >>> print(mined.rules[0])
        @rule 'married_to mined 1' weight 0.6667
        married_to(?x, ?y) :- married_to(?y, ?x).
        >>> print(mined.predict("married_to", head="Flo")[0].fact)
        married_to(Flo, Eve)
    """
    config = config or MineConfig()
    source: Source = facts if hasattr(facts, "relations") else Statements(facts)  # type: ignore[assignment]
    miner = _Miner(Triples.of(source), config, progress)
    book = miner.book()
    mined = Mined(
        rules=MinedRules(miner.triples, book),
        source=source,
        aggregations=np.full(len(miner.triples.relations), USUAL),
        config=asdict(config),
        is_complete=miner.is_complete,
    )
    held = list(held_out)
    return mined.tuned(held, progress=progress) if held else mined


class _Miner:
    """Mines one graph."""

    def __init__(self, triples: Triples, config: MineConfig, progress: Progress | None) -> None:
        self.triples = triples
        self.is_complete = True
        self._config = config
        self._progress = progress
        self._walks = Walks(triples)
        self._deadline = None if config.seconds is None else time.monotonic() + config.seconds
        _ = triples.ways, triples.steps, triples.pairs, triples.overlaps, triples.features  # before threads ask

    def book(self) -> Rulebook:
        """All rules."""
        config, count = self._config, len(self.triples.relations)
        ways = [partial(self._constants, way) for way in range(2 * count)]
        constants = self._done("rules that name a thing", ways, self._deadline)
        codes = self._codes()
        blocks = [
            partial(self._measured, number, np.sort(codes[first : first + _BLOCK]))
            for number, first in enumerate(range(0, len(codes), _BLOCK))
        ]
        paths = self._done("paths measured", blocks, self._deadline)
        none = [_rules(np.zeros((0, 9)))]
        return Rulebook.joined(
            [
                Rulebook.joined(none + paths).ordered(count, config.most_paths),
                Rulebook.joined(none + constants).ordered(count, config.most_constants),
            ]
        ).ordered(count, config.most_paths + config.most_constants)

    def _done(self, what: str, jobs: Sequence[Callable[[], T]], deadline: float | None) -> list[T]:
        """What jobs return; those that would begin after the time are left out."""
        found: list[T] = []

        def timed(job: Callable[[], T]) -> T | None:
            return None if deadline is not None and time.monotonic() > deadline else job()

        for number, result in enumerate(side_by_side([partial(timed, job) for job in jobs]), 1):
            if result is None:
                self.is_complete = False
            else:
                found.append(result)
            if self._progress is not None:
                self._progress(what, number, len(jobs))
        return found

    def _constants(self, way: int) -> Rulebook:
        """The rules for one way whose head names a thing."""
        triples, config = self.triples, self._config
        parts = [_rules(np.zeros((0, 9)))]
        fit = np.array([readable(thing) for thing in triples.things], dtype=bool)
        for found in counted(triples, way, config.least_support):
            ends = triples.features.ends[found.features]
            sure = found.right / (found.predicted + config.prior)
            kept = (sure >= config.least_confidence) & fit[found.things] & (fit[ends] | (ends < 0))
            rows = np.full((int(kept.sum()), 9), -1.0)
            rows[:, 0], rows[:, 1] = way, found.things[kept]
            rows[:, 2], rows[:, 5] = triples.features.ways[found.features[kept]], ends[kept]
            rows[:, 6], rows[:, 7], rows[:, 8] = found.right[kept], found.predicted[kept], sure[kept]
            parts.append(_rules(rows))
        book = Rulebook.joined(parts)
        return book.ordered(len(triples.relations), config.most_constants)

    def _codes(self) -> Numbers:
        """Codes of the bodies to measure, those found most often first."""
        count, deadline = len(self.triples.relations), self._deadline
        if deadline is not None:
            deadline -= (1 - _FINDING) * max(deadline - time.monotonic(), 0)
        jobs = [partial(self._bodies, relation) for relation in range(count)]
        total: dict[int, int] = {}
        for codes, counts in self._done("relations whose paths are looked for", jobs, deadline):
            for code, times in zip(codes.tolist(), counts.tolist(), strict=True):
                total[code] = total.get(code, 0) + times
        order = sorted(total, key=lambda code: (-total[code], code))
        return np.array(order, dtype=np.int64)

    def _bodies(self, relation: int) -> tuple[Numbers, Numbers]:
        """The bodies found most often between the arguments of facts of a relation."""
        config, rng = self._config, np.random.default_rng([self._config.seed, relation])
        facts = np.flatnonzero(self.triples.labels == relation)
        if len(facts) > config.samples:
            facts = np.sort(rng.choice(facts, config.samples, replace=False))
        codes, counts = found_bodies(self.triples, facts, rng, longest=config.longest)
        often = counts >= min(2, config.least_support)
        codes, counts = codes[often], counts[often]
        best = np.lexsort((codes, -counts))[: config.bodies]
        return codes[best], counts[best]

    def _measured(self, number: int, codes: Numbers) -> Rulebook:
        """The rules of some bodies, for whichever relation they are right often enough."""
        config, rows = self._config, []
        rng = np.random.default_rng([self._config.seed, number, 1])
        for body in decoded(self.triples, codes):
            steps = tuple(int(way) for way in body if way >= 0)
            right, predicted, share = self._walks.counts(steps, rng, config.walks)
            sure = right / (predicted + config.prior * share)
            kept = (right >= max(1, config.least_support * share)) & (sure >= config.least_confidence)
            if len(steps) == 1 and steps[0] < len(self.triples.relations):
                kept[steps[0]] = False  # the fact itself
            for relation in np.flatnonzero(kept):
                counts = (round(right[relation] / share), round(predicted / share), sure[relation])
                rows.append((relation, -1, *body, -1, *counts))
        return _rules(np.array(rows, dtype=np.float64).reshape(-1, 9))


def _rules(rows: NDArray[Any]) -> Rulebook:
    """Rules of rows of head, constant, three ways, end, support, predictions and confidence."""
    whole = rows[:, :8].astype(np.int64)
    parts = np.clip(np.rint(rows[:, 8] * WHOLE), 1, WHOLE - 1).astype(np.int64)
    return Rulebook(whole[:, 0], whole[:, 1], whole[:, 2:5], whole[:, 5], whole[:, 6], whole[:, 7], parts)
