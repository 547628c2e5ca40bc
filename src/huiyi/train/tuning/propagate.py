"""Labels for texts that have none: those of the texts around them.

Texts that mean the same lie together, whether labelled or not. So what is
guessed of each text is passed on to its nearest texts, again and again, until
it settles; labels that are known are passed on with the rest.

Source:
    Zhou et al., "Learning with Local and Global Consistency", NeurIPS 2003; Zhu
    and Ghahramani, "Learning from Labeled and Unlabeled Data with Label
    Propagation", 2002 (what is known is put back in every round);
    Iscen et al., "Label Propagation for Deep Semi-supervised Learning", CVPR 2019;
    Berthelot et al., "MixMatch", NeurIPS 2019, section 3.2 (sharpening).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from huiyi.align.nearest import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from huiyi.values import Array

NEIGHBOURS = 10
SHARPNESS = 8.0
"""How much faster than its cosine falls what a neighbour counts."""

PASSED_ON = (0.95, 0.8, 0.5, 0.0)
"""Shares that may come from the neighbours, in each of the ROUNDS. Where texts that mean the same do not lie together,
less is better."""

PARTS = 3
"""Parts of the rows that are left out in turn to choose the share."""

ROUNDS = 30
SHARPENED = 2
"""The power that shares are raised to when they have settled, for what is passed on and on becomes too even."""

_ROWS_AT_ONCE = 1_024


def neighbours(vectors: Array) -> csr_array:
    """The graph of nearest texts, symmetric and normalised, shape (n, n).

    Args:
        vectors: What the texts mean, shape (n, d). They are centred first:
            what all have in common says nothing.
    """
    from scipy.sparse import csr_array, diags_array

    rows = unit(vectors - vectors.mean(axis=0))
    n = len(rows)
    count = min(NEIGHBOURS, n - 1)
    places = np.zeros((n, count), dtype=np.intp)
    weights = np.zeros((n, count), dtype=np.float32)
    for start in range(0, n, _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, n))
        cosines = rows[part] @ rows.T
        cosines[np.arange(len(cosines)), np.arange(part.start, part.stop)] = -np.inf
        places[part] = np.argpartition(-cosines, count - 1, axis=1)[:, :count] if count else 0
        weights[part] = np.exp(SHARPNESS * (np.take_along_axis(cosines, places[part], axis=1) - 1))
    graph = csr_array((weights.ravel(), places.ravel(), np.arange(n + 1) * count), shape=(n, n))
    graph = csr_array(graph.maximum(graph.T))
    scale = diags_array(1 / np.sqrt(np.maximum(graph.sum(axis=1), 1e-12)))
    return csr_array(scale @ graph @ scale)


def share_that_suits(
    graph: csr_array, guess: Callable[[NDArray[np.bool_]], Array], known: NDArray[np.bool_], asked: NDArray[np.intp]
) -> float:
    """The share of ``PASSED_ON`` by which known rows are told best when they are taken for unknown.

    Args:
        graph: See ``neighbours``.
        guess: From which rows are known to probabilities of all rows, shape (n, k).
        known: Boolean, shape (n,).
        asked: Known rows to choose by.
    """
    classes = guess(known).argmax(axis=1)
    parts = np.argsort(np.argsort(classes[asked], kind="stable")) % PARTS
    right = dict.fromkeys(PASSED_ON, 0)
    for part in range(PARTS):
        left_out = asked[parts == part]
        still_known = known.copy()
        still_known[left_out] = False
        if not still_known.any():
            continue
        guesses = guess(still_known)
        for share in PASSED_ON:
            told = propagate(graph, guesses, still_known, share=share)[left_out].argmax(axis=1)
            right[share] += int((told == classes[left_out]).sum())
    return max(right, key=lambda share: right[share])  # the first of equals


def propagate(graph: csr_array, guesses: Array, known: NDArray[np.bool_], *, share: float = PASSED_ON[0]) -> Array:
    """Pass guesses on along a graph.

    Args:
        graph: See ``neighbours``.
        guesses: Probabilities of each label, shape (n, k).
        known: Boolean, shape (n,): rows whose guess is right and stays.
        share: What comes from the neighbours, in each round.

    Returns:
        Probabilities after it has settled, sharpened, shape (n, k).

    Example:
        >>> line = np.array([[0.0, 1.0], [0.1, 1.0], [1.0, 0.1], [1.0, 0.0]], dtype=np.float32)
        >>> guesses = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.0, 1.0]])
        >>> propagate(neighbours(line), guesses, np.array([True, False, False, True])).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    settled = guesses.astype(np.float64)
    for _ in range(ROUNDS):
        settled = share * (graph @ settled) + (1 - share) * guesses
        settled[known] = guesses[known]
    settled /= np.maximum(settled.max(axis=1, keepdims=True), 1e-12)
    settled **= SHARPENED
    settled /= np.maximum(settled.sum(axis=1, keepdims=True), 1e-12)
    settled[known] = guesses[known]
    return np.asarray(settled, dtype=np.float32)
