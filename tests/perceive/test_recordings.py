"""Recordings of every kind become the same sound at one rate, and what is none is refused in one line."""

from __future__ import annotations

import io
import random
import struct
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive import recordings
from huiyi.perceive.recordings import MOST_SECONDS, RATE, RECORDINGS, samples
from huiyi.values import Media

av: Any = pytest.importorskip("av", reason='recordings are read with the extra "audio"')

FORMS = {
    "wav": ("wav", "pcm_s16le"),
    "float wav": ("wav", "pcm_f32le"),
    "telephone": ("wav", "pcm_mulaw"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("ipod", "aac"),
    "aac": ("adts", "aac"),
    "webm": ("webm", "libopus"),
}


def tone(seconds: float = 1.0, rate: int = RATE, hertz: float = 440) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def coded(form: str, sound: np.ndarray, *, rate: int = RATE, channels: int = 1) -> bytes:
    container, codec = FORMS[form]
    with io.BytesIO() as file:
        with av.open(file, "w", format=container) as writer:
            layout = "mono" if channels == 1 else "stereo"
            stream = writer.add_stream(codec, rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray(np.tile(sound, (channels, 1)), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, 0
            writer.mux([*stream.encode(frame), *stream.encode(None)])
        return file.getvalue()


def wav(sound: np.ndarray, *, rate: int = RATE, channels: int = 1) -> bytes:
    """By the standard library, in 16 bits."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setparams((channels, 2, rate, 0, "NONE", ""))
            writer.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
        return file.getvalue()


def floats(*values: float) -> bytes:
    """A WAV of 32-bit numbers."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 4_000, b"WAVE", b"fmt ", 16, 3, 1, RATE, 64_000, 4, 32,
                       b"data", 4_000)  # fmt: skip
    return head + np.resize(np.array(values, "<f4"), 1_000).tobytes()


def hertz_of(sound: np.ndarray) -> float:
    """The loudest pitch."""
    return float(np.abs(np.fft.rfft(sound)).argmax() * RATE / len(sound))


def refusal(content: bytes, name: str = "call.wav") -> str:
    """The message with which it is refused, which is one line and names it."""
    with pytest.raises(DataError) as caught:
        samples(content, name)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(name)
    return message


# What can be read


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_forms(form: str, rate: int, channels: int) -> None:
    found = samples(coded(form, tone(rate=rate), rate=rate, channels=channels), "call")
    assert found.dtype == np.float32 and found.ndim == 1
    assert abs(len(found) - RATE) < 0.1 * RATE  # some fill up their last piece
    assert abs(hertz_of(found) - 440) < 2
    assert abs(np.abs(found[4_000:12_000]).max() - 0.3) < 0.03


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 96_000])
def test_every_rate_becomes_one(rate: int) -> None:
    found = samples(wav(tone(2, rate), rate=rate), "call")
    assert abs(len(found) - 2 * RATE) < 20
    assert abs(hertz_of(found) - 440) < 1


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_channels_are_their_mean(channels: int) -> None:
    sound = np.zeros((RATE, channels), np.float32)
    sound[:, 0] = tone()
    found = samples(wav(sound, channels=channels), "call")
    np.testing.assert_allclose(found, tone() / channels, atol=1e-3)


def test_samples_stay_within_one() -> None:
    assert float(samples(floats(5.0, -5.0), "call").max()) == 1.0
    np.testing.assert_allclose(samples(floats(0.5), "call"), 0.5, atol=1e-6)


def test_sizes_that_the_writer_did_not_know() -> None:
    whole = bytearray(wav(tone()))
    whole[40:44] = b"\xff" * 4  # as one who writes to a pipe leaves it
    assert len(samples(bytes(whole), "call")) == RATE


