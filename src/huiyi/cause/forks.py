"""Shallow trees of choices: the splits of rows after which the best action of each part brings most.

The score of a row and an action is what the action would bring there. A tree gives each of its leaves one action, and
its value is the sum of the scores of what it does. All that matters of n rows are the sums of scores in the cells of
each pair of columns, so that the best tree of depth 2 is found without looking at rows again: for each first split, the
best second one is read off the sums of its cells. A deeper tree is begun with the first split of the best tree of depth
2, and goes on in each part.

Numbers are cut at some of their quantiles. Names are put in the order of how much better one action is than another,
for each two of them, and cut there; for two actions, no other set of names is better.

Sources:
    Athey and Wager, "Policy Learning with Observational Data", Econometrica 89(1), 2021. Zhou, Athey and Wager,
    "Offline Multi-Action Policy Learning: Generalization and Optimization", Operations Research 71(1), 2023.
    The order of names: Fisher, "On Grouping for Maximum Homogeneity", JASA 53, 1958.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Column, Numbers
from huiyi.cause.policy import Condition

MOST_CELLS = 24
"""Numbers are cut in so many parts at most."""

MOST_NAMES = 100
"""A column of more names is not split."""

_MOST_PAIRED = 6  # of more actions, only the best one is paired with each other


@dataclass(frozen=True, eq=False)
class Cells:
    """A column cut in parts.

    Attributes:
        column: Its name.
        codes: The part of each row, shape (n,).
        names: Of the parts, if it is a column of names; a last part without a name holds what is not known.
        cuts: Numbers between the parts, ascending; what is not known is in the first part.
    """

    column: str
    codes: NDArray[np.intp]
    names: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """How many parts."""
        return len(self.names) + 1 if self.names else len(self.cuts) + 1

    def rows(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Cells:
        """Those of some rows."""
        return Cells(self.column, self.codes[which], self.names, self.cuts)

    def condition(self, parts: NDArray[np.bool_]) -> Condition:
        """What holds in some of the parts: these names, or a number above the one below them."""
        if self.names:
            return Condition(self.column, tuple(name for name, own in zip(self.names, parts, strict=False) if own))
        return Condition(self.column, above=self.cuts[int(np.argmax(parts)) - 1])


def cut(context: Mapping[str, Column], columns: Sequence[str]) -> tuple[Cells, ...]:
    """Cut columns in parts; vectors, columns of too many names and those that do not vary are left out."""
    found = []
    for name in columns:
        column = context[name]
        if isinstance(column, Categories):
            if 1 < len(column.names) <= MOST_NAMES:
                codes = np.where(column.codes < 0, len(column.names), column.codes)
                found.append(Cells(name, codes.astype(np.intp), names=column.names))
        elif column.ndim == 1 and np.isfinite(column).any():
            known = column[np.isfinite(column)]
            cuts = np.unique(np.quantile(known, np.linspace(0, 1, MOST_CELLS + 1)[:-1], method="lower"))
            cuts = cuts[cuts < known.max()]
            if len(cuts):
                codes = np.searchsorted(cuts, np.nan_to_num(column, nan=-np.inf), side="left")
                found.append(Cells(name, codes.astype(np.intp), cuts=tuple(cuts.tolist())))
    return tuple(found)


@dataclass(frozen=True)
class Leaf:
    """One action for all rows of a part."""

    action: int


@dataclass(frozen=True)
class Fork:
    """A condition, and what to do where it holds and where it does not."""

    condition: Condition
    yes: Tree
    no: Tree


Tree: TypeAlias = Leaf | Fork


@dataclass(frozen=True, eq=False)
class Grower:
    """Grows trees.

    Attributes:
        cells: The columns of n rows, cut in parts.
        scores: What each action would bring in each row, shape (n, k).
        least_rows: No part is smaller.
        sure: Standard errors by which splits must be better than none.
    """

    cells: tuple[Cells, ...]
    scores: Numbers
    least_rows: int
    sure: float

    def tree(self, rows: NDArray[np.intp], depth: int, usual: int) -> Tree:
        """The best tree for some rows.

        Args:
            rows: Their places.
            depth: How many conditions may follow each other.
            usual: The action of fewer than ``least_rows``.
        """
        leaf = Leaf(self._best(rows, usual))
        if depth < 1 or len(rows) < 2 * self.least_rows or not (found := self._split(rows, depth)):
            return leaf
        cells, parts = found
        fits = parts[cells.codes[rows]]
        yes, no = (self.tree(rows[side], depth - 1, leaf.action) for side in (fits, ~fits))
        if yes == no:
            return yes
        fork = Fork(cells.condition(parts), yes, no)
        better = self._scored(fork, rows) - self.scores[rows, leaf.action]
        return fork if is_sure(better, self.sure) else self.tree(rows, depth - 1, usual)

    def _best(self, rows: NDArray[np.intp], usual: int) -> int:
        """The action that brings most in some rows, or the usual one if there are hardly any."""
        return int(np.argmax(self.scores[rows].sum(axis=0))) if len(rows) >= self.least_rows else usual

    def _scored(self, tree: Tree, rows: NDArray[np.intp]) -> Numbers:
        """The scores of what a tree does in some rows."""
        if isinstance(tree, Leaf):
            return np.asarray(self.scores[rows, tree.action])
        cells = next(own for own in self.cells if own.column == tree.condition.column)
        parts = (
            np.isin(np.array([*cells.names, ""]), np.array(tree.condition.names))
            if cells.names
            else np.arange(cells.count) > cells.cuts.index(tree.condition.above)
        )
        fits = parts[cells.codes[rows]]
        scored = np.empty(len(rows))
        scored[fits], scored[~fits] = self._scored(tree.yes, rows[fits]), self._scored(tree.no, rows[~fits])
        return scored

    def _split(self, rows: NDArray[np.intp], depth: int) -> tuple[Cells, NDArray[np.bool_]] | None:
        """The first split of the best tree of depth 1 or 2, as a column and the parts where the condition holds."""
        best, value = None, -np.inf
        own = [cells.rows(rows) for cells in self.cells]
        told = np.column_stack([self.scores[rows], np.ones(len(rows))])  # (m, k + 1), the last one counts rows
        for whole, first in zip(self.cells, own, strict=True):
            sums = _sums(first.codes, first.count, told)  # (parts, k + 1)
            splits = _splits(sums[None], first)[0]  # (splits, parts)
            if depth == 1:
                values = self._values(splits @ sums, sums.sum(axis=0))
            else:
                values = self._looked_ahead(first, splits, own, told)
            if len(values) and values.max() > value + 1e-9:
                parts = (splits[int(np.argmax(values))] > 0) & (sums[:, -1] > 0 if first.names else True)
                best, value = (whole, parts), float(values.max())
        return best if np.isfinite(value) else None

    def _values(self, inside: Numbers, total: Numbers) -> Numbers:
        """What the best actions inside and outside of splits bring together, shape (…); -inf for too few rows."""
        outside = total - inside
        many = np.minimum(inside[..., -1], outside[..., -1]) >= self.least_rows
        return np.where(many, inside[..., :-1].max(axis=-1) + outside[..., :-1].max(axis=-1), -np.inf)

    def _looked_ahead(self, first: Cells, splits: Numbers, own: Sequence[Cells], told: Numbers) -> Numbers:
        """What the best trees of depth 2 bring that begin with each split, shape (splits,)."""
        sides = np.stack([splits, 1 - splits])  # (2, splits, parts)
        alone = sides @ _sums(first.codes, first.count, told)  # (2, splits, k + 1)
        best = np.where(alone[..., -1] >= self.least_rows, alone[..., :-1].max(axis=-1), -np.inf)
        for second in own:
            if second.column == first.column:
                pairs = np.zeros((first.count, first.count, told.shape[1]))
                pairs[np.arange(first.count), np.arange(first.count)] = _sums(first.codes, first.count, told)
            else:
                both = first.codes * second.count + second.codes
                pairs = _sums(both, first.count * second.count, told).reshape(first.count, second.count, -1)
            sums = np.tensordot(sides, pairs, axes=1)  # (2, splits, parts of the second, k + 1)
            flat = sums.reshape(-1, *sums.shape[2:])
            inside = np.einsum("sij,sjk->sik", _splits(flat, second), flat)
            values = self._values(inside, flat.sum(axis=1)[:, None])
            if values.shape[1]:
                best = np.maximum(best, values.max(axis=1).reshape(best.shape))
        return np.asarray(best.sum(axis=0))


def _sums(codes: NDArray[np.intp], count: int, told: Numbers) -> Numbers:
    """The sum of each column over the rows of each part, shape (count, columns)."""
    return np.column_stack([np.bincount(codes, column, count) for column in told.T])


def _splits(sums: Numbers, cells: Cells) -> Numbers:
    """Which parts hold a condition, for each of s tables of sums and each split, shape (s, splits, parts)."""
    tables, count, width = len(sums), cells.count, sums.shape[2] - 1
    if not cells.names:
        above = np.arange(count) >= np.arange(1, count)[:, None]
        return np.broadcast_to(above.astype(float), (tables, *above.shape))
    named = sums[:, :-1]  # what is not known is never inside
    means = named[..., :-1] / np.maximum(named[..., -1:], 1)
    found = []
    for one, other in _pairs(sums, width):
        order = np.argsort(np.take_along_axis(means, other, 2) - np.take_along_axis(means, one, 2), axis=1)[..., 0]
        ranks = np.argsort(order, axis=1)  # (s, names)
        found.append(ranks[:, None, :] < np.arange(1, count)[:, None])
    splits = np.concatenate(found, axis=1).astype(float)
    return np.concatenate([splits, np.zeros((*splits.shape[:2], 1))], axis=2)


def _pairs(sums: Numbers, width: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Two actions to compare, in each table, of shape (s, 1, 1) each."""
    if width <= _MOST_PAIRED:
        full = [np.full((len(sums), 1, 1), action) for action in range(width)]
        return [(full[one], full[other]) for one, other in combinations(range(width), 2)]
    best = np.argmax(sums[..., :-1].sum(axis=1), axis=1)[:, None, None]
    return [(np.full_like(best, action), best) for action in range(width)]


def is_sure(better: Numbers, sure: float) -> bool:
    """Whether the sum is above 0 by so many standard errors."""
    total = float(better.sum())
    return total > 1e-9 and total >= sure * float(np.sqrt(len(better)) * better.std())
