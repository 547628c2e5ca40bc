"""The head for a signal that was learnt together with its labels: the cosine with one prototype a label.

Source:
    Snell et al., "Prototypical Networks for Few-shot Learning", NeurIPS 2017;
    Wang et al., "NormFace", ACM Multimedia 2017 (cosines with a scale).
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
class PrototypesConfig:
    """Options of a head of prototypes.

    Attributes:
        sharpness: What cosines are multiplied with to become log-odds.
        width: Nearness is told along this many directions of most spread.
    """

    sharpness: float = 20.0
    width: int = 128


class PrototypesHead:
    """Log-odds by the cosine with a prototype of each label.

    Prototypes and bias were learnt with the signal, outside of the stage.

    Args:
        several: Whether each label stands for itself.
        config: Options.
        prototypes: Unit vectors, shape (k, d). None when they will be loaded.
        bias: What is added to the log-odds of each label, shape (k,).

    Example:
        >>> learnt = np.eye(2, dtype=np.float32)
        >>> head = PrototypesHead(prototypes=learnt, bias=np.zeros(2, np.float32))
        >>> head.fit(learnt, learnt, np.array([0, 1]))
        >>> head.score(np.array([[0.8, 0.1]], dtype=np.float32)).labels.argmax(axis=1).tolist()
        [0]
    """

    def __init__(
        self,
        *,
        several: bool = False,
        config: PrototypesConfig | None = None,
        prototypes: Array | None = None,
        bias: Array | None = None,
    ) -> None:
        self.several = several
        self.config = config or PrototypesConfig()
        self._prototypes = prototypes
        self._bias = bias
        self._nearest = NearestRow()

    def fit(self, signal: Signal, targets: Array, groups: NDArray[Any]) -> None:
        """Keep the rows, to tell how near others are, and what an average label and row scores. See ``Head.fit``."""
        assert isinstance(signal, np.ndarray), "prototypes take a dense signal"
        assert self._bias is not None, "it needs prototypes and a bias"
        rows = unit(signal)
        self._bias = self._bias - np.float32(self._odds(rows).mean())
        self._nearest.fit(rows, width=self.config.width)

    def score(self, signal: Signal, *, nearest: bool = True) -> Scores:
        """Log-odds less those of an average label and row, and the cosine with the nearest row."""
        assert isinstance(signal, np.ndarray), "prototypes take a dense signal"
        rows = unit(signal)
        return Scores(self._odds(rows), self._nearest.cosines(rows) if nearest else None)

    def _odds(self, rows: Array) -> Array:
        """Sharpened cosines and the bias, shape (n, k)."""
        assert self._prototypes is not None and self._bias is not None, "it was not fitted"
        odds: Array = np.float32(self.config.sharpness) * (rows @ self._prototypes.T) + self._bias
        return odds

    @property
    def lines(self) -> tuple[Array, Array]:
        """What unit vectors are multiplied with to become log-odds, shape (k, d), and what is added, shape (k,)."""
        assert self._prototypes is not None and self._bias is not None, "it was not fitted"
        return np.float32(self.config.sharpness) * self._prototypes, self._bias

    def remember(self, signal: Signal) -> Memory:
        """The training rows beside one row, shape (1, d)."""
        assert isinstance(signal, np.ndarray), "the head takes a dense signal"
        return Memory(self._nearest.similarities(unit(signal))[0])

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The prototypes, the bias of each label, and the training rows."""
        assert self._prototypes is not None and self._bias is not None, "it was not fitted"
        arrays = {"prototypes": self._prototypes, "bias": self._bias, **self._nearest.to_arrays()}
        return arrays, {"several": self.several, **asdict(self.config)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        options = dict(config)
        self.several = options.pop("several")
        self.config = PrototypesConfig(**options)
        self._prototypes, self._bias = arrays["prototypes"], arrays["bias"]
        self._nearest.from_arrays(arrays)
