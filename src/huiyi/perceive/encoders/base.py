"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Encoder(Protocol):
    """A frozen text encoder.

    Attributes:
        name: What a saved model calls it, to find the same encoder again.
        widths: The views it gives of a text, and the number of columns of each.
    """

    name: str
    widths: Mapping[str, int]

    @property
    def sha256(self) -> str:
        """Of its weights, so that a saved model never meets other ones."""
        ...

    def encode(
        self, texts: Sequence[str], *, tick: Callable[[int], None] | None = None
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return vectors of shape (n, d) for each view; ``tick`` is told how many texts are newly done."""
        ...
