"""What a tuned backbone itself tells of its words: by its slopes, and by where it looks.

Both look inside the model, and at the tuned backbone and its labels alone; what
other signals say has no part in it. They are there to be compared: on texts
held out, words found by asking the whole model are more faithful to it.

- ``gradients``: integrated gradients. With e the embeddings of the tokens, b those of a text that is all padding, and
  p(e) the probability that the backbone's own labels give, ``φ_i = (e_i − b_i) · ∫₀¹ ∂p/∂e_i (b + t (e − b)) dt``, so
  that Σ φ = p(e) − p(b), as far as the steps tell.
- ``attention``: rollout. With A_l the attention of layer l, mean of its heads, the product of all (A_l + I) / 2 tells
  how much of each token reaches each other one; φ_i is the mean over tokens, as these are averaged into the vector of
  the text. It is the same for all labels, and never speaks against one.

What pieces of a word count is added up.

Source:
    Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, section 3; Kokhlikyan et al.,
    "Captum", arXiv:2009.07896 (the integral); Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL
    2020, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.errors import MissingExtraError
from huiyi.explain.tokens import Game, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

STEPS = 50
"""Points along the way from padding to the text, captum's own default."""


class Reads(Protocol):
    """A backbone in torch: see ``huiyi.perceive.encoders.replayed``."""

    def read(self, text: str) -> Any:
        """``spans``, ``embeddings`` and ``blanks`` of its tokens, or None where it has none."""
        ...

    def vectors(self, embeddings: Tensor) -> Tensor:
        """Vectors (n, d) of the text with other embeddings (n, tokens, width)."""
        ...

    def attention(self, embeddings: Tensor) -> Tensor:
        """Shape (layers, tokens, tokens)."""
        ...


@dataclass(frozen=True, eq=False)
class Inside:
    """A tuned backbone and the labels that were learnt with it.

    Attributes:
        reads: The backbone.
        lines: What vectors are multiplied with to become log-odds of the k labels, shape (k, d).
        bias: What is added to them, shape (k,).
        column: The label that is asked about.
        several: Whether each label stands for itself.
    """

    reads: Reads
    lines: NDArray[np.floating]
    bias: NDArray[np.floating]
    column: int
    several: bool = False

    def probability(self, embeddings: Tensor) -> Tensor:
        """Of the label, by the backbone alone, shape (n,)."""
        import torch

        odds = self.reads.vectors(embeddings) @ torch.from_numpy(self.lines).T + torch.from_numpy(self.bias)
        told = torch.sigmoid(odds) if self.several else torch.softmax(odds, dim=1)
        return told[:, self.column]


def gradients(game: Game, inside: Inside, *, steps: int = STEPS) -> Weights:
    """Weights of the words by integrated gradients, and their places, the one that counts most first.

    Raises:
        MissingExtraError: ``captum`` is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise MissingExtraError("Gradients and attention of tuned models", extra="explain") from error
    pieces = inside.reads.read(game.text)
    if pieces is None:
        return _by_unit(game, (), ())
    told = IntegratedGradients(inside.probability, multiply_by_inputs=True).attribute(
        pieces.embeddings[None], baselines=pieces.blanks[None], n_steps=steps
    )
    return _by_unit(game, pieces.spans, told[0].sum(dim=-1).detach().numpy())


def attention(game: Game, inside: Inside) -> Weights:
    """Weights of the words by attention rollout, and their places, the one that counts most first."""
    pieces = inside.reads.read(game.text)
    if pieces is None:
        return _by_unit(game, (), ())
    looks = inside.reads.attention(pieces.embeddings).numpy()
    reached = np.eye(looks.shape[1])
    for layer in looks:
        reached = (layer + np.eye(len(layer))) / 2 @ reached
    return _by_unit(game, pieces.spans, reached.mean(axis=0))


def _by_unit(game: Game, spans: Sequence[tuple[int, int]], told: Sequence[float] | NDArray[np.floating]) -> Weights:
    """What the pieces of each unit count together."""
    weights = np.zeros(len(game.units))
    ends = np.array([unit.end for unit in game.units])
    for (start, end), value in zip(spans, told, strict=True):
        place = int(np.searchsorted(ends, start, side="right"))
        if start < end and place < len(ends) and game.units[place].start < end:
            weights[place] += value
    return weights, [int(place) for place in np.argsort(-weights, kind="stable")]


BACKBONE_METHODS: Mapping[str, Callable[[Game, Inside], Weights]] = {
    "gradients": gradients,
    "attention": attention,
}
"""How a tuned backbone tells what its words count, by name."""
