"""Designs as features, in which what a linear model finds is more than a line."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.linalg import solve_triangular

from huiyi.cause.covariates import Design
from huiyi.cause.log import Numbers

MOST_FEATURES = 400
"""Products of two columns are features while all features are no more than so many."""

_KNOTS = (0.0, 0.1, 0.35, 0.65, 0.9, 1.0)
_MOST_BENT = 40  # columns that may bend
_PRODUCTS_SCALE = 0.5  # lines first: a product costs four times what a line does
_ROWS_FOR_KNOTS = 20_000


class Basis(Protocol):
    """What turns a design into features for a linear model."""

    def fit(self, design: Design, rng: np.random.Generator) -> None:
        """Learn it from some rows."""

    def of(self, design: Design) -> Numbers:
        """The features of rows, shape (n, p)."""


class Lines:
    """The columns as they are."""

    def fit(self, design: Design, rng: np.random.Generator) -> None:
        """Nothing to learn."""

    def of(self, design: Design) -> Numbers:
        """The columns."""
        return design.rows


class Bends:
    """Numbers that bend at their quantiles, and products of two columns where these are not too many.

    Source:
        Natural cubic splines: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, 5.2.1.
    """

    def fit(self, design: Design, rng: np.random.Generator) -> None:
        """Place the knots."""
        rows = design.rows
        if len(rows) > _ROWS_FOR_KNOTS:
            rows = rows[rng.choice(len(rows), _ROWS_FOR_KNOTS, replace=False)]
        numbers = np.flatnonzero(design.kinds == "number")[:_MOST_BENT]
        self.knots = {}
        for column in numbers.tolist():
            knots = np.unique(np.quantile(rows[:, column], _KNOTS))
            if len(knots) > 2:
                self.knots[column] = knots
        plain = np.flatnonzero(design.kinds != "vector")
        width = rows.shape[1] + sum(len(knots) - 2 for knots in self.knots.values())
        self.left, self.right = np.triu_indices(len(plain), k=1)
        if width + len(self.left) > MOST_FEATURES:
            self.left = self.right = np.zeros(0, dtype=np.intp)
        self.left, self.right = plain[self.left], plain[self.right]
        self.centre = np.zeros(width + len(self.left))
        self.scale = np.ones(width + len(self.left))
        features = self.of(Design(rows, design.kinds, design.sources))
        bent = slice(rows.shape[1], None)
        self.centre[bent] = features[:, bent].mean(axis=0)
        self.scale[bent] = _PRODUCTS_SCALE / np.maximum(features[:, bent].std(axis=0), 0.1)

    def of(self, design: Design) -> Numbers:
        """The columns, their bends and their products."""
        rows = design.rows
        blocks = [rows, *(_bends(rows[:, column], knots) for column, knots in self.knots.items())]
        if len(self.left):
            blocks.append(rows[:, self.left] * rows[:, self.right])
        features: Numbers = (np.concatenate(blocks, axis=1) - self.centre) * self.scale
        return features


def _bends(column: Numbers, knots: Numbers) -> Numbers:
    """The natural cubic spline without its line, shape (n, knots - 2)."""

    def cube(knot: float) -> Numbers:
        beyond: Numbers = np.maximum(column - knot, 0) ** 3 - np.maximum(column - knots[-1], 0) ** 3
        beyond /= knots[-1] - knot
        return beyond

    last = cube(knots[-2])
    return np.stack([cube(knot) - last for knot in knots[:-2]], axis=1)


class Likeness:
    """How alike a row is to some landmarks, in a Gaussian kernel, and the columns as they are.

    Args:
        width: Squared length over which rows are alike, in units of the mean squared distance of two rows.
        landmarks: What rows are compared with, shape (m, d).

    Source:
        Williams and Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NIPS 2000.
    """

    def __init__(self, width: float, landmarks: Numbers) -> None:
        self.width = width
        self.landmarks = landmarks

    def fit(self, design: Design, rng: np.random.Generator) -> None:
        """Scale by the spread of the rows."""
        self.spread = max(float(design.rows.var(axis=0).sum()), 1e-9)
        self.known = self.landmarks / np.sqrt(self.spread)
        kernel = self._kernel(self.known)
        self.factor = np.linalg.cholesky(kernel + 1e-6 * np.eye(len(kernel)))

    def of(self, design: Design) -> Numbers:
        """The likenesses and the columns, shape (n, m + d)."""
        scaled = design.rows / np.sqrt(self.spread)
        alike = solve_triangular(self.factor, self._kernel(scaled).T, lower=True, check_finite=False).T
        return np.concatenate([alike, scaled], axis=1)

    def _kernel(self, rows: Numbers) -> Numbers:
        squares = (rows**2).sum(axis=1)[:, None] + (self.known**2).sum(axis=1) - 2 * rows @ self.known.T
        kernel: Numbers = np.exp(-np.maximum(squares, 0) / (4 * self.width))
        return kernel


def landmarks(design: Design, most: int, rng: np.random.Generator) -> Numbers:
    """Some rows to compare others with, shape (m, d): drawn at random; of texts, the middles of groups of like ones.

    Source:
        Zhang, Tsang and Kwok, "Improved Nyström Low-Rank Approximation and Error Analysis", ICML 2008 (the middles).
    """
    rows = design.rows
    if len(rows) <= most:
        return rows
    if not (design.kinds == "vector").any():
        return np.asarray(rows[rng.choice(len(rows), most, replace=False)])
    from sklearn.cluster import KMeans

    groups = KMeans(most, init="random", n_init=1, max_iter=15, random_state=int(rng.integers(2**31)))
    return np.asarray(groups.fit(rows).cluster_centers_)
