"""The signal ``audio``: what the recordings that came along sound like, by the encoder of whisper-base."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.perceive.encoders.whisper import WIDTH, encoder
from huiyi.perceive.features import FeaturesPerceiver
from huiyi.perceive.media import Sense
from huiyi.perceive.recordings import RECORDINGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNAL = "audio"


class AudioPerceiver(FeaturesPerceiver):
    """Features of the recordings of each record: of several, the mean. Equal recordings are listened to once.

    The weights are not saved: they are larger than all the rest. Their name
    and SHA-256 are, and others are refused.

    Args:
        make: Makes what listens. It is made when the first recording comes.
        width: Columns of what it says.

    Example:
        >>> from huiyi.values import Record
        >>> signals, present = AudioPerceiver().perceive([Record(text="no recording")])
        >>> signals["audio"].shape, present.tolist()
        ((1, 1024), [False])
    """

    def __init__(self, make: Callable[[], Sense[Any, NDArray[np.float32]]] = encoder, *, width: int = WIDTH) -> None:
        super().__init__(SIGNAL, RECORDINGS)
        self._make = make
        self._width = width
        self._sense: Sense[Any, NDArray[np.float32]] | None = None
        self._known: str | None = None

    @property
    def width(self) -> int:
        """Columns of the signal."""
        return self._width

    def sense(self) -> Sense[Any, NDArray[np.float32]]:
        """What listens, made on first use.

        Raises:
            DataError: It is another than the model was trained with.
        """
        if self._sense is None:
            made = self._make()
            if self._known is not None and made.maker != self._known:
                raise DataError(
                    f"the model was trained with the encoder {self._known!r}, but the one installed is {made.maker!r}. "
                    "Install the version of then, or train again"
                )
            self._sense = made
        return self._sense

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """Which encoder listens."""
        return {}, {"encoder": self.sense().maker, "width": self.width}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave. What listens is looked for when the first recording comes."""
        self._known, self._width, self._sense = config["encoder"], config["width"], None
