"""Reading recordings of any kind, from anyone: each becomes sound at one rate in one channel, or one clear refusal.

What a recording holds is not trusted. Its kind is told by its first bytes, and
only the reader of that kind is given them, which may open nothing else. Rate,
channels and codec are checked before anything is decoded, and decoding stops
where the sound is longer than allowed, whatever the first bytes said.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.media import MediaKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000
"""Samples a second, as speech recognisers are used to."""

MOST_BYTES = 128_000_000  # of a file: an hour at RATE in 16 bits is 115 million
MOST_SECONDS = 3_600  # of sound, which are 230 MB of samples

_KNOWN = "a recording in WAV, FLAC, Ogg, MP3, M4A or WebM"
_LEAST_RATE, _MOST_RATE = 4_000, 384_000  # below is no speech; and one sample becomes at most four
_MOST_CHANNELS = 8
_MOST_PACKETS = 2_000_000  # the shortest that are in use last 2.5 ms; empty ones would cost time and never end
_BROKEN_SHARE = 0.05  # of the packets that may be broken, in kinds that were made to bear it
_BROKEN_FIRST = 20  # more than this share may be at first
_SLACK_SECONDS = 0.3  # by which a file may be shorter than it says: encoders fill up their first and last piece
_UNKNOWN_SIZE = 0x7FFF0000  # or more is written where the length was not known
_SEARCHED_BYTES = 1 << 16
_MICROSECONDS = 1_000_000
_COVER = 0x400  # FFmpeg's mark of a picture that is attached
_LOCK = Lock()  # one recording is decoded at a time: it bounds the memory

RECORDINGS = MediaKind("recording", _KNOWN, MOST_BYTES, lambda record: record.audios)


@dataclass(frozen=True)
class _Format:
    """A kind of file.

    Attributes:
        reader: What FFmpeg calls that which reads it.
        codecs: How the sound in it may be written: beginnings of FFmpeg's names.
        is_sure: Whether the file says how long it lasts, so that one cut short is known by it.
        bears_loss: Whether it was made so that a broken piece costs only this piece.
    """

    reader: str
    codecs: tuple[str, ...]
    is_sure: bool = False
    bears_loss: bool = False


_WAV = _Format("wav", ("pcm_", "adpcm_ms", "adpcm_ima_wav"))
_FLAC = _Format("flac", ("flac",), is_sure=True)
_OGG = _Format("ogg", ("vorbis", "opus", "speex", "libspeex", "flac"), bears_loss=True)
_MP3 = _Format("mp3", ("mp3", "mp2"), bears_loss=True)
_AAC = _Format("aac", ("aac",), bears_loss=True)
_MP4 = _Format("mov", ("aac", "mp3"), is_sure=True)
_WEBM = _Format("matroska", ("opus", "vorbis", "aac"), is_sure=True, bears_loss=True)


def samples(content: bytes, name: str) -> NDArray[np.float32]:
    """The sound of a recording: the mean of its channels, at RATE.

    Args:
        content: The bytes of its file.
        name: What to call it in messages.

    Returns:
        Shape (n,), between -1 and 1; n is not 0.

    Raises:
        DataError: It is no recording that can be read, is broken or cut short, has pictures, or lasts longer than
            MOST_SECONDS.
        MissingExtraError: PyAV is not installed.

    Example:
        >>> import wave
        >>> with io.BytesIO() as file:
        ...     with wave.open(file, "wb") as writer:
        ...         writer.setparams((2, 2, 8_000, 0, "NONE", ""))
        ...         writer.writeframes(bytes(4 * 8_000))
        ...     sound = samples(file.getvalue(), "silence.wav")
        >>> sound.shape, float(sound.max())
        ((16000,), 0.0)
    """
    try:
        import av  # noqa: F401  so that what is missing is said before the work
    except ImportError as error:
        raise MissingExtraError("Recordings", extra="audio") from error
    form = _form(content, name)
    _check_end(content, form, name)
    with _LOCK:
        try:
            with _opened(io.BytesIO(content), form.reader) as file:
                sound = _decoded(file, form, name)
                said = file.duration if form.is_sure or _counts_frames(content, form) else None
        except DataError:
            raise
        except Exception as error:  # decoders raise nearly anything
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:100]
            raise _broken(reason or type(error).__name__, name) from error
    if said is not None and len(sound) / RATE < said / _MICROSECONDS - _SLACK_SECONDS:
        raise _cut_short(name)
    if not len(sound):
        raise DataError(f"{name} has no sound in it. Expected {_KNOWN}: record it again")
    return sound


# --- What kind of file it is, and whether its end is there ---------------------------------------------------------


def _form(content: bytes, name: str) -> _Format:
    """The kind of file, by its first bytes.

    Raises:
        DataError: It is none of those that can be read.
    """
    start = content[:12]
    if start[:4] in (b"RIFF", b"RF64") and start[8:12] == b"WAVE":
        return _WAV
    if (start[:4] == b"RIFF" and start[8:12] == b"AVI ") or start[:3] == b"FLV" or start[:4] == b"\0\0\1\xba":
        raise _has_pictures(name)
    for first, form in ((b"fLaC", _FLAC), (b"OggS", _OGG), (b"\x1aE\xdf\xa3", _WEBM), (b"ID3", _MP3)):
        if start.startswith(first):
            return form
    if start[4:8] == b"ftyp":
        return _MP4
    if len(start) > 1 and start[0] == 0xFF:  # eleven set bits begin a frame of MPEG; the layer of AAC is 0
        if start[1] & 0xF6 == 0xF0:
            return _AAC
        if start[1] & 0xE0 == 0xE0:
            return _MP3
    raise DataError(f"{name} is no recording that can be read. Expected {_KNOWN}: save it as WAV")


def _check_end(content: bytes, form: _Format, name: str) -> None:
    """Refuse files of chunks that are cut short; FFmpeg would read what is there."""
    at = 0
    if form is _WAV:
        at = 12
        while at + 8 <= len(content) and (kind := content[at : at + 4]):
            (size,) = struct.unpack_from("<I", content, at + 4)
            if kind == b"data":
                if size < _UNKNOWN_SIZE and at + 8 + size > len(content) + 1:  # some leave out the byte that fills up
                    raise _cut_short(name)
                return
            at += 8 + size + size % 2
    while form is _OGG and content[at : at + 4] == b"OggS":
        lengths = content[at + 27 : at + 27 + content[at + 26]] if at + 26 < len(content) else b""
        at += 27 + len(lengths) + sum(lengths)
        if at > len(content):
            raise _cut_short(name)


def _counts_frames(content: bytes, form: _Format) -> bool:
    """Whether an MP3 begins with the number of its frames. Without it how long it lasts is a guess."""
    return form is _MP3 and any(mark in content[:_SEARCHED_BYTES] for mark in (b"Xing", b"Info"))


# --- Decoding ------------------------------------------------------------------------------------------------------


def _opened(content: io.BytesIO, reader: str) -> Any:
    """An open file. It is PyAV's container; what it names beside itself is not opened."""
    import av

    return av.open(content, format=reader, metadata_errors="ignore", io_open=_refuse)


