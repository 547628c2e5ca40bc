"""What fine-tuning makes small.

Source:
    Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016 (label
    smoothing); Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020,
    equation 2; Gunel et al., "Supervised Contrastive Learning for Pre-trained
    Language Model Fine-tuning", ICLR 2021 (both together).
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


def contrastive_loss(vectors: Tensor, targets: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrast: rows that share a label draw together, all others apart.

    Its memory grows with the square of the batch and not with the number of pairs in the data.

    Args:
        vectors: Unit vectors, shape (n, d).
        targets: Shape (n, k), 1 where right.
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
    alike = ((targets @ targets.T) > 0) & ~itself
    told = cosines - torch.logsumexp(cosines, dim=1, keepdim=True)
    counts = alike.sum(dim=1)
    paired = counts > 0
    if not paired.any():
        return vectors.sum() * 0
    return -((told * alike).sum(dim=1)[paired] / counts[paired]).mean()
