"""What each source of records, such as text or pictures, adds: how right a model is by it alone, and without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from huiyi.values import OUT_OF_SCOPE

if TYPE_CHECKING:
    from huiyi.values import Context, Decision, Inference, Intents, Record


@dataclass(frozen=True)
class SourceWorth:
    """What one source adds.

    Attributes:
        rows: In-scope rows that have it.
        alone: Share of the in-scope rows labelled exactly right when nothing else is heard.
        without: The same when all else is heard.
        milliseconds: What it takes to perceive it in one record; half take less.
    """

    rows: int
    alone: float
    without: float
    milliseconds: float


class Listener(Protocol):
    """What is asked of a model here."""

    def align(self, context: Context) -> Intents:
        """What records mean."""
        ...

    def reason(self, context: Context, intents: Intents) -> Inference:
        """What follows from what is known."""
        ...

    def choose(self, context: Context, inference: Inference) -> tuple[Decision, ...]:
        """What to do with each."""
        ...

    def costs(self, records: Sequence[Record]) -> Mapping[str, float]:
        """Milliseconds that each source takes."""
        ...


class SourceCount:
    """Counts, batch by batch, how often a model is right by each source alone and without it.

    Args:
        model: The model.
    """

    def __init__(self, model: Listener) -> None:
        self._model = model
        self._rows, self._total = Counter[str](), 0
        self._right = Counter[frozenset[str]]()
        self._sources: tuple[str, ...] = ()

    def add(self, context: Context, truths: Sequence[Sequence[str]]) -> None:
        """Count some rows, whose right labels are known."""
        self._sources = context.sources
        if len(self._sources) < 2:
            return
        inside = [row for row, truth in enumerate(truths) if OUT_OF_SCOPE not in truth]
        self._total += len(inside)
        for source in self._sources:
            self._rows[source] += int(context.has(source)[inside].sum())
        for heard in {some for source in self._sources for some in self._of(source)}:
            partial = context.only(heard)
            decisions = self._model.choose(partial, self._model.reason(partial, self._model.align(partial)))
            self._right[heard] += sum(set(decisions[row].labels) == set(truths[row]) for row in inside)

    def worths(self, timed: Sequence[Record]) -> dict[str, SourceWorth]:
        """What was counted; empty where there is one source alone, or no row in scope.

        Args:
            timed: Records that tell how long each takes.
        """
        if not self._total:
            return {}
        costs = self._model.costs(timed)
        shares = {heard: right / self._total for heard, right in self._right.items()}
        found = {}
        for source in self._sources:
            alone, without = self._of(source)
            found[source] = SourceWorth(self._rows[source], shares[alone], shares[without], costs.get(source, 0.0))
        return found

    def _of(self, source: str) -> tuple[frozenset[str], frozenset[str]]:
        """What is heard when one source is alone, and when it is missing."""
        return frozenset([source]), frozenset(self._sources) - {source}
