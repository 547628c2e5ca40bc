"""One record, as it would be with parts of its pictures gone, or parts of its recordings.

What is taken out is taken out of the pixels or the sound that encoders are given, not of the files: so nothing is lost
by writing a file anew, what is left is to the last bit what was there, and nothing comes into the feature cache or onto
a disk.

A region of a picture gets the mean colour of the picture, a stretch of a recording becomes silent. Grey squares, as in
the source, are darker or lighter than most pictures are, and blurred regions still tell their colour.

Source:
    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2 (a square moved
    over the picture); Hooker et al., "A Benchmark for Interpretability Methods in Deep Neural Networks", NeurIPS 2019,
    section 3 (the mean of each channel in its place); Covert, Lundberg and Lee, "Explaining by Removing", JMLR 22,
    2021 (what may stand for what is gone).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.perceive.features import FeaturesPerceiver
from huiyi.perceive.media import MediaKind, Sense
from huiyi.perceive.pictures import PICTURES
from huiyi.perceive.recordings import RATE
from huiyi.perceive.transcripts import TranscriptPerceiver, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Context

Place = tuple[float, ...]
"""Of a picture left, top, right and bottom, as shares of its sides; of a recording start and end, in seconds."""

Part = tuple[int, Place]
"""Which of the media, and where in it."""


class Altered:
    """The pictures, or the recordings, of one record, with parts of them gone.

    Args:
        context: The record as it was perceived.
        kind: Of the media.
        perceivers: What perceives media of that kind, by name.
    """

    def __init__(
        self, context: Context, kind: MediaKind, perceivers: Mapping[str, FeaturesPerceiver | TranscriptPerceiver]
    ) -> None:
        (record,) = context.records
        self._context, self._kind = context, kind
        self._perceivers = perceivers
        self._media = kind.of(record)
        self._prepared: dict[str, list[NDArray[Any]]] = {}
        self._known: dict[tuple[str, int, frozenset[Place]], Any] = {}

    @property
    def count(self) -> int:
        """How many media there are."""
        return len(self._media)

    @property
    def is_slow(self) -> bool:
        """Whether to perceive one anew takes long: where it is read."""
        return any(isinstance(perceiver, TranscriptPerceiver) for perceiver in self._perceivers.values())

    def without(self, sets: Sequence[Collection[Part]]) -> Context:
        """The record as it would be without each of some sets of parts, one row for each."""
        again = self._context.rows(np.zeros(len(sets), dtype=np.intp))
        places = [
            [frozenset(place for number, place in gone if number == media) for media in range(self.count)]
            for gone in sets
        ]
        whole = [not any(own) for own in places]  # of which all is known, to the last digit
        readings = dict(again.readings)
        for name, perceiver in self._perceivers.items():
            if isinstance(perceiver, TranscriptPerceiver):
                told = self._perceived(name, perceiver.sense(), places)
                (known,) = self._context.readings[perceiver.source]
                read = [known if own else together(values) for own, values in zip(whole, told, strict=True)]
                readings[perceiver.source] = read
                again = again.seeing(*perceiver.perceive_read(read))
            else:
                told = self._perceived(name, perceiver.sense(), places)
                signal = np.array([np.mean(values, axis=0) for values in told])
                signal[whole] = self._context.signals[name]
                again = again.seeing({name: signal}, np.ones(len(sets), dtype=bool))
        return replace(again, readings=readings)

    def _perceived(
        self, name: str, sense: Sense[Any, Any], places: Sequence[Sequence[frozenset[Place]]]
    ) -> list[list[Any]]:
        """What is perceived in each of the media without some places, for each set of places. Each once."""
        if name not in self._prepared:
            kind = self._kind
            self._prepared[name] = [sense.prepare(kind.content(media), kind.called(media)) for media in self._media]
        keys = [[(name, media, gone) for media, gone in enumerate(own)] for own in places]
        new = [key for key in dict.fromkeys(key for own in keys for key in own) if key not in self._known]
        erase = painted if self._kind == PICTURES else silenced
        for start in range(0, len(new), sense.batch):
            batch = new[start : start + sense.batch]
            altered = [erase(self._prepared[name][media], gone) for _, media, gone in batch]
            self._known.update(zip(batch, sense.work(altered), strict=True))
        return [[self._known[key] for key in own] for own in keys]


def painted(pixels: NDArray[np.uint8], places: Collection[Place]) -> NDArray[np.uint8]:
    """A picture with some of its regions in its mean colour.

    Args:
        pixels: Shape (height, width, 3).
        places: Left, top, right and bottom of each, as shares of the sides.

    Example:
        >>> pixels = np.array([[[0] * 3, [100] * 3]], dtype=np.uint8)
        >>> painted(pixels, [(0.5, 0, 1, 1)])[:, :, 0].tolist()
        [[0, 50]]
    """
    if not places:
        return pixels
    found = pixels.copy()
    height, width = pixels.shape[:2]
    mean = np.rint(pixels.mean(axis=(0, 1))).astype(pixels.dtype)
    for left, top, right, bottom in places:
        found[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = mean
    return found


def silenced(sound: NDArray[np.float32], places: Collection[Place]) -> NDArray[np.float32]:
    """A recording with some of its stretches silent.

    Args:
        sound: At RATE, shape (n,).
        places: Start and end of each, in seconds.

    Example:
        >>> silenced(np.ones(3, dtype=np.float32), [(1 / 16_000, 2 / 16_000)]).tolist()
        [1.0, 0.0, 1.0]
    """
    found = sound.copy()
    for start, end in places:
        found[round(start * RATE) : round(end * RATE)] = 0
    return found
