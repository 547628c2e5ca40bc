"""What a model says of a thing with some of its parts gone: words of a text, regions of a picture, form fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from huiyi.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WorthWithout = Callable[[Sequence[frozenset[int]]], "NDArray[np.floating]"]
"""Sets of parts to what a model says when each of them is gone: the probability of a label, shape (sets,)."""

MOST_PASSES = 400
"""Sets that a model is asked about for one explanation, at most."""


def deadline(seconds: float | None) -> float:
    """When so many seconds will be over, as ``perf_counter`` counts.

    Raises:
        OptionError: There is no time at all.
    """
    if seconds is None:
        return inf
    if not seconds > 0:
        raise OptionError(f"{seconds:g} seconds are too few to explain anything; expected more than 0")
    return perf_counter() + seconds


class Parts(ABC):
    """What a model says of a thing with some of its parts gone. Each set of parts is asked about once.

    Args:
        count: How many parts there are.
        most_passes: How often the model may be asked.
        until: When to stop asking, as ``perf_counter`` counts.

    Attributes:
        passes: How often it was asked.
        sufficed: Whether it never had to stop.
    """

    def __init__(self, count: int, *, most_passes: int = MOST_PASSES, until: float = inf) -> None:
        self.count = count
        self.passes = 0
        self.sufficed = True
        self._most_passes, self._until = most_passes, until
        self._known: dict[frozenset[int], float] = {}

    @property
    def everyone(self) -> frozenset[int]:
        """Places of all parts."""
        return frozenset(range(self.count))

    @property
    def left(self) -> int:
        """Passes that are left."""
        return self._most_passes - self.passes

    def allows(self, passes: int) -> bool:
        """Whether so many passes more are allowed, and there is time. Once they are not, it did not suffice."""
        allowed = passes <= self.left and perf_counter() < self._until
        self.sufficed &= allowed
        return allowed

    def knows(self, sets: Sequence[frozenset[int]]) -> bool:
        """Whether all of the sets of parts were asked about."""
        return all(some in self._known for some in sets)

    def gone(self, sets: Sequence[frozenset[int]]) -> NDArray[np.float64]:
        """What the model says when each of the sets of parts is gone, shape (sets,)."""
        new = [some for some in dict.fromkeys(sets) if some not in self._known]
        if new:
            self._known.update(zip(new, self._asked(new), strict=True))
        return np.array([self._known[some] for some in sets])

    @abstractmethod
    def _asked(self, sets: Sequence[frozenset[int]]) -> Sequence[float]:
        """Ask the model about sets that it was not asked about before, and count the passes."""


class Numbered(Parts):
    """Parts that are known by their numbers alone. See ``Parts``.

    Args:
        count: How many parts there are.
        worth: The model, for one label.
        most_passes: How often the model may be asked.
        until: When to stop asking, as ``perf_counter`` counts.

    Example:
        >>> parts = Numbered(3, lambda sets: np.array([0.9 - 0.2 * len(gone) for gone in sets]))
        >>> parts.gone([frozenset(), parts.everyone]).round(2).tolist(), parts.passes
        ([0.9, 0.3], 2)
    """

    def __init__(self, count: int, worth: WorthWithout, *, most_passes: int = MOST_PASSES, until: float = inf) -> None:
        super().__init__(count, most_passes=most_passes, until=until)
        self._worth = worth

    def _asked(self, sets: Sequence[frozenset[int]]) -> Sequence[float]:
        self.passes += len(sets)
        return [float(told) for told in self._worth(sets)]
