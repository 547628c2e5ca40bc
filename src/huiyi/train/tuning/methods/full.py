"""The method that trains the whole backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huiyi.train.tuning.methods.base import Defaults

if TYPE_CHECKING:
    import numpy as np
    from torch.nn import Module
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class FullConfig:
    """Options of training everything.

    Attributes:
        words_train: Whether the word embeddings train too. They are half of a
            small model, and words that are not among the training rows do not
            move with the others; frozen, they are neither saved nor slow.
        learning_rate: For all parameters.
    """

    words_train: bool = False
    learning_rate: float = 2e-4


class Full(Defaults):
    """Everything that the last hidden state depends on trains.

    A pooler, which some backbones have beside it, does not.

    Args:
        config: Options.

    Source:
        Howard and Ruder, "Universal Language Model Fine-tuning for Text
        Classification", ACL 2018. Devlin et al., "BERT", NAACL 2019.
    """

    def __init__(self, *, config: FullConfig | None = None) -> None:
        self.config = config or FullConfig()

    @property
    def learning_rate(self) -> float:
        """See ``Method.learning_rate``."""
        return self.config.learning_rate

    def attach(self, backbone: PreTrainedModel, *, steps: int, rng: np.random.Generator) -> Module:
        """Unfreeze the backbone. See ``Method.attach``."""
        for name, parameter in backbone.named_parameters():
            parameter.requires_grad_(not name.startswith("pooler."))
        if not self.config.words_train:
            backbone.get_input_embeddings().requires_grad_(False)
        return backbone
