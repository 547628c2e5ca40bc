"""The stretches of recordings that explanations speak of: where somebody speaks, cut where it is quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from huiyi.perceive.encoders.whisper import voiced
from huiyi.perceive.recordings import RATE, RECORDINGS, samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Record

SHORTEST_SECONDS = 1.0
"""About as long as two or three words; shorter stretches are hardly heard as anything."""

_FRAME = RATE // 50
_SLACK = 0.3  # of a stretch's length, by which a cut may move to where it is quietest


def stretches_of(record: Record, most: int) -> list[list[tuple[float, float]]]:
    """Stretches of each of the recordings of a record, in seconds, ``most`` of all of them together where they suffice.

    Raises:
        DataError: A recording cannot be read.
        MissingExtraError: The extra ``audio`` is not installed.
    """
    each = max(1, most // max(1, len(record.audios)))
    return [
        stretches(samples(RECORDINGS.content(media), RECORDINGS.called(media)), each, voiced) for media in record.audios
    ]


def stretches(
    sound: NDArray[np.float32], most: int, speech: Callable[[NDArray[np.float32]], Sequence[tuple[int, int]]]
) -> list[tuple[float, float]]:
    """Cut a recording, at its pauses first, then each stretch where it is quiet, into pieces of about the same length.

    Args:
        sound: At RATE, shape (n,).
        most: How many pieces there may be.
        speech: Says where somebody speaks. Where nobody does, all of it is cut.

    Returns:
        Start and end of each, in seconds, in order.

    Example:
        >>> sound = np.ones(4 * RATE, dtype=np.float32)
        >>> sound[int(1.9 * RATE) : int(1.94 * RATE)] = 0
        >>> [(round(start, 1), round(end, 1)) for start, end in stretches(sound, 2, lambda sound: [])]
        [(0.0, 1.9), (1.9, 4.0)]
    """
    found = [*speech(sound)] or [(0, len(sound))]
    while len(found) > most:  # the two with the shortest pause between them become one
        pauses = [later[0] - earlier[1] for earlier, later in pairwise(found)]
        place = int(np.argmin(pauses))
        found[place : place + 2] = [(found[place][0], found[place + 1][1])]
    while len(found) < most:
        place = max(range(len(found)), key=lambda number: found[number][1] - found[number][0])
        start, end = found[place]
        if end - start < 2 * SHORTEST_SECONDS * RATE:
            break
        cut = _quietest(sound, start, end)
        found[place : place + 1] = [(start, cut), (cut, end)]
    return [(start / RATE, end / RATE) for start, end in found]


def _quietest(sound: NDArray[np.float32], start: int, end: int) -> int:
    """The middle of the quietest frame around the middle of a stretch."""
    middle, slack = (start + end) // 2, int(_SLACK * (end - start) / 2)
    frames = np.arange(middle - slack, middle + slack - _FRAME, _FRAME)
    loudness = [float(np.square(sound[frame : frame + _FRAME], dtype=np.float64).sum()) for frame in frames]
    return int(frames[int(np.argmin(loudness))]) + _FRAME // 2
