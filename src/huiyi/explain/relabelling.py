"""The fewest training rows whose other label would have changed what was told.

Rows are taken in the order in which each alone brings the rival nearest. How many
of them suffice is told by heads that are linear in the labels (``examples.py``),
all else of the model staying as it is. Where the heads can be fitted again, the
number is searched anew with that: what is named then was tried.

Source:
    Koh and Liang, "Understanding Black-box Predictions via Influence Functions", ICML 2017 (influence of training
    rows); Yang, Jain and Wallace, "How Many and Which Training Points Would Need to be Removed to Flip this
    Prediction?", EACL 2023; Yang, Xu and Yu, "Relabeling Minimal Training Subset to Flip a Prediction", Findings of
    EACL 2024 (the question, and taking rows in the order of their influence).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ROWS = 20
"""Of more rows than this none are named: a decision that rests on so many rests on no few."""

RIVALS = 2
"""The likeliest other labels, of which each is tried."""

TRIED = 60
"""Rows that are looked at: those that count most."""

Estimated = Callable[[Sequence[Sequence[int]], int], "NDArray[np.floating]"]
"""Sets of rows and a label, by its column, to the probabilities if the rows had that label, shape (sets, k)."""

Refitted = Callable[[Sequence[int], int], "NDArray[np.floating]"]
"""The same for one set, told by heads that are fitted again, shape (k,)."""


def fewest_rows(
    columns: NDArray[np.intp],
    counts: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    estimated: Estimated,
    refitted: Refitted | None = None,
    *,
    rival: int | None = None,
) -> tuple[tuple[int, ...], int, float] | None:
    """The fewest rows that were found to change the likeliest label once they have another one.

    Args:
        columns: Of the label of each of m rows, shape (m,); -1 for none.
        counts: What the label of each counts, shape (m,).
        probabilities: Of the labels as it is, shape (k,).
        estimated: Tells what would be said.
        refitted: Tells it by fitting again.
        rival: The label to which it should change; the likeliest others where none is named.

    Returns:
        The rows, the column of the label that they would have, and its probability then; None where more than
        ``MOST_ROWS`` would be needed.

    Example:
        >>> columns, counts = np.array([0, 0, 1]), np.array([0.1, 0.3, 0.2])
        >>> def estimated(sets, to):
        ...     return np.array([[0.7 - counts[list(some)].sum(), 0.3 + counts[list(some)].sum()] for some in sets])
        >>> rows, to, probability = fewest_rows(columns, counts, np.array([0.7, 0.3]), estimated)
        >>> rows, to, round(probability, 2)
        ((1,), 1, 0.6)
    """
    top, *others = (int(column) for column in np.argsort(-probabilities, kind="stable"))
    found: list[tuple[int, list[int], int, NDArray[np.floating]]] = []
    for to in [rival] if rival is not None else others[:RIVALS]:
        usable = np.flatnonzero((counts > 0) & (columns != to))
        usable = usable[np.argsort(-counts[usable], kind="stable")][:TRIED]
        if not len(usable):
            continue
        alone = estimated([[int(row)] for row in usable], to)
        nearness = np.log(np.maximum(alone[:, to], 1e-12)) - np.log(np.maximum(alone[:, top], 1e-12))
        order = [int(usable[place]) for place in np.argsort(-nearness, kind="stable")][:MOST_ROWS]
        told = estimated([order[: size + 1] for size in range(len(order))], to)
        flips = np.flatnonzero(told.argmax(axis=1) == to)
        found.append((int(flips[0]) + 1 if len(flips) else 0, order, to, told))
    if not found:
        return None
    size, order, to, told = min(found, key=lambda one: (one[0] or MOST_ROWS + 1, -float(one[3][-1, one[2]])))
    if refitted is not None:
        size, told = _tried(order, to, size, told, refitted)
    return (tuple(order[:size]), to, float(told[size - 1, to])) if size else None


def _tried(
    order: Sequence[int], to: int, guessed: int, told: NDArray[np.floating], refitted: Refitted
) -> tuple[int, NDArray[np.floating]]:
    """How many rows of an order suffice when heads are fitted again, 0 where all do not, and what is said then."""
    told = told.copy()

    def flips(size: int) -> bool:
        told[size - 1] = refitted(order[:size], to)
        return int(told[size - 1].argmax()) == to

    too_few, enough = 0, guessed or len(order)
    while not flips(enough):
        if enough == len(order):
            return 0, told
        too_few, enough = enough, min(2 * enough, len(order))
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if flips(middle) else (middle, enough)
    return enough, told
