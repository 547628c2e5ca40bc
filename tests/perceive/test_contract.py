"""What every perceiver and every encoder must hold."""

import io
import wave
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from huiyi.perceive import PERCEIVERS
from huiyi.perceive.encoders import ENCODERS, encoder
from huiyi.perceive.encoders.whisper import reader
from huiyi.values import Media, Reading, Record, Turn

TEXTS = ("where is my card", "卡丢了", "", "where is my card", "my card 没到 yet", "\0", "🙏 pls", "a" * 5_000)


def painted(*seeds: int) -> tuple[Media, ...]:
    """Pictures of noise."""
    pictures = []
    for seed in seeds:
        with io.BytesIO() as file:
            noise = np.random.default_rng(seed).integers(256, size=(40, 60, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((300 + seed, 200)).save(file, "PNG")
            pictures.append(Media(content=file.getvalue()))
    return tuple(pictures)


def hummed(*pitches: int) -> tuple[Media, ...]:
    """Recordings of one tone each."""
    recordings = []
    for pitch in pitches:
        with io.BytesIO() as file:
            with wave.open(file, "wb") as writer:
                writer.setparams((1, 2, 16_000, 0, "NONE", ""))
                writer.writeframes((np.sin(np.arange(8_000) * pitch / 2_000) * 9_999).astype("<i2").tobytes())
            recordings.append(Media(content=file.getvalue()))
    return tuple(recordings)


HUMMED = tuple(
    Record(audios=hummed(*pitches))
    for pitches in ((200,), (300,), (), (200,), (200, 300), (400,), (500, 600, 700), (800,))
)


def written(*texts: str) -> tuple[Media, ...]:
    """Pictures of words."""
    pictures = []
    for text in texts:
        with io.BytesIO() as file:
            image = Image.new("RGB", (220, 50), "white")
            ImageDraw.Draw(image).text((20, 12), text, "black", ImageFont.load_default(22))
            image.save(file, "PNG")
            pictures.append(Media(content=file.getvalue()))
    return tuple(pictures)


RECORDS = {
    "text": tuple(Record(text=text) for text in TEXTS),
    "words": tuple(Record(text=text) for text in TEXTS),
    "history": tuple(Record(text="yes", history=(Turn("agent", text),) if text else ()) for text in TEXTS),
    "fields": tuple(Record(text="yes", fields={"plan": text} if text else {}) for text in (*TEXTS[:4], "gold", *TEXTS)),
    "fields text": tuple(Record(text="yes", fields={"note": text * 20} if text else {}) for text in TEXTS),
    "ocr": tuple(
        Record(images=written(*texts))
        for texts in (("card",), ("stolen",), ("",), ("card",), ("my", "pin"), (), ("a b",))
    ),
    "image": tuple(Record(images=painted(*seeds)) for seeds in ((0,), (1,), (), (0,), (0, 1), (2,), (3, 4, 5), (6,))),
    "audio": HUMMED,
    "speech": HUMMED,
}
"""A case for each perceiver; rows 0 and 3 are equal, and row 2 has nothing to perceive."""


def test_every_perceiver_has_a_case() -> None:
    assert set(RECORDS) == set(PERCEIVERS)


@pytest.fixture(params=sorted(PERCEIVERS))
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param in ("audio", "speech"):
        pytest.importorskip("av", reason='recordings are read with the extra "audio"')
        pytest.importorskip("faster_whisper", reason='recordings are heard with the extra "audio"')
        # No words are in tones, so what reads names their pitch.
        pitch = partial(
            replace, work=lambda sounds: [Reading(f"pitch {(abs(np.fft.rfft(s))).argmax()}", 1.0) for s in sounds]
        )
        monkeypatch.setattr("huiyi.perceive.perceivers.speech_reader", lambda: pitch(reader()))
    return str(request.param)


def dense(signals: Mapping[str, Any]) -> np.ndarray:
    return np.hstack([signal if isinstance(signal, np.ndarray) else signal.toarray() for signal in signals.values()])


def perceived(perceiver: Any, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    signals, present = perceiver.perceive(records)
    return dense(signals), present


def test_each_row_stands_for_itself(name: str) -> None:
    records, perceiver = RECORDS[name], PERCEIVERS[name]()
    perceiver.fit(records)
    together, present = perceived(perceiver, records)
    order = np.random.default_rng(0).permutation(len(records))
    shuffled, shuffled_present = perceived(perceiver, [records[i] for i in order])
    alone = np.vstack([perceived(perceiver, [record])[0] for record in records])
    np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
    np.testing.assert_allclose(alone, together, atol=1e-5)
    assert shuffled_present.tolist() == present[order].tolist()
    np.testing.assert_allclose(together[0], together[3], atol=1e-6)
    assert present.tolist()[:5] == [True, True, False, True, True]
    assert not np.allclose(together[0], together[1])


def test_same_input_same_result_and_input_unchanged(name: str) -> None:
    records = list(RECORDS[name])
    results = []
    for _ in range(2):
        perceiver = PERCEIVERS[name]()
        perceiver.fit(records)
        results.append(perceived(perceiver, records)[0])
    np.testing.assert_array_equal(*results)
    assert records == list(RECORDS[name])


def test_saving_and_loading(name: str) -> None:
    records, perceiver, again = RECORDS[name], PERCEIVERS[name](), PERCEIVERS[name]()
    perceiver.fit(records)
    again.from_arrays(*perceiver.to_arrays())
    for left, right in zip(perceived(perceiver, records), perceived(again, records), strict=True):
        np.testing.assert_array_equal(left, right)


def test_no_records(name: str) -> None:
    perceiver = PERCEIVERS[name]()
    perceiver.fit(())
    signals, present = perceived(perceiver, ())
    assert len(signals) == len(present) == 0


def test_every_record_is_ticked_once(name: str) -> None:
    records, perceiver, ticks = RECORDS[name], PERCEIVERS[name](), list[int]()
    perceiver.fit(records)
    perceiver.perceive(records, tick=ticks.append)
    assert sum(ticks) == len(records)


@pytest.mark.parametrize("encoder_name", sorted(ENCODERS))
def test_encoders(encoder_name: str) -> None:
    texts = list(TEXTS)
    tool = encoder(encoder_name)
    together, order = tool.encode(texts), [3, 0, 7, 6, 5, 4, 2, 1]
    shuffled = tool.encode([texts[i] for i in order])
    assert texts == list(TEXTS)
    assert (tool.name, len(tool.sha256)) == (encoder_name, 64)
    assert set(together) == set(tool.widths)
    for view, vectors in together.items():
        assert (vectors.shape, vectors.dtype) == ((len(texts), tool.widths[view]), np.float32)
        assert np.isfinite(vectors).all()
        np.testing.assert_array_equal(vectors, tool.encode(texts)[view])
        np.testing.assert_allclose(vectors[order], shuffled[view], atol=1e-5)
