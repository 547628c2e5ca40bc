"""The signal ``image``: what is seen in the pictures that came along, by a frozen encoder.

The encoder travels with the model as an ONNX file, so a saved model needs
neither torch nor the package of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.perceive.encoders.efficientnet import WIDTH, efficientnet_lite0
from huiyi.perceive.encoders.onnx_pictures import BATCH_PICTURES, OnnxPictureEncoder
from huiyi.perceive.features import FeaturesPerceiver
from huiyi.perceive.media import Sense
from huiyi.perceive.pictures import PICTURES, pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE = "image@"
"""How the signals of encoders begin that learnt labels: what stands behind it tells them apart."""

_MODEL = "encoder.onnx"


class ImagePerceiver(FeaturesPerceiver):
    """Features of the pictures of each record: of several, the mean. Equal pictures are looked at once.

    Args:
        encoder: Taken instead of EfficientNet-lite0, which is made when the first picture comes.
        name: Of the signal.
        tuned: Whether the encoder learnt labels.

    Example:
        >>> from huiyi.values import Record
        >>> signals, present = ImagePerceiver().perceive([Record(text="no picture")])
        >>> signals["image"].shape, present.tolist()
        ((1, 1280), [False])
    """

    def __init__(self, encoder: OnnxPictureEncoder | None = None, *, name: str = "image", tuned: bool = False) -> None:
        super().__init__(name, PICTURES)
        self.tuned = tuned
        self._encoder = encoder

    @property
    def width(self) -> int:
        """Columns of the signal."""
        return WIDTH if self._encoder is None else self._encoder.width

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The bytes of the ONNX file, which become a file of the saved model."""
        tool = self._tool()
        config = {"encoder": tool.name, "side": tool.side, "width": tool.width, "tuned": self.tuned}
        return {_MODEL: np.frombuffer(tool.model, dtype=np.uint8)}, config

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self.tuned = config["tuned"]
        model = arrays[_MODEL].tobytes()
        self._encoder = OnnxPictureEncoder(config["encoder"], model, side=config["side"], width=config["width"])

    def _tool(self) -> OnnxPictureEncoder:
        """The encoder, made on first use."""
        if self._encoder is None:
            self._encoder = efficientnet_lite0()
        return self._encoder

    def sense(self) -> Sense[NDArray[np.uint8], NDArray[np.float32]]:
        """Squares of pixels, and what the encoder says of them."""
        tool = self._tool()
        return Sense(
            PICTURES,
            f"{tool.name} {tool.sha256}",
            prepare=partial(pixels, side=tool.side),
            work=lambda squares: list(tool.encode(squares)),
            pack=lambda features: features.astype("<f4").tobytes(),
            unpack=lambda content: np.frombuffer(content, dtype="<f4"),
            batch=BATCH_PICTURES,
        )
