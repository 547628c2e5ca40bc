"""What texts teach without labels: a hidden token, the order of two parts, and which of many is the same text.

Source:
    Devlin et al., "BERT", NAACL 2019, section 3.1 (masked tokens); Lan et al.,
    "ALBERT", ICLR 2020, section 3.1 (order); Gao et al., "SimCSE", EMNLP 2021,
    section 3 (contrast, with dropout as the only difference).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.errors import OptionError
from huiyi.train.tuning.backbones import Backbone
from huiyi.train.tuning.batches import Tokens
from huiyi.train.tuning.device import device
from huiyi.train.tuning.objectives import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter

HIDDEN_SHARE = 0.15
"""Of the tokens of a text, and at least one: of these, MASKED_SHARE are masked and RANDOM_SHARE are another token."""

MASKED_SHARE, RANDOM_SHARE = 0.8, 0.1
TEMPERATURE = 0.05

Read = Callable[["Tensor", "Tensor"], Reading]
"""From token ids and their mask, both (b, t), to what the backbone says of them."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some texts as tokens.

    Attributes:
        ids: Of their tokens, shape (b, t).
        mask: 1 where there is a token, shape (b, t).
        own: Boolean, shape (b, t): tokens of the text itself, not those that stand around every text.
    """

    ids: Tensor
    mask: Tensor
    own: Tensor


class Batches:
    """Texts as batches of tokens.

    Args:
        backbone: Its tokenizer cuts them.
        texts: The n texts.
        max_tokens: Of a longer text only the beginning is read.
    """

    def __init__(self, backbone: Backbone, texts: Sequence[str], *, max_tokens: int) -> None:
        around = backbone.tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
        self._before = around.index(0) if 0 in around else 0
        self._after = len(around) - around.count(0) - self._before
        self.tokens = Tokens.cut(backbone.tokenizer, texts, max_tokens=max_tokens)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Some of the texts."""
        import torch

        given = self.tokens.batch(rows)
        ids, mask = given["input_ids"], given["attention_mask"]
        places, lengths = torch.arange(ids.shape[1], device=ids.device), mask.sum(dim=1, keepdim=True)
        return Batch(ids, mask, (places >= self._before) & (places < lengths - self._after))


class Pretext(Protocol):
    """Something to be told about texts that needs no label."""

    parameters: Sequence[Parameter]

    def loss(self, read: Read, batch: Batch, rng: np.random.Generator) -> Tensor:
        """How badly it is told of a batch, a number."""
        ...


class Masked:
    """Tell hidden tokens from those around them; where each token sees only those before it, tell every next one.

    The scores are products with the word embeddings. These do not train, so
    words that the texts lack keep their place among the others.

    Args:
        backbone: What is taught.
    """

    def __init__(self, backbone: Backbone) -> None:
        from torch import nn

        words: Any = backbone.module.get_input_embeddings()
        self._words: Tensor = words.weight.detach()
        self._scale = 1 / float(self._words.norm(dim=1).mean())
        self._reads_forward = backbone.pooling == "last"
        self._mask_id = backbone.tokenizer.mask_token_id
        width = self._words.shape[1]
        self._head = nn.Sequential(nn.Linear(backbone.width, width), nn.GELU(), nn.LayerNorm(width)).to(device())
        self._bias = nn.Parameter(self._words.new_zeros(len(self._words)))
        self.parameters: Sequence[Parameter] = [*self._head.parameters(), self._bias]

    def loss(self, read: Read, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Cross-entropy of the hidden tokens. See ``Pretext.loss``."""
        from torch.nn.functional import cross_entropy

        if self._reads_forward:
            asked, right = batch.own[:, 1:], batch.ids[:, 1:]
            features = read(batch.ids, batch.mask).features[:, :-1]
        else:
            shown, asked = self._hidden(batch, rng)
            right, features = batch.ids, read(shown, batch.mask).features
        scores = self._scale * self._head(features[asked]) @ self._words.T + self._bias
        return cross_entropy(scores, right[asked]) if asked.any() else scores.sum()

    def _hidden(self, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The ids as they are shown, and which of them are to be told; without a mask token all are another one."""
        import torch

        shape = tuple(batch.ids.shape)
        draws = torch.from_numpy(rng.random(shape)).to(device()).masked_fill(~batch.own, 2.0)
        hidden = batch.own & ((draws < HIDDEN_SHARE) | (draws == draws.amin(dim=1, keepdim=True)))
        kinds = torch.from_numpy(rng.random(shape)).to(device())
        others = torch.from_numpy(rng.integers(len(self._words), size=shape)).to(device())
        masked = MASKED_SHARE if self._mask_id is not None else 0.0
        another = (kinds >= masked) & (kinds < masked + RANDOM_SHARE) if masked else torch.ones_like(hidden)
        shown = torch.where(hidden & another, others, batch.ids)
        if masked:
            shown = shown.masked_fill(hidden & (kinds < masked), self._mask_id)
        return shown, hidden


class Order:
    """Tell whether the two parts of a text were exchanged.

    Args:
        backbone: What is taught.
    """

    def __init__(self, backbone: Backbone) -> None:
        from torch import nn

        self._head = nn.Linear(backbone.width, 1).to(device())
        self._scale = backbone.width**0.5
        self.parameters: Sequence[Parameter] = list(self._head.parameters())

    def loss(self, read: Read, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Cross-entropy over the texts of two tokens or more. See ``Pretext.loss``."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        ids, rows = batch.ids.clone(), torch.nonzero(batch.own.sum(dim=1) > 1).ravel()
        exchanged = torch.from_numpy(rng.random(len(rows)) < 0.5).to(device())
        for row in rows[exchanged]:
            own = torch.nonzero(batch.own[row]).ravel()
            ids[row, own] = ids[row, own].roll(int(rng.integers(1, len(own))))
        if not len(rows):
            return self._head.bias.sum() * 0
        scores = self._head(self._scale * read(ids[rows], batch.mask[rows]).vectors)[:, 0]
        return binary_cross_entropy_with_logits(scores, exchanged.to(scores.dtype))


class Contrast:
    """Tell a text, read twice, from the others of its batch.

    Args:
        backbone: What is taught.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._name = backbone.name
        self.parameters: Sequence[Parameter] = []

    def loss(self, read: Read, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Cross-entropy over the texts of the batch. See ``Pretext.loss``.

        Raises:
            OptionError: Both readings are the same.
        """
        import torch
        from torch.nn.functional import cross_entropy

        first, second = (read(batch.ids, batch.mask).vectors for _ in range(2))
        if torch.equal(first, second):
            raise OptionError(
                f"{self._name}: contrast needs a backbone with dropout, but it reads a text twice alike. Expected "
                "dropout above 0 in its config.json; set it there, or leave the objective 'contrastive' out"
            )
        return cross_entropy(first @ second.T / TEMPERATURE, torch.arange(len(first), device=first.device))


PRETEXTS: dict[str, Callable[[Backbone], Pretext]] = {"masked": Masked, "order": Order, "contrastive": Contrast}
"""The objectives by name."""
