"""What perceiving is to the rest of Huiyi."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from huiyi.values import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from huiyi.values import Signal


class Perceiver(Protocol):
    """Sees one thing in records, as one signal or as several views of it.

    Its rows do not depend on each other, so records may be perceived in any
    order and in any number at once.
    """

    def fit(self, records: Sequence[Record]) -> None:
        """Learn what it must know beforehand, such as a vocabulary."""
        ...

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, Signal], NDArray[np.bool_]]:
        """Return each signal, shape (n, d), and which of the n records have it."""
        ...

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """What to save: plain arrays, and what JSON can hold."""
        ...

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        ...
