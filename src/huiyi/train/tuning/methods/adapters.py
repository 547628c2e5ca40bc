"""The method that puts a small network behind each half of every layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from huiyi.errors import OptionError
from huiyi.train.tuning.methods.base import Defaults, drawn_from

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

PLACES = (
    ("attention.output.dense", "output.dense"),  # BERT, RoBERTa, XLM-RoBERTa, ELECTRA
    ("attn.Wo", "mlp.Wo"),  # ModernBERT
    ("attn.c_proj", "mlp.c_proj"),  # GPT-2
    ("self_attn.o_proj", "mlp.down_proj"),  # Qwen2, Gemma, Llama
    ("layer.0.SelfAttention.o", "layer.1.DenseReluDense.wo"),  # the encoder of T5
)
"""Inside a layer, the last projections of its attention and of its feed-forward half. A module with both is a layer."""


@dataclass(frozen=True)
class AdaptersConfig:
    """Options of bottleneck adapters.

    Attributes:
        width: Width of the bottleneck.
        learning_rate: For the adapters.
    """

    width: int = 32
    learning_rate: float = 2e-3


class Adapters(Defaults):
    """Behind the attention and the feed-forward half of every layer: h + U gelu(D h), before the layer's own residual.

    U is zero at first, so the module starts as the backbone is. Unlike in the
    paper, the layers' normalisations do not train: the backbone stays the
    same bit for bit.

    Args:
        config: Options.

    Source:
        Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", ICML
        2019.
    """

    def __init__(self, *, config: AdaptersConfig | None = None) -> None:
        self.config = config or AdaptersConfig()

    @property
    def learning_rate(self) -> float:
        """See ``Method.learning_rate``."""
        return self.config.learning_rate

    def attach(self, backbone: PreTrainedModel, *, steps: int, rng: np.random.Generator) -> Module:
        """Put the adapters behind their projections. See ``Method.attach``."""
        if self.config.width < 1:
            raise OptionError(f"adapters: width is {self.config.width}, expected 1 or more, such as 32")
        projections = list(_projections(backbone))
        if not projections:
            raise OptionError(
                f"adapters: {type(backbone).__name__} has no layers of a known form, expected those of BERT, RoBERTa, "
                "ModernBERT, GPT-2, Qwen2, Gemma or the encoder of T5. Use another method, such as lora."
            )
        backbone.requires_grad_(False)
        with drawn_from(rng):
            for projection in projections:
                projection.adapter = _adapter(projection, backbone.config.hidden_size, self.config.width)
                # A hook leaves the projection and the names of its weights as they are, for code that looks for them.
                projection.register_forward_hook(_add_adapter)
        return backbone


def _projections(backbone: PreTrainedModel) -> Iterator[Module]:
    for layer in backbone.modules():
        paths = {path for path, _ in layer.named_modules()}
        for place in PLACES:
            if paths.issuperset(place):
                yield from map(layer.get_submodule, place)


def _adapter(projection: Module, hidden_width: int, width: int) -> Module:
    """The part of an adapter that is added, of the type and on the device of the projection."""
    import torch

    down, up = torch.nn.Linear(hidden_width, width), torch.nn.Linear(width, hidden_width)
    torch.nn.init.zeros_(up.weight)
    torch.nn.init.zeros_(up.bias)
    weight = next(projection.parameters())
    return torch.nn.Sequential(down, torch.nn.GELU(), up).to(device=weight.device, dtype=weight.dtype)


def _add_adapter(projection: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    added: Tensor = projection.adapter(output)
    return output + added
