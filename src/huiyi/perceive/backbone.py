"""The signals ``text@…``: what was said, as a transformer backbone sees it, frozen or tuned to a task.

The backbone travels with the model as an ONNX file, so that it serves without
the library that trained it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.perceive.encoders.onnx import OnnxEncoder
from huiyi.perceive.encoders.replayed import Replayed
from huiyi.perceive.text import TextPerceiver, said
from huiyi.values import Ragged, Record, is_blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARK = "text@"
"""How the signals of backbones begin: what stands behind it tells them apart."""

_MODEL, _TOKENIZER = "backbone.onnx", "tokenizer.json"


class BackbonePerceiver:
    """Vectors of one text of each record, by a backbone that belongs to the model.

    Args:
        name: Of the signal, such as ``text@intent``.
        encoder: The exported backbone. None when it will be loaded.
        tuned: Whether it learnt labels.
    """

    def __init__(self, name: str, encoder: OnnxEncoder | None = None, *, tuned: bool = False) -> None:
        self.name, self.tuned = name, tuned
        self._encoder = encoder

    @property
    def encoder(self) -> OnnxEncoder:
        """The exported backbone."""
        assert self._encoder is not None, "it was neither given an encoder nor loaded"
        return self._encoder

    def fit(self, records: Sequence[Record]) -> None:
        """Nothing to learn: the backbone is as it was exported."""

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """Return vectors of shape (n, d), and which records have a text."""
        return TextPerceiver(prefix=self.name, encoder=self.encoder).perceive(records, tick=tick)

    def replayed(self) -> Replayed:
        """The backbone in torch, to be looked into."""
        return Replayed(self.encoder)

    @property
    def hears_units(self) -> bool:
        """Whether it also perceives words or characters, for spans: then ``perceive_units`` tells all at once."""
        return self.encoder.hears_units

    def perceive_units(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.bool_], Mapping[str, Ragged]]:
        """Return what ``perceive`` does, and what ``Context.tokens`` holds, from one reading of each text."""
        texts = [said(record) for record in records]
        place: dict[str, int] = {}
        rows = [place.setdefault(text, len(place)) for text in texts]
        found = self.encoder.read(list(place), tick=tick)
        assert found.units is not None, "the backbone was exported without a task of spans"
        if tick is not None:
            tick(len(texts) - len(place))
        present = np.array([not is_blank(text) for text in texts], dtype=bool)
        return {self.name: found.vectors[rows]}, present, {self.name: found.units.take(rows)}

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The bytes of the ONNX file and of the tokenizer, which become files of the saved model."""
        tool = self.encoder
        files = {_MODEL: tool.model, _TOKENIZER: tool.tokenizer.encode()}
        arrays = {name: np.frombuffer(content, dtype=np.uint8) for name, content in files.items()}
        return arrays, {
            "backbone": tool.name,
            "width": tool.widths[""],
            "max_tokens": tool.max_tokens,
            "tuned": self.tuned,
        }

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self.tuned = config["tuned"]
        self._encoder = OnnxEncoder(
            config["backbone"],
            arrays[_MODEL].tobytes(),
            arrays[_TOKENIZER].tobytes().decode(),
            width=config["width"],
            max_tokens=config["max_tokens"],
        )
