"""How a variable comes about from its causes and a noise of its own: mechanisms, fitted and saved as plain data.

A number is a linear function of features of its causes plus noise, a name the one with the largest of linear functions
plus Gumbel noise:

    y = w · φ(causes) + u                      Y = argmaxₖ wₖ · φ(causes) + gₖ,   w₁ = 0

Features are 1, the causes (numbers scaled, a column for each name), and, where Schwarz's criterion says so, squares of
numbers and products of different causes. Weights are known only so far as a log tells: ``draw`` gives samples of their
posterior under a normal prior of one unit, by its mode and curvature.

Source:
    Additive noise: Hoyer et al., "Nonlinear Causal Discovery with Additive Noise Models", NIPS 2008. Gumbel noise, and
    what is known of it once the name was seen: Oberst and Sontag, "Counterfactual Off-Policy Evaluation with
    Gumbel-Max Structural Causal Models", ICML 2019, section 3; Maddison et al., "A* Sampling", NIPS 2014.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from huiyi.cause.log import Categories, Column, Numbers

_WIDEST = 300  # features, with products
_ROWS_A_FEATURE = 20
_STEPS, _NEAR = 50, 1e-8  # of Newton's method
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class Cause:
    """How one cause enters: as numbers, or a column for each of its names but the first.

    Attributes:
        name: Of its column.
        names: Those it can have; empty for numbers.
        mean: Taken off its columns, shape (w,).
        spread: They are divided by that, shape (w,).
    """

    name: str
    names: tuple[str, ...]
    mean: Numbers
    spread: Numbers

    @classmethod
    def of(cls, name: str, column: Column) -> Cause:
        """As the rows of a log have it."""
        names = column.names if isinstance(column, Categories) else ()
        raw = _raw(names, values_of(column))
        spread = raw.std(axis=0)
        return cls(name, names, raw.mean(axis=0), np.where(spread > _NOTHING, spread, 1.0))

    def columns(self, values: Numbers) -> Numbers:
        """Numbers, or the places of names, shape (m,) or for vectors (m, d), as features of shape (m, w)."""
        return np.asarray((_raw(self.names, values) - self.mean) / self.spread)

    @property
    def is_vector(self) -> bool:
        """Whether its columns are those of a vector, which has no squares or products."""
        return not self.names and len(self.mean) > 1


@dataclass(frozen=True, eq=False)
class Mechanism:
    """How one variable comes about.

    Attributes:
        name: Of its column.
        names: Those it can have, of k; empty for a number.
        causes: What it comes from.
        is_bent: Whether squares and products are among the features.
        weights: Shape (k − 1, d); (1, d) for a number.
        root: A square root of the weights' covariance, one row after another, shape ((k − 1) d, (k − 1) d).
        noise: The standard deviation of a number's noise.
    """

    name: str
    names: tuple[str, ...]
    causes: tuple[Cause, ...]
    is_bent: bool
    weights: Numbers
    root: Numbers
    noise: float

    def features(self, values: Mapping[str, Numbers]) -> Numbers:
        """Of causes given by name, shape (m, d)."""
        return _features([(cause, cause.columns(values[cause.name])) for cause in self.causes], self.is_bent, values)

    def draw(self, count: int, rng: np.random.Generator) -> Numbers:
        """Weights as they may be, shape (count, k − 1, d)."""
        steps = rng.normal(size=(count, len(self.root))) @ self.root.T
        return self.weights + steps.reshape(count, *self.weights.shape)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        causes = [
            {"name": one.name, "names": list(one.names), "mean": one.mean.tolist(), "spread": one.spread.tolist()}
            for one in self.causes
        ]
        return {
            "name": self.name,
            "names": list(self.names),
            "causes": causes,
            "is_bent": self.is_bent,
            "weights": self.weights.tolist(),
            "root": self.root.tolist(),
            "noise": self.noise,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Mechanism:
        """What ``to_json`` gave."""
        causes = (
            Cause(one["name"], tuple(one["names"]), np.array(one["mean"]), np.array(one["spread"]))
            for one in saved["causes"]
        )
        return cls(
            saved["name"],
            tuple(saved["names"]),
            tuple(causes),
            saved["is_bent"],
            np.array(saved["weights"]),
            np.array(saved["root"]),
            saved["noise"],
        )


def fitted(name: str, names: Sequence[str], target: Numbers, causes: Mapping[str, Column]) -> Mechanism:
    """Fit how a variable comes about from its causes.

    Args:
        name: Of the variable.
        names: Those it can have; empty for a number.
        target: Its numbers, or places among ``names``, shape (n,); all known.
        causes: Name to column of n rows; all known.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> waiting = rng.normal(size=500)
        >>> found = fitted("score", (), 2 * waiting + 1 + 0.1 * rng.normal(size=500), {"waiting": waiting})
        >>> found.is_bent, round(found.noise, 1), found.draw(3, rng).shape
        (False, 0.1, (3, 1, 2))
    """
    entering = tuple(Cause.of(one, column) for one, column in causes.items())
    values = {one: values_of(column) for one, column in causes.items()}
    blocks = [(cause, cause.columns(values[cause.name])) for cause in entering]
    found = []
    for is_bent in (False, True):
        rows = _features(blocks, is_bent, values)
        if is_bent and (rows.shape[1] > _WIDEST or rows.shape[1] * _ROWS_A_FEATURE > len(target)):
            continue
        weights, root, noise, misfit = _names(rows, target, len(names)) if names else _number(rows, target)
        misfit += weights.size * np.log(len(target))
        found.append((misfit, is_bent, Mechanism(name, tuple(names), entering, is_bent, weights, root, noise)))
    return min(found, key=lambda one: one[:2])[2]


def values_of(column: Column) -> Numbers:
    """Numbers as they are, names as their places, shape (n,) or for vectors (n, d)."""
    return column.codes.astype(np.float64) if isinstance(column, Categories) else np.asarray(column, dtype=np.float64)


def noise_behind(scores: Numbers, seen: int, rng: np.random.Generator) -> Numbers:
    """Gumbel noise with which one name is the largest, as it may have been.

    Args:
        scores: What the names had without noise, shape (m, k).
        seen: The place of the name that was seen.
        rng: Draws it.

    Returns:
        Shape (m, k).

    Example:
        >>> scores = np.zeros((100, 3))
        >>> behind = noise_behind(scores, 2, np.random.default_rng(0))
        >>> (scores + behind).argmax(axis=1).tolist() == [2] * 100
        True
    """
    most = scores.max(axis=1)
    total = most + np.log(np.exp(scores - most[:, None]).sum(axis=1))
    top = total + rng.gumbel(size=len(scores))  # the largest of them all, whichever it is
    free = scores + rng.gumbel(size=scores.shape)
    below = -np.logaddexp(-top[:, None], -free)  # a Gumbel variable, given that it is below the top
    below[:, seen] = top
    return np.asarray(below - scores)


def _raw(names: Sequence[str], values: Numbers) -> Numbers:
    if names:
        return np.asarray(values[:, None] == np.arange(1, len(names)), dtype=np.float64)
    return values.reshape(len(values), -1)


def _features(blocks: Sequence[tuple[Cause, Numbers]], is_bent: bool, values: Mapping[str, Numbers]) -> Numbers:
    """1, the causes, and their squares and products."""
    count = len(next(iter(values.values())))
    parts = [np.ones((count, 1)), *(rows for _, rows in blocks)]
    if is_bent:
        plain = [(cause, rows) for cause, rows in blocks if not cause.is_vector]
        parts += [rows**2 - 1 for cause, rows in plain if not cause.names]
        for place, (_, left) in enumerate(plain):
            for _, right in plain[:place]:
                parts.append((left[:, :, None] * right[:, None, :]).reshape(count, -1))
    return np.concatenate(parts, axis=1)


def _prior(width: int) -> Numbers:
    """The precision of weights before anything was seen; the constant may be anything."""
    precision = np.ones(width)
    precision[0] = 1e-6
    return precision


def _number(rows: Numbers, target: Numbers) -> tuple[Numbers, Numbers, float, float]:
    """Weights, a root of their covariance, the noise, and twice the negative log-likelihood."""
    precision = rows.T @ rows + np.diag(_prior(rows.shape[1]))
    weights = np.asarray(np.linalg.solve(precision, rows.T @ target), dtype=np.float64)
    left = float(np.sum((target - rows @ weights) ** 2))
    noise = np.sqrt(max(left, _NOTHING) / max(1, len(target) - rows.shape[1]))
    misfit = len(target) * np.log(max(left, _NOTHING) / len(target))
    return weights[None], _root(precision) * noise, float(noise), float(misfit)


def _names(rows: Numbers, target: Numbers, k: int) -> tuple[Numbers, Numbers, float, float]:
    """The same for names, by Newton's method with steps that are halved until they help."""
    n, d = rows.shape
    indicators = (target[:, None] == np.arange(1, k)).astype(np.float64)  # (n, k − 1)
    prior = np.tile(_prior(d), k - 1)
    weights = np.zeros((k - 1, d))

    def misfit(weights: Numbers) -> tuple[float, Numbers]:
        scores = np.concatenate([np.zeros((n, 1)), rows @ weights.T], axis=1)
        most = scores.max(axis=1, keepdims=True)
        chances = np.exp(scores - most)
        total = chances.sum(axis=1, keepdims=True)
        told = float(np.sum(indicators * scores[:, 1:]) - np.sum(most + np.log(total)))
        return -told, chances[:, 1:] / total

    def cost(weights: Numbers) -> float:
        return misfit(weights)[0] + float(prior @ weights.ravel() ** 2) / 2

    curvature = np.diag(prior)
    for _ in range(_STEPS):
        _, chances = misfit(weights)
        slope = ((chances - indicators).T @ rows).ravel() + prior * weights.ravel()
        curvature = _curvature(rows, chances) + np.diag(prior)
        step = np.linalg.solve(curvature, slope).reshape(weights.shape)
        before, size = cost(weights), 1.0
        while cost(weights - size * step) > before and size > _NEAR:
            size /= 2
        weights = weights - size * step
        if size * float(np.abs(step).max()) < _NEAR:
            break
    return weights, _root(curvature), 0.0, 2 * misfit(weights)[0]


def _curvature(rows: Numbers, chances: Numbers) -> Numbers:
    """The second derivative of the negative log-likelihood, shape ((k − 1) d, (k − 1) d)."""
    count, d = chances.shape[1], rows.shape[1]
    blocks = np.empty((count, d, count, d))
    for one in range(count):
        for other in range(count):
            spread = chances[:, one] * ((one == other) - chances[:, other])
            blocks[one, :, other] = (rows * spread[:, None]).T @ rows
    return blocks.reshape(count * d, count * d)


def _root(precision: Numbers) -> Numbers:
    """A square root of the inverse, shape (d, d)."""
    values, vectors = np.linalg.eigh(precision)
    return np.asarray(vectors / np.sqrt(np.maximum(values, _NOTHING)), dtype=np.float64)
