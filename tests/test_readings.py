"""What is read in pictures: in the place of a text, or as a signal of its own; saved, loaded, and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Model, TrainConfig
from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive import PERCEIVERS, PICTURES, READERS, TranscriptPerceiver, Upkeep
from huiyi.perceive.media import Sense
from huiyi.values import Media, Reading, Record, Turn

MEANT = {"arrival": ("where is my card", "has my card come", "my card is late"), "theft": ("my card was stolen",) * 3}
TASKS = {"intent": ("arrival", "theft"), "first": ("w", "h", "m")}
SAID = [(f"{text} {i}", label) for i in range(4) for label, texts in MEANT.items() for text in texts]


def pictured(*said: str, **more: Any) -> Record:
    """A record of pictures that say what their bytes are."""
    return Record(images=tuple(Media(content=text.encode()) for text in said), **more)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reads pictures whose bytes are their text, and tells which."""
    read: list[str] = []

    def work(contents: Sequence[bytes]) -> list[Reading]:
        read.extend(content.decode() for content in contents)
        return [Reading(content.decode(), 0.9) for content in contents]

    def unpacked(content: bytes) -> Reading:
        return Reading(content.decode(), 0.9)

    sense = Sense(
        PICTURES, "as bytes", lambda content, _: content, work, lambda reading: reading.text.encode(), unpacked
    )
    install(monkeypatch, lambda: sense)
    return read


def install(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> None:
    for names in (PERCEIVERS, READERS):
        monkeypatch.setitem(names, "ocr", lambda: TranscriptPerceiver("ocr", PICTURES, make))  # type: ignore[index]


@pytest.fixture
def texts(words_only: TrainConfig) -> Model:
    """Has learnt from texts alone."""
    return huiyi.train(SAID, config=words_only)


def settled(decision: Any) -> dict[str, Any]:
    return {**asdict(decision), "id": "", "record_id": "", "readings": {}}


# In the place of a text


def test_a_picture_is_decided_on_as_its_text_is(reader: list[str], texts: Model) -> None:
    records = [pictured("where is my card"), Record(text="where is my card"), pictured("unread", text="stolen")]
    seen, said, both = texts.decide_all(records)
    assert settled(seen) == settled(said)
    assert seen.readings == {"ocr": Reading("where is my card", 0.9)}
    assert (said.readings, both.readings, reader) == ({}, {}, ["where is my card"])
    assert texts.perception.takes(PICTURES)


def test_what_says_nothing_is_declined(reader: list[str], texts: Model) -> None:
    blank = texts.decide(pictured(" "))
    assert (blank.kind, blank.in_scope, blank.readings) == ("decline", 0, {})


def test_what_cannot_be_read_is_told_or_excused(monkeypatch: pytest.MonkeyPatch, words_only: TrainConfig) -> None:
    """From the first picture on."""

    def refuse(content: bytes, name: str) -> bytes:
        raise DataError(f"{name} is broken")

    sense: Sense[bytes, Reading] = Sense(
        PICTURES, "none", refuse, lambda _: [], lambda _: b"", lambda _: Reading("", 0)
    )
    install(monkeypatch, lambda: sense)
    model, excused = huiyi.train(SAID, config=words_only), list[str]()
    with pytest.raises(DataError, match="a picture given as bytes is broken"):
        model.decide(pictured("card"))
    model = huiyi.train(SAID, config=words_only)
    model.perception.keep_up(Upkeep(excuse=excused.append))
    assert model.decide(pictured("card")).kind == "decline"
    assert excused == ["a picture given as bytes is broken"]


def test_a_saved_one_reads_too(reader: list[str], texts: Model, tmp_path: Path) -> None:
    texts.save(tmp_path / "model")
    again = huiyi.load(tmp_path / "model").decide(pictured("my card was", "stolen"))
    assert (again.label, again.readings["ocr"].text) == ("theft", "my card was\nstolen")


def test_what_reads_must_be_there_only_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, texts: Model, tmp_path: Path
) -> None:
    def refuse() -> Any:
        raise MissingExtraError("Texts in pictures", extra="image")

    install(monkeypatch, refuse)
    texts.save(tmp_path / "model")
    model = huiyi.load(tmp_path / "model")
    assert model.decide(pictured("unread", text="my card was stolen")).label == "theft"
    with pytest.raises(MissingExtraError, match=r'Texts in pictures need the extra "image".*pip install'):
        model.decide(pictured("my card was stolen"))


