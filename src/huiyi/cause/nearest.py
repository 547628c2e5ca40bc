"""What the rows say whose texts are most alike, beside what learners made of all of them."""

from __future__ import annotations

import numpy as np

from huiyi.cause.covariates import Design
from huiyi.cause.log import Numbers

_NEAREST = 40
_STEEPNESS = 20.0  # a text whose cosine is 0.05 higher counts e times as much
_MOST_ROWS = 20_000
_ROWS_AT_ONCE = 1_000


class Nearest:
    """What learners left of the shares of actions among the likest texts: its mean, the liker the more.

    Learners draw what a text says of the action towards what is usual. Where what it is about drives both the action
    and the outcome, what they miss is a bias. Texts about one thing lie close together, so the few nearest tell most of
    it. That makes shares less exact, and intervals wider, but effects less biased.

    Args:
        rng: Draws the rows to compare with, where there are very many.

    Example:
        >>> design = Design(np.array([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.0]]), np.array(["vector"] * 2), ("text",) * 2)
        >>> nearest = Nearest(np.random.default_rng(0))
        >>> nearest.fit(design, np.array([[0.2], [0.4], [-0.3]]))
        >>> nearest.of(design.taking(np.array([0, 2]))).round(1).tolist()
        [[0.3], [-0.3]]

    Source:
        A second fit to what the first left: Newey, Hsieh and Robins, "Twicing Kernels and a Small Bias Property of
        Semiparametric Estimators", Econometrica 72(3), 2004.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def fit(self, design: Design, left: Numbers) -> None:
        """Keep the texts and what was left of each row, shape (n, k)."""
        some = np.arange(len(design))
        if len(some) > _MOST_ROWS:
            some = np.sort(self.rng.choice(some, _MOST_ROWS, replace=False))
        self.known, self.left = _directions(design.taking(some)), left[some]

    def of(self, design: Design) -> Numbers:
        """What to add to the shares of rows, shape (n, k)."""
        few = min(_NEAREST, len(self.known))
        told = np.empty((len(design), self.left.shape[1]))
        for start in range(0, len(design), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            cosines = _directions(design.taking(here)) @ self.known.T
            places = np.argpartition(-cosines, few - 1, axis=1)[:, :few]
            weights = np.exp(_STEEPNESS * np.take_along_axis(cosines, places, axis=1))
            weights /= weights.sum(axis=1, keepdims=True)
            told[here] = np.einsum("nf,nfk->nk", weights, self.left[places])
        return told


def _directions(design: Design) -> Numbers:
    """The texts of rows, of length 1."""
    texts = design.rows[:, design.kinds == "vector"]
    lengths = np.linalg.norm(texts, axis=1, keepdims=True)
    return np.asarray(texts / np.maximum(lengths, 1e-12))
