"""What frozen encoders see in pictures or hear in recordings, as one signal each: ``image`` and ``audio``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.perceive.media import MediaKind, Sense, Upkeep, perceived
from huiyi.values import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FeaturesPerceiver(ABC):
    """Features of the media of each record: of several, the mean. Equal ones are looked at once.

    Args:
        name: Of the signal.
        kind: Of the media.
    """

    def __init__(self, name: str, kind: MediaKind) -> None:
        self.name = name
        self.kind = kind
        self.upkeep = Upkeep()

    @property
    @abstractmethod
    def width(self) -> int:
        """Columns of the signal."""

    @abstractmethod
    def sense(self) -> Sense[Any, NDArray[np.float32]]:
        """What tells the features of one, ready to be asked."""

    def fit(self, records: Sequence[Record]) -> None:
        """Nothing to learn: the encoder is frozen. It is made now where it is needed, as something may be missing."""
        if any(map(self.kind.of, records)):
            self.sense()

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """Return features of shape (n, width), and which records have media that can be read.

        Raises:
            DataError: Some cannot be read; it says why the first cannot, and names some of the others.
        """
        signal = np.zeros((len(records), self.width), dtype=np.float32)
        present = np.zeros(len(records), dtype=bool)
        if any(map(self.kind.of, records)):
            for row, features in enumerate(perceived(records, self.sense(), self.upkeep, tick=tick)):
                if features:
                    signal[row], present[row] = np.mean(features, axis=0), True
        elif tick is not None:
            tick(len(records))
        return {self.name: signal}, present

    @abstractmethod
    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """What to save of the encoder."""

    @abstractmethod
    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
