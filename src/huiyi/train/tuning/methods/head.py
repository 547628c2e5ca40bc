"""The method that leaves the backbone as it is: only the head that is put on top trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huiyi.train.tuning.methods.base import Defaults

if TYPE_CHECKING:
    import numpy as np
    from torch.nn import Module
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class HeadConfig:
    """Options of training only the head.

    Attributes:
        learning_rate: For the head, which starts from nothing.
    """

    learning_rate: float = 1e-2


class Head(Defaults):
    """Nothing of the backbone trains. The difference is empty.

    Args:
        config: Options.
    """

    def __init__(self, *, config: HeadConfig | None = None) -> None:
        self.config = config or HeadConfig()

    @property
    def learning_rate(self) -> float:
        """See ``Method.learning_rate``."""
        return self.config.learning_rate

    def attach(self, backbone: PreTrainedModel, *, steps: int, rng: np.random.Generator) -> Module:
        """Freeze the backbone. See ``Method.attach``."""
        return backbone.requires_grad_(False)
