"""Token ids in batches of texts of like length, so that little is padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from huiyi.perceive.encoders.onnx import CASE
from huiyi.perceive.encoders.units import Units, letter_cases, units_of
from huiyi.train.tuning.device import device

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

BATCHES_A_BUCKET = 16
"""Rows are sorted by length within this many batches, no further: the order must stay nearly random."""


class Items(Protocol):
    """What is learnt from, as a backbone takes it."""

    def __len__(self) -> int:
        """How many."""
        ...

    def batch(self, rows: NDArray[np.intp], *, varied: bool = False) -> Mapping[str, Tensor]:
        """What a backbone is given of some; ``varied`` at random where that teaches what does not matter."""
        ...

    def shuffled(
        self, rows: int, rng: np.random.Generator, groups: Sequence[NDArray[np.intp]] | None = None
    ) -> Iterator[NDArray[np.intp]]:
        """All once, ``rows`` at a time, in random order, those of a group after each other."""
        ...

    def by_length(self, rows: int) -> Iterator[NDArray[np.intp]]:
        """All once, ``rows`` at a time, those that take longest last."""
        ...


def grouped(kinds: NDArray[np.intp], rng: np.random.Generator, *, together: int) -> list[NDArray[np.intp]]:
    """Rows in groups of up to ``together`` of one kind, at random.

    Example:
        >>> kinds = np.array([0, 1, 0, 1])
        >>> [kinds[group].tolist() for group in grouped(kinds, np.random.default_rng(0), together=2)]
        [[0, 0], [1, 1]]
    """
    groups: list[NDArray[np.intp]] = []
    for kind in np.unique(kinds):
        alike = rng.permutation(np.flatnonzero(kinds == kind))
        groups += [alike[start : start + together] for start in range(0, len(alike), together)]
    return groups


class Tokens:
    """Texts as token ids.

    Args:
        ids: Those of each text.
        padding: What shorter texts are filled up with.
        units: The units of each, where they are wanted, for spans.
        cases: How the words of each are written, where it is told that. See ``letter_cases``.
    """

    def __init__(
        self,
        ids: Sequence[Sequence[int]],
        *,
        padding: int,
        units: Sequence[Units] = (),
        cases: Sequence[Sequence[int]] = (),
    ) -> None:
        self.ids, self.units, self._cases, self._padding = ids, units, cases, padding
        self.lengths = np.array([len(one) for one in ids], dtype=np.intp)

    @classmethod
    def cut(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        texts: Sequence[str],
        *,
        max_tokens: int,
        sees_case: bool = False,
        with_units: bool = False,
    ) -> Tokens:
        """Texts cut by a tokenizer; of one longer than ``max_tokens`` only the beginning is read."""
        padding = int(tokenizer.pad_token_id)
        if not texts:
            return cls([], padding=padding)
        cut = tokenizer(list(texts), truncation=True, max_length=max_tokens)
        parts = list(zip(texts, cut.encodings, strict=True)) if with_units or sees_case else []
        units = [units_of(text, part) for text, part in parts] if with_units else []
        cases = [letter_cases(text, part) for text, part in parts] if sees_case else []
        return cls(cut["input_ids"], padding=padding, units=units, cases=cases)

    def __len__(self) -> int:
        """How many texts."""
        return len(self.ids)

    def batch(self, rows: Sequence[int] | NDArray[np.intp], *, varied: bool = False) -> dict[str, Tensor]:
        """What a backbone is given of some rows: ids, mask and what else it takes, each (rows, longest of them).

        Texts are not varied while they are learnt from. See ``Items``.
        """
        import torch

        longest = max(1, int(self.lengths[rows].max()))
        ids = np.full((len(rows), longest), self._padding, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": mask}
        if self._cases:
            given[CASE] = np.zeros_like(mask)
        for place, row in enumerate(rows):
            ids[place, : self.lengths[row]] = self.ids[row]
            mask[place, : self.lengths[row]] = 1
            if self._cases:
                given[CASE][place, : self.lengths[row]] = self._cases[row]
        return {name: torch.from_numpy(values).to(device()) for name, values in given.items()}

    def shuffled(
        self, rows: int, rng: np.random.Generator, groups: Sequence[NDArray[np.intp]] | None = None
    ) -> Iterator[NDArray[np.intp]]:
        """All texts once, ``rows`` at a time, groups of like length together, in random order. See ``Items``."""
        groups = list(np.arange(len(self))[:, None]) if groups is None else groups
        order = [groups[place] for place in rng.permutation(len(groups))]
        size = max(1, rows * BATCHES_A_BUCKET * len(groups) // max(1, len(self)))  # groups of so many rows
        batches: list[NDArray[np.intp]] = []
        for start in range(0, len(order), size):
            bucket = np.concatenate(sorted(order[start : start + size], key=lambda group: self.lengths[group].max()))
            batches += [bucket[i : i + rows] for i in range(0, len(bucket), rows)]
        for place in rng.permutation(len(batches)):
            yield batches[place]

    def by_length(self, rows: int) -> Iterator[NDArray[np.intp]]:
        """All texts once, ``rows`` at a time, the shortest first."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), rows):
            yield order[start : start + rows]
