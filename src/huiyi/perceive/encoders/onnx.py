"""A transformer backbone that was exported to ONNX: it serves without torch.

The file and its tokenizer belong to the model that was trained, so they are
given as they are, not found by name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.encoders.units import Units, letter_cases, units_of
from huiyi.values import Ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUTS = ("input_ids", "attention_mask")
"""The graph's inputs, int64 of shape (batch, length)."""

CASE = "token_type_ids"
"""A further input of a graph that is told how words are written, where its tokens do not say it; same shape."""

OUTPUT = "vectors"
"""The graph's output, float32 of shape (batch, width): one vector of length 1 a text."""

FEATURES = "features"
"""A further output of a graph that hears units too, float32 of shape (batch, length, width)."""

PROBE = "probe"
"""Of the file's properties, what it says of one text where it was made. See ``Probe``."""

PROBE_DISTANCE = 1e-3  # between vectors; rounding changes the seventh decimal, sums that overflow the second

BATCH_TOKENS = 256  # keeps the working set near the size of a processor's cache; more is slower
TEXTS_AT_ONCE = 2_048  # are cut into tokens and sorted by length together
SILENT = 4  # all but fatal: what goes wrong is raised, and need not be logged too


@dataclass(frozen=True, eq=False)
class Window:
    """As much of a text as is read at once.

    Attributes:
        row: Where the text stands among those given.
        text: The whole of it.
        encoding: What the tokenizer made of this part of it.
        is_first: Whether it is the beginning.
    """

    row: int
    text: str
    encoding: Any
    is_first: bool


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Texts of similar length as one rectangle of tokens.

    Attributes:
        windows: The b texts, or parts of them.
        ids: Token ids, filled up at the end, shape (b, length).
        mask: 1 where there is a token and 0 where it was filled up, same shape.
    """

    windows: Sequence[Window]
    ids: NDArray[np.int64]
    mask: NDArray[np.int64]

    def cases(self) -> NDArray[np.int64]:
        """How the word of each token is written, shape (b, length). See ``letter_cases``."""
        cases = np.zeros_like(self.ids)
        cases[self.mask == 1] = np.concatenate([letter_cases(part.text, part.encoding) for part in self.windows])
        return cases


@dataclass(frozen=True, eq=False)
class Read:
    """What an encoder says of n texts.

    Attributes:
        vectors: Shape (n, width).
        units: Features of the first piece of each unit, where the graph tells them.
    """

    vectors: NDArray[np.float32]
    units: Ragged | None


class OnnxEncoder:
    """A frozen or fine-tuned transformer as one ONNX file.

    It has one view, which has no name of its own: the vector of the whole text.
    A text's vector does not depend on which texts are encoded with it, as long
    as the file quantises nothing across texts: in files made by
    ``huiyi.train.tuning.export`` differences stay below 1e-6. A text without
    any token has no direction; its vector is zero.

    One encoder may be used by several threads at once. The file is opened when
    the first text is encoded.

    Args:
        name: What a saved model calls it.
        model: The ONNX file, with INPUTS and OUTPUT.
        tokenizer: The text of a Hugging Face ``tokenizer.json``. What it says
            about truncation and padding is not used.
        width: Columns of OUTPUT.
        max_tokens: Of a longer text only the beginning is read.
        threads: Batches that are computed at once, each on one core. None
            takes what ``OMP_NUM_THREADS`` says, or else all usable cores.

    Raises:
        MissingExtraError: ``onnxruntime`` or ``tokenizers`` is not installed.
        DataError: The file or the tokenizer cannot be read.

    All are raised when it is first used.
    """

    def __init__(
        self, name: str, model: bytes, tokenizer: str, *, width: int, max_tokens: int, threads: int | None = None
    ) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.widths: Mapping[str, int] = MappingProxyType({"": width})
        self.max_tokens = max_tokens
        self.threads = threads
        self._lock = Lock()
        self._opened: tuple[Any, Any] | None = None

    @cached_property
    def sha256(self) -> str:
        """Of the file and the tokenizer."""
        digest = hashlib.sha256(self.model)
        digest.update(self.tokenizer.encode())
        return digest.hexdigest()

    def encode(
        self, texts: Sequence[str], *, tick: Callable[[int], None] | None = None
    ) -> Mapping[str, NDArray[np.float32]]:
        """Encode texts to shape (n, width).

        Args:
            texts: Any strings.
            tick: Told how many texts were done since its last call.
        """
        return {"": self._read(texts, tick, with_units=False).vectors}

    def read(self, texts: Sequence[str], *, tick: Callable[[int], None] | None = None) -> Read:
        """Encode texts and their units in one go, longer ones window by window. See ``encode``."""
        return self._read(texts, tick, with_units=self.hears_units)

    @property
    def hears_units(self) -> bool:
        """Whether the graph tells units."""
        _, session = self._open()
        return FEATURES in [node.name for node in session.get_outputs()]

    def _read(self, texts: Sequence[str], tick: Callable[[int], None] | None, *, with_units: bool) -> Read:
        """Some texts at a time."""
        width = self.widths[""]
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        parts: dict[int, list[_Part]] = {}
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[first : first + TEXTS_AT_ONCE]
            left = len(some)
            for windows, found, features in self._encoded(some, with_units=with_units):
                begun = [place for place, window in enumerate(windows) if window.is_first]
                vectors[[first + windows[place].row for place in begun]] = found[begun]
                if features is not None:
                    for window, told in zip(windows, features, strict=True):
                        units = units_of(window.text, window.encoding)
                        parts.setdefault(first + window.row, []).append(_Part(units, told[units.places]))
                left -= len(begun)
                if tick is not None and begun:
                    tick(len(begun))
            if left and tick is not None:
                tick(left)  # those without tokens
        return Read(vectors, _in_order(parts, len(texts), width) if with_units else None)

    def _encoded(
        self, texts: Sequence[str], *, with_units: bool
    ) -> Iterator[tuple[Sequence[Window], NDArray[np.float32], NDArray[np.float32] | None]]:
        """Yield b windows of the texts, their vectors (b, width), and the features of their tokens."""
        tokenizer, session = self._open()
        run = partial(self._run, session, with_units)
        batches = list(token_batches(tokenizer, texts, all_windows=with_units))
        at_once = min(self.threads or usable_cores(), len(batches))
        if at_once < 2:
            yield from map(run, batches)
            return
        with ThreadPoolExecutor(at_once) as pool:
            yield from pool.map(run, batches)

    def _run(
        self, session: Any, with_units: bool, batch: TokenBatch
    ) -> tuple[Sequence[Window], NDArray[np.float32], NDArray[np.float32] | None]:
        """The windows of one batch and what is told of them."""
        given = dict(zip(INPUTS, (batch.ids, batch.mask), strict=True))
        if CASE in [node.name for node in session.get_inputs()]:
            given[CASE] = batch.cases()
        try:
            found = session.run([OUTPUT, FEATURES] if with_units else [OUTPUT], given)
        except Exception as error:  # onnxruntime's errors have no common base
            raise DataError(
                f"encoder {self.name!r}: the ONNX file cannot take {len(batch.ids)} texts of {batch.ids.shape[1]} "
                f"tokens ({in_one_line(error)}). Expected one that takes any number of texts of up to "
                f"{self.max_tokens} tokens. Export it with huiyi.train.tuning.export"
            ) from error
        return batch.windows, found[0], found[1] if with_units else None

    def _open(self) -> tuple[Any, Any]:
        """The tokenizer and the session, opened once."""
        with self._lock:
            if self._opened is None:
                self._opened = read_tokenizer(self.tokenizer, max_tokens=self.max_tokens), self._session()
            return self._opened

    def _session(self) -> Any:
        """The file, ready to run."""
        for is_careful in (False, True):
            session = open_session(self.name, self.model, what="Tuned models", extra="onnx", is_careful=is_careful)
            self._check(session)
            if Probe.agrees(session):
                return session
        raise DataError(
            f"encoder {self.name!r}: on this processor the ONNX file says otherwise of a text than where it was made; "
            "expected the same. Use another version of onnxruntime, or train the model again on this machine"
        )

    def _check(self, session: Any) -> None:
        """Refuse a file that is another kind of model."""
        inputs = sorted(node.name for node in session.get_inputs())
        outputs = {node.name: node.shape for node in session.get_outputs()}
        width = self.widths[""]
        columns = outputs.get(OUTPUT, [0])[-1]  # a name where the file leaves them open
        if set(inputs) - {CASE} != set(INPUTS) or (columns not in (width, None) and not isinstance(columns, str)):
            found = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
            raise DataError(
                f"encoder {self.name!r}: the ONNX file maps {', '.join(inputs)} to {found}, expected "
                f"{', '.join(INPUTS)} to {OUTPUT} ['batch', {width}]. Export it with huiyi.train.tuning.export"
            )


@dataclass(frozen=True)
class Probe:
    """What a file says of one text on the processor that made it, by which another one is tested.

    Without instructions made for it, sums of 8-bit products may overflow, and
    the file would answer wrongly without a word.

    Attributes:
        ids: Of its tokens.
        cases: What is said of their letters, where the file takes that.
        vector: The answer.
    """

    ids: list[int]
    cases: list[int] | None
    vector: list[float]

    @classmethod
    def taken(cls, model: bytes, ids: NDArray[np.int64], cases: NDArray[np.int64] | None) -> Probe:
        """Of a file that was just made, with the tokens (1, length) of one text."""
        probe = cls(ids[0].tolist(), None if cases is None else cases[0].tolist(), [])
        session = open_session("exported", model, what="Exported backbones", extra="tune")
        return replace(probe, vector=[round(float(number), 5) for number in probe._answer(session)])

    @classmethod
    def agrees(cls, session: Any) -> bool:
        """Whether a file says what its probe says, if it has one."""
        kept = session.get_modelmeta().custom_metadata_map.get(PROBE)
        if kept is None:
            return True
        probe = cls(**json.loads(kept))
        difference = probe._answer(session) - np.array(probe.vector, dtype=np.float32)
        return bool(np.linalg.norm(difference) <= PROBE_DISTANCE)

    def to_json(self) -> str:
        """As a property of the file."""
        return json.dumps(asdict(self))

    def _answer(self, session: Any) -> NDArray[np.float32]:
        """What a file says of its text."""
        ids = np.array([self.ids], dtype=np.int64)
        given = dict(zip(INPUTS, (ids, np.ones_like(ids)), strict=True))
        if self.cases is not None:
            given[CASE] = np.array([self.cases], dtype=np.int64)
        return np.asarray(session.run([OUTPUT], given)[0][0], dtype=np.float32)


def open_session(name: str, model: bytes, *, what: str, extra: str, threads: int = 1, is_careful: bool = False) -> Any:
    """Open an ONNX file, which is then run on the processor alone.

    Args:
        name: Of the encoder, for messages.
        model: The file.
        what: Needs onnxruntime, for messages.
        extra: That brings it.
        threads: That share the work of one run. A batch of texts is small: there several runs go side by side.
        is_careful: Whether products of 8 bits are summed so that nothing can overflow, which is slower.

    Raises:
        MissingExtraError: ``onnxruntime`` is not installed.
        DataError: It cannot open the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(what, extra=extra) from error
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_mem_pattern = False  # a plan for each shape would be kept, and lengths differ
    if is_careful:
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        raise DataError(
            f"encoder {name!r}: onnxruntime {onnxruntime.__version__} cannot open the ONNX file "
            f"({in_one_line(error)}). Expected a file that huiyi exported, and onnxruntime 1.22 or newer. "
            'Install it with: pip install --upgrade "huiyi[onnx]"'
        ) from error


