"""How near the nearest training row is, along the directions in which the rows differ most.

What a text has beside those directions counts against it: it makes it strange too.

Source:
    Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors",
    ICML 2022, and Wang et al., "ViM: Out-Of-Distribution with Virtual-logit
    Matching", CVPR 2022 (what lies beside the directions of the training rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.spread import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

_ROWS_AT_ONCE = 2_048


class NearestRow:
    """Keeps training rows, and tells the cosine of others with the nearest of them.

    Example:
        >>> near = NearestRow()
        >>> rows = np.eye(4, dtype=np.float32)
        >>> near.fit(rows, width=2)
        >>> near.cosines(rows).shape
        (4,)
    """

    def fit(self, rows: Array, *, width: int) -> None:
        """Keep rows of unit length, shape (n, d), along ``width`` directions."""
        self._directions = np.ascontiguousarray(spread(rows)[1][:, -width:])
        self._known = unit(rows @ self._directions)

    def cosines(self, rows: Array) -> NDArray[np.float32]:
        """For rows of unit length, shape (m, d): 0 (nothing alike) to 1 (the same)."""
        along = rows @ self._directions
        nearest = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            nearest[part] = (along[part] @ self._known.T).max(axis=1)
        return np.clip(nearest, 0, 1)

    def similarities(self, rows: Array) -> Array:
        """Cosines of rows of unit length, shape (m, d), with all that are kept, shape (m, n)."""
        similar: Array = unit(rows @ self._directions) @ self._known.T
        return similar

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The directions, and the training rows along them."""
        return {"directions": self._directions, "known": self._known}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what ``to_arrays`` gave."""
        self._directions, self._known = arrays["directions"], arrays["known"]


def unit(rows: Array) -> Array:
    """The rows at length 1."""
    scaled: Array = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return scaled.astype(np.float32, copy=False)
