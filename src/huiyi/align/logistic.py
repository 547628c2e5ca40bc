"""The head for what separates along straight lines: regularised logistic regression.

Trained on the likelihood itself, it is the best calibrated of the heads, and
its straight lines hold where new texts differ a little in kind from those
learnt from, which neighbours do not. It keeps the training rows all the same,
to tell how near the nearest is: what is far from all of them is strange.

Source:
    Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning",
    2nd ed., 2009, section 4.4 (the regression) and 18.3.2 (its ridge); Liu and
    Nocedal, "On the limited memory BFGS method for large scale optimization",
    Mathematical Programming 45, 1989.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.base import Memory, Scores
from huiyi.align.nearest import NearestRow, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal


@dataclass(frozen=True)
class LogisticConfig:
    """Options of a logistic head.

    Attributes:
        ridge: Half of it times the sum of squared weights is added to the loss
            summed over rows.
        steps: Most steps of the optimiser. More change nothing that counts.
        width: Nearness is told along this many directions of most spread.
    """

    ridge: float = 0.1
    steps: int = 60
    width: int = 128


class LogisticHead:
    """Logistic regression over a dense signal, centred and brought to unit length.

    Args:
        several: Whether each label stands for itself: a sigmoid each, instead
            of one softmax over all.
        config: Options.

    Example:
        >>> signal = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], dtype=np.float32)
        >>> targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
        >>> head = LogisticHead()
        >>> head.fit(signal, targets, np.array([0, 0, 1, 1]))
        >>> head.score(np.array([[0.8, 0.1]], dtype=np.float32)).labels.argmax(axis=1).tolist()
        [0]
    """

    def __init__(self, *, several: bool = False, config: LogisticConfig | None = None) -> None:
        self.several = several
        self.config = config or LogisticConfig()
        self._nearest = NearestRow()

    def fit(self, signal: Signal, targets: Array, groups: NDArray[Any]) -> None:
        """Find the weights of the highest penalised likelihood. See ``Head.fit``."""
        from scipy.optimize import minimize

        assert isinstance(signal, np.ndarray), "a logistic head takes a dense signal"
        self._centre = signal.mean(axis=0)
        prepared = unit(signal - self._centre)
        self._nearest.fit(prepared, width=self.config.width)
        rows = _with_one(prepared)
        k = targets.shape[1]
        none = 1 - targets.sum(axis=1, keepdims=True)
        if not self.several and none.any():
            targets = np.hstack([targets, none])  # rows that are out of scope are a class of their own while learning
        shape = (rows.shape[1], targets.shape[1])

        def penalised(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights = x.reshape(shape).astype(np.float32)
            odds = rows @ weights
            if self.several:
                loss = (np.logaddexp(0, odds) - targets * odds).sum(dtype=np.float64)
                error = 0.5 * (1 + np.tanh(0.5 * odds)) - targets
            else:
                odds -= odds.max(axis=1, keepdims=True)
                error = np.exp(odds)
                total = error.sum(axis=1, keepdims=True)
                loss = np.log(total).sum(dtype=np.float64) - (targets * odds).sum(dtype=np.float64)
                error /= total
                error -= targets
            slope = rows.T @ error + self.config.ridge * weights
            return float(loss + 0.5 * self.config.ridge * (weights**2).sum()), slope.ravel().astype(np.float64)

        start = np.zeros(shape[0] * shape[1])
        found = minimize(penalised, start, jac=True, method="L-BFGS-B", options={"maxiter": self.config.steps})
        self._weights = np.ascontiguousarray(found.x.reshape(shape)[:, :k], dtype=np.float32)
        if self.several:  # the odds of an average label are not even
            share = np.clip(targets.mean(), 1e-6, 1 - 1e-6)
            self._weights[-1] -= np.float32(np.log(share / (1 - share)))

    def keep(self, signal: Array) -> None:
        """Tell how near a row is by these, instead of by all that it was fitted on."""
        self._nearest.fit(unit(signal - self._centre), width=self.config.width)

    def score(self, signal: Signal, *, nearest: bool = True) -> Scores:
        """Log-odds of each label, less those of an average one, and the cosine with the nearest row as it is kept."""
        assert isinstance(signal, np.ndarray), "a logistic head takes a dense signal"
        rows = unit(signal - self._centre)
        return Scores(_with_one(rows) @ self._weights, self._nearest.cosines(rows) if nearest else None)

    def remember(self, signal: Signal) -> Memory:
        """The training rows beside one row, shape (1, d)."""
        assert isinstance(signal, np.ndarray), "the head takes a dense signal"
        return Memory(self._nearest.similarities(unit(signal - self._centre))[0])

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The centre, the directions and the training rows along them, and a weight for each number and label.

        The last weight of each label is its bias.
        """
        arrays = {"centre": self._centre, **self._nearest.to_arrays()}
        return {**arrays, "weights": self._weights}, {"several": self.several, **asdict(self.config)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        options = dict(config)
        self.several = options.pop("several")
        self.config = LogisticConfig(**options)
        self._centre, self._weights = arrays["centre"], arrays["weights"]
        self._nearest.from_arrays(arrays)


def _with_one(rows: Array) -> Array:
    """The rows, each with a last number 1 for the bias."""
    return np.hstack([rows, np.ones((len(rows), 1), dtype=np.float32)])
