"""Token ids in batches of texts of like length, so that little is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

BATCHES_A_BUCKET = 16
"""Rows are sorted by length within this many batches, no further: the order must stay nearly random."""


class Tokens:
    """Texts as token ids.

    Args:
        tokenizer: Cuts texts into tokens.
        texts: The n texts.
        max_tokens: Of a longer text only the beginning is read.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, max_tokens: int) -> None:
        self.ids: list[list[int]] = []
        if texts:
            self.ids = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
        self.lengths = np.array([len(ids) for ids in self.ids], dtype=np.intp)
        self._padding = int(tokenizer.pad_token_id)

    def batch(self, rows: Sequence[int] | NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Ids and mask of some rows, both (rows, longest of them)."""
        import torch

        longest = max(1, int(self.lengths[rows].max()))
        ids = np.full((len(rows), longest), self._padding, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : self.lengths[row]] = self.ids[row]
            mask[place, : self.lengths[row]] = 1
        return torch.from_numpy(ids), torch.from_numpy(mask)

    def shuffled(self, rows: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
        """All texts once, ``rows`` at a time, those of like length together, in random order."""
        order = rng.permutation(len(self.ids))
        size = rows * BATCHES_A_BUCKET
        batches: list[NDArray[np.intp]] = []
        for start in range(0, len(order), size):
            bucket = order[start : start + size]
            bucket = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            batches += [bucket[i : i + rows] for i in range(0, len(bucket), rows)]
        for place in rng.permutation(len(batches)):
            yield batches[place]

    def by_length(self, rows: int) -> Iterator[NDArray[np.intp]]:
        """All texts once, ``rows`` at a time, the shortest first."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), rows):
            yield order[start : start + rows]
