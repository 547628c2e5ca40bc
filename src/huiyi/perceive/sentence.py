"""The signals ``sentence@…``: what was said, as the core's own encoder hears it after it was tuned to a task.

Only what learnt travels with the model. It serves with the core alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from huiyi.perceive.encoders import UniversalSentenceEncoder
from huiyi.perceive.text import TextPerceiver

if TYPE_CHECKING:
    from numpy.typing import NDArray

SENTENCE = "sentence@"
"""How the names of these signals begin."""


class SentencePerceiver(TextPerceiver):
    """Vectors of one text of each record, by the tuned encoder.

    Args:
        name: Of the signal, such as ``sentence@intent``.
        encoder: The tuned one. None when it will be loaded.
    """

    tuned = True

    def __init__(self, name: str, encoder: UniversalSentenceEncoder | None = None) -> None:
        super().__init__(prefix=name, encoder=encoder)

    @property
    def name(self) -> str:
        """Of the signal."""
        return self.prefix

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """What learnt, and the encoder that it belongs to."""
        assert isinstance(self._encoder, UniversalSentenceEncoder), "it was neither given an encoder nor loaded"
        _, config = super().to_arrays()
        return dict(self._encoder.tuned or {}), config

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave. See ``TextPerceiver.from_arrays``."""
        self._encoder = UniversalSentenceEncoder(arrays)
        super().from_arrays(arrays, config)
