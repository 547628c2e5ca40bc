"""The mean of numbers that are not normal and not independent, and what it may be.

Weighted outcomes are skewed: a few rows with large weights say most. With n numbers x, or n sums over the rows of each
unit, s their differences from the mean, and z of the level asked for,

    c = Σ s³ / (Σ s²)^1.5,   T = (mean − truth) / error
    g(T) = T + c T² / 3 + c² T³ / 27 + c / 6   is nearly normal, and c = 0 gives the usual interval

so that the truth is taken to lie between mean − error · g⁻¹(z) and mean − error · g⁻¹(−z).

Sources:
    Hall, "On the Removal of Skewness by Transformation", Journal of the Royal Statistical Society B 54(1), 1992.
    Sums over units: Liang and Zeger, "Longitudinal Data Analysis Using Generalized Linear Models", Biometrika 73(1),
    1986. What holds for any bounded numbers: Maurer and Pontil, "Empirical Bernstein Bounds and Sample Variance
    Penalization", COLT 2009, theorem 4.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from huiyi.values import Estimate


def mean_of(
    numbers: NDArray[np.float64],
    *,
    units: NDArray[np.intp] | None = None,
    level: float = 0.95,
    spread: float | None = None,
) -> Estimate:
    """The mean, with an interval that allows for skewness and for rows that belong together.

    Args:
        numbers: Shape (n,), at least two of them.
        units: Whom each is about, shape (n,), as places from 0 on; rows of one unit are not independent.
        level: How often such intervals hold the truth.
        spread: The largest number that may be, less the smallest. The interval then holds for all such numbers, however
            they are distributed, and is several times as wide.

    Example:
        >>> skewed = np.array([0.0] * 95 + [1.0] * 5)
        >>> found = mean_of(skewed)
        >>> round(found.value, 2), round(found.low, 3), round(found.high, 3)
        (0.05, 0.016, 0.124)
    """
    from scipy.stats import t

    value = float(np.mean(numbers))
    sums: NDArray[np.float64] = numbers - value
    most = 1
    if units is not None:
        counts = np.bincount(units)
        sums = np.asarray(np.bincount(units, weights=sums)[counts > 0], dtype=np.float64)
        most = int(counts.max())
    many = len(sums)
    squares = float((sums**2).sum())
    error = math.sqrt(squares * many / max(many - 1, 1)) / len(numbers)
    if spread is not None:
        many_times = math.log(4 / (1 - level))
        reach = error * math.sqrt(2 * many_times) + 7 * spread * many_times * most * many / len(numbers) / (
            3 * max(many - 1, 1)
        )
        return Estimate(value, value - reach, value + reach, error, level)
    skew = float((sums**3).sum()) / squares**1.5 if squares else 0.0
    z = float(t.ppf((1 + level) / 2, max(many - 1, 1)))
    return Estimate(value, value - error * _inverse(z, skew), value - error * _inverse(-z, skew), error, level)


def effective_rows(weights: NDArray[np.float64]) -> float:
    """How many rows of equal weight would say as much: (Σw)² / Σw².

    Example:
        >>> effective_rows(np.array([1.0, 1.0, 1.0])), effective_rows(np.array([1.0, 0.0, 0.0]))
        (3.0, 1.0)
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _inverse(y: float, c: float) -> float:
    """The T at which g(T) is y."""
    return y if abs(c) < 1e-9 else 3 / c * (math.cbrt(1 + c * (y - c / 6)) - 1)
