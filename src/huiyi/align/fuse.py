"""Fuse what text, fields, pictures and voice say, whichever of them a record has.

Weights that suit records with a text and a picture are too low for those with
the text alone: half of what should make them sure is missing. So there is a
blend for each set of sources that a record may have, fitted on the same
held-out scores: of all rows that have at least these sources, by what these
say. A record that lacks one is thus told as by a model that never had it.

Source:
    Saar-Tsechansky and Provost, "Handling Missing Values when Applying
    Classification Models", JMLR 8, 2007 (reduced models: one for each pattern
    of what is there).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.blend import Blend, fit_blend
from huiyi.values import source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Context

MOST_SOURCES = 5
"""Of more sources than this, records that lack some are told by the blend of all: there would be too many sets."""

FEWEST_ROWS = 100
"""A set of sources that fewer rows have is told by the blend of all."""

MOST_ROWS = 3_000
"""Of more rows than this, evenly spread ones are enough to weigh what a set of sources says; there are many sets."""

Sources = frozenset[str]


def signal_of(head: str) -> str:
    """The signal that a head listens to, by the head's name.

    Example:
        >>> signal_of("history text/logistic")
        'history text'
    """
    return head.rpartition("/")[0]


@dataclass(frozen=True)
class Fusion:
    """A blend for each set of sources.

    Attributes:
        usual: For records that have all sources, and for sets that have no blend.
        partial: Of sets that lack some.
    """

    usual: Blend
    partial: Mapping[Sources, Blend] = field(default_factory=dict)

    @property
    def heads(self) -> tuple[str, ...]:
        """All that any blend listens to."""
        blends = (self.usual, *self.partial.values())
        return tuple(dict.fromkeys(head for blend in blends for head in blend.weights))

    def weights(self, context: Context) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """The weight of each head, and the offset, for each of n records; all of shape (n,).

        Where a head's signal is missing its weight is of no account: its scores are zero there.
        """
        n = len(context.records)
        chosen = np.zeros(n, dtype=np.intp)
        blends = [self.usual]
        if self.partial:
            sources = sorted({source_of(signal_of(head)) for head in self.heads})
            there = np.column_stack([context.has(source) for source in sources])
            for lacking, blend in self.partial.items():
                blends.append(blend)
                chosen[(there == [source in lacking for source in sources]).all(axis=1)] = len(blends) - 1
        of_heads = {
            head: np.array([blend.weights.get(head, 0.0) for blend in blends], dtype=np.float32)[chosen]
            for head in self.heads
        }
        return of_heads, np.array([blend.offset for blend in blends], dtype=np.float32)[chosen]

    def to_config(self) -> dict[str, Any]:
        """What JSON can hold."""
        partial = [{"sources": sorted(sources), "blend": asdict(blend)} for sources, blend in self.partial.items()]
        return {"usual": asdict(self.usual), "partial": partial}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Fusion:
        """Take back what ``to_config`` gave."""
        partial = {frozenset(part["sources"]): Blend(**part["blend"]) for part in config["partial"]}
        return cls(Blend(**config["usual"]), partial)


def fit_fusion(
    scores: Mapping[str, Array],
    targets: Array,
    context: Context,
    *,
    several: bool = False,
    prior: Mapping[str, float] | None = None,
    kept: Collection[str] = (),
) -> Fusion:
    """Fit a blend for each set of sources.

    Args:
        scores: Head name to held-out scores, shape (n, k), zero where its signal is missing.
        targets: Shape (n, k), 1 where right.
        context: The n records' signals.
        several: Whether each label stands for itself.
        prior: Head name to its weight before there is any evidence.
        kept: Heads that are not left out where their source is.
    """
    fit = partial(fit_blend, several=several, prior=prior, kept=kept)
    sources = list(dict.fromkeys(source_of(signal_of(head)) for head in scores))
    if not 1 < len(sources) <= MOST_SOURCES:
        return Fusion(fit(scores, targets))
    there = {source: context.has(source) for source in sources}
    everything = np.all([there[source] for source in sources], axis=0)
    whole = everything if everything.sum() >= FEWEST_ROWS else np.ones(len(targets), dtype=bool)
    usual = fit(_rows(scores, whole), targets[whole])
    lacking = {}
    for size in range(1, len(sources)):
        for some in combinations(sources, size):
            rows = np.flatnonzero(np.all([there[source] for source in some], axis=0))
            rows = rows[:: -(-len(rows) // MOST_ROWS) or 1]
            if len(rows) >= FEWEST_ROWS:
                heard = {head: told for head, told in scores.items() if source_of(signal_of(head)) in some}
                lacking[frozenset(some)] = fit(_rows(heard, rows), targets[rows])
    return Fusion(usual, lacking)


def _rows(scores: Mapping[str, Array], rows: NDArray[np.bool_] | NDArray[np.intp]) -> dict[str, Array]:
    """The scores of some rows."""
    return {head: told[rows] for head, told in scores.items()}
