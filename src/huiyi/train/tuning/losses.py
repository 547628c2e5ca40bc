"""What fine-tuning makes small.

Source:
    Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016 (label
    smoothing); Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020,
    equation 2; Gunel et al., "Supervised Contrastive Learning for Pre-trained
    Language Model Fine-tuning", ICLR 2021 (both together); Liang et al.,
    "R-Drop: Regularized Dropout for Neural Networks", NeurIPS 2021, equation 3
    (two readings of the same rows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def label_loss(scores: Tensor, targets: Tensor, *, several: bool, smoothing: float, weights: Tensor) -> Tensor:
    """Cross-entropy with label smoothing; for ``several`` that of each label for itself.

    Args:
        scores: Log-odds, shape (n, k).
        targets: Shape (n, k), 1 where right. For one label a row, rows sum to 1.
        several: Whether each label stands for itself.
        smoothing: The share of a row that all labels get alike.
        weights: What a row of each label counts, shape (k,).

    Example:
        >>> import torch
        >>> sure = torch.tensor([[9.0, 0.0]])
        >>> right, even = torch.tensor([[1.0, 0.0]]), torch.ones(2)
        >>> round(float(label_loss(sure, right, several=False, smoothing=0.0, weights=even)), 4)
        0.0001
    """
    from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

    if several:
        soft = targets * (1 - smoothing) + smoothing / 2
        return binary_cross_entropy_with_logits(scores, soft, weight=weights.expand_as(scores))
    soft = targets * (1 - smoothing) + smoothing / targets.shape[1]
    counts = targets @ weights
    return -((soft * log_softmax(scores, dim=1)).sum(dim=1) * counts).sum() / counts.sum()


def divergence(first: Tensor, second: Tensor, *, several: bool) -> Tensor:
    """How far two readings of the same rows are apart: the mean over rows of both Kullback–Leibler divergences, halved.

    Args:
        first: Log-odds, shape (n, k).
        second: Likewise.
        several: Whether each label stands for itself; theirs are then averaged.

    Example:
        >>> import torch
        >>> sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.0]])
        >>> round(float(divergence(sure, unsure, several=False)), 2), float(divergence(sure, sure, several=False))
        (2.25, 0.0)
    """
    import torch
    from torch.nn.functional import log_softmax

    if several:  # each label stands against its absence, whose log-odds are 0
        first, second = (torch.stack([odds, torch.zeros_like(odds)], dim=-1) for odds in (first, second))
    left, right = log_softmax(first, dim=-1), log_softmax(second, dim=-1)
    return ((left.exp() - right.exp()) * (left - right)).sum(dim=-1).mean() / 2


def contrastive_loss(vectors: Tensor, targets: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrast: rows draw together as far as they share labels, all others apart.

    Its memory grows with the square of the batch and not with the number of pairs in the data.

    Args:
        vectors: Unit vectors, shape (n, d).
        targets: Shape (n, k), 1 where right, or the share of each label.
        temperature: Divides the cosines.

    Example:
        >>> import torch
        >>> near = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> labels = torch.eye(2)[[0, 0, 1]]
        >>> float(contrastive_loss(near, labels, temperature=0.1)) < 0.01
        True
    """
    import torch

    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    cosines = (vectors @ vectors.T / temperature).masked_fill(itself, -1e4)
    alike = (targets @ targets.T).clamp(max=1.0).masked_fill(itself, 0.0)
    told = cosines - torch.logsumexp(cosines, dim=1, keepdim=True)
    counts = alike.sum(dim=1)
    paired = counts > 0
    if not paired.any():
        return vectors.sum() * 0
    return -((told * alike).sum(dim=1)[paired] / counts[paired]).mean()
