"""What regions of pictures, and stretches of recordings, added: weighed as words are, by taking them out.

Regions are cells of a grid. Those that tell most by themselves are cut into four, once, so that what matters is told
finely and the rest coarsely; then all are weighed together. Cells of this kind are found whatever the picture shows,
where superpixels follow edges, which masks make too.

Source:
    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2 (occlusion);
    Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section 4
    (measured by deleting and inserting what is named first). How parts are weighed: ``tokens.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from huiyi.explain.faithfulness import faithfulness
from huiyi.explain.parts import Numbered
from huiyi.explain.tokens import attribute
from huiyi.explanation import Region, Stretch, Weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

M = TypeVar("M", Region, Stretch)

Without = Callable[[Sequence[Sequence[M]]], "NDArray[np.floating]"]
"""Sets of parts to what a model says when each of them is gone: the probability of a label, shape (sets,)."""

CELLS = 16
"""Of the grids over all pictures of a record together, about."""

CUT = 4
"""Cells of these that are cut into four."""

FEW_CELLS = 9
"""Cells, none of them cut, where each look takes long."""

MOST_STRETCHES = 8
"""Of all recordings of a record together: to hear one anew takes long."""


def grid(pictures: int, cells: int = CELLS) -> list[Region]:
    """About so many cells over all pictures of a record, none weighed yet; of many pictures each is one.

    Example:
        >>> len(grid(1)), len(grid(2)), len(grid(5)), len(grid(100))
        (16, 18, 20, 100)
        >>> grid(1)[1]
        Region(picture=0, left=0.25, top=0.0, right=0.5, bottom=0.25, weight=0.0)
    """
    side = max(1, round((cells / pictures) ** 0.5))
    whole = [Region(picture, 0.0, 0.0, 1.0, 1.0, 0.0) for picture in range(pictures)]
    return [cell for region in whole for cell in _cells(region, side)]


def explain_regions(
    pictures: int,
    without: Without[Region],
    *,
    is_slow: bool = False,
    method: str = "chains",
    until: float = inf,
    seed: int = 0,
) -> Weighed[Region]:
    """Say what each region of the pictures of a record added to the probability of a label, the most telling first.

    Args:
        pictures: How many there are.
        without: The model, for the label.
        is_slow: Whether to ask it takes long: then there are few cells, and none is cut.
        method: How regions are weighed, one of ``METHODS``.
        until: When to stop asking, as ``perf_counter`` counts.
        seed: Of random orders.

    Example:
        >>> def without(sets):  # a model that looks at the top left corner
        ...     return np.array([0.9 - 0.8 * any(cell.left + cell.top == 0 for cell in gone) for gone in sets])
        >>> found = explain_regions(1, without)
        >>> best = found.parts[0]
        >>> (best.left, best.top, best.right, round(best.weight, 6)), len(found.parts)
        ((0.0, 0.0, 0.125, 0.8), 19)
    """
    if is_slow:
        cells = grid(pictures, FEW_CELLS)
        found, order = _weighed(cells, _numbered(cells, without, until), method, seed)
        return replace(found, parts=tuple(found.parts[place] for place in order))
    cells = grid(pictures)
    parts = _numbered(cells, without, until)
    looked = attribute(parts, method="occlusion")
    before = 0
    if parts.allows(2 * (len(cells) + 3 * CUT) + 2):  # else the cells are what is known by then
        strongest = sorted(range(len(cells)), key=lambda place: -abs(looked.weights[place]))[:CUT]
        cut = {place for place in strongest if looked.weights[place]}
        cells = [one for place, cell in enumerate(cells) for one in (_cells(cell, 2) if place in cut else [cell])]
        before, parts = parts.passes, _numbered(cells, without, until)
    found, order = _weighed(cells, parts, method, seed)
    return replace(found, parts=tuple(found.parts[place] for place in order), passes=before + found.passes)


def explain_stretches(
    stretches: Sequence[Stretch],
    without: Without[Stretch],
    *,
    method: str = "chains",
    until: float = inf,
    seed: int = 0,
) -> Weighed[Stretch]:
    """Say what each stretch of the recordings of a record added to the probability of a label.

    Args:
        stretches: Those there are, none weighed yet.
        without: The model, for the label.
        method: How stretches are weighed, one of ``METHODS``.
        until: When to stop asking, as ``perf_counter`` counts.
        seed: Of random orders.

    Example:
        >>> def without(sets):
        ...     return np.array([0.9 - 0.6 * any(stretch.start == 1 for stretch in gone) for gone in sets])
        >>> found = explain_stretches([Stretch(0, 0, 1, 0), Stretch(0, 1, 2, 0), Stretch(0, 2, 3, 0)], without)
        >>> [round(stretch.weight, 6) for stretch in found.parts]
        [0.0, 0.6, 0.0]
    """
    return _weighed(stretches, _numbered(stretches, without, until), method, seed)[0]


def _cells(region: Region, side: int) -> list[Region]:
    """A region cut into ``side`` times ``side``."""
    across = np.linspace(region.left, region.right, side + 1).tolist()
    down = np.linspace(region.top, region.bottom, side + 1).tolist()
    return [
        replace(region, left=across[column], top=down[row], right=across[column + 1], bottom=down[row + 1])
        for row in range(side)
        for column in range(side)
    ]


def _numbered(some: Sequence[M], without: Without[M], until: float) -> Numbered:
    """Parts of media by their places."""
    return Numbered(
        len(some), lambda sets: without([[some[place] for place in sorted(gone)] for gone in sets]), until=until
    )


def _weighed(some: Sequence[M], parts: Numbered, method: str, seed: int) -> tuple[Weighed[M], Sequence[int]]:
    """Weigh parts of media, and measure how far the weights can be trusted, where there is time; and their order."""
    found = attribute(parts, method=method, seed=seed)
    measured = faithfulness(parts, found.order) if parts.allows(parts.count) else None
    weighed = tuple(replace(part, weight=weight) for part, weight in zip(some, found.weights, strict=True))
    return Weighed(weighed, found.none, method, parts.passes, parts.sufficed, measured), found.order
