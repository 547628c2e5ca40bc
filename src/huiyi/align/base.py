"""What a head is to the rest of Huiyi."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal


@dataclass(frozen=True, eq=False)
class Scores:
    """What one head says of n rows.

    Attributes:
        labels: Shape (n, k). The higher, the likelier the label; zero is what
            would be said of an average label without looking at the row.
        nearest: Shape (n,), the similarity of the most similar training row,
            0 (nothing alike) to 1 (the same). None where a head keeps no rows.
    """

    labels: Array
    nearest: Array | None = None


@dataclass(frozen=True, eq=False)
class Memory:
    """What a head that keeps its training rows remembers of them, for one row that it is asked about.

    Attributes:
        similar: Cosine of each training row with it, shape (m,).
        pull: How far the head's estimate for a label moves with the row's own, shape (m,): if the row had the label
            and did not have it any more, by so much it would fall. None where a head does not tell.
    """

    similar: Array
    pull: Array | None = None


class Head(Protocol):
    """Maps one signal to scores for k labels.

    Attributes:
        several: Whether each label stands for itself.
    """

    several: bool

    def fit(self, signal: Signal, targets: Array, groups: NDArray[Any]) -> None:
        """Learn from rows.

        Args:
            signal: Shape (n, d).
            targets: Shape (n, k): 1 where the label is right, else 0. A row
                without any is out of scope, or has none of several.
            groups: Shape (n,): a number that rows of one class share, for what
                is learnt about spread within classes.
        """
        ...

    def score(self, signal: Signal, *, nearest: bool = True) -> Scores:
        """Return scores of rows. A head that keeps rows tells how near the nearest is, unless that is not asked for."""
        ...

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """What to save: plain arrays, and what JSON can hold."""
        ...

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        ...
