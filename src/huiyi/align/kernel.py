"""The head of the core: kernel ridge regression on the label indicators.

With a Gaussian kernel on unit vectors it is as accurate as a kernel support
vector machine, has a closed form for any number of labels, works from one
example a label, and tells for free what it would have said of each training
row had it not seen it. That last gift is what weights, calibration and scope
are fitted on, without training anything twice.

Source:
    Cawley, "Leave-One-Out Cross-Validation Based Model Selection Criteria for
    Weighted LS-SVMs", IJCNN 2006 (the leave-one-out formula). Zhang, Duchi and
    Wainwright, "Divide and Conquer Kernel Ridge Regression", JMLR 16, 2015
    (the average over blocks). Hatch, Kajarekar and Stolcke, "Within-class
    covariance normalization", Interspeech 2006.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align.base import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from huiyi.values import Array, Signal

_ROWS_AT_ONCE = 2_048
_FOLDS = 5
_FREQUENT_COLUMNS = 512
_FEW_ROWS = 64


@dataclass(frozen=True)
class KernelConfig:
    """Options of a kernel head.

    Attributes:
        sharpness: g of the kernel exp(g (cosine - 1)).
        noise: Ridge added to the kernel's diagonal of 1.
        roundness: How far the within-class covariance of a dense signal is
            drawn towards a sphere, 0 to 1.
        width: A dense signal is kept to this many directions of most spread.
        largest_block: Rows solved at once. More are split into blocks whose
            answers are averaged, so that time grows with rows times block.
        fewest_rows: With fewer rows of a dense signal, what it would have
            said of each is found by fitting again without a fifth of them:
            few rows weigh in the spread within classes, which the
            leave-one-out formula takes as given.
    """

    sharpness: float = 2.0
    noise: float = 0.1
    roundness: float = 0.9
    width: int = 512
    largest_block: int = 12_000
    fewest_rows: int = 3_000


class KnownRows:
    """Training rows of unit length, laid out so that cosines with them come fast.

    Of sparse rows a few hundred columns hold most of the numbers. For many
    rows at once those columns are multiplied as dense ones, five times faster;
    for one row at a time the sparse product is.
    """

    def __init__(self, rows: Array | csr_array) -> None:
        self.rows = rows
        if not isinstance(rows, np.ndarray):
            self._across = rows.T.tocsr()
            self._frequent = np.sort(np.argsort(-np.diff(self._across.indptr), kind="stable")[:_FREQUENT_COLUMNS])

    def cosines(self, others: Array | csr_array) -> Array:
        """Cosine of each of n other rows with each of the m known ones, shape (n, m)."""
        cosines: Array
        if isinstance(others, np.ndarray):
            cosines = others @ self.rows.T
        elif others.shape[0] < _FEW_ROWS:
            cosines = (others @ self._across).toarray()
        else:
            frequent = np.zeros(self._across.shape[0], dtype=bool)
            frequent[self._frequent] = True
            cosines = others[:, self._frequent].toarray() @ self._across[self._frequent].toarray()
            cosines += (others[:, ~frequent] @ self._across[~frequent]).toarray()
        return cosines


class KernelHead:
    """Kernel ridge regression with leave-one-out scores, over a dense or sparse signal.

    Example:
        >>> signal = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], dtype=np.float32)
        >>> targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
        >>> head = KernelHead()
        >>> left_out = head.fit(signal, targets, np.array([0, 0, 1, 1]))
        >>> left_out.labels.argmax(axis=1).tolist()
        [0, 0, 1, 1]
        >>> head.score(np.array([[0.8, 0.1]], dtype=np.float32)).labels.argmax(axis=1).tolist()
        [0]
    """

    def __init__(self, config: KernelConfig | None = None) -> None:
        self.config = config or KernelConfig()
        self._arrays: dict[str, NDArray[Any]] = {}

    def fit(self, signal: Signal, targets: Array, groups: NDArray[np.intp]) -> Scores:
        """Solve for the coefficients and return the scores of rows held out. See ``Head.fit``."""
        left_out = self._solved(signal, targets, groups)
        if isinstance(signal, np.ndarray) and len(signal) < self.config.fewest_rows:
            return self._refitted(signal, targets, groups)
        return left_out

    def _refitted(self, signal: Array, targets: Array, groups: NDArray[np.intp]) -> Scores:
        """Scores of each row by a head that was fitted without it and its fold."""
        n = len(signal)
        folds = min(_FOLDS, n)
        labels, nearest = np.zeros(targets.shape, np.float32), np.zeros(n, np.float32)
        order = np.argsort(groups, kind="stable")
        for held_out in (order[i::folds] for i in range(folds) if folds > 1):
            rest = np.setdiff1d(order, held_out)
            head = KernelHead(self.config)
            head._solved(signal[rest], targets[rest], groups[rest])
            scores = head.score(signal[held_out])
            labels[held_out], nearest[held_out] = scores.labels, scores.nearest
        return Scores(labels, nearest)

    def _solved(self, signal: Signal, targets: Array, groups: NDArray[np.intp]) -> Scores:
        """Solve for the coefficients, block by block, and return the leave-one-out scores."""
        n = signal.shape[0]
        if isinstance(signal, np.ndarray):
            self._arrays = _rounding(signal, groups, self.config)
        prior = targets.mean(axis=0)
        rows = self._prepared(signal)
        self._coefficients = np.zeros((n, targets.shape[1]), dtype=np.float32)
        left_out = np.zeros_like(self._coefficients)
        nearest = np.zeros(n, dtype=np.float32)
        count = -(-n // self.config.largest_block)
        # Rows of a class follow each other in the order, so each block gets its share of every class.
        order = np.argsort(groups, kind="stable")
        for block in (np.sort(order[i::count]) for i in range(count)):
            known = KnownRows(rows[block])
            kernel = self._kernel(rows[block], known)
            np.fill_diagonal(kernel, 0)
            nearest[block] = np.maximum(nearest[block], kernel.max(axis=1))
            np.fill_diagonal(kernel, 1 + self.config.noise)
            wanted = targets[block] - prior
            solution, inverse_diagonal = _solve(kernel, wanted)
            self._coefficients[block] = solution / count
            left_out[block] += (wanted - solution / inverse_diagonal[:, None]) / count
            if count > 1:
                others = np.setdiff1d(np.arange(n), block, assume_unique=True)
                scores = self._against(rows[others], known, self._coefficients[block])
                left_out[others] += scores.labels
                nearest[others] = np.maximum(nearest[others], scores.nearest)
        self._known = known if count == 1 else KnownRows(rows)
        return Scores(left_out, self._cosine(nearest))

    def score(self, signal: Signal) -> Scores:
        """Return scores of new rows: labels (n, k), and the similarity of the nearest training row."""
        scores = self._against(self._prepared(signal), self._known, self._coefficients)
        return Scores(scores.labels, self._cosine(scores.nearest))

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The training rows as the kernel sees them, and a coefficient for each row and label."""
        arrays = {**self._arrays, "coefficients": self._coefficients}
        rows = self._known.rows
        if isinstance(rows, np.ndarray):
            return {**arrays, "rows": rows}, asdict(self.config)
        parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
        return {**arrays, **parts}, {**asdict(self.config), "columns": rows.shape[1]}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        config = dict(config)
        columns = config.pop("columns", None)
        self.config = KernelConfig(**config)
        self._coefficients = arrays["coefficients"]
        self._arrays = {key: arrays[key] for key in ("centre", "directions") if key in arrays}
        if columns is None:
            self._known = KnownRows(arrays["rows"])
        else:
            from scipy.sparse import csr_array

            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            self._known = KnownRows(csr_array(parts, shape=(len(self._coefficients), columns)))

    def _prepared(self, signal: Signal) -> Array | csr_array:
        """Rows of unit length; those of a dense signal made round within classes first."""
        if not isinstance(signal, np.ndarray):
            return signal  # sparse rows come with unit length, and rounding would fill them
        rounded = (signal - self._arrays["centre"]) @ self._arrays["directions"]
        length = np.linalg.norm(rounded, axis=1, keepdims=True)
        rounded /= np.maximum(length, np.finfo(np.float32).tiny)
        prepared: Array = rounded.astype(np.float32)
        return prepared

    def _kernel(self, rows: Array | csr_array, known: KnownRows) -> Array:
        """Kernel of every row with every known one, each in (0, 1]."""
        kernel = known.cosines(rows)
        kernel -= 1
        kernel *= self.config.sharpness
        return np.exp(kernel, out=kernel)

    def _against(self, rows: Array | csr_array, known: KnownRows, coefficients: Array) -> Scores:
        """Kernel scores of prepared rows against known ones."""
        n = rows.shape[0]
        labels = np.empty((n, coefficients.shape[1]), dtype=np.float32)
        nearest = np.empty(n, dtype=np.float32)
        for start in range(0, n, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            kernel = self._kernel(rows[part], known)
            nearest[part] = kernel.max(axis=1)
            labels[part] = kernel @ coefficients
        return Scores(labels, nearest)

    def _cosine(self, kernel: Array) -> Array:
        """The cosine a kernel value stands for, not below 0."""
        tiny = np.finfo(np.float32).tiny
        return np.clip(1 + np.log(np.maximum(kernel, tiny)) / self.config.sharpness, 0, 1).astype(np.float32)


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
    residual = rows - (sums / sizes[:, None])[place]
    n, d = residual.shape
    mean = float((residual**2).sum()) / d
    if mean > 1e-9:
        values, vectors = _principal(residual * np.sqrt((1 - config.roundness) / mean))
        stretch = (values + config.roundness) ** -0.5 - config.roundness**-0.5
        round_map = config.roundness**-0.5 * np.eye(d, dtype=np.float32) + (vectors * stretch) @ vectors.T
    else:  # one row a class: nothing is known about the spread
        round_map = np.eye(d, dtype=np.float32)
    directions = scale[:, None] * round_map
    if d > config.width and n > config.width:
        _, spread = _principal(rows @ round_map)
        directions = directions @ spread[:, -config.width :]
    return {"centre": centre.astype(np.float32), "directions": directions.astype(np.float32)}


def _principal(rows: Array) -> tuple[Array, Array]:
    """Eigenvalues, rising, and eigenvectors (d, r) of rows.T @ rows, by way of the smaller of its two products."""
    from scipy.linalg import eigh

    if rows.shape[0] >= rows.shape[1]:
        values, vectors = eigh(rows.T @ rows)
        return np.maximum(values, 0), vectors
    values, left = eigh(rows @ rows.T)
    kept = values > values[-1] * 1e-6
    values = values[kept]
    return values, rows.T @ (left[:, kept] / np.sqrt(values))


def _solve(kernel: Array, wanted: Array) -> tuple[Array, Array]:
    """Solve kernel @ x = wanted, and return x with the diagonal of the kernel's inverse. Overwrites the kernel."""
    from scipy.linalg.lapack import spotrf, spotrs, strtri

    # The kernel is symmetric, so its transpose is the same matrix in the order LAPACK wants, without a copy.
    factor, failed = spotrf(kernel.T, lower=1, clean=0, overwrite_a=1)
    assert failed == 0, "the noise on the diagonal keeps a kernel positive definite"
    solution, _ = spotrs(factor, wanted, lower=1)
    inverse, _ = strtri(factor, lower=1, overwrite_c=1)
    # The inverse of the factor is lower triangular; above the diagonal LAPACK left what was there.
    diagonal = np.empty(len(inverse), dtype=np.float32)
    for start in range(0, len(inverse), _ROWS_AT_ONCE):
        columns = slice(start, start + _ROWS_AT_ONCE)
        diagonal[columns] = (np.tril(inverse[start:, columns]) ** 2).sum(axis=0)
    return solution, diagonal
