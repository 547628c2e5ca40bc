"""What can be perceived, by name, and what records have of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from huiyi.errors import OptionError, did_you_mean
from huiyi.perceive.audio import AudioPerceiver
from huiyi.perceive.backbone import MARK, BackbonePerceiver
from huiyi.perceive.base import Perceiver
from huiyi.perceive.encoders.ocr import ocr
from huiyi.perceive.encoders.whisper import reader as speech_reader
from huiyi.perceive.fields import FieldsPerceiver, is_prose, written
from huiyi.perceive.image import IMAGE, ImagePerceiver
from huiyi.perceive.pictures import PICTURES
from huiyi.perceive.recordings import RECORDINGS
from huiyi.perceive.sentence import SENTENCE, SentencePerceiver
from huiyi.perceive.text import TextPerceiver, said_before
from huiyi.perceive.transcripts import TranscriptPerceiver
from huiyi.perceive.words import WordsPerceiver
from huiyi.values import Record, is_blank

READERS: dict[str, Callable[[], TranscriptPerceiver]] = {
    "ocr": lambda: TranscriptPerceiver("ocr", PICTURES, ocr),
    "speech": lambda: TranscriptPerceiver("speech", RECORDINGS, speech_reader),
}
"""What reads media as text, by name. Each is among PERCEIVERS too."""

PERCEIVERS: dict[str, Callable[[], Perceiver]] = {
    "text": TextPerceiver,
    "words": WordsPerceiver,
    "history": lambda: TextPerceiver(said_before, prefix="history "),
    "fields": FieldsPerceiver,
    "fields text": lambda: TextPerceiver(written, prefix="fields "),
    "image": ImagePerceiver,
    "audio": AudioPerceiver,
    **READERS,
}
"""What can be perceived without training, by name."""

TunablePerceiver = BackbonePerceiver | ImagePerceiver | SentencePerceiver
"""What may have learnt labels, and then says so by ``tuned``."""

_HOLDS: dict[str, Callable[[Record], bool]] = {
    "text": lambda record: not is_blank(record.text),
    "words": lambda record: not is_blank(record.text),
    "history": lambda record: bool(record.history),
    "fields": lambda record: bool(record.fields),
    "fields text": lambda record: any(map(is_prose, record.fields.values())),
    "image": lambda record: bool(record.images),
    "audio": lambda record: bool(record.audios),
    "ocr": lambda record: bool(record.images),
    "speech": lambda record: bool(record.audios),
}
"""Whether a record has anything for each of PERCEIVERS."""


def perceivable(records: Sequence[Record]) -> tuple[str, ...]:
    """Names of the perceivers that some of the records have anything for; those of texts where there are no records.

    Example:
        >>> perceivable([Record(text="my card"), Record(fields={"age": 31})])
        ('text', 'words', 'fields')
    """
    return tuple(name for name, holds in _HOLDS.items() if any(map(holds, records))) or ("text", "words")


def perceiver(name: str) -> Perceiver:
    """Make the perceiver of that name; one of a backbone, or of a tuned encoder, must then be loaded.

    Raises:
        OptionError: There is none of that name.
    """
    if name.startswith(MARK):
        return BackbonePerceiver(name)
    if name.startswith(SENTENCE):
        return SentencePerceiver(name)
    if name.startswith(IMAGE):
        return ImagePerceiver(name=name)
    if name not in PERCEIVERS:
        known = ", ".join(PERCEIVERS)
        raise OptionError(f"signal {name!r} is not known; expected some of: {known}.{did_you_mean(name, PERCEIVERS)}")
    return PERCEIVERS[name]()
