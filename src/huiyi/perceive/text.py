"""The signals ``text`` and ``phrases``, and the same of ``history``: what was said, as vectors of meaning."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.perceive.encoders import Encoder
from huiyi.perceive.encoders import encoder as make_encoder
from huiyi.values import Record, is_blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_TEXT = 2_000_000  # characters, some 800 pages; more is a file, not something said
READ_CHARACTERS = 64_000  # of a longer text evenly spread pieces are read: their mean hardly moves any more
PIECE_CHARACTERS = 2_000
LONGEST_LIGATURE = 18  # U+FDFA, one character, is eighteen letters
HISTORY_TURNS = 4  # the turns before, latest last; older ones say little about what is asked now


def said(record: Record) -> str:
    """What was said now: the text; of a very long one, pieces from its beginning to its end.

    Raises:
        DataError: The text is no text, or longer than any that was said.
    """
    text = record.text or ""
    if not isinstance(text, str):
        raise DataError(f"record {_called(record)}: the text is a {type(text).__name__}, expected a string")
    if len(text) > LONGEST_TEXT:
        raise DataError(
            f"record {_called(record)}: the text has {len(text):,} characters, more than the {LONGEST_TEXT:,} "
            "that one record may have. Cut it, or give its parts as records of their own"
        )
    return _evenly(text)


def _called(record: Record) -> str:
    """The record's id, or how it begins."""
    return record.id or f"{str(record.text)[:30]!r}…"


def said_before(record: Record) -> str:
    """What was said before: the last turns of the dialogue, as one text."""
    return _evenly("\n".join(turn.text for turn in record.history[-HISTORY_TURNS:]))


def _evenly(text: str) -> str:
    """The text, or evenly spread pieces of one that is longer than READ_CHARACTERS when its ligatures are spelt out."""
    if len(text) <= READ_CHARACTERS // LONGEST_LIGATURE:
        return text
    spelt_out = unicodedata.normalize("NFKC", text)
    if len(spelt_out) <= READ_CHARACTERS:
        return text
    step = (len(spelt_out) - PIECE_CHARACTERS) / (READ_CHARACTERS // PIECE_CHARACTERS - 1)
    starts = [round(i * step) for i in range(READ_CHARACTERS // PIECE_CHARACTERS)]
    return " ".join(spelt_out[start : start + PIECE_CHARACTERS] for start in starts)


class TextPerceiver:
    """Meaning of one text of each record, by an encoder. Equal texts are encoded once.

    Args:
        reads: Takes the text out of a record.
        prefix: Put before the signals' names.
        encoder_name: See ``huiyi.perceive.encoders``.
        encoder: Taken instead of one made by name.

    Example:
        >>> signals, present = TextPerceiver().perceive([Record(text="where is my card"), Record()])
        >>> {name: signal.shape for name, signal in signals.items()}, present.tolist()
        ({'text': (2, 512), 'phrases': (2, 1280)}, [True, False])
    """

    def __init__(
        self,
        reads: Callable[[Record], str] = said,
        *,
        prefix: str = "",
        encoder_name: str = "universal-sentence-encoder-multilingual-3",
        encoder: Encoder | None = None,
    ) -> None:
        self.reads = reads
        self.prefix = prefix
        self.encoder_name = encoder_name
        self._encoder = encoder

    def fit(self, records: Sequence[Record]) -> None:
        """Nothing to learn: the encoder is frozen."""

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """Return vectors of shape (n, d) for each view, and which records have a text."""
        texts = [self.reads(record) for record in records]
        present = np.array([not is_blank(text) for text in texts], dtype=bool)
        place: dict[str, int] = {}
        rows = [place.setdefault(text, len(place)) for text, there in zip(texts, present, strict=True) if there]
        tool = self._tool()
        signals = {self.prefix + view: np.zeros((len(texts), width), np.float32) for view, width in tool.widths.items()}
        if place:
            for view, vectors in tool.encode(list(place), tick=tick).items():
                signals[self.prefix + view][present] = vectors[rows]
        if tick is not None:
            tick(len(texts) - len(place))
        return signals, present

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """Only the encoder's name and the hash of its weights are saved."""
        return {}, {"encoder": self.encoder_name, "sha256": self._tool().sha256}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Find the same encoder again.

        Raises:
            DataError: The encoder installed has other weights than the model was trained with.
        """
        self.encoder_name = config["encoder"]
        if self._tool().sha256 != config["sha256"]:
            raise DataError(
                f"the model was trained with encoder {self.encoder_name!r} of weights {config['sha256'][:8]}…, but "
                f"those installed are {self._tool().sha256[:8]}…. Install the version of then, or train again"
            )

    def _tool(self) -> Encoder:
        """The encoder, made on first use."""
        if self._encoder is None:
            self._encoder = make_encoder(self.encoder_name)
        return self._encoder
