"""What is read in media as a text: if it is worth it, all of a record together, and in the place of a text."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.media import MediaKind, Sense, Upkeep
from huiyi.perceive.transcripts import SAMPLE, TranscriptPerceiver, stood_in
from huiyi.values import Media, Reading, Record

NOTES = MediaKind("note", "a note", 100, lambda record: record.images)
TAPES = MediaKind("tape", "a tape", 100, lambda record: record.audios)


def packed(reading: Reading) -> bytes:
    return json.dumps([reading.text, reading.confidence]).encode()


def unpacked(content: bytes) -> Reading:
    return Reading(*json.loads(content))


class Notes:
    """Reads notes, which say what they are; notes that begin with ``!`` are broken."""

    def __init__(self, kind: MediaKind = NOTES, *, maker: str = "reader-1") -> None:
        self.kind, self.maker = kind, maker
        self.made, self.read = 0, list[bytes]()

    def __call__(self) -> Sense[bytes, Reading]:
        self.made += 1
        return Sense(self.kind, self.maker, self._prepare, self._work, packed, unpacked)

    def _prepare(self, content: bytes, name: str) -> bytes:
        if content.startswith(b"!"):
            raise DataError(f"{name} is broken")
        return content

    def _work(self, contents: Sequence[bytes]) -> Sequence[Reading]:
        self.read += contents
        return [Reading(content.decode(), round(1 - len(content) / 100, 2)) for content in contents]

    def perceiver(self) -> TranscriptPerceiver:
        return TranscriptPerceiver("ocr" if self.kind is NOTES else "speech", self.kind, self)


def noted(*said: str, text: str | None = None) -> Record:
    return Record(text=text, images=tuple(Media(content=part.encode()) for part in said))


def refuse() -> Sense[bytes, Reading]:
    raise MissingExtraError("Texts in notes", extra="notes")


def test_all_of_a_record_is_read_together() -> None:
    """As sure as the least sure part of it; what is blank says nothing."""
    read = Notes().perceiver().read([noted("my card", " ", "is lost"), noted(" "), Record(text="said"), noted("a")])
    assert read == (Reading("my card\nis lost", 0.93), None, None, Reading("a", 0.99))


def test_views_are_those_of_the_text_under_another_name() -> None:
    from huiyi.perceive.text import TextPerceiver

    records = [noted("where is my card"), Record(text="where is my card")]
    signals, present = Notes().perceiver().perceive(records)
    texts, _ = TextPerceiver().perceive([Record(text="where is my card")])
    assert present.tolist() == [True, False]
    assert list(signals) == ["ocr text", "ocr phrases"]
    for name, signal in texts.items():
        np.testing.assert_array_equal(signals[f"ocr {name}"][0], signal[0])


@pytest.mark.parametrize(("written", "is_idle"), [(0, True), (1, True), (2, False), (20, False)])
def test_what_holds_almost_no_writing_is_not_read(written: int, is_idle: bool) -> None:
    """What is broken says nothing here; it is told when all are read."""
    records = [noted(f"a{number}" if number < written else " " * number) for number in range(20)]
    notes, ticks = Notes(), list[int]()
    perceiver = notes.perceiver()
    perceiver.fit([*records[:19], Record(text="no note"), noted("!", " " * 19)])
    assert perceiver.is_idle == is_idle
    notes.read.clear()
    read = perceiver.read(records, tick=ticks.append)
    assert sum(reading is not None for reading in read) == (0 if is_idle else written)
    assert (len(notes.read), sum(ticks)) == (written == 20, 20)  # it remembers all but the last of these


@pytest.mark.parametrize("period", [2, 4])
def test_of_many_a_sample_tells(period: int) -> None:
    """In whatever turn they come."""
    for first in range(period):
        notes = Notes()
        perceiver = notes.perceiver()
        perceiver.fit([noted(f"{number}" if (number + first) % period == 0 else " " * number) for number in range(64)])
        assert (len(set(notes.read[:SAMPLE])), perceiver.is_idle) == (SAMPLE, False)


def test_what_is_broken_is_told_or_excused() -> None:
    perceiver = Notes().perceiver()
    with pytest.raises(DataError, match="a note given as bytes is broken"):
        perceiver.read([noted("a"), noted("!")])
    excused: list[str] = []
    perceiver.upkeep = Upkeep(excuse=excused.append)
    assert perceiver.read([noted("a", "!"), noted("!")]) == (Reading("a", 0.99), None)
    assert excused == ["a note given as bytes is broken"] * 2


def test_without_media_nothing_need_be_installed() -> None:
    """Not to learn, to be asked, to be saved after it was loaded."""
    perceiver, ticks = TranscriptPerceiver("ocr", NOTES, refuse), list[int]()
    perceiver.fit([Record(text="a")])
    assert perceiver.is_idle
    loaded = TranscriptPerceiver("ocr", NOTES, refuse)
    arrays, config = Notes().perceiver().to_arrays()
    loaded.from_arrays(arrays, config)
    signals, present = loaded.perceive([Record(text="a"), Record()], tick=ticks.append)
    assert (len(signals), present.tolist(), sum(ticks)) == (2, [False, False], 2)
    assert loaded.to_arrays() == (arrays, config)
    with pytest.raises(MissingExtraError, match=r'Texts in notes need the extra "notes"'):
        loaded.perceive([noted("a")])


def test_another_reader_than_that_of_the_training_is_refused() -> None:
    arrays, config = Notes().perceiver().to_arrays()
    assert config["reader"] == "reader-1"
    other = Notes(maker="reader-2").perceiver()
    other.from_arrays(arrays, config)
    other.read([Record(text="a")])
    with pytest.raises(DataError, match=r"with the reader 'reader-1', but the one installed is 'reader-2'"):
        other.read([noted("a")])
    same = Notes().perceiver()
    same.from_arrays(arrays, config)
    assert same.read([noted("a")]) == (Reading("a", 0.99),)


# In the place of a text


def test_only_what_says_nothing_is_read() -> None:
    notes, tapes = Notes(), Notes(TAPES)
    spoken = Record(id="both", images=(Media(content=b"seen"),), audios=(Media(content=b"heard"),), fields={"a": 1})
    records = [noted("unread", text="said"), noted("seen"), Record(text=" "), spoken, noted(" ", text="\0")]
    replaced, read = stood_in(records, {"ocr": notes.perceiver(), "speech": tapes.perceiver()})
    assert [record.text for record in replaced] == ["said", "seen", " ", "seen\nheard", "\0"]
    assert (replaced[3].id, replaced[3].fields) == ("both", {"a": 1})
    assert replaced[0] is records[0]
    assert read["ocr"] == (None, Reading("seen", 0.96), None, Reading("seen", 0.96), None)
    assert read["speech"] == (None, None, None, Reading("heard", 0.95), None)
    assert notes.read == [b"seen", b" "]


def test_where_all_have_a_text_nothing_is_made() -> None:
    notes = Notes()
    records = [noted("a", text="said"), Record(text="b"), Record()]
    replaced, read = stood_in(records, {"ocr": notes.perceiver()})
    assert (list(replaced), read, notes.made) == (records, {}, 0)