def _decoded(file: Any, form: _Format, name: str) -> NDArray[np.float32]:
    """The sound of an open file."""
    sound = io.BytesIO()
    for heard in _resampled(_frames(file, _stream(file, form, name), form, name)):
        block = heard.mean(axis=1, dtype=np.float32)
        if not np.isfinite(block).all():
            raise _broken("it holds values that are no numbers", name)
        sound.write(np.clip(block, -1, 1).astype(np.float32, copy=False).tobytes())
        if sound.tell() > 4 * RATE * MOST_SECONDS:
            raise _too_long(name)
    return np.frombuffer(sound.getbuffer(), dtype=np.float32)


def _stream(file: Any, form: _Format, name: str) -> Any:
    """The sound of an open file, not yet decoded. A picture of the cover is no film.

    Raises:
        DataError: There is none, there is a film, or the sound is written in a way that is not read.
    """
    if any(not stream.disposition & _COVER for stream in file.streams.video):
        raise _has_pictures(name)
    if not file.streams.audio:
        raise DataError(f"{name} has no sound in it. Expected {_KNOWN}: record it again")
    stream = file.streams.audio[0]
    codec = stream.codec_context
    if not codec.name.startswith(form.codecs):
        raise _broken(f"its sound is written as {codec.name}", name)
    _check_shape(codec.sample_rate, codec.channels, name)
    if (form.is_sure or form is _WAV) and (file.duration or 0) > _MICROSECONDS * MOST_SECONDS:
        raise _too_long(name)
    return stream