def test_rows_without_a_text_are_learnt_from_too(reader: list[str], words_only: TrainConfig) -> None:
    rows = [Record(text=text, labels={"intent": label}) for text, label in SAID[:12]]
    rows += [pictured(text, labels={"intent": label}) for text, label in SAID[12:]]
    model = huiyi.train(rows, config=words_only)
    assert set(reader) == {text for text, _ in SAID[12:]}
    assert model.perception.names == ("words",)
    assert model.decide("my card was stolen").label == "theft"


def test_a_model_that_hears_no_texts_takes_no_pictures(reader: list[str]) -> None:
    rows = [Record(fields={"plan": plan}, labels={"intent": plan}) for plan in ("gold", "free") * 6]
    model = huiyi.train(rows)
    assert not model.perception.takes(PICTURES)
    assert model.decide(pictured("gold", fields={"plan": "free"})).label == "free"
    assert reader == []


def test_pictures_that_are_looked_at_do_not_stand_for_a_text(reader: list[str], texts: Model) -> None:
    """There they have a meaning of their own."""
    from huiyi.perceive import ImagePerceiver

    perception = texts.perception.frozen()
    perception.add("image", ImagePerceiver())
    assert "ocr" not in perception._stand_ins()
    assert perception.takes(PICTURES)


def test_an_evaluation_reads(reader: list[str], texts: Model) -> None:
    rows = [pictured(text, labels={"intent": label}) for text, label in SAID[:6]]
    assert huiyi.evaluate(texts, rows).figures["accuracy"] == 1


def test_several_tasks_all_tell_what_was_read_once(reader: list[str], words_only: TrainConfig) -> None:
    rows = [Record(text=text, labels={"intent": label, "first": text[0]}) for text, label in SAID]
    tasks = [huiyi.Task(name, "choice", tuple(map(huiyi.Label, labels))) for name, labels in TASKS.items()]
    decision = huiyi.train(rows, task=tasks, config=words_only).decide(pictured("my card was stolen"))
    expected = {"ocr": Reading("my card was stolen", 0.9)}
    assert (decision.readings, [own.readings for own in decision.tasks.values()]) == (expected, [expected] * 2)
    assert reader == ["my card was stolen"]


# As a signal of its own


def test_what_is_read_is_learnt_from_beside_the_text(reader: list[str], tmp_path: Path) -> None:
    """Even where the text says nothing of it."""
    rows = [pictured(text, text=f"see here {i}", labels={"intent": label}) for i, (text, label) in enumerate(SAID)]
    model = huiyi.train(rows, config=TrainConfig(signals=("text", "words", "ocr")))
    assert "ocr" in model.perception.names
    record = pictured("somebody has stolen it", text="see here 3")
    decision = model.decide(record, explain=True)
    assert decision.label == "theft"
    assert decision.readings["ocr"].text == "somebody has stolen it"
    assert decision.shares is not None and "ocr" in decision.shares
    model.save(tmp_path / "model")
    again = huiyi.load(tmp_path / "model")
    probabilities = [one.align(one.perceive([record])).probabilities for one in (model, again)]
    np.testing.assert_allclose(*probabilities, atol=1e-6)
    again.save(tmp_path / "again")
    assert huiyi.load(tmp_path / "again").decide(pictured("somebody has stolen it")).label == "theft"


def test_pictures_without_writing_cost_nothing(reader: list[str]) -> None:
    """What found nothing to read in a sample is no part of the model, and is not asked again."""
    rows = [pictured(" " * (i + 1), text=text, labels={"intent": label}) for i, (text, label) in enumerate(SAID)]
    model = huiyi.train(rows, config=TrainConfig(signals=("text", "words", "ocr")))
    assert "ocr" not in model.perception.names
    assert len(reader) == len(rows)
    model.decide(pictured("unread", text="my card was stolen", history=(Turn("agent", "hello"),)))
    assert len(reader) == len(rows)
