"""Which labels may be meant: the smallest set that holds the right one 95 times in 100.

Source:
    Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers with
    Bounded Error Levels", JASA 114(525), 2019; split conformal prediction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVERAGE = 0.95


def candidate_threshold(of_the_right: NDArray[np.floating], *, coverage: float = COVERAGE) -> float:
    """The probability from which on a label is a candidate.

    Args:
        of_the_right: Probability given to the right label of each in-scope
            row, shape (n,).
        coverage: Share of sets that are to hold the right label.

    Returns:
        The threshold, 0 (every label is a candidate) where n is too small.

    Example:
        >>> candidate_threshold(np.linspace(0.01, 1, 100))
        0.05
        >>> candidate_threshold(np.array([0.9]))
        0.0
    """
    allowed = int((1 - coverage) * (len(of_the_right) + 1) + 1e-9)
    return float(np.sort(of_the_right)[allowed - 1]) if allowed else 0.0
