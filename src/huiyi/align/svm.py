"""The head for sparse signals: a linear support vector machine for each label.

Source:
    Fan et al., "LIBLINEAR: A Library for Large Linear Classification", JMLR 9,
    2008 (squared hinge loss, one label against the rest), by way of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

import numpy as np

from huiyi.align.base import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from huiyi.values import Array, Signal

_ROWS_AT_ONCE = 2_048
_ONE_AT_A_TIME = Lock()  # LIBLINEAR draws from one generator a process; two fits at once would share the draws


@dataclass(frozen=True)
class SvmConfig:
    """Options of a head of support vector machines.

    Attributes:
        penalty: C, the price of a row on the wrong side of its margin. Rows
            are expected to have unit length.
        largest_table: With more than this many labels times columns, only the
            columns that occur in most rows are used.
        smallest_weight: Weights nearer to zero than this are left out; they
            would make up most of what is saved.
    """

    penalty: float = 1.0
    largest_table: int = 40_000_000
    smallest_weight: float = 1e-3


class SvmHead:
    """Linear support vector machines over a sparse signal.

    Args:
        several: Whether each label stands for itself.
        config: Options.

    Example:
        >>> from scipy.sparse import csr_array
        >>> signal = csr_array(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32))
        >>> targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
        >>> head = SvmHead()
        >>> head.fit(signal, targets, np.array([0, 0, 1, 1]))
        >>> head.score(csr_array(np.array([[0.9, 0.1]], dtype=np.float32))).labels.argmax(axis=1).tolist()
        [0]
    """

    def __init__(self, *, several: bool = False, config: SvmConfig | None = None) -> None:
        self.several = several
        self.config = config or SvmConfig()

    def fit(self, signal: Signal, targets: Array, groups: NDArray[Any]) -> None:
        """Fit one machine a label. See ``Head.fit``."""
        from scipy.sparse import csr_array

        assert not isinstance(signal, np.ndarray), "a head of support vector machines takes a sparse signal"
        columns, k = signal.shape[1], targets.shape[1]
        parts = (signal.data, signal.indices.astype(np.int32), signal.indptr.astype(np.int32))
        signal = csr_array(parts, shape=signal.shape)  # LIBLINEAR counts with 32 bits
        used = np.arange(columns)
        if columns * k > self.config.largest_table:
            occurs = np.bincount(signal.indices, minlength=columns)
            used = np.sort(np.argsort(-occurs, kind="stable")[: max(1, self.config.largest_table // k)])
            signal = csr_array(signal[:, used])
        weights = np.zeros((k, len(used)), dtype=np.float32)
        self._bias = np.full(k, -1, dtype=np.float32)  # of a label without a row: it never holds
        if self.several:
            found = [
                (label, own, bias)
                for label in range(k)
                for holds, own, bias in self._machines(signal, targets[:, label])
                if holds
            ]
        else:
            # Rows that are out of scope are a class of their own, -1, while learning.
            found = list(self._machines(signal, np.where(targets.any(axis=1), targets.argmax(axis=1), -1)))
        for label, own, bias in found:
            if label >= 0:
                weights[label], self._bias[label] = own, bias
        self._bias -= self._bias.mean()
        kept = np.nonzero(np.abs(weights) >= self.config.smallest_weight)
        self._weights = csr_array((weights[kept], (used[kept[1]], kept[0])), shape=(columns, k))

    def _machines(self, signal: csr_array, classes: NDArray[Any]) -> Iterator[tuple[int, Array, float]]:
        """Yield each class with the weights and the bias of its machine against the rest."""
        names = np.unique(classes)
        if len(names) == 1:  # it always holds
            yield int(names[0]), np.zeros(signal.shape[1], dtype=np.float32), 1.0
            return
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=self.config.penalty, max_iter=10_000, random_state=0)
        with _ONE_AT_A_TIME, catch_warnings():
            filterwarnings("ignore", message=".*could represent a regression problem")  # one row a class is fine
            machine.fit(signal, classes)
        own, bias = machine.coef_, machine.intercept_
        if len(names) == 2:
            own, bias = np.vstack([-own, own]), np.append(-bias, bias)
        yield from zip(map(int, names), own, map(float, bias), strict=True)

    def score(self, signal: Signal, *, nearest: bool = True) -> Scores:
        """Distance of each row from each label's margin, less that of a row of nothing from an average one."""
        assert not isinstance(signal, np.ndarray), "a head of support vector machines takes a sparse signal"
        n = signal.shape[0]
        told = np.empty((n, len(self._bias)), dtype=np.float32)
        for start in range(0, n, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            rows = signal if n <= _ROWS_AT_ONCE else signal[part]  # a slice costs as much as a row's product
            told[part] = (rows @ self._weights).toarray() + self._bias
        return Scores(told)

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The weights that count, row by row of the signal's columns, and a bias for each label."""
        parts = {"data": self._weights.data, "indices": self._weights.indices, "indptr": self._weights.indptr}
        return {**parts, "bias": self._bias}, {"several": self.several, **asdict(self.config)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        from scipy.sparse import csr_array

        options = dict(config)
        self.several = options.pop("several")
        self.config = SvmConfig(**options)
        self._bias = arrays["bias"]
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        self._weights = csr_array(parts, shape=(len(parts[2]) - 1, len(self._bias)))
