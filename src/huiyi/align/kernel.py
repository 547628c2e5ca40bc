"""The head for what needs neighbours: kernel ridge regression on the label indicators.

With a Gaussian kernel on unit vectors it is as accurate as a kernel support
vector machine, has a closed form for any number of labels, and works from one
example a label. Least squares on indicators estimates the probability of each
label, so its logarithm is what is told.

Source:
    Rifkin, Yeo and Poggio, "Regularized Least-Squares Classification", 2003.
    Zhang, Duchi and Wainwright, "Divide and Conquer Kernel Ridge Regression",
    JMLR 16, 2015 (the average over blocks). Hatch, Kajarekar and Stolcke,
    "Within-class covariance normalization", Interspeech 2006.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.base import Memory, Scores
from huiyi.align.spread import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal

_ROWS_AT_ONCE = 2_048
_NEAR_ROWS = 200  # of 2,000 rows of BANKING77, the five of the strongest pull are the same but for one in ten


@dataclass(frozen=True)
class KernelConfig:
    """Options of a kernel head.

    Attributes:
        sharpness: g of the kernel exp(g (cosine - 1)).
        noise: Ridge added to the kernel's diagonal of 1.
        roundness: How far the within-class covariance of the signal is drawn
            towards a sphere, above 0 and up to 1.
        width: The signal is kept to this many directions of most spread.
        doubt: Added to every estimated probability before its logarithm is
            taken: the estimates vary by about this much.
        largest_block: Rows solved at once. More are split into blocks whose
            answers are averaged, so that time grows with rows times block.
    """

    sharpness: float = 2.0
    noise: float = 0.1
    roundness: float = 0.9
    width: int = 128
    doubt: float = 0.03
    largest_block: int = 12_000


class KernelHead:
    """Kernel ridge regression over a dense signal.

    Args:
        several: Whether each label stands for itself.
        config: Options.

    Example:
        >>> signal = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], dtype=np.float32)
        >>> targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
        >>> head = KernelHead()
        >>> head.fit(signal, targets, np.array([0, 0, 1, 1]))
        >>> head.score(np.array([[0.8, 0.1]], dtype=np.float32)).labels.argmax(axis=1).tolist()
        [0]
    """

    def __init__(self, *, several: bool = False, config: KernelConfig | None = None) -> None:
        self.several = several
        self.config = config or KernelConfig()

    def fit(self, signal: Signal, targets: Array, groups: NDArray[Any]) -> None:
        """Solve for the coefficients, block by block. See ``Head.fit``."""
        from scipy.linalg import cho_factor, cho_solve

        assert isinstance(signal, np.ndarray), "a kernel head takes a dense signal"
        self._map = _rounding(signal, groups, self.config)
        self._prior = targets.mean(axis=0)
        self._rows = self._prepared(signal)
        self._coefficients = np.zeros(targets.shape, dtype=np.float32)
        count = -(-len(signal) // self.config.largest_block)
        # Rows of a class follow each other in the order, so each block gets its share of every class.
        order = np.argsort(groups, kind="stable")
        for block in (np.sort(order[i::count]) for i in range(count)):
            kernel = self._kernel(self._rows[block], self._rows[block])
            np.fill_diagonal(kernel, 1 + self.config.noise)
            # The kernel is symmetric, so its transpose is the same matrix in the order LAPACK wants, without a copy.
            factor = cho_factor(kernel.T, lower=True, overwrite_a=True, check_finite=False)
            self._coefficients[block] = cho_solve(factor, targets[block] - self._prior, check_finite=False) / count

    def score(self, signal: Signal, *, nearest: bool = True) -> Scores:
        """Logarithms of the estimated probabilities, less that of a label's mean share, or its own for ``several``."""
        return Scores(self._told(self._estimate(signal)))

    def moved(self, signal: Signal, shifts: Array) -> Array:
        """Scores of one row, shape (1, d), if what is estimated of its labels moved by each of shifts, shape (m, k)."""
        return self._told(self._estimate(signal) + shifts)

    def _estimate(self, signal: Signal) -> Array:
        """Estimated probabilities of the labels, shape (n, k)."""
        assert isinstance(signal, np.ndarray), "a kernel head takes a dense signal"
        estimate = np.empty((len(signal), len(self._prior)), np.float32)
        for start in range(0, len(signal), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            estimate[part] = self._kernel(self._prepared(signal[part]), self._rows) @ self._coefficients
        estimate += self._prior
        return estimate

    def _told(self, estimate: Array) -> Array:
        """Scores of estimates."""
        # Of one label or another the rare are rarer; of several, each is weighed against its own share.
        told: Array = self._log(estimate) - self._log(self._prior if self.several else self._prior.mean())
        return told

    def remember(self, signal: Signal, without: int | None = None) -> Memory:
        """The training rows beside one row z, shape (1, d), and what the label of each counts there.

        ``without`` leaves out one of the rows: z itself, say, to hear what the head would tell had it not seen it.

        The estimate is linear in the labels: p(z) = ȳ + Σ_i h_i (y_i − ȳ), with h = (K + λI)⁻¹ K(·, z). The pull is h,
        solved among the nearest rows alone: exact where there are no more, and near to it where there are.
        """
        assert isinstance(signal, np.ndarray), "a kernel head takes a dense signal"
        similar = (self._prepared(signal) @ self._rows.T)[0]
        near = np.argpartition(-similar, min(_NEAR_ROWS, len(similar)) - 1)[:_NEAR_ROWS]
        near = near[near != without] if without is not None else near
        kernel = self._kernel(self._rows[near], self._rows[near])
        np.fill_diagonal(kernel, 1 + self.config.noise)
        pull = np.zeros(len(similar))
        pull[near] = np.linalg.solve(kernel, np.exp(self.config.sharpness * (similar[near] - 1)))
        return Memory(similar, pull)

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The training rows as the kernel sees them, and a coefficient for each row and label."""
        arrays = {**self._map, "rows": self._rows, "coefficients": self._coefficients, "prior": self._prior}
        return arrays, {"several": self.several, **asdict(self.config)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        options = dict(config)
        self.several = options.pop("several")
        self.config = KernelConfig(**options)
        self._map = {key: arrays[key] for key in ("centre", "directions")}
        self._rows, self._coefficients, self._prior = arrays["rows"], arrays["coefficients"], arrays["prior"]

    def _log(self, estimate: Array | np.float32) -> Array:
        """The logarithm of an estimated probability, or of its odds where each label stands for itself."""
        told: Array = np.log(np.maximum(estimate, 0) + self.config.doubt)
        if self.several:
            told -= np.log(np.maximum(1 - estimate, 0) + self.config.doubt)
        return told

    def _prepared(self, signal: Array) -> Array:
        """Rows made round within classes, of unit length."""
        rounded = (signal - self._map["centre"]) @ self._map["directions"]
        rounded /= np.maximum(np.linalg.norm(rounded, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        prepared: Array = rounded.astype(np.float32, copy=False)
        return prepared

    def _kernel(self, rows: Array, known: Array) -> Array:
        """Kernel of every row with every known one, each in (0, 1]."""
        kernel: Array = rows @ known.T
        kernel -= 1
        kernel *= self.config.sharpness
        return np.exp(kernel, out=kernel)


def _rounding(signal: Array, groups: NDArray[np.intp], config: KernelConfig) -> dict[str, NDArray[Any]]:
    """Centre, and the linear map that makes the spread within classes round.

    Columns are brought to one scale first. The covariance within classes is
    then drawn towards a sphere, because few rows tell little about it, and the
    rows are kept to the directions in which they differ most.
    """
    centre = signal.mean(axis=0)
    scale = 1 / (signal.std(axis=0) + 1e-6)
    rows = (signal - centre) * scale
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), rows.shape[1]), dtype=np.float32)
    np.add.at(sums, place, rows)
    strays = rows - (sums / sizes[:, None])[place]
    mean = float((strays**2).sum()) / rows.shape[1]
    round_map = np.eye(rows.shape[1], dtype=np.float32)
    if mean > 1e-9:  # else one row a class: nothing is known about the spread
        values, vectors = spread(strays)
        plain = config.roundness**-0.5
        lengths = (values * ((1 - config.roundness) / mean) + config.roundness) ** -0.5
        round_map = plain * round_map + (vectors * (lengths - plain)) @ vectors.T
    directions = scale[:, None] * round_map
    if min(rows.shape) > config.width:
        directions = directions @ spread(rows @ round_map)[1][:, -config.width :]
    return {"centre": centre.astype(np.float32), "directions": directions.astype(np.float32)}
