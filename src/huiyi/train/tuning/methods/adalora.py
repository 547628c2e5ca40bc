"""LoRA that gives each layer the rank it needs, out of a common budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from huiyi.errors import OptionError
from huiyi.train.tuning.methods.base import Defaults, drawn_from
from huiyi.train.tuning.methods.lora import PRODUCT, is_transposed, linear_layers, merged_into_weights, peft_library

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class AdaLoraConfig:
    """Options of AdaLoRA.

    Attributes:
        start_rank: Rank of every layer at first.
        rank: Mean rank of the layers at the end, smaller than ``start_rank``.
        alpha: What is added is multiplied by alpha / start_rank.
        dropout: Share of the inputs that it does not see in a training step.
        modules: As for LoRA.
        orthogonality: Weight of the penalty that keeps the singular vectors
            apart.
        warm_share: Share of the steps before the ranks begin to fall.
        settled_share: Share of the steps at the end in which they stay.
        interval_steps: The ranks are dealt out anew every so many steps.
        learning_rate: For what is added.
    """

    start_rank: int = 12
    rank: int = 8
    alpha: float = 24.0
    dropout: float = 0.0
    modules: tuple[str, ...] = ()
    orthogonality: float = 0.1
    warm_share: float = 0.1
    settled_share: float = 0.3
    interval_steps: int = 1
    learning_rate: float = 2e-3

    def check(self) -> None:
        """Report what cannot be used, all at once.

        Raises:
            OptionError: With every mistake.
        """
        mistakes = []
        if not 1 <= self.rank < self.start_rank:
            mistakes.append(
                f"adalora: rank is {self.rank} and start_rank {self.start_rank}, expected 1 or more, and start_rank "
                "above rank, such as 8 and 12"
            )
        if not 0 <= self.dropout < 1:
            mistakes.append(f"adalora: dropout is {self.dropout}, expected 0 or more and less than 1")
        if min(self.warm_share, self.settled_share) < 0 or self.warm_share + self.settled_share >= 1:
            mistakes.append(
                f"adalora: warm_share is {self.warm_share} and settled_share {self.settled_share}, expected 0 or "
                "more, and less than 1 together"
            )
        if self.interval_steps < 1:
            mistakes.append(f"adalora: interval_steps is {self.interval_steps}, expected 1 or more")
        if self.orthogonality < 0:
            mistakes.append(f"adalora: orthogonality is {self.orthogonality}, expected 0 or more")
        if mistakes:
            raise OptionError("; ".join(mistakes))


class AdaLora(Defaults):
    """To each weight W a product P diag(e) Q is added, in the form of a singular value decomposition.

    A singular value that matters little to the loss is set to zero, so layers
    that need more directions keep more of them. All of e are zero at first,
    so the module starts as the backbone is.

    Args:
        config: Options.

    Source:
        Zhang et al., "Adaptive Budget Allocation for Parameter-Efficient
        Fine-Tuning", ICLR 2023: the penalty is its equation 4 without the
        squares, as peft has it, and the budget its equation 10.
    """

    def __init__(self, *, config: AdaLoraConfig | None = None) -> None:
        self.config = config or AdaLoraConfig()

    @property
    def learning_rate(self) -> float:
        """See ``Method.learning_rate``."""
        return self.config.learning_rate

    def attach(self, backbone: PreTrainedModel, *, steps: int, rng: np.random.Generator) -> Module:
        """Add the decompositions. See ``Method.attach``."""
        self.config.check()
        peft = peft_library()
        # Where there are two steps or more, the last is a settled one: the budget is dealt out when that begins.
        settled = max(int(self.config.settled_share * steps), min(1, steps - 1))
        options = peft.AdaLoraConfig(
            init_r=self.config.start_rank,
            target_r=self.config.rank,
            lora_alpha=self.config.alpha,
            lora_dropout=self.config.dropout,
            target_modules=linear_layers(backbone, self.config.modules),
            fan_in_fan_out=is_transposed(backbone),
            tinit=min(int(self.config.warm_share * steps), steps - settled - 1),
            tfinal=settled,
            deltaT=self.config.interval_steps,
            total_step=steps,
        )
        with drawn_from(rng):
            module: Module = peft.AdaLoraModel(backbone, options, PRODUCT)
        return module

    def after_step(self, module: Module, step: int) -> None:
        """Deal out the ranks, by gradients that must still be there. See ``Method.after_step``."""
        adapted: Any = module
        adapted.update_and_allocate(step)

    def penalty(self, module: Module) -> Tensor:
        """Mean distance of the singular vectors from being orthonormal. See ``Method.penalty``."""
        import torch

        distances = [
            torch.linalg.matrix_norm(product - torch.eye(len(product), device=product.device, dtype=product.dtype))
            for product in _products(module)
        ]
        return self.config.orthogonality * torch.stack(distances).mean()

    def merged(self, module: Module) -> Module:
        """A copy with the products added to the plain weights. See ``Method.merged``."""
        return merged_into_weights(module)


def _products(module: Module) -> Iterator[Tensor]:
    """Of every matrix of singular vectors, the inner products of them: shape (rank, rank)."""
    for name, vectors in module.named_parameters():
        if ".lora_A." in name:
            yield vectors @ vectors.T
        elif ".lora_B." in name:
            yield vectors.T @ vectors
