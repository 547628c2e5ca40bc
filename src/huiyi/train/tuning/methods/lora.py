"""The method that adds a product of two thin matrices to each linear layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from huiyi.errors import MissingExtraError, OptionError
from huiyi.train.tuning.methods.base import Defaults, drawn_from

if TYPE_CHECKING:
    import numpy as np
    from torch.nn import Module
    from transformers import PreTrainedModel

PRODUCT = "default"
"""What peft calls the one product that it adds to a weight."""


@dataclass(frozen=True)
class LoraConfig:
    """Options of LoRA.

    Attributes:
        rank: Width r of the thin matrices.
        alpha: What they add is multiplied by alpha / r.
        dropout: Share of the inputs that they do not see in a training step.
        modules: Names, or ends of names, of the linear layers that get them,
            such as ``("query", "value")``; all but the pooler's when empty.
        learning_rate: For the thin matrices. They start from nothing, so it
            is larger than for the weights of a backbone.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    modules: tuple[str, ...] = ()
    learning_rate: float = 2e-3

    def check(self) -> None:
        """Report what cannot be used, all at once.

        Raises:
            OptionError: With every mistake.
        """
        mistakes = []
        if self.rank < 1:
            mistakes.append(f"lora: rank is {self.rank}, expected 1 or more, such as 8")
        if not 0 <= self.dropout < 1:
            mistakes.append(f"lora: dropout is {self.dropout}, expected 0 or more and less than 1")
        if mistakes:
            raise OptionError("; ".join(mistakes))


class Lora(Defaults):
    """To each weight W a product B A of rank r is added, and only it trains: W + (alpha / r) B A.

    B is zero at first, so the module starts as the backbone is.

    Args:
        config: Options.

    Source:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR
        2022. All linear layers instead of queries and values: Dettmers et
        al., "QLoRA", NeurIPS 2023.
    """

    def __init__(self, *, config: LoraConfig | None = None) -> None:
        self.config = config or LoraConfig()

    @property
    def learning_rate(self) -> float:
        """See ``Method.learning_rate``."""
        return self.config.learning_rate

    def attach(self, backbone: PreTrainedModel, *, steps: int, rng: np.random.Generator) -> Module:
        """Add the thin matrices. See ``Method.attach``."""
        self.config.check()
        peft = peft_library()
        options = peft.LoraConfig(
            r=self.config.rank,
            lora_alpha=self.config.alpha,
            lora_dropout=self.config.dropout,
            target_modules=linear_layers(backbone, self.config.modules),
            fan_in_fan_out=is_transposed(backbone),
        )
        with drawn_from(rng):
            module: Module = peft.LoraModel(backbone, options, PRODUCT)
        return module

    def merged(self, module: Module) -> Module:
        """A copy with the products added to the plain weights. See ``Method.merged``."""
        return merged_into_weights(module)


def peft_library() -> ModuleType:
    """The library that low-rank methods come from, or an error with its install command."""
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError("LoRA and AdaLoRA", extra="tune") from error
    return peft


def linear_layers(backbone: PreTrainedModel, endings: tuple[str, ...]) -> list[str]:
    """Names of the linear layers that low-rank products are added to.

    Args:
        backbone: Where to look.
        endings: Names, or ends of names, of those wanted; all when empty.

    Raises:
        OptionError: An ending is of none of them; the message lists those
            there are.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    # The pooler reads the last hidden state: nothing of it would ever get a gradient.
    names = [
        name
        for name, layer in backbone.named_modules()
        if isinstance(layer, (torch.nn.Linear, Conv1D)) and not name.startswith("pooler.")
    ]
    known = sorted({name.rpartition(".")[2] for name in names})
    for ending in endings:
        if not any(_ends_with(name, ending) for name in names):
            raise OptionError(
                f"modules: {type(backbone).__name__} has no linear layer {ending!r}, expected some of "
                f"{', '.join(known) or 'none'}. Leave modules empty to take all."
            )
    if not names:
        raise OptionError(f"{type(backbone).__name__} has no linear layers for low-rank products. Use the method full.")
    return [name for name in names if not endings or any(_ends_with(name, ending) for ending in endings)]


def is_transposed(backbone: PreTrainedModel) -> bool:
    """Whether the weights are stored as (in, out), as those of GPT-2 are."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(layer, Conv1D) for layer in backbone.modules())


def merged_into_weights(module: Module) -> Module:
    """A copy of the backbone with what was added by peft merged into its weights."""
    adapted: Any = copy.deepcopy(module)
    merged: Module = adapted.merge_and_unload()
    return merged.eval().requires_grad_(False)


def _ends_with(name: str, ending: str) -> bool:
    return f".{name}".endswith(f".{ending}")
