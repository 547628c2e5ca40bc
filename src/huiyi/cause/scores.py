"""How well a node's causes explain it: a number for a node and a set of parents, larger is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from huiyi.cause.log import Categories, Column, Numbers

EQUIVALENT_ROWS = 1.0
"""Of the prior of ``Names``: how many rows it counts as. More of them favour more edges."""

MOST_NAMES = 20
"""A column of more names keeps the most frequent; the rest become one."""

_MOST_CELLS = 2_000_000


class Score(Protocol):
    """What scores a node, by its place, given some others as its parents."""

    def __call__(self, node: int, parents: tuple[int, ...]) -> float:
        """The part of the score that depends on these; ``-inf`` where rows are too few to tell."""


class Names:
    """Columns of names: the chance of what is seen, for all tables that they could have (BDeu).

    Args:
        codes: The place of each row's name, shape (n, columns), 0 or more.
        equivalent_rows: How many rows the prior counts as.

    Example:
        >>> codes = np.array([[0, 0], [1, 1]] * 20)
        >>> score = Names(codes)
        >>> score(1, (0,)) > score(1, ())
        True

    Source:
        Heckerman, Geiger and Chickering, "Learning Bayesian networks: the combination of knowledge and statistical
        data", Machine Learning 20, 1995.
    """

    def __init__(self, codes: NDArray[np.intp], equivalent_rows: float = EQUIVALENT_ROWS) -> None:
        self.codes = np.asfortranarray(codes)
        self.levels = codes.max(axis=0) + 1
        self.equivalent_rows = equivalent_rows

    def __call__(self, node: int, parents: tuple[int, ...]) -> float:
        """See ``Score``."""
        different = int(np.prod(self.levels[list(parents)], dtype=float)) if parents else 1
        levels = int(self.levels[node])
        if different * levels > min(_MOST_CELLS, 10 * len(self.codes)):
            return -np.inf
        place = np.zeros(len(self.codes), dtype=np.intp)
        for parent in parents:
            place = place * int(self.levels[parent]) + self.codes[:, parent]
        counts = np.bincount(place * levels + self.codes[:, node], minlength=different * levels).reshape(-1, levels)
        sums = counts.sum(axis=1)
        row, cell = self.equivalent_rows / different, self.equivalent_rows / (different * levels)
        seen = counts[counts > 0]
        whole = sums[sums > 0]
        return float((gammaln(cell + seen) - gammaln(cell)).sum() - (gammaln(row + whole) - gammaln(row)).sum())


class Lines:
    """Columns of any kind as if they came of a Gaussian: how much a line explains, less what that costs (BIC).

    A column of names stands for its indicators together.

    Args:
        blocks: Each column as numbers, shape (n, w).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a = rng.normal(size=(50, 1))
        >>> score = Lines([a, a + rng.normal(size=(50, 1)), rng.normal(size=(50, 1))])
        >>> score(1, (0,)) > score(1, ()), score(1, (2,)) > score(1, ())
        (True, False)

    Source:
        Andrews, Ramsey and Cooper, "Learning high-dimensional directed acyclic graphs with mixed data-types",
        Proceedings of Machine Learning Research 104, 2019 (the degenerate Gaussian score).
    """

    def __init__(self, blocks: Sequence[Numbers]) -> None:
        joined = np.concatenate(blocks, axis=1)
        spread = joined.std(axis=0)
        scaled = (joined - joined.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        self.rows = len(joined)
        self.covariance = scaled.T @ scaled / self.rows + 1e-6 * np.eye(scaled.shape[1])
        ends = np.cumsum([block.shape[1] for block in blocks])
        self.places = [np.arange(end - block.shape[1], end) for block, end in zip(blocks, ends, strict=True)]
        self.known: dict[tuple[int, ...], float] = {}

    def __call__(self, node: int, parents: tuple[int, ...]) -> float:
        """See ``Score``."""
        width = len(self.places[node])
        costs = width * sum(len(self.places[parent]) for parent in parents)
        if costs > self.rows / 2:
            return -np.inf
        explained = self._volume((*parents, node)) - self._volume(parents)
        return -0.5 * self.rows * explained - 0.5 * float(np.log(self.rows)) * costs

    def _volume(self, nodes: tuple[int, ...]) -> float:
        """The logarithm of the determinant of the covariance of some columns."""
        nodes = tuple(sorted(nodes))
        if not nodes:
            return 0.0
        if nodes not in self.known:
            places = np.concatenate([self.places[node] for node in nodes])
            self.known[nodes] = float(np.linalg.slogdet(self.covariance[np.ix_(places, places)])[1])
        return self.known[nodes]


def codes_of(columns: Mapping[str, Categories]) -> NDArray[np.intp]:
    """Names as numbers from 0, shape (n, columns): what is not known is a name, and rare ones are one."""
    made = []
    for column in columns.values():
        counts = np.bincount(column.codes + 1, minlength=len(column.names) + 1)
        order = np.argsort(-counts, kind="stable")
        places = np.full(len(counts), MOST_NAMES - 1, dtype=np.intp)
        places[order[: MOST_NAMES - 1]] = np.arange(len(order[: MOST_NAMES - 1]))
        _, codes = np.unique(places[column.codes + 1], return_inverse=True)
        made.append(codes.astype(np.intp))
    return np.stack(made, axis=1)


def blocks_of(columns: Mapping[str, Column]) -> list[Numbers]:
    """Columns as numbers, shape (n, w) each: names as 0 and 1 for each but one."""
    made: list[Numbers] = []
    for name, column in columns.items():
        if isinstance(column, Categories):
            codes = codes_of({name: column})[:, 0]
            made.append((codes[:, None] == np.arange(1, codes.max() + 1)).astype(float))
        else:
            made.append(column[:, None])
    return made
