"""Weigh what several heads say by what each would have got right on rows it had not seen.

With 5 examples a class, counting words mostly adds noise; with 130 it settles
pairs that meaning alone confuses. So the weights are not chosen but fitted, by
the likelihood of the held-out scores, and the same fit calibrates them.

A head that adds next to nothing there is left out, to answer faster; but what
rows like these do not need, others may, such as those in another language. So
a head that was dear to learn can be kept.

Source:
    Multinomial logistic regression on stacked held-out scores: Wolpert,
    "Stacked generalization", Neural Networks 5(2), 1992; Platt, "Probabilistic
    outputs for support vector machines", 1999 (for ``several``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

WORTH_KEEPING = 0.002
"""A head stays only if leaving it out makes the held-out log-loss worse by this share: the others are then enough."""

FEWEST_ROWS = 1_000
"""With fewer rows than this all heads stay: what so few say of a head is mostly chance."""

MOST_SCORES = 4_000_000
"""Of more scores a head than this, evenly spread rows are enough to find a weight."""

PRIOR_WEIGHT = 1.2
PRIOR_OFFSET = -2.0
"""The weight of a head of which nothing better is known, and the offset, before there is any evidence."""


@dataclass(frozen=True)
class Blend:
    """Weights of the heads, and how scores become probabilities.

    Attributes:
        weights: Head name to weight. Heads not named are not worth keeping.
        several: Whether each label stands for itself.
        offset: Added to the log-odds of every label, for ``several``.
    """

    weights: Mapping[str, float]
    several: bool = False
    offset: float = 0.0

    def probabilities(self, mixed: Array) -> Array:
        """Calibrated probabilities of the weighted sums of the heads' scores, shape (n, k)."""
        if self.several:
            return _logistic(mixed)
        return softmax(mixed)


def fit_blend(
    scores: Mapping[str, Array],
    targets: Array,
    *,
    several: bool = False,
    prior: Mapping[str, float] | None = None,
    kept: Collection[str] = (),
) -> Blend:
    """Fit weights on held-out scores and leave out the heads that add nothing.

    Args:
        scores: Head name to held-out scores, shape (n, k).
        targets: Shape (n, k), 1 where right.
        several: Whether each label stands for itself.
        prior: Head name to its weight before there is any evidence.
        kept: Heads that are not left out.

    Example:
        >>> right = np.eye(2)[[0, 1, 0, 1, 0, 1] * 200]
        >>> noise = np.array([[0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [1, 0]] * 200) - 0.5
        >>> unsure = np.where(np.arange(1200)[:, None] % 6 == 0, 0.5 - right, right - 0.5)
        >>> sorted(fit_blend({"good": unsure, "noise": noise}, right).weights)
        ['good']
    """
    names = list(scores)
    prior = {name: (prior or {}).get(name, PRIOR_WEIGHT) for name in names}
    if not names or not len(targets):
        return Blend(prior, several, PRIOR_OFFSET if several else 0.0)
    step = max(1, targets.size // MOST_SCORES)
    scores, targets = {name: told[::step] for name, told in scores.items()}, targets[::step]
    blend, loss = _fitted({name: prior[name] for name in names}, scores, targets, several)
    while len(names) > 1 and len(targets) >= FEWEST_ROWS and (asked := [name for name in names if name not in kept]):
        trials = [
            (_fitted({n: prior[n] for n in names if n != name}, scores, targets, several), name) for name in asked
        ]
        (without, worse), name = min(trials, key=lambda trial: trial[0][1])
        if worse > loss * (1 + WORTH_KEEPING):
            break
        names.remove(name)
        blend = without
    return blend


def loss_at_best(scores: Array, targets: Array, *, several: bool = False) -> float:
    """Held-out log-loss of one head's scores at the weight that suits them best; both of shape (n, k)."""
    return _fitted({"head": PRIOR_WEIGHT}, {"head": scores}, targets, several)[1]


def softmax(mixed: Array) -> Array:
    """Probabilities of rows of log-odds, shape (n, k).

    Example:
        >>> softmax(np.log([[1, 3]])).round(2).tolist()
        [[0.25, 0.75]]
    """
    shares: Array = np.exp(mixed - mixed.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _fitted(
    prior: Mapping[str, float], scores: Mapping[str, Array], targets: Array, several: bool
) -> tuple[Blend, float]:
    """Best non-negative weights of these heads, and their held-out log-loss."""
    from scipy.optimize import minimize

    stack = [np.asarray(scores[name], dtype=np.float64) for name in prior]
    n = len(targets)
    objective: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]
    if several:

        def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            mixed = sum((w * s for w, s in zip(x, stack, strict=False)), np.zeros(targets.shape)) + x[-1]
            error = _logistic(mixed) - targets
            loss = np.logaddexp(0, mixed) - targets * mixed
            return float(loss.mean()), np.array([*(float((error * s).mean()) for s in stack), float(error.mean())])

    else:
        rows, right = np.nonzero(targets)

        def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            mixed = sum((w * s for w, s in zip(x, stack, strict=True)), np.zeros(targets.shape))
            shares = softmax(mixed)
            loss = -np.log(np.maximum(shares[rows, right], np.finfo(float).tiny)).sum() / n
            return float(loss), np.array([float((shares * s).sum() - s[rows, right].sum()) / n for s in stack])

    start = [*prior.values(), *([PRIOR_OFFSET] if several else [])]
    bounds = [(1e-3, 200.0)] * len(stack) + ([(-50.0, 50.0)] if several else [])
    first = np.array(start[: len(stack)])

    def penalised(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        # One row's worth of doubt: a few rows that all come out right must not make the blend boundlessly sure.
        loss, slope = objective(x)
        ratio = np.log(x[: len(first)] / first)
        slope[: len(first)] += ratio / x[: len(first)] / n
        return loss + float((ratio**2).sum()) / (2 * n), slope

    found = minimize(penalised, start, jac=True, bounds=bounds, method="L-BFGS-B")
    weights = {name: float(w) for name, w in zip(prior, found.x, strict=False)}
    return Blend(weights, several, float(found.x[-1]) if several else 0.0), float(found.fun)


def _logistic(mixed: Array) -> Array:
    """Probability of each log-odds."""
    probability: Array = 0.5 * (1 + np.tanh(0.5 * mixed))
    return probability
