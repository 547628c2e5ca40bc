"""In which directions rows differ, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from huiyi.values import Array


def spread(rows: Array) -> tuple[Array, Array]:
    """Sums of squares along the principal directions of centred rows, and these directions as columns.

    The smallest comes first, and directions without any spread are left out.
    Of the two square matrices that tell the same, the smaller is taken apart:
    it costs the cube of the fewer of rows and columns.

    Args:
        rows: Shape (n, d).

    Example:
        >>> values, directions = spread(np.array([[3.0, 4.0], [-3.0, -4.0]]))
        >>> values.round(3).tolist(), np.abs(directions).round(3).tolist()
        ([50.0], [[0.6], [0.8]])
    """
    from scipy.linalg import eigh

    n, d = rows.shape
    values, vectors = eigh(rows.T @ rows if d <= n else rows @ rows.T, driver="evd")
    some = values > values[-1] * d * np.finfo(rows.dtype).eps
    values, vectors = values[some], vectors[:, some]
    return values, vectors if d <= n else rows.T @ vectors / np.sqrt(values)
