"""The method that lets every attention layer read a few trained keys and values before the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from huiyi.errors import OptionError
from huiyi.train.tuning.methods.base import Defaults, drawn_from

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

_ATTENTION = "huiyi_prefix"
_PROBE = "huiyi_prefix_probe"


@dataclass(frozen=True)
class PrefixConfig:
    """Options of prefix-tuning.

    Attributes:
        tokens: Number of virtual tokens before the text, in each layer.
        spread: Standard deviation of their keys and values at first.
        offset: What is added to the attention's scores of each virtual token
            at first; it trains too.
        learning_rate: For keys, values and offsets.
    """

    tokens: int = 16
    spread: float = 0.02
    offset: float = -4.0
    learning_rate: float = 1e-2


class Prefix(Defaults):
    """Keys and values of virtual tokens stand before those of the text in every attention layer, and only they train.

    They are seen from every position of the text and have no position
    themselves, whatever a backbone does with positions.

    Args:
        config: Options.

    Source:
        Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for
        Generation", ACL 2021.
    """

    def __init__(self, *, config: PrefixConfig | None = None) -> None:
        self.config = config or PrefixConfig()

    @property
    def learning_rate(self) -> float:
        """See ``Method.learning_rate``."""
        return self.config.learning_rate

    def attach(self, backbone: PreTrainedModel, *, steps: int, rng: np.random.Generator) -> Module:
        """Give each attention layer its prefix, and the backbone an attention that reads it. See ``Method.attach``."""
        from transformers import AttentionInterface
        from transformers.masking_utils import AttentionMaskInterface

        if self.config.tokens < 1:
            raise OptionError(f"prefix: tokens is {self.config.tokens}, expected 1 or more, such as 16")
        shapes = _shapes_of_keys(backbone)
        AttentionInterface.register(_ATTENTION, _attend)
        AttentionMaskInterface.register(_ATTENTION, _mask)
        backbone.set_attn_implementation(_ATTENTION)
        backbone.requires_grad_(False)
        with drawn_from(rng):
            for attention, (heads, width) in shapes.items():
                attention.prefix = self._drawn(attention, heads, width)
        return backbone

    def _drawn(self, attention: Module, heads: int, width: int) -> Module:
        import torch

        shape = (1, heads, self.config.tokens, width)
        prefix = torch.nn.ParameterDict(
            {
                "key": torch.randn(shape) * self.config.spread,
                "value": torch.randn(shape) * self.config.spread,
                "offset": torch.full((1, 1, 1, self.config.tokens), float(self.config.offset)),
            }
        )
        weight = next(attention.parameters())
        return prefix.to(device=weight.device, dtype=weight.dtype)


def _shapes_of_keys(backbone: PreTrainedModel) -> dict[Any, tuple[int, int]]:
    """The attention layers, each with the heads and the width of its keys.

    Architectures differ in where these are written, so they are looked at
    while two tokens pass through.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    found: dict[Any, tuple[int, int]] = {}

    def note(attention: Module, query: Tensor, key: Tensor, *others: Any, **options: Any) -> tuple[Tensor, None]:
        found[attention] = (key.shape[1], key.shape[3])  # key: (n, heads, length, width)
        output: tuple[Tensor, None] = sdpa_attention_forward(attention, query, key, *others, **options)
        return output

    ALL_ATTENTION_FUNCTIONS[_PROBE] = note
    before = backbone.config._attn_implementation
    try:
        backbone.set_attn_implementation(_PROBE)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # dropout may draw
            backbone(input_ids=torch.ones((1, 2), dtype=torch.long, device=backbone.device))
    finally:
        backbone.set_attn_implementation(before)
        ALL_ATTENTION_FUNCTIONS.pop(_PROBE)
    if not found:
        raise OptionError(
            f"prefix: {type(backbone).__name__} does not attend through the attention interface of transformers, "
            "which the prefix is read by. Use another method, such as lora."
        )
    return found


def _mask(*arguments: Any, **options: Any) -> Tensor:
    """The additive mask, which is needed even where nothing is hidden: the prefix is put before it."""
    from transformers.masking_utils import eager_mask

    return eager_mask(*arguments, **{**options, "allow_is_bidirectional_skip": False})


def _attend(
    attention: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **options: Any
) -> tuple[Tensor, None]:
    """Scaled dot-product attention over the prefix and the text."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    prefix, count = attention.prefix, key.shape[0]  # len() would fix the number in an export
    key = torch.cat([prefix["key"].expand(count, -1, -1, -1), key], dim=2)  # (n, heads, prefix + text, width)
    value = torch.cat([prefix["value"].expand(count, -1, -1, -1), value], dim=2)
    offsets = prefix["offset"].expand(*attention_mask.shape[:3], -1)
    attention_mask = torch.cat([offsets, attention_mask], dim=3)  # (n, 1, text, prefix + text)
    if (bias := options.pop("position_bias", None)) is not None:  # T5; the prefix has no position
        attention_mask = attention_mask + torch.nn.functional.pad(bias, (prefix["key"].shape[2], 0))
    output: tuple[Tensor, None] = sdpa_attention_forward(attention, query, key, value, attention_mask, **options)
    return output
