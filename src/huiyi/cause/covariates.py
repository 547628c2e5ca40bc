"""Columns of a log as a matrix of numbers that learners can hold equal.

Everything is learnt from the rows that ``fit`` sees and applied to others, so that cross-fitting stays honest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Column, Log, Numbers

FEW_NAMES = 40
"""A column of at most so many names becomes a column of 0 and 1 for each; one of more, the means of its names."""

ROWS_A_NAME = 15
"""A column of fewer rows than this for each name, on average, has too many names for a column each."""

WIDTH = 100
"""Vectors are kept to their directions of most spread, at most so many."""

_VECTOR_SPREAD = 8.0  # a text counts as much as so many numbers
_PARTS = 5
_HARDLY = 0.5  # rows that say nothing is left
_ROWS_FOR_DIRECTIONS = 20_000

Kinds: TypeAlias = NDArray[np.str_]
"""What each column of a design is, shape (d,): ``number``, ``indicator`` (0 or 1, scaled) or ``vector``."""


@dataclass(frozen=True, eq=False)
class Design:
    """What is held equal, as numbers.

    Attributes:
        rows: Shape (n, d). Numbers and indicators have mean 0 and spread 1 over the rows that were learnt from.
        kinds: Shape (d,).
        sources: The column of the log that each comes from.
    """

    rows: Numbers
    kinds: Kinds
    sources: tuple[str, ...]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.rows)

    def taking(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Design:
        """Some of the rows, by their places or by a mask."""
        return Design(self.rows[which], self.kinds, self.sources)


_Part: TypeAlias = Callable[[Column], tuple[Numbers, str]]
"""What turns a column into numbers of shape (m, w), and says what kind they are."""


class Covariates:
    """Turn columns of a log into a design.

    Numbers are scaled, and what is missing is told by a column of its own, since that something was not known can be
    why an action was chosen. A few names become a column each. Many names, from some dozens to thousands, become what
    they say of the targets: the mean of each target over the rows with that name, drawn towards the mean over all where
    there are few. For the rows that were learnt from, the means are those of other rows with the same name.

    Args:
        names: The columns, of the log's context.
        rng: Draws the parts.

    Example:
        >>> waiting, channel = np.array([1.0, 2.0, 3.0, np.nan]), Categories.of(["web", "web", "web", "phone"])
        >>> log = Log("log.csv", "reply", Categories.of(["a", "b", "a", "b"]), {"solved": np.ones(4)},
        ...     {"waiting": waiting, "channel": channel})
        >>> covariates = Covariates(["waiting", "channel"], np.random.default_rng(0))
        >>> design = covariates.fit(log, np.zeros((4, 1)))
        >>> design.sources, design.kinds.tolist()
        (('waiting', 'waiting', 'channel'), ['number', 'indicator', 'indicator'])
        >>> covariates.of(log.rows(np.array([0]))).rows.round(2).tolist()
        [[-1.22, -0.58, -0.58]]

    Source:
        Means of targets for many names: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical
        Attributes", SIGKDD Explorations 3(1), 2001, with the weight of the mean over all by the method of moments.
    """

    def __init__(self, names: Sequence[str], rng: np.random.Generator) -> None:
        self.names = tuple(names)
        self.rng = rng

    def fit(self, log: Log, targets: Numbers, groups: NDArray[np.intp] | None = None) -> Design:
        """Learn how to turn columns into numbers, and turn those of the same rows.

        Args:
            log: n rows.
            targets: What many names are described by, shape (n, m), NaN where a row says nothing of it.
            groups: Rows of one group are never told about each other, shape (n,).
        """
        self._parts: list[tuple[str, _Part]] = []
        own: list[tuple[str, Numbers, str]] = []
        for name in self.names:
            column = log.context[name]
            if isinstance(column, Categories) and not _are_few(column):
                described = _Described(column, targets, groups, self.rng)
                self._parts.append((name, described))
                own.append((name, described.own, "number"))
                continue
            for part in _parts(column, self.rng):
                self._parts.append((name, part))
                own.append((name, *part(column)))
        return self._joined(own, len(log))

    @property
    def many(self) -> tuple[str, ...]:
        """The columns that have too many names for a column each."""
        return tuple(name for name, part in self._parts if isinstance(part, _Described))

    def of(self, log: Log) -> Design:
        """Turn the columns of other rows into numbers."""
        return self._joined([(name, *part(log.context[name])) for name, part in self._parts], len(log))

    @staticmethod
    def _joined(blocks: list[tuple[str, Numbers, str]], n: int) -> Design:
        kinds = [kind for _, rows, kind in blocks for _ in range(rows.shape[1])]
        return Design(
            np.concatenate([rows for _, rows, _ in blocks], axis=1) if blocks else np.zeros((n, 0)),
            np.array(kinds, dtype=np.str_),
            tuple(name for name, rows, _ in blocks for _ in range(rows.shape[1])),
        )


def _are_few(column: Categories) -> bool:
    """Whether a column has so few names, and so many rows of each, that each can be a column."""
    names = int(np.count_nonzero(column.counts()))
    return names <= 2 or (names <= FEW_NAMES and len(column) >= ROWS_A_NAME * names)


def _parts(column: Column, rng: np.random.Generator) -> list[_Part]:
    """How to turn a column into numbers, by the rows that it has; nothing for one that is the same in all of them."""
    if isinstance(column, Categories):
        return [_OneEach(column)]
    if column.ndim > 1:
        return [_Directions(column, rng)]
    known = np.isfinite(column)
    parts: list[_Part] = []
    if known.any() and np.ptp(column[known]) > 0:
        parts.append(_Scaled(column[known]))
    if not known.all() and known.any():
        parts.append(_Missing(1 - known.mean()))
    return parts


class _Scaled:
    """A number, scaled; the mean where it is missing; never beyond what was seen."""

    def __init__(self, known: Numbers) -> None:
        self.mean, self.spread = float(known.mean()), float(known.std())
        self.least, self.most = float(known.min()), float(known.max())
        self.kind = "number" if len(np.unique(known[:1_000])) > 2 else "indicator"

    def __call__(self, column: Column) -> tuple[Numbers, str]:
        assert not isinstance(column, Categories), "a number stays a number"
        seen = np.clip(np.where(np.isfinite(column), column, self.mean), self.least, self.most)
        return ((seen - self.mean) / self.spread)[:, None], self.kind


class _Missing:
    """Whether a number is missing."""

    def __init__(self, share: float) -> None:
        self.share = float(share)

    def __call__(self, column: Column) -> tuple[Numbers, str]:
        assert not isinstance(column, Categories), "a number stays a number"
        return _indicator(~np.isfinite(column), self.share)[:, None], "indicator"


class _OneEach:
    """A column of 0 and 1 for each name but the most frequent one; what is not known is a name."""

    def __init__(self, column: Categories) -> None:
        counts = np.bincount(column.codes + 1, minlength=len(column.names) + 1)
        self.codes = np.flatnonzero(counts) - 1
        self.codes = self.codes[self.codes != counts.argmax() - 1]
        self.shares = counts[self.codes + 1] / max(1, len(column))

    def __call__(self, column: Column) -> tuple[Numbers, str]:
        assert isinstance(column, Categories), "names stay names"
        rows = np.empty((len(column), len(self.codes)))
        for place, (code, share) in enumerate(zip(self.codes, self.shares, strict=True)):
            rows[:, place] = _indicator(column.codes == code, share)
        return rows, "indicator"


def _indicator(are: NDArray[np.bool_], share: float) -> Numbers:
    """0 and 1, scaled; what is seldom counts as if it were in 1 of 100 rows, or it would outweigh all else."""
    scaled: Numbers = (are - share) / np.sqrt(max(share * (1 - share), 0.01))
    return scaled


class _Described:
    """What a name says of the targets: shrunken means over its rows.

    Attributes:
        own: For the rows that were learnt from, means over others, shape (n, m).
    """

    def __init__(
        self, column: Categories, targets: Numbers, groups: NDArray[np.intp] | None, rng: np.random.Generator
    ) -> None:
        self.spread = np.ones(targets.shape[1])
        parts = rng.integers(_PARTS, size=len(column) if groups is None else int(groups.max(initial=-1)) + 1)
        if groups is not None:
            parts = parts[groups]
        self.own = np.empty(targets.shape)
        for part in range(_PARTS):
            here = parts == part
            self.own[here] = _means(column.rows(~here), targets[~here])[column.codes[here] + 1]
        self.centre = self.own.mean(axis=0)
        self.spread = self.own.std(axis=0)
        self.spread[self.spread < 1e-12] = 1.0
        self.own = (self.own - self.centre) / self.spread
        self.means = (_means(column, targets) - self.centre) / self.spread

    def __call__(self, column: Column) -> tuple[Numbers, str]:
        assert isinstance(column, Categories), "names stay names"
        return self.means[column.codes + 1], "number"


def _means(column: Categories, targets: Numbers) -> Numbers:
    """The shrunken mean of each target over the rows of each name, shape (names + 1, m); first of the unknown."""
    size = len(column.names) + 1
    means = np.zeros((size, targets.shape[1]))
    for place, target in enumerate(targets.T):
        known = np.isfinite(target)
        codes, values = column.codes[known] + 1, target[known]
        if not len(values):
            continue
        counts = np.bincount(codes, minlength=size).astype(float)
        overall = values.mean()
        sums = np.bincount(codes, values - overall, minlength=size)
        seen = counts > 0
        raw = np.divide(sums, counts, out=np.zeros(size), where=seen)
        rows_left = max(1, len(values) - int(np.count_nonzero(seen)))
        within = float(((values - overall - raw[codes]) ** 2).sum()) / rows_left
        # Names differ by what their means differ by, less what chance alone would make of it.
        between = float((counts * raw**2).sum() - (int(np.count_nonzero(seen)) - 1) * within) / len(values)
        weight = within / max(between, 1e-3 * within + 1e-12)
        means[:, place] = overall + np.divide(sums, counts + weight, out=np.zeros(size), where=seen)
    return means


class Leftover:
    """What learners left of a number within each name of columns of many: its mean, hardly shrunken.

    Learners draw what they know of a name towards the mean over all. Where names drive both the action and the outcome,
    what is missing is alike in both, and its product is a bias. It is gone where one of them is told without shrinking,
    as a fixed effect.

    Source:
        Within-group adjustment: Mundlak, "On the Pooling of Time Series and Cross Section Data", Econometrica 46, 1978.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def fit(self, log: Log, left: Numbers) -> None:
        """Learn it from what is left of each row, shape (n,)."""
        self.means: list[Numbers] = []
        for name in self.names:
            column = log.context[name]
            assert isinstance(column, Categories), "columns of many names"
            size = len(column.names) + 1
            counts = np.bincount(column.codes + 1, minlength=size)
            mean = np.bincount(column.codes + 1, left, minlength=size) / (counts + _HARDLY)
            left = left - mean[column.codes + 1]
            self.means.append(mean)

    def of(self, log: Log) -> Numbers:
        """What to add to what learners say of rows, shape (n,)."""
        told = np.zeros(len(log))
        for name, mean in zip(self.names, self.means, strict=True):
            column = log.context[name]
            assert isinstance(column, Categories), "columns of many names"
            told += mean[column.codes + 1]
        return told


class _Directions:
    """Vectors in their directions of most spread. Together they count as much as a few numbers."""

    def __init__(self, column: Numbers, rng: np.random.Generator) -> None:
        known = np.flatnonzero(np.isfinite(column).all(axis=1))
        if len(known) > _ROWS_FOR_DIRECTIONS:
            known = np.sort(rng.choice(known, _ROWS_FOR_DIRECTIONS, replace=False))
        seen = column[known] if len(known) else np.zeros((1, column.shape[1]))
        self.mean = seen.mean(axis=0)
        values, vectors = np.linalg.eigh((seen - self.mean).T @ (seen - self.mean) / len(seen))
        kept = values > max(1e-9 * float(values[-1]), 1e-12)
        self.directions = vectors[:, kept][:, -WIDTH:] * np.sqrt(_VECTOR_SPREAD / np.maximum(values.sum(), 1e-12))

    def __call__(self, column: Column) -> tuple[Numbers, str]:
        assert not isinstance(column, Categories), "vectors stay vectors"
        return (np.where(np.isfinite(column), column, self.mean) - self.mean) @ self.directions, "vector"
