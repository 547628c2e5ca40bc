"""A transformer backbone that was exported to ONNX: it serves without torch.

The file and its tokenizer belong to the model that was trained, so they are
given as they are, not found by name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUTS = ("input_ids", "attention_mask")
"""The graph's inputs, int64 of shape (batch, length)."""

OUTPUT = "vectors"
"""The graph's output, float32 of shape (batch, width): one vector of length 1 a text."""

BATCH_TOKENS = 256  # keeps the working set near the size of a processor's cache; more is slower
TEXTS_AT_ONCE = 2_048  # are cut into tokens and sorted by length together
SILENT = 4  # all but fatal: what goes wrong is raised, and need not be logged too


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Texts of similar length as one rectangle of tokens.

    Attributes:
        rows: Where the b texts stand among those given, shape (b,).
        ids: Token ids, filled up at the end, shape (b, length).
        mask: 1 where there is a token and 0 where it was filled up, same shape.
    """

    rows: NDArray[np.intp]
    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


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
        vectors = np.zeros((len(texts), self.widths[""]), dtype=np.float32)
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[first : first + TEXTS_AT_ONCE]
            left = len(some)
            for rows, found in self._encoded(some):
                vectors[first + rows] = found
                left -= len(rows)
                if tick is not None:
                    tick(len(rows))
            if left and tick is not None:
                tick(left)  # those without tokens
        return {"": vectors}

    def _encoded(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield some rows of the texts, shape (b,), and their vectors, shape (b, width)."""
        tokenizer, session = self._open()
        run = partial(self._run, session)
        batches = list(token_batches(tokenizer, texts))
        at_once = min(self.threads or _usable_cores(), len(batches))
        if at_once < 2:
            yield from map(run, batches)
            return
        with ThreadPoolExecutor(at_once) as pool:
            yield from pool.map(run, batches)

    def _run(self, session: Any, batch: TokenBatch) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The rows of one batch and their vectors."""
        try:
            (found,) = session.run([OUTPUT], dict(zip(INPUTS, (batch.ids, batch.mask), strict=True)))
        except Exception as error:  # onnxruntime's errors have no common base
            raise DataError(
                f"encoder {self.name!r}: the ONNX file cannot take {len(batch.ids)} texts of {batch.ids.shape[1]} "
                f"tokens ({_in_one_line(error)}). Expected one that takes any number of texts of up to "
                f"{self.max_tokens} tokens. Export it with huiyi.train.tuning.export"
            ) from error
        return batch.rows, found

    def _open(self) -> tuple[Any, Any]:
        """The tokenizer and the session, opened once."""
        with self._lock:
            if self._opened is None:
                self._opened = read_tokenizer(self.tokenizer, max_tokens=self.max_tokens), self._session()
            return self._opened

    def _session(self) -> Any:
        """The file, ready to run."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("Tuned models", extra="onnx") from error
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a batch is small; several go side by side
        options.enable_mem_pattern = False  # a plan for each shape would be kept, and lengths differ
        try:
            session = onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise DataError(
                f"encoder {self.name!r}: onnxruntime {onnxruntime.__version__} cannot open the ONNX file "
                f"({_in_one_line(error)}). Expected a file that huiyi exported, and onnxruntime 1.22 or newer. "
                'Install it with: pip install --upgrade "huiyi[onnx]"'
            ) from error
        self._check(session)
        return session

    def _check(self, session: Any) -> None:
        """Refuse a file that is another kind of model."""
        inputs = sorted(node.name for node in session.get_inputs())
        outputs = {node.name: node.shape for node in session.get_outputs()}
        width = self.widths[""]
        columns = outputs.get(OUTPUT, [0])[-1]  # a name where the file leaves them open
        if inputs != sorted(INPUTS) or (columns not in (width, None) and not isinstance(columns, str)):
            found = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
            raise DataError(
                f"encoder {self.name!r}: the ONNX file maps {', '.join(inputs)} to {found}, expected "
                f"{', '.join(INPUTS)} to {OUTPUT} ['batch', {width}]. Export it with huiyi.train.tuning.export"
            )


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
            f"the tokenizer cannot be read ({_in_one_line(error)}); expected the content of a Hugging Face "
            "tokenizer.json. Save it anew with the version of tokenizers that is installed"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def token_batches(tokenizer: Any, texts: Sequence[str]) -> Iterator[TokenBatch]:
    """Cut texts into tokens and yield them in batches of at most BATCH_TOKENS, the shortest first.

    A text longer than that is a batch of its own. Texts without any token are left out.

    Args:
        tokenizer: From ``read_tokenizer``.
        texts: Any strings.
    """
    # One by one, not as a batch: the library's own threads would take all cores, whatever the user said.
    # A lone surrogate has no UTF-8.
    encoded = [tokenizer.encode(text.encode("utf-8", "replace").decode()).ids for text in texts]
    lengths = np.array([len(ids) for ids in encoded], dtype=np.intp)
    order = np.argsort(lengths, kind="stable")
    start = int(np.count_nonzero(lengths == 0))
    while start < len(order):
        end = start + 1
        while end < len(order) and lengths[order[end]] * (end + 1 - start) <= BATCH_TOKENS:
            end += 1
        rows = order[start:end]
        inside = np.arange(lengths[rows[-1]]) < lengths[rows, None]  # (batch, length)
        ids = np.zeros(inside.shape, dtype=np.int64)
        ids[inside] = np.concatenate([encoded[row] for row in rows])
        yield TokenBatch(rows, ids, inside.astype(np.int64))
        start = end


def _usable_cores() -> int:
    """What ``OMP_NUM_THREADS`` says, or the cores that this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_one_line(error: Exception) -> str:
    """What a library said, without its line breaks."""
    return " ".join(str(error).split())[:200]
