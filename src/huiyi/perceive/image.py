"""The signal ``image``: what is seen in the pictures that came along, by a frozen encoder.

The encoder travels with the model as an ONNX file, so a saved model needs
neither torch nor the package of the weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.perceive.encoders.efficientnet import WIDTH, efficientnet_lite0
from huiyi.perceive.encoders.onnx_pictures import OnnxPictureEncoder
from huiyi.perceive.pictures import called, content_of, pixels
from huiyi.values import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNAL = "image"

_MODEL = "encoder.onnx"
_NAMED = 3  # pictures that cannot be read


class ImagePerceiver:
    """Features of the pictures of each record: of several, the mean. Equal pictures are looked at once.

    Args:
        encoder: Taken instead of EfficientNet-lite0, which is made when the first picture comes.

    Example:
        >>> signals, present = ImagePerceiver().perceive([Record(text="no picture")])
        >>> signals["image"].shape, present.tolist()
        ((1, 1280), [False])
    """

    def __init__(self, encoder: OnnxPictureEncoder | None = None) -> None:
        self._encoder = encoder

    @property
    def width(self) -> int:
        """Columns of the signal."""
        return WIDTH if self._encoder is None else self._encoder.width

    def fit(self, records: Sequence[Record]) -> None:
        """Nothing to learn: the encoder is frozen. It is made now where it is needed, as something may be missing."""
        if any(record.images for record in records):
            self._tool()

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """Return features of shape (n, 1280), and which records have a picture.

        Pictures are read as the encoder asks for them, so few are held at once.

        Raises:
            DataError: Pictures cannot be read; it says why the first cannot, and names some of the others.
        """
        album = _Album(records, tick)
        signal = np.zeros((len(records), self.width), dtype=np.float32)
        present = np.array([bool(record.images) for record in records], dtype=bool)
        if present.any():
            tool = self._tool()
            features = tool.encode(album.distinct(tool.side))
            album.refuse_broken()
            for row in np.flatnonzero(present):
                signal[row] = features[album.places[row]].mean(axis=0)
        elif tick is not None:
            tick(len(records))
        return {SIGNAL: signal}, present

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The bytes of the ONNX file, which become a file of the saved model."""
        tool = self._tool()
        config = {"encoder": tool.name, "side": tool.side, "width": tool.width}
        return {_MODEL: np.frombuffer(tool.model, dtype=np.uint8)}, config

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        model = arrays[_MODEL].tobytes()
        self._encoder = OnnxPictureEncoder(config["encoder"], model, side=config["side"], width=config["width"])

    def _tool(self) -> OnnxPictureEncoder:
        """The encoder, made on first use."""
        if self._encoder is None:
            self._encoder = efficientnet_lite0()
        return self._encoder


class _Album:
    """The pictures of records, each kind of bytes once.

    Attributes:
        places: For each record, where its pictures stand among the distinct ones. Filled while these are taken.
    """

    def __init__(self, records: Sequence[Record], tick: Callable[[int], None] | None) -> None:
        self._records = records
        self._tick = tick
        self._broken: list[tuple[str, DataError]] = []
        self.places: list[list[int]] = []

    def distinct(self, side: int) -> Iterator[NDArray[np.uint8]]:
        """Read them, one by one. After one that cannot be read the others are only tried."""
        known: dict[bytes, int] = {}
        for record in self._records:
            own: list[int] = []
            for media in record.images:
                try:
                    content = content_of(media)
                    digest = hashlib.sha256(content).digest()
                    if digest not in known:
                        square = pixels(content, called(media), side=side)
                        known[digest] = len(known)
                        if not self._broken:
                            yield square
                    own.append(known[digest])
                except DataError as error:
                    place = f"record {record.id}: " if record.id else ""
                    self._broken.append((called(media), DataError(f"{place}{error}")))
            self.places.append(own)
            if self._tick is not None:
                self._tick(1)

    def refuse_broken(self) -> None:
        """Say which pictures cannot be read, if there are any."""
        if not self._broken:
            return
        (_, first), *others = self._broken
        if not others:
            raise first
        names = ", ".join(name for name, _ in others[:_NAMED])
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        raise DataError(f"{first}. The same goes for {len(others):,} other pictures: {names}{more}") from first
