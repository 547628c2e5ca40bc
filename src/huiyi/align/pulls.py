"""How what is said of one record moves with the labels of training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huiyi.align.blend import Blend
from huiyi.align.kernel import KernelHead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal


@dataclass(frozen=True, eq=False)
class Pull:
    """One head whose estimate is linear in the labels of its rows.

    Attributes:
        name: Of the head.
        weight: What it counts in the blend.
        head: The head.
        signal: What it hears of the record, shape (1, d).
        pull: What the label of each row counts there, shape (m,). See ``Memory``.
    """

    name: str
    weight: float
    head: KernelHead
    signal: Signal
    pull: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Pulls:
    """All such heads, and how far the others go with them.

    Attributes:
        blend: Makes probabilities of log-odds.
        mixed: Log-odds of the labels as they are, shape (k,).
        parts: The heads; at least one.
        share: By how much more the log-odds move than by these heads alone, 1 where no other hears the text.
    """

    blend: Blend
    mixed: Array
    parts: tuple[Pull, ...]
    share: float

    @property
    def counts(self) -> NDArray[np.floating]:
        """What the label of each row counts in all heads together, shape (m,)."""
        return np.asarray(np.sum([part.weight * part.pull for part in self.parts], axis=0))

    def relabelled(self, sets: Sequence[Sequence[int]], columns: NDArray[np.intp], to: int) -> Array:
        """Probabilities of the labels if all rows of a set had one other label, for each of some sets.

        Exact for these heads, but for their spread and the shares of the labels, which hardly move with a few rows; for
        the others it is a guess.

        Args:
            sets: Places of rows.
            columns: Of the label that each row has, shape (m,); -1 of rows without one.
            to: Column of the other label.

        Returns:
            Shape (sets, k).
        """
        mixed = np.tile(self.mixed, (len(sets), 1))
        for part in self.parts:
            shifts = np.zeros(mixed.shape, dtype=np.float32)
            for number, rows in enumerate(sets):
                for row in rows:
                    shifts[number, to] += part.pull[row]
                    if columns[row] >= 0:
                        shifts[number, columns[row]] -= part.pull[row]
            told = part.head.moved(part.signal, np.vstack([np.zeros_like(self.mixed), shifts]))
            mixed = mixed + self.share * part.weight * (told[1:] - told[0])
        probabilities: Array = self.blend.probabilities(mixed)
        return probabilities
