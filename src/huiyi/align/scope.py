"""How familiar a record looks, without any example of what is out of scope.

A record is strange when no label scores high, and when nothing in the training
rows is near it. Both are measured on the training rows held out, brought to
one scale, and summed; the sum is then told as the share of in-scope rows that
look stranger still. That share is a conformal p-value, so a level of 0.04 gives
up about one in-scope row in 25, whatever the data.

Source:
    Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and
    Out-of-Distribution Examples", ICLR 2017 (the score); Sun et al.,
    "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022 (the
    nearest row); Bates et al., "Testing for outliers with conformal p-values",
    Annals of Statistics 51(1), 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

KEPT_QUANTILES = 2_000


class Scope:
    """Scores familiarity from clues of shape (n, c), each the higher the more familiar.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scope = Scope()
        >>> scope.fit(rng.normal(size=(500, 2)), np.zeros((0, 2)))
        >>> familiar = scope.measure(np.array([[0.0, 0.0], [-4.0, -4.0]]))
        >>> bool(0.3 < familiar[0] < 0.7), bool(familiar[1] < 0.01)
        (True, True)
    """

    def fit(self, inside: Array, outside: Array) -> None:
        """Learn the clues' scale from in-scope rows held out, and their weights where there are rows out of scope.

        Args:
            inside: Clues of in-scope rows, shape (n, c).
            outside: Clues of out-of-scope rows, shape (m, c). With no
                more of them than clues, all clues weigh the same.
        """
        count = inside.shape[1]
        self._centre, self._scale, self._weights = np.zeros(count), np.ones(count), np.ones(count)
        if len(inside):
            self._centre, self._scale = inside.mean(axis=0), inside.std(axis=0) + 1e-9
        if len(inside) > 1 and len(outside) > count:
            self._weights = _discriminant(self._scaled(inside), self._scaled(outside))
        self.recalibrate(inside)

    def recalibrate(self, inside: Array) -> None:
        """Tell familiarity by these in-scope rows from now on."""
        familiar = np.sort(self._scaled(inside) @ self._weights)
        if len(familiar) > KEPT_QUANTILES:
            familiar = np.quantile(familiar, np.linspace(0, 1, KEPT_QUANTILES))
        self._known = familiar

    def measure(self, clues: Array) -> NDArray[np.float64]:
        """Share of in-scope rows that look at most as familiar, shape (n,), in (0, 1]."""
        below = np.searchsorted(self._known, self._scaled(clues) @ self._weights, side="right")
        share: NDArray[np.float64] = (below + 1) / (len(self._known) + 1)
        return share

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """Scale and weight of each clue, and the sums of the in-scope rows in order."""
        return {"centre": self._centre, "scale": self._scale, "weights": self._weights, "known": self._known}, {}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self._centre, self._scale = arrays["centre"], arrays["scale"]
        self._weights, self._known = arrays["weights"], arrays["known"]

    def _scaled(self, clues: Array) -> Array:
        """Clues on one scale; one far beyond what was seen says no more than one just beyond."""
        scaled: Array = np.clip((clues - self._centre) / self._scale, -6, 6)
        return scaled


def _discriminant(inside: Array, outside: Array) -> NDArray[np.float64]:
    """Fisher's direction between the two, kept to clues that count as they should."""
    spread = np.cov(inside.T) + np.cov(outside.T) + 0.1 * np.eye(inside.shape[1])
    direction = np.maximum(np.linalg.solve(spread, inside.mean(axis=0) - outside.mean(axis=0)), 0)
    return direction / direction.sum() * len(direction) if direction.sum() > 0 else np.ones(len(direction))