def _frames(file: Any, stream: Any, form: _Format, name: str) -> Iterator[Any]:
    """The pieces of sound, each checked before it is brought to RATE."""
    import av

    read = broken = 0
    for packet in file.demux(stream):
        read += 1
        if read > _MOST_PACKETS:
            raise _too_long(name)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            broken += 1
            if not form.bears_loss or broken > max(1, _BROKEN_SHARE * read) + _BROKEN_FIRST:
                raise
            continue
        for frame in frames:
            _check_shape(frame.sample_rate, len(frame.layout.channels), name)
            if frame.samples > frame.sample_rate * MOST_SECONDS:
                raise _too_long(name)
            yield frame
    if broken > _BROKEN_SHARE * read:
        raise _broken(f"{broken:,} of {read:,} pieces cannot be decoded", name)


def _resampled(frames: Iterator[Any]) -> Iterator[NDArray[np.float32]]:
    """Blocks of shape (n, channels) at RATE. A file may change its shape on the way."""
    import av

    shape: tuple[Any, ...] = ()
    resampler: Any = None
    for frame in frames:
        if shape != (shape := (frame.format.name, frame.layout.name, frame.sample_rate)):
            if resampler is not None:
                yield from map(_block, resampler.resample(None))
            # Channels one after the other in one plane: PyAV crashes on frames of eight planes.
            resampler = av.AudioResampler(format="flt", rate=RATE)
        frame.pts = None  # times that jump would be filled with silence, or refused
        yield from map(_block, resampler.resample(frame))
    if resampler is not None:
        yield from map(_block, resampler.resample(None))


def _block(frame: Any) -> NDArray[np.float32]:
    """A frame of one plane as an array of shape (n, channels)."""
    values: NDArray[np.float32] = frame.to_ndarray().reshape(frame.samples, -1)
    return values


def _refuse(*_: object) -> NoReturn:
    """What is asked for when a file names another one. None is opened."""
    raise PermissionError("it names another file")


def _check_shape(rate: int, channels: int, name: str) -> None:
    """Refuse what nobody records."""
    if not _LEAST_RATE <= rate <= _MOST_RATE:
        raise _broken(f"it says to have {rate:,} samples a second", name)
    if not 1 <= channels <= _MOST_CHANNELS:
        raise _broken(f"it says to have {channels:,} channels", name)


# --- What to say ---------------------------------------------------------------------------------------------------


def _broken(reason: str, name: str) -> DataError:
    """Of what cannot be decoded."""
    return DataError(
        f"{name} is broken, or of a rare kind ({reason}). Expected {_KNOWN}: copy it again, or save it as WAV"
    )


def _cut_short(name: str) -> DataError:
    """Of a file whose end is missing."""
    return DataError(f"{name} is cut short: it ends before the sound does. Expected a whole recording: copy it again")


def _has_pictures(name: str) -> DataError:
    """Of a film."""
    return DataError(f"{name} has pictures. Expected {_KNOWN}: save its sound as WAV")


def _too_long(name: str) -> DataError:
    """Of more sound than is taken."""
    return DataError(
        f"{name} lasts longer than the {MOST_SECONDS // 60} minutes that a recording may last. "
        "Expected a shorter one: cut it into parts"
    )
