"""Fine-tune the picture encoder: EfficientNet-lite0 tuned to labels, by pictures that are varied each time.

The layers near the pixels keep what ImageNet taught them, as do all the
normalisations, whose batches would be too small to learn from: it takes half
the time.

Source:
    Yosinski et al., "How transferable are features in deep neural networks?",
    NeurIPS 2014 (the lower layers transfer); Krizhevsky et al., "ImageNet
    Classification with Deep Convolutional Neural Networks", NeurIPS 2012
    (crops, mirror images, colours).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError
from huiyi.perceive import IMAGE, ImagePerceiver
from huiyi.perceive.encoders.efficientnet import NAME, WIDTH, export, network
from huiyi.perceive.encoders.onnx_pictures import INPUT, OnnxPictureEncoder
from huiyi.perceive.pictures import PICTURES, pixels
from huiyi.train.config import Session
from huiyi.train.fast import PICTURED, Seen
from huiyi.train.tuning.device import device, in_half
from huiyi.train.tuning.finetune import FinetuneConfig, Finetuned
from huiyi.train.tuning.loop import Learner
from huiyi.train.tuning.methods.base import Defaults
from huiyi.train.tuning.objectives import Reading
from huiyi.train.tuning.tuner import Lessons, Tuner, targets_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from huiyi.train.tuning.methods import Method
    from huiyi.values import Media, Task

SIDE = 160
"""Pixels of the squares that are learnt from, and looked at afterwards: fewer than the encoder knows, for speed."""

PICTURES_SEEN, FEWEST_EPOCHS, MOST_EPOCHS = 16_000, 4, 12
"""Pictures that one run sees, all epochs together."""

RATE = 1e-3
LOWER_LAYERS = 7
"""Layers near the pixels that do not learn: the first convolution, and three blocks."""

TURN, SMALLEST_CROP, SHIFT = math.pi / 12, 0.75, 0.1
"""How far a picture is turned at most, how little of its side is seen, and how far off the middle, of half a side."""

BRIGHTER, CONTRAST, COLOURS = 25.0, 0.25, 0.1
"""How much brightness (of 255), contrast and each colour change at most."""


class Squares:
    """Pictures as the encoder takes them, read from their files batch by batch.

    Args:
        pictures: One each.
    """

    def __init__(self, pictures: Sequence[Media]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        """How many."""
        return len(self._pictures)

    def batch(self, rows: NDArray[np.intp], *, varied: bool = False) -> Mapping[str, Tensor]:
        """Some of them, shape (rows, SIDE, SIDE, 3); ``varied``: mirrored, turned, cropped, in other light."""
        import torch

        chosen = [self._pictures[int(row)] for row in rows]
        squares = [pixels(PICTURES.content(media), PICTURES.called(media), side=SIDE) for media in chosen]
        given = torch.from_numpy(np.stack(squares))
        return {INPUT: (_varied(given) if varied else given).to(device())}

    def shuffled(
        self, rows: int, rng: np.random.Generator, groups: Sequence[NDArray[np.intp]] | None = None
    ) -> Iterator[NDArray[np.intp]]:
        """All once, ``rows`` at a time, in random order. See ``Items``."""
        groups = list(np.arange(len(self))[:, None]) if groups is None else groups
        order = np.concatenate([groups[place] for place in rng.permutation(len(groups))])
        yield from (order[start : start + rows] for start in range(0, len(order), rows))

    def by_length(self, rows: int) -> Iterator[NDArray[np.intp]]:
        """All once, ``rows`` at a time: each takes as long."""
        order = np.arange(len(self))
        yield from (order[start : start + rows] for start in range(0, len(order), rows))


def _varied(pictures: Tensor) -> Tensor:
    """Each picture (n, side, side, 3) otherwise, by torch's own generator."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    n = len(pictures)

    def between(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(n, *shape) * (high - low) + low

    angles, scale = between(-TURN, TURN), between(SMALLEST_CROP, 1.0)
    mirrored = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    cosines, sines = torch.cos(angles) * scale, torch.sin(angles) * scale
    moved = torch.zeros(n, 2, 3)
    moved[:, 0, 0], moved[:, 0, 1] = cosines * mirrored, -sines
    moved[:, 1, 0], moved[:, 1, 1] = sines * mirrored, cosines
    moved[:, :, 2] = between(-SHIFT, SHIFT, 2)
    seen = pictures.permute(0, 3, 1, 2).float()
    grid = affine_grid(moved, list(seen.shape), align_corners=False)
    seen = grid_sample(seen, grid, padding_mode="reflection", align_corners=False)
    middle = seen.mean(dim=(1, 2, 3), keepdim=True)
    seen = (seen - middle) * between(1 - CONTRAST, 1 + CONTRAST, 1, 1, 1) + middle
    seen = seen * between(1 - COLOURS, 1 + COLOURS, 3, 1, 1) + between(-BRIGHTER, BRIGHTER, 1, 1, 1)
    return seen.clamp(0, 255).permute(0, 2, 3, 1)


@dataclass(frozen=True, eq=False)
class PictureBackbone:
    """The encoder while it is tuned. See ``Learner``.

    Attributes:
        module: From pictures to unit vectors.
        width: Numbers a vector has.
        fresh: No parameter begins with nothing.
    """

    module: nn.Module
    width: int = WIDTH
    fresh: tuple[str, ...] = ()

    def method(self, name: str) -> Method:
        """The upper layers train, whatever is chosen for texts."""
        return _UpperLayers()

    def items(self, texts: Sequence[Any], *, max_tokens: int, with_units: bool = False) -> Squares:
        """Pictures as it reads them."""
        return Squares(texts)

    def read(self, module: nn.Module, given: Mapping[str, Tensor]) -> Reading:
        """What a module, tuned or not, says of some pictures."""
        vectors = module(given[INPUT])
        return Reading(vectors, vectors[:, None])

    def layers_above(self, parameter: str) -> int:
        """How many layers stand above the one that a parameter belongs to."""
        layers: Any = self.module.get_submodule("network.layers")
        return len(layers) - 1 - int(parameter.split(".")[2])


def picture_backbone() -> PictureBackbone:
    """The encoder as ImageNet left it, ready to be tuned.

    Raises:
        MissingExtraError: The weights or torch are not installed.
        DataError: The weights are missing or not the ones known.
    """
    import torch
    from torch import nn

    class Tunable(nn.Module):
        """Pictures (n, side, side, 3) to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.network: Any = network()

        def train(self, mode: bool = True) -> Tunable:
            """Learn or rest; the normalisations always rest."""
            super().train(mode)
            self.network.eval()
            return self

        def forward(self, pictures: Tensor) -> Tensor:
            if not self.training:
                found: Tensor = nn.functional.normalize(self.network(pictures), dim=1)
                return found
            layers, scaled = self.network.layers, self.network.scaled(pictures)
            with torch.no_grad(), in_half():
                lower = layers[:LOWER_LAYERS](scaled)
            return nn.functional.normalize(layers[LOWER_LAYERS:](lower.float()).mean(dim=(2, 3)), dim=1)

    return PictureBackbone(Tunable().to(device()))


class _UpperLayers(Defaults):
    """The layers above the lower ones train."""

    learning_rate = RATE

    def attach(self, backbone: Any, *, steps: int, rng: np.random.Generator) -> nn.Module:
        """Let the upper layers learn. See ``Method.attach``."""
        backbone.requires_grad_(False)
        backbone.network.layers[LOWER_LAYERS:].requires_grad_(True)
        module: nn.Module = backbone
        return module


class PictureTuner(Tuner):
    """Tunes the picture encoder to the same lessons, again and again, with other rows left out."""

    rows_of_evidence, most_rows_seen = 500, 24_000  # a picture takes ten times as long as a short text

    @property
    def usual_rate(self) -> float:
        """See ``Tuner.usual_rate``."""
        return RATE

    def perceiver(self, encoder: Any) -> ImagePerceiver:
        """What looks by the encoder once it is out of torch."""
        return ImagePerceiver(encoder, name=self.signal, tuned=True)

    def exported(self, backbone: Learner, run: Finetuned | None) -> tuple[Any, Sequence[str]]:
        """The encoder out of torch: that of a run, or as ImageNet left it."""
        content = export((run.module if run else backbone.module).cpu().eval(), side=SIDE)
        return OnnxPictureEncoder(f"{NAME}, tuned", content, side=SIDE, width=WIDTH), ()

    def _fresh(self) -> PictureBackbone:
        """The encoder as ImageNet left it."""
        return picture_backbone()


def picture_tuner(tasks: Sequence[Task], seen: Seen, slug: str, session: Session, *, seed: int) -> PictureTuner | None:
    """What tunes the picture encoder; None where no row has a picture, or no task has labels of whole rows.

    Of several pictures of a row the first one teaches; all are looked at afterwards.

    Args:
        tasks: The tasks.
        seen: What was seen of the rows, pictures by the frozen encoder among it.
        slug: What the signal is called by.
        session: Whom to tell.
        seed: Of everything that is drawn.
    """
    labels = [task for task in tasks if task.kind != "spans"]
    if PICTURED not in seen.context.signals or not labels:
        return None
    column = list(seen.context.signals).index(PICTURED)
    there = np.append(seen.context.present[:, column], np.zeros(len(seen.named), dtype=bool))
    if not there.any():
        return None
    pictures = [
        _first_readable(record.images) if has else None
        for record, has in zip(seen.context.records, there, strict=False)
    ]
    rows = len(pictures)
    targets = {task.name: targets_of(task, seen) for task in labels}
    lessons = Lessons(labels, [*pictures, *[None] * len(seen.named)], there, targets, rows, ())
    epochs = int(np.clip(round(PICTURES_SEEN / there.sum()), FEWEST_EPOCHS, MOST_EPOCHS))
    return PictureTuner(NAME, IMAGE + slug, lessons, FinetuneConfig(epochs=epochs, patience=3, seed=seed), session)


def _first_readable(pictures: Sequence[Media]) -> Media:
    """The first one that can be read; it is known that one can."""
    for media in pictures[:-1]:
        try:
            pixels(PICTURES.content(media), PICTURES.called(media), side=SIDE)
        except DataError:
            continue
        return media
    return pictures[-1]