def read_tokenizer(content: str, *, max_tokens: int) -> Any:
    """Make a tokenizer that cuts at ``max_tokens``, special tokens included, and pads nothing.

    Args:
        content: The text of a ``tokenizer.json``.
        max_tokens: The most tokens that a text may have.

    Raises:
        MissingExtraError: ``tokenizers`` is not installed.
        DataError: The text is no tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError("Tuned models", extra="onnx") from error
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing more precise
        raise DataError(
            f"the tokenizer cannot be read ({in_one_line(error)}); expected the content of a Hugging Face "
            "tokenizer.json. Save it anew with the version of tokenizers that is installed"
        ) from error
    tokenizer.no_padding()
    # Of a longer text each further window begins a quarter of its length before the end of the last.
    tokenizer.enable_truncation(max_tokens, stride=(max_tokens - tokenizer.num_special_tokens_to_add(False)) // 4)
    return tokenizer


def token_batches(tokenizer: Any, texts: Sequence[str], *, all_windows: bool = False) -> Iterator[TokenBatch]:
    """Cut texts into tokens and yield them in batches of at most BATCH_TOKENS, the shortest first.

    A text longer than that is a batch of its own. Texts without any token are left out.

    Args:
        tokenizer: From ``read_tokenizer``.
        texts: Any strings.
        all_windows: Whether longer texts are read to their end, window by window.
    """
    windows: list[Window] = []
    for row, given in enumerate(texts):
        # One by one, not as a batch: the library's own threads would take all cores, whatever the user said.
        text = given.encode("utf-8", "replace").decode()  # a lone surrogate has no UTF-8
        encoding = tokenizer.encode(text)
        parts = [encoding, *encoding.overflowing] if all_windows else [encoding]
        windows += [Window(row, text, part, place == 0) for place, part in enumerate(parts) if part.ids]
    windows.sort(key=lambda window: len(window.encoding.ids))
    start = 0
    while start < len(windows):
        end = start + 1
        while end < len(windows) and len(windows[end].encoding.ids) * (end + 1 - start) <= BATCH_TOKENS:
            end += 1
        some = windows[start:end]
        lengths = np.array([len(window.encoding.ids) for window in some])
        inside = np.arange(lengths[-1]) < lengths[:, None]  # (batch, length)
        ids = np.zeros(inside.shape, dtype=np.int64)
        ids[inside] = np.concatenate([window.encoding.ids for window in some])
        yield TokenBatch(some, ids, inside.astype(np.int64))
        start = end


@dataclass(frozen=True, eq=False)
class _Part:
    """The units of one window, and what is told of each."""

    units: Units
    values: NDArray[np.float32]


def _in_order(parts: Mapping[int, Sequence[_Part]], count: int, width: int) -> Ragged:
    """The units of all texts; where two windows overlap, each tells the half that is nearer to its middle."""
    values: list[NDArray[Any]] = [np.zeros((0, width), np.float32)]
    offsets: list[NDArray[Any]] = [np.zeros((0, 2), np.intp)]
    lengths = np.zeros(count, dtype=np.intp)
    for row in range(count):
        windows = [part for part in parts.get(row, ()) if len(part.values)]
        windows.sort(key=lambda part: int(part.units.offsets[0, 0]))
        begin = 0
        for place, part in enumerate(windows):
            end: float = np.inf
            if place + 1 < len(windows):
                end = (part.units.offsets[-1, 1] + windows[place + 1].units.offsets[0, 0]) // 2
            starts = part.units.offsets[:, 0]
            told = (begin <= starts) & (starts < end)
            values.append(part.values[told])
            offsets.append(part.units.offsets[told])
            lengths[row] += told.sum()
            begin = int(end) if end != np.inf else begin
    splits = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
    return Ragged(np.concatenate(values), splits, np.concatenate(offsets))


def usable_cores() -> int:
    """What ``OMP_NUM_THREADS`` says, or the cores that this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_one_line(error: Exception) -> str:
    """What a library said, without its line breaks."""
    return " ".join(str(error).split())[:200]
