"""Any vision model of transformers as a picture encoder: by hub id or local folder, exported to ONNX once.

What it says of a picture is what its pooler does, or the features that an
image–text model compares with texts, or else the mean over all places. All of
a picture is squeezed into the square that the model takes, and its colours are
scaled as its ``preprocessor_config.json`` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huiyi.errors import MissingExtraError, OptionError
from huiyi.perceive.encoders.efficientnet import export
from huiyi.perceive.encoders.onnx import in_one_line
from huiyi.perceive.encoders.onnx_pictures import OnnxPictureEncoder

if TYPE_CHECKING:
    from torch import Tensor, nn

SIDE = 224
"""Pixels of the square where a model does not say how many it takes."""

MOST_SIDE = 1024

_MIDDLE = 127.5  # what models expect that say nothing: colours from -1 to 1
_WANTED = "Expected a folder in the format of the Hugging Face hub, or the id of a model on it, that looks at pictures"


def vision_encoder(name: str) -> OnnxPictureEncoder:
    """A vision model, or the picture half of an image–text model, ready to look at pictures.

    Args:
        name: A folder in the hub's format, or the id of a model on the hub, which is then downloaded.

    Raises:
        MissingExtraError: torch, transformers or onnx is not installed. A saved model needs none of them.
        OptionError: There is no such model, it cannot be read, or it does not look at pictures.
        ExportError: The ONNX file answers otherwise than torch.

    Example:
        >>> vision_encoder("google/vit-base-patch16-224")  # doctest: +SKIP
    """
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModel
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtraError("Other picture encoders", extra="image,tune") from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(name)
        scaling = _scaling(name)
        module = AutoModel.from_pretrained(name, dtype=torch.float32, use_safetensors=True).eval()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise OptionError(f"--image-encoder {name}: it cannot be read ({in_one_line(error)}). {_WANTED}") from error
    if getattr(module, "main_input_name", "") != "pixel_values" and not hasattr(module, "get_image_features"):
        raise OptionError(f"--image-encoder {name}: a {config.model_type} model looks at no pictures. {_WANTED}")
    side = _side(config, scaling)
    if not 0 < side <= MOST_SIDE:
        raise OptionError(
            f"--image-encoder {name}: it takes pictures of {side} pixels a side, expected 1 to {MOST_SIDE}. Choose "
            "another one"
        )
    looking = _looking(module, scaling)
    with torch.inference_mode():
        width = int(looking(torch.zeros((1, side, side, 3), dtype=torch.uint8)).shape[1])
    return OnnxPictureEncoder(name, export(looking, name=name, side=side, width=width), side=side, width=width)


def _scaling(name: str) -> Mapping[str, Any]:
    """What the model says of the pictures that it expects; nothing where it does not."""
    from transformers.utils.hub import cached_file

    file = cached_file(
        name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )  # fmt: skip
    found: Mapping[str, Any] = json.loads(Path(file).read_text("utf-8")) if file else {}
    return found


def _side(config: Any, scaling: Mapping[str, Any]) -> int:
    """Pixels of the square that the model takes."""
    for said in (scaling.get("crop_size"), scaling.get("size"), getattr(config, "image_size", None)):
        size = said.get("height", said.get("shortest_edge")) if isinstance(said, Mapping) else said
        if isinstance(size, list | tuple):
            size = size[0]
        if size:
            return int(size)
    return int(getattr(getattr(config, "vision_config", None), "image_size", SIDE))


def _looking(module: Any, scaling: Mapping[str, Any]) -> nn.Module:
    """The model from pictures (n, side, side, 3) in 8 bits to features (n, width)."""
    import torch
    from torch import nn

    factor = float(scaling.get("rescale_factor") or 1 / (2 * _MIDDLE)) if scaling.get("do_rescale", True) else 1.0
    is_normal = scaling.get("do_normalize", True)
    middle = scaling.get("image_mean") if is_normal else None
    spread = scaling.get("image_std") if is_normal else None

    class Looking(nn.Module):
        """Scales, looks, and takes the mean where nothing else sums up."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module
            zero = [0.5] * 3 if is_normal else [0.0] * 3
            one = [0.5] * 3 if is_normal else [1.0] * 3
            self.middle: Tensor
            self.spread: Tensor
            self.register_buffer("middle", torch.tensor(middle or zero).view(1, 3, 1, 1))
            self.register_buffer("spread", torch.tensor(spread or one).view(1, 3, 1, 1))

        def forward(self, pictures: Tensor) -> Tensor:
            seen = (pictures.permute(0, 3, 1, 2).float() * factor - self.middle) / self.spread
            if hasattr(self.module, "get_image_features"):
                return _pooled(self.module.get_image_features(pixel_values=seen))
            return _pooled(self.module(pixel_values=seen))

    return Looking().eval()


def _pooled(answer: Any) -> Tensor:
    """One vector of each picture, shape (n, width)."""
    pooled: Tensor | None = getattr(answer, "pooler_output", None)
    if pooled is None:
        pooled = answer if not hasattr(answer, "last_hidden_state") else answer.last_hidden_state
        if pooled.ndim == 3:  # (n, places, width)
            pooled = pooled.mean(dim=1)
        elif pooled.ndim == 4:  # (n, width, height, width of the picture)
            pooled = pooled.mean(dim=(2, 3))
    return pooled.flatten(1)