def test_a_cover_is_no_film() -> None:
    with io.BytesIO() as file:
        with av.open(file, "w", format="mp3") as writer:
            sound = writer.add_stream("libmp3lame", rate=RATE, layout="mono")
            cover = writer.add_stream("png")
            cover.width, cover.height, cover.pix_fmt = 16, 16, "rgb24"
            cover.disposition = av.stream.Disposition.attached_pic
            picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            frame = av.AudioFrame.from_ndarray(tone()[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            writer.mux([*cover.encode(picture), *cover.encode(None), *sound.encode(frame), *sound.encode(None)])
        content = file.getvalue()
    assert abs(len(samples(content, "song.mp3")) - RATE) < 0.2 * RATE


# What is refused


@pytest.mark.parametrize(("container", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx"), ("avi", "mpeg4")])
def test_films(container: str, codec: str) -> None:
    with io.BytesIO() as file:
        with av.open(file, "w", format=container) as writer:
            stream = writer.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            writer.mux([*stream.encode(frame), *stream.encode(None)])
        content = file.getvalue()
    assert refusal(content, "clip.mp4") == (
        "clip.mp4 has pictures. Expected a recording in WAV, FLAC, Ogg, MP3, M4A or WebM: save its sound as WAV"
    )


@pytest.mark.parametrize(
    "content", [b"hello", b"<html>", b"\x89PNG\r\n\x1a\n", b"#EXTM3U\n/etc/passwd", b"\0" * 99, b""]
)
def test_what_is_no_recording(content: bytes) -> None:
    assert refusal(content) == (
        "call.wav is no recording that can be read. Expected a recording in WAV, FLAC, Ogg, MP3, M4A or WebM: "
        "save it as WAV"
    )


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"aac"}))  # which says nowhere how long it is
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7])
def test_a_recording_cut_short(form: str, share: float) -> None:
    content = coded(form, tone(3))
    message = refusal(content[: int(share * len(content))])
    assert "copy it again" in message or "record it again" in message


@pytest.mark.parametrize("sound", [wav(np.zeros(0)), b"RIFF\x24\0\0\0WAVE"])
def test_no_sound(sound: bytes) -> None:
    message = refusal(sound)
    assert "has no sound in it" in message or "is broken" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(value: float) -> None:
    assert "it holds values that are no numbers" in refusal(floats(0.1, value))


@pytest.mark.parametrize(("at", "form", "value"), [
    (24, "<I", 0), (24, "<I", 1), (24, "<I", 3_999), (24, "<I", 2**32 - 1), (22, "<H", 0), (22, "<H", 9),
    (22, "<H", 65_535), (34, "<H", 0), (34, "<H", 999), (20, "<H", 0x1234), (32, "<H", 0),
])  # fmt: skip
def test_absurd_headers(at: int, form: str, value: int) -> None:
    content = bytearray(wav(tone()))
    struct.pack_into(form, content, at, value)
    try:
        assert len(samples(bytes(content), "call.wav")) <= MOST_SECONDS * RATE  # some are read as if they were right
    except DataError:
        assert "Expected" in refusal(bytes(content))


def test_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = (
        "call.wav lasts longer than the 60 minutes that a recording may last. Expected a shorter one: cut it into parts"
    )
    assert refusal(wav(np.zeros(4_000 * 3_700), rate=4_000)) == expected
    monkeypatch.setattr(recordings, "MOST_SECONDS", 1)
    assert "lasts longer than" in refusal(coded("ogg", tone(2)))  # it says nothing of its length, so it is found out
    assert "lasts longer than" in refusal(coded("mp3", tone(2)))


def test_files_and_bytes_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(wav(tone()))
    assert RECORDINGS.content(Media(path=tmp_path / "call.wav")) == wav(tone())
    (tmp_path / "call.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"call\.wav is empty\. Expected a recording in WAV"):
        RECORDINGS.content(Media(path=tmp_path / "call.wav"))
    with pytest.raises(DataError, match="a recording given as bytes has more than the 128 MB"):
        RECORDINGS.content(Media(content=bytes(RECORDINGS.most_bytes + 1)))


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """A list of parts, as FFmpeg would follow it, and a film whose sound lies elsewhere."""
    (tmp_path / "secret.wav").write_bytes(wav(tone()))
    for text in ("ffconcat version 1.0\nfile {}", "#EXTM3U\n#EXTINF:1\n{}", "v=0\nm=audio 0 RTP/AVP 0\n{}"):
        assert "is no recording" in refusal(text.format(tmp_path / "secret.wav").encode())


def test_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'Recordings need the extra "audio".*pip install "huiyi\[audio\]"'):
        samples(b"", "call.wav")


def test_no_bytes_crash(capfd: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(0)
    whole = [coded(form, tone(0.3)) for form in FORMS]
    read = refused = 0
    for turn in range(300):
        content = bytearray(whole[turn % len(whole)])
        for _ in range(draw.choice((1, 1, 3, 20))):
            # The beginning says most, so half of what is changed is there.
            place = draw.randrange(min(64, len(content)) if draw.random() < 0.5 else len(content)) if content else 0
            match draw.randrange(3):
                case 0:
                    content[place : place + 1] = draw.randbytes(1)
                case 1:
                    content[place : place + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
                case 2:
                    del content[place + 1 :]
        try:
            found = samples(bytes(content), "call.wav")
            assert len(found) and np.isfinite(found).all() and np.abs(found).max() <= 1
            read += 1
        except DataError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
    assert read > 30 and refused > 80
    assert capfd.readouterr() == ("", "")
