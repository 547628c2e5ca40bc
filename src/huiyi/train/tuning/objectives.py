"""What a backbone is tuned to: one objective a task, each with parameters of its own.

All listen to the same forward pass. A row says nothing to a task of which
nothing is known there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.align.lattice import tags_of
from huiyi.train.tuning.device import device
from huiyi.train.tuning.losses import contrastive_loss, label_loss
from huiyi.values import Span, Task

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from huiyi.train.tuning.batches import Tokens
    from huiyi.train.tuning.finetune import FinetuneConfig
    from huiyi.values import Array

NOT_ASKED = -1
"""The tag of a piece that nothing is asked of."""

DROPPED = 0.1
"""Share of the features of a unit that are left out while learning."""

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
            prototypes, of a task of labels. Of a task of spans, for each tag.
        bias: Added to the log-odds of each, shape (k,).
    """

    weights: Array
    bias: Array

    def odds(self, vectors: Array) -> Array:
        """What it says of vectors (m, d), or of the features of units: shape (m, k)."""
        told: Array = vectors @ self.weights.T + self.bias
        return told


@dataclass(frozen=True, eq=False)
class Asked:
    """What an objective was asked, and what it answered.

    Attributes:
        scores: Log-odds of m rows, or of the units of all rows, shape (m, k).
        targets: Shape (m, k), 1 where right.
        rows: How many rows it was asked about.
        vectors: Of these rows, where the loss looks at them, shape (m, d).
    """

    scores: Tensor
    targets: Tensor
    rows: int
    vectors: Tensor | None = None


class Objective(Protocol):
    """One task while it is learnt."""

    parameters: Mapping[str, Parameter]
    rate: float
    several: bool

    def prepared(self, targets: Any, items: Any) -> Tensor:
        """What is right of n rows as one tensor, whose first axis is the rows."""

    def asked(self, reading: Reading, prepared: Tensor) -> Asked:
        """Scores of b rows, and what is right of them, where that is known."""

    def loss(self, asked: Asked) -> Tensor:
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

        self.several, self.config, self.rate = several, config, config.prototype_rate
        self._labels = targets.shape[1]
        self._columns = self._labels + int(not several and bool((targets.sum(axis=1) < 0.5).any()))
        known = ~np.isnan(targets[:, 0])
        right = self._with_none(targets[known])
        self._weights = torch.from_numpy(_label_weights(right, config.balance)).to(device())
        prototypes = torch.nn.Parameter(torch.from_numpy(_means(vectors[known], right)).to(device()))
        bias = torch.nn.Parameter(torch.zeros(self._columns, device=device()))
        self.parameters: Mapping[str, Parameter] = {"prototypes": prototypes, "bias": bias}

    def prepared(self, targets: Array, items: Any) -> Tensor:
        """What is right of n rows, shape (n, columns)."""
        import torch

        return torch.from_numpy(self._with_none(targets)).to(device())

    def asked(self, reading: Reading, prepared: Tensor) -> Asked:
        """Scores of the rows whose labels are known."""
        from torch.nn.functional import normalize

        known = ~prepared[:, 0].isnan()
        vectors, targets = (reading.vectors, prepared) if known.all() else (reading.vectors[known], prepared[known])
        prototypes = normalize(self.parameters["prototypes"], dim=1)
        scores = self.config.sharpness * vectors @ prototypes.T + self.parameters["bias"]
        return Asked(scores, targets, len(scores), vectors)

    def loss(self, asked: Asked) -> Tensor:
        """Cross-entropy, and contrast where it is wanted."""
        config = self.config
        loss = label_loss(
            asked.scores, asked.targets, several=self.several, smoothing=config.smoothing, weights=self._weights
        )
        if config.contrast:
            assert asked.vectors is not None
            loss = loss + config.contrast * contrastive_loss(
                asked.vectors, asked.targets, temperature=config.temperature
            )
        return loss

    def learnt(self) -> Learnt:
        """A unit vector for each label, and its bias."""
        from torch.nn.functional import normalize

        prototypes = normalize(self.parameters["prototypes"].detach(), dim=1).cpu().numpy()
        bias = self.parameters["bias"].detach().cpu().numpy()
        return Learnt(prototypes[: self._labels].copy(), bias[: self._labels].copy())

    def _with_none(self, targets: Array) -> Array:
        """Targets, with a last column for rows that have no label where there are such rows among the lessons."""
        none = np.where(np.isnan(targets[:, :1]), np.nan, targets.sum(axis=1, keepdims=True) < 0.5)
        return np.hstack([targets, none])[:, : self._columns].astype(np.float32)


class SpanObjective:
    """Spans: a line for each tag of the first piece of each unit.

    Args:
        task: Its labels are those of the spans.
        width: Columns of the features.
        config: Options.
    """

    several = False

    def __init__(self, task: Task, width: int, config: FinetuneConfig) -> None:
        import torch

        self._task, self.rate = task, config.tag_rate
        self._tags = 2 * len(task.labels) + 1
        # It begins with nothing: all tags are as likely, and the backbone waits for the first step.
        weights, bias = (
            torch.nn.Parameter(torch.zeros(size, device=device())) for size in ((self._tags, width), (self._tags,))
        )
        self.parameters: Mapping[str, Parameter] = {"weights": weights, "bias": bias}

    def prepared(self, targets: Sequence[Sequence[Span] | None], tokens: Tokens) -> Tensor:
        """The tag of each piece, shape (n, longest); NOT_ASKED where no unit begins, or nothing is known."""
        import torch

        tags = np.full((len(targets), int(tokens.lengths.max(initial=1))), NOT_ASKED, dtype=np.int64)
        for row, (spans, units) in enumerate(zip(targets, tokens.units, strict=True)):
            if spans is not None:
                tags[row, units.places] = tags_of(units.offsets, spans, self._task.names)
        return torch.from_numpy(tags).to(device())

    def asked(self, reading: Reading, prepared: Tensor) -> Asked:
        """Scores of the units of the rows whose spans are known."""
        from torch.nn.functional import dropout, linear, one_hot

        tags = prepared[:, : reading.features.shape[1]]
        features = dropout(reading.features[tags != NOT_ASKED], DROPPED, training=reading.features.requires_grad)
        scores = linear(features, self.parameters["weights"], self.parameters["bias"])
        known = int((prepared != NOT_ASKED).any(dim=1).sum())
        return Asked(scores, one_hot(tags[tags != NOT_ASKED], self._tags).to(scores.dtype), known)

    def loss(self, asked: Asked) -> Tensor:
        """Cross-entropy of the units."""
        even = asked.targets.new_ones(self._tags)
        return label_loss(asked.scores, asked.targets, several=False, smoothing=0.0, weights=even)

    def learnt(self) -> Learnt:
        """The lines."""
        weights, bias = (self.parameters[name].detach().cpu().numpy().copy() for name in ("weights", "bias"))
        return Learnt(weights, bias)


def objective_of(task: Task, targets: Any, vectors: Array, config: FinetuneConfig) -> Objective:
    """The objective of a task, before it has learnt anything."""
    if task.kind == "spans":
        return SpanObjective(task, vectors.shape[1], config)
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
    even = scores.new_ones(scores.shape[1])
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
