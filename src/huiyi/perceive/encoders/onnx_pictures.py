"""A picture encoder that was exported to ONNX: it looks at pictures without torch.

The file begins with pixels, so that how they are scaled is part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.perceive.encoders.onnx import in_one_line, open_session, usable_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT = "pictures"
"""The graph's input, uint8 of shape (batch, side, side, 3): red, green, blue."""

OUTPUT = "features"
"""The graph's output, float32 of shape (batch, width)."""

BATCH_PICTURES = 16  # more is no faster, and takes more memory


class OnnxPictureEncoder:
    """A frozen picture encoder as one ONNX file.

    What it says of a picture does not depend on which are looked at with it.
    One encoder may be used by several threads at once. The file is opened when
    the first picture is looked at.

    Args:
        name: What a saved model calls it.
        model: The ONNX file, with INPUT and OUTPUT.
        side: Of the squares that it looks at, in pixels.
        width: Columns of OUTPUT.
        threads: Of one batch. None takes what ``OMP_NUM_THREADS`` says, or else all usable cores.

    Raises:
        MissingExtraError: ``onnxruntime`` is not installed.
        DataError: The file cannot be read.

    Both are raised when it is first used.
    """

    def __init__(self, name: str, model: bytes, *, side: int, width: int, threads: int | None = None) -> None:
        self.name = name
        self.model = model
        self.side = side
        self.width = width
        self.threads = threads
        self._lock = Lock()
        self._session: Any = None

    @cached_property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.model).hexdigest()

    def encode(self, pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Look at pictures of shape (side, side, 3) and return features of shape (n, width).

        No more than a batch of them is taken at once, so they may be read one by one.
        """
        waiting = iter(pictures)
        features = [np.zeros((0, self.width), dtype=np.float32)]
        while batch := list(islice(waiting, BATCH_PICTURES)):
            features.append(self._features(np.stack(batch)))
        return np.concatenate(features)

    def _features(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of one batch."""
        session = self._open()
        try:
            found: NDArray[np.float32] = session.run([OUTPUT], {INPUT: batch})[0]
        except Exception as error:  # onnxruntime's errors have no common base
            raise DataError(
                f"encoder {self.name!r}: the ONNX file cannot take pictures of {batch.shape[1]} × {batch.shape[2]} "
                f"pixels ({in_one_line(error)}). Expected a file that huiyi exported. Train the model again"
            ) from error
        return found

    def _open(self) -> Any:
        """The session, opened once."""
        with self._lock:
            if self._session is None:
                threads = self.threads or usable_cores()
                self._session = open_session(self.name, self.model, what="Pictures", extra="image", threads=threads)
            return self._session
