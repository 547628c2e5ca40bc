"""An exported backbone, run again in torch: what it says can be differentiated, and where it looks can be seen.

A saved model keeps no torch weights. But its ONNX file holds all that the
backbone computes with, so the file itself is walked, operation by operation,
with tensors in the place of arrays. What is explained is then what decides,
rounding to 8 bits included. Only operations that files by
``huiyi.train.tuning.export`` hold are known. (``operations.py``)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.encoders.onnx import CASE, INPUTS, OUTPUT, OnnxEncoder, read_tokenizer, token_batches
from huiyi.perceive.encoders.operations import operations

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pieces:
    """A text as a backbone reads it.

    Attributes:
        spans: First character and the one behind the last of each token; empty for those that stand for no part of it.
        embeddings: What stands for each token before anything is computed, shape (tokens, width).
        blanks: The same, had the text nothing but padding between its special tokens.
    """

    spans: Sequence[tuple[int, int]]
    embeddings: Tensor
    blanks: Tensor


class Replayed:
    """The file of an encoder, in torch.

    Args:
        encoder: The exported backbone.

    Raises:
        MissingExtraError: ``torch`` or ``onnx`` is not installed.
        DataError: The file holds operations that are not known.
    """

    def __init__(self, encoder: OnnxEncoder) -> None:
        try:
            import onnx
            import torch
        except ImportError as error:
            raise MissingExtraError("Gradients and attention of tuned models", extra="explain") from error
        graph = onnx.load_from_string(encoder.model).graph
        if unknown := sorted({node.op_type for node in graph.node} - {*operations()}):
            raise DataError(
                f"encoder {encoder.name!r}: the ONNX file holds {', '.join(unknown)}, which cannot be differentiated "
                "here; expected a backbone that huiyi exported. Explain by another method"
            )
        self._encoder = encoder
        self._tokenizer = read_tokenizer(encoder.tokenizer, max_tokens=encoder.max_tokens)
        self._nodes = list(graph.node)
        self._takes_cases = CASE in [value.name for value in graph.input]
        self._weights = {
            tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer
        }
        table = next(node for node in self._nodes if node.op_type == "Gather" and node.input[1] == INPUTS[0])
        self._embedded = table.output[0].removesuffix(".steps")  # rows of a table in 8 bits are scaled afterwards

    def read(self, text: str) -> Pieces | None:
        """The beginning of a text, as far as it is read; None where it has no tokens."""
        import torch

        batch = next(token_batches(self._tokenizer, [text]), None)
        if batch is None:
            return None
        encoding = batch.windows[0].encoding
        spans = [
            (0, 0) if special else span
            for span, special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        ]
        padding = self._padding()
        blank = np.where([start < end for start, end in spans], padding, batch.ids[0])
        self._given = {INPUTS[0]: torch.from_numpy(batch.ids), INPUTS[1]: torch.from_numpy(batch.mask)}
        if self._takes_cases:
            self._given[CASE] = torch.from_numpy(batch.cases())
        with torch.no_grad():
            embeddings = self._run(self._given)[self._embedded][0]
            blanks = self._run({**self._given, INPUTS[0]: torch.from_numpy(blank[None])})[self._embedded][0]
        return Pieces(spans, embeddings, blanks)

    def vectors(self, embeddings: Tensor) -> Tensor:
        """What it says of the text that was read last, with other embeddings (n, tokens, width): (n, width)."""
        vectors: Tensor = self._run(self._batch(len(embeddings)), embeddings)[OUTPUT]
        return vectors

    def attention(self, embeddings: Tensor) -> Tensor:
        """How much each token looks at each other one of its text, shape (layers, tokens, tokens); mean of heads."""
        import torch

        with torch.no_grad():
            found = self._run(self._batch(1), embeddings[None])
        looks = [
            found[node.output[0]][0]
            for node in self._nodes
            if node.op_type == "Softmax" and found[node.output[0]].ndim == 4
        ]
        return torch.stack(looks).mean(dim=1)

    def _batch(self, count: int) -> dict[str, Tensor]:
        return {name: value.expand(count, -1) for name, value in self._given.items()}

    def _padding(self) -> int:
        """The token that stands for nothing."""
        for name in ("[PAD]", "<pad>", "<|endoftext|>"):
            if (token := self._tokenizer.token_to_id(name)) is not None:
                return int(token)
        return 0

    def _run(self, given: Mapping[str, Tensor], embeddings: Tensor | None = None) -> dict[str, Any]:
        """All values of the graph by name."""
        import onnx

        known = operations()
        values: dict[str, Any] = {**self._weights, **given, "": None}
        for node in self._nodes:
            options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            told = known[node.op_type](*(values[name] for name in node.input), **options)
            for name, value in zip(node.output, told if isinstance(told, tuple) else (told,), strict=False):
                values[name] = value
            if embeddings is not None and self._embedded in node.output:
                values[self._embedded] = embeddings
        return values
