"""What a backbone is tuned to: one objective a task, each with parameters of its own.

All listen to the same forward pass. A row says nothing to a task of which
nothing is known there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.train.tuning.losses import contrastive_loss, label_loss
from huiyi.values import Task

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from huiyi.train.tuning.batches import Tokens
    from huiyi.train.tuning.finetune import FinetuneConfig
    from huiyi.values import Array

_SCALES = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a backbone says of b texts of up to t tokens.

    Attributes:
        vectors: Unit vectors, shape (b, d).
        features: Of each token, shape (b, t, d).
    """

    vectors: Tensor
    features: Tensor


@dataclass(frozen=True, eq=False)
class Learnt:
    """What an objective leaves behind.

    Attributes:
        weights: A row for each label, shape (k, d): unit vectors, the
            prototypes, of a task of labels.
        bias: Added to the log-odds of each label, shape (k,).
    """

    weights: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Asked:
    """What an objective was asked, and what it answered.

    Attributes:
        scores: Log-odds, shape (m, k).
        targets: Shape (m, k), 1 where right.
        rows: How many rows it was asked about.
    """

    scores: Tensor
    targets: Tensor
    rows: int


class Objective(Protocol):
    """One task while it is learnt."""

    parameters: Mapping[str, Parameter]
    several: bool

    def prepared(self, targets: Any, tokens: Tokens) -> Tensor:
        """What is right of n rows as one tensor, whose first axis is the rows."""

    def asked(self, reading: Reading, prepared: Tensor) -> Asked:
        """Scores of b rows, and what is right of them, where that is known."""

    def loss(self, reading: Reading, asked: Asked) -> Tensor:
        """What is made small."""

    def learnt(self) -> Learnt:
        """What is left behind."""


class LabelObjective:
    """Labels of whole texts: sharpened cosines with one prototype a label.

    Args:
        targets: What is right of the rows, shape (n, k); NaN in rows of which nothing is known.
        vectors: What the backbone says of them before it is tuned, shape (n, d).
        several: Whether each label stands for itself. Otherwise rows without a
            label are out of scope, and a class of their own while learning.
        config: Options.
    """

    def __init__(self, targets: Array, vectors: Array, *, several: bool, config: FinetuneConfig) -> None:
        import torch

        self.several, self.config = several, config
        self._labels = targets.shape[1]
        self._columns = self._labels + int(not several and bool((targets.sum(axis=1) < 0.5).any()))
        known = ~np.isnan(targets[:, 0])
        right = self._with_none(targets[known])
        self._weights = torch.from_numpy(_label_weights(right, config.balance))
        prototypes = torch.nn.Parameter(torch.from_numpy(_means(vectors[known], right)))
        bias = torch.nn.Parameter(torch.zeros(self._columns))
        self.parameters: Mapping[str, Parameter] = {"prototypes": prototypes, "bias": bias}

    def prepared(self, targets: Array, tokens: Tokens) -> Tensor:
        """What is right of n rows, shape (n, columns)."""
        import torch

        return torch.from_numpy(self._with_none(targets))

    def asked(self, reading: Reading, prepared: Tensor) -> Asked:
        """Scores of the rows whose labels are known."""
        from torch.nn.functional import normalize

        known = ~prepared[:, 0].isnan()
        vectors, targets = (reading.vectors, prepared) if known.all() else (reading.vectors[known], prepared[known])
        prototypes = normalize(self.parameters["prototypes"], dim=1)
        scores = self.config.sharpness * vectors @ prototypes.T + self.parameters["bias"]
        return Asked(scores, targets, len(scores))

    def loss(self, reading: Reading, asked: Asked) -> Tensor:
        """Cross-entropy, and contrast where it is wanted."""
        config = self.config
        loss = label_loss(
            asked.scores, asked.targets, several=self.several, smoothing=config.smoothing, weights=self._weights
        )
        if config.contrast:
            loss = loss + config.contrast * contrastive_loss(
                reading.vectors, asked.targets, temperature=config.temperature
            )
        return loss

    def learnt(self) -> Learnt:
        """A unit vector for each label, and its bias."""
        from torch.nn.functional import normalize

        prototypes = normalize(self.parameters["prototypes"].detach(), dim=1).numpy()
        bias = self.parameters["bias"].detach().numpy()
        return Learnt(prototypes[: self._labels].copy(), bias[: self._labels].copy())

    def _with_none(self, targets: Array) -> Array:
        """Targets, with a last column for rows that have no label where there are such rows among the lessons."""
        none = np.where(np.isnan(targets[:, :1]), np.nan, targets.sum(axis=1, keepdims=True) < 0.5)
        return np.hstack([targets, none])[:, : self._columns].astype(np.float32)


def objective_of(task: Task, targets: Any, tokens: Tokens, vectors: Array, config: FinetuneConfig) -> Objective:
    """The objective of a task, before it has learnt anything."""
    return LabelObjective(targets, vectors, several=task.kind == "several", config=config)


def measured(asked: Sequence[Asked], *, several: bool) -> tuple[float, float]:
    """Loss at the best scale, and the share told right, of what an objective was asked.

    How sure to be is settled later, by the blend, and is no reason to stop.
    """
    import torch

    scores = torch.cat([part.scores for part in asked])
    targets = torch.cat([part.targets for part in asked])
    if not len(scores):
        return 0.0, float("nan")
    even = torch.ones(scores.shape[1])
    losses = [
        float(label_loss(scale * scores, targets, several=several, smoothing=0.0, weights=even)) for scale in _SCALES
    ]
    return min(losses), told_right(scores, targets) / len(scores)


def told_right(scores: Tensor, targets: Tensor) -> int:
    """How many rows have their highest score where it is right."""
    return int((scores.argmax(dim=1) == targets.argmax(dim=1)).sum())


def _means(vectors: Array, targets: Array) -> Array:
    """The mean vector of each label's rows, of unit length, shape (k, d); of a label without rows that of all."""
    sums = targets.T @ vectors
    sums[targets.sum(axis=0) == 0] = vectors.sum(axis=0)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return np.asarray(means, dtype=np.float32)


def _label_weights(targets: Array, balance: float) -> Array:
    """What a row of each label counts, shape (k,): the mean over rows stays 1."""
    counts = np.maximum(targets.sum(axis=0), 1)
    weights = (counts.sum() / counts) ** balance
    weights *= counts.sum() / (weights * counts).sum()
    return np.asarray(weights, dtype=np.float32)
