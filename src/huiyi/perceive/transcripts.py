"""The signals ``ocr`` and ``speech``: what is written in pictures and said in recordings, read as a text is.

Where a record has no text, what was read stands for it: see ``stood_in``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.perceive.cache import MemoryCache
from huiyi.perceive.media import MediaKind, Sense, Upkeep, perceived
from huiyi.perceive.text import TextPerceiver
from huiyi.perceive.words import WordsPerceiver
from huiyi.values import Reading, Record, is_blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array, Signal

SAMPLE = 32  # records with media that are looked at first
FEWEST_READ = 0.1  # share of these that must say something, for reading all of them to be worth its time


class TranscriptPerceiver:
    """Meaning and words of what is read in the media of each record, as views like those of ``text`` and ``words``.

    Photographs seldom have anything written in them, and reading is slow. So a
    sample of the training rows is read first, and if there is almost nothing
    in it, this perceives nothing.

    Args:
        source: What the signals come from: ``ocr`` or ``speech``.
        kind: Of the media.
        make: Makes the sense that reads.
    """

    def __init__(self, source: str, kind: MediaKind, make: Callable[[], Sense[Any, Reading]]) -> None:
        self.source = source
        self.kind = kind
        self.upkeep = Upkeep()
        self.is_idle = False
        self._make = make
        self._texts = TextPerceiver(prefix=f"{source} ")
        self._words: WordsPerceiver | None = None
        self._memory: MemoryCache | None = None
        self._sense: Sense[Any, Reading] | None = None
        self._maker: str | None = None

    def fit(self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None) -> None:
        """Find out whether it is worth reading, by a sample of the records; if it is, learn the words.

        What was read is remembered until the records are perceived.

        Args:
            records: Any number.
            tick: Told of each record. Here is most of the time spent.
        """
        kept = [record for record in records if self.kind.of(record)]
        if not kept:
            self.is_idle = True
            if tick is not None:
                tick(len(records))
            return
        # Not every so many, since media may come in turns; and the same ones every time.
        sample = [kept[place] for place in np.random.default_rng(0).permutation(len(kept))[:SAMPLE]]
        # What is broken is told when all are perceived.
        self._memory = MemoryCache(self.upkeep.cache)
        quiet = Upkeep(self._memory, lambda _: None)
        read = sum(reading is not None for reading in self._read(sample, quiet))
        self.is_idle = read < max(1, FEWEST_READ * len(sample))
        if not self.is_idle:
            self._words = WordsPerceiver()
            self._words.fit(_as_texts(self._read(kept, quiet, tick)))
        if tick is not None:
            tick(len(records) - (0 if self.is_idle else len(kept)))

    def read(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Reading | None, ...]:
        """What is read in the media of each record, all of a record together; None where that is nothing.

        Args:
            records: Any number.
            tick: Told of each record.

        Raises:
            DataError: Some cannot be read.
            MissingExtraError: What reads is not installed.
        """
        upkeep = replace(self.upkeep, cache=self._memory or self.upkeep.cache)
        self._memory = None
        if self.is_idle or not any(map(self.kind.of, records)):  # then nothing that reads need be installed
            if tick is not None:
                tick(len(records))
            return (None,) * len(records)
        return self._read(records, upkeep, tick)

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, Signal], NDArray[np.bool_]]:
        """Return vectors of shape (n, d) for each view, and which records had something to be read."""
        return self.perceive_read(self.read(records, tick=tick))

    def perceive_read(self, readings: Sequence[Reading | None]) -> tuple[Mapping[str, Signal], NDArray[np.bool_]]:
        """The same of what was read already."""
        texts = _as_texts(readings)
        signals, present = self._texts.perceive(texts)
        if self._words is None:
            return signals, present
        words = {f"{self.source} {name}": signal for name, signal in self._words.perceive(texts)[0].items()}
        return {**signals, **words}, present

    def to_arrays(self) -> tuple[Mapping[str, Array], Mapping[str, Any]]:
        """Which sense reads, which encoder understands it, and the words."""
        arrays, config = self._texts.to_arrays()
        found = {f"texts/{key}": value for key, value in arrays.items()}
        parts = {"texts": config, "reader": self._maker or self.sense().maker, "is_idle": self.is_idle}
        if self._words is not None:
            arrays, parts["words"] = self._words.to_arrays()
            found |= {f"words/{key}": value for key, value in arrays.items()}
        return found, parts

    def from_arrays(self, arrays: Mapping[str, Array], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave.

        What reads is looked for when there is something to read. It must be the one of then.

        Raises:
            DataError: The encoder installed has other weights than the model was trained with.
        """

        def of(part: str) -> dict[str, Array]:
            return {key[len(part) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{part}/")}

        self._texts.from_arrays(of("texts"), config["texts"])
        if "words" in config:
            self._words = WordsPerceiver()
            self._words.from_arrays(of("words"), config["words"])
        self.is_idle, self._maker = config["is_idle"], config["reader"]

    def sense(self) -> Sense[Any, Reading]:
        """What reads, made on first use.

        Raises:
            DataError: It is not the one that the model was trained with.
        """
        if self._sense is None:
            sense = self._make()
            if self._maker not in (None, sense.maker):
                raise DataError(
                    f"the model was trained with the reader {self._maker!r}, but the one installed is {sense.maker!r}. "
                    "Install the version of then, or train again"
                )
            self._sense = sense
        return self._sense

    def _read(
        self, records: Sequence[Record], upkeep: Upkeep, tick: Callable[[int], None] | None = None
    ) -> tuple[Reading | None, ...]:
        """What is read in each record."""
        return tuple(map(together, perceived(records, self.sense(), upkeep, tick=tick)))


def _as_texts(readings: Sequence[Reading | None]) -> list[Record]:
    """Records that say what was read."""
    return [Record(text=reading.text if reading else None) for reading in readings]


def together(parts: Sequence[Reading]) -> Reading | None:
    """All that was read in one record, as sure as the least sure part of it."""
    said = [part for part in parts if not is_blank(part.text)]
    if not said:
        return None
    return Reading("\n".join(part.text for part in said), min(part.confidence for part in said))


def stood_in(
    records: Sequence[Record], readers: Mapping[str, TranscriptPerceiver]
) -> tuple[Sequence[Record], dict[str, tuple[Reading | None, ...]]]:
    """Give records without a text what is read in their media as their text: a photographed message is a message.

    Args:
        records: Any records.
        readers: What reads, by source.

    Returns:
        The records, and what was read in each, by source.
    """
    texts: dict[int, list[str]] = {place: [] for place, record in enumerate(records) if is_blank(record.text)}
    found: dict[str, tuple[Reading | None, ...]] = {}
    for source, reader in readers.items():
        silent = [place for place in texts if reader.kind.of(records[place])]
        if not silent:
            continue
        own: list[Reading | None] = [None] * len(records)
        for place, reading in zip(silent, reader.read([records[place] for place in silent]), strict=True):
            own[place] = reading
            texts[place] += [reading.text] if reading else []
        found[source] = tuple(own)
    replaced = list(records)
    for place, parts in texts.items():
        if parts:
            replaced[place] = replace(records[place], text="\n".join(parts))
    return replaced, found
