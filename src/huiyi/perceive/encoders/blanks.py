"""Where a picture is blank: of a screenshot that is the most of it, and need not be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EDGE = 12  # levels of a colour between neighbours that are more than shades
_NOISE = 6.0  # times the median step between neighbours is more than noise
_BUSY = 8.0  # levels of a colour: where the median step is larger, nothing is blank
_ROOM = 24  # pixels that stay around what is not blank
_STEP = 32  # sides that the model takes are multiples of it


@dataclass(frozen=True)
class Region:
    """A part of a picture, in pixels, ends exclusive."""

    top: int
    bottom: int
    left: int
    right: int


def regions(pixels: NDArray[np.uint8]) -> list[Region]:
    """The parts of a picture that are not blank: bands across it, without their blank ends.

    Args:
        pixels: Shape (height, width, 3).

    Example:
        >>> page = np.full((200, 200, 3), 255, dtype=np.uint8)
        >>> page[90:95, 50:60] = 0
        >>> regions(page)
        [Region(top=66, bottom=120, left=26, right=85)]
        >>> regions(np.full((200, 200, 3), 255, dtype=np.uint8))
        []
    """
    height, width = pixels.shape[:2]
    levels = pixels.astype(np.int16)
    steps = np.zeros((height, width), np.int16)
    steps[:, 1:] = np.abs(np.diff(levels, axis=1)).max(axis=2)  # of any colour: red on blue may be as bright
    steps[1:] = np.maximum(steps[1:], np.abs(np.diff(levels, axis=0)).max(axis=2))
    usual = float(np.median(steps))
    if usual > _BUSY:
        return [Region(0, height, 0, width)]
    marked: NDArray[np.bool_] = steps > max(_EDGE, _NOISE * usual)
    found = []
    for top, bottom in _runs(np.flatnonzero(marked.any(axis=1)), height):
        columns = _runs(np.flatnonzero(marked[top:bottom].any(axis=0)), width)
        found.append(Region(top, bottom, columns[0][0], columns[-1][1]))
    return found


def _runs(marked: NDArray[np.intp], length: int) -> list[tuple[int, int]]:
    """Where marks are along a side, with room around them: each run's begin and end.

    Example:
        >>> _runs(np.array([100, 110, 290]), 300), _runs(np.array([], dtype=int), 300)
        ([(76, 135), (266, 300)], [])
    """
    found: list[tuple[int, int]] = []
    for place in marked.tolist():
        begin, end = max(0, place - _ROOM), min(length, place + 1 + _ROOM)
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def filled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A part of a picture, its edge repeated until its sides are ones that the model takes."""
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(np.pad(pixels, ((0, -height % _STEP), (0, -width % _STEP), (0, 0)), mode="edge"))
