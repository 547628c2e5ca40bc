"""Where tuning computes: on a GPU where torch finds one, else on the processor."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def device() -> torch.device:
    """The first GPU that torch may use; an empty ``CUDA_VISIBLE_DEVICES`` hides all from it. Else the processor."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def in_half() -> AbstractContextManager[object]:
    """Multiply in 16-bit floats inside, where that is faster there than in 32-bit ones."""
    import torch

    place = device().type
    return torch.autocast(place, torch.bfloat16, enabled=_has_bfloat16(place))


def _has_bfloat16(place: str) -> bool:
    """Whether a kind of device multiplies 16-bit floats faster than 32-bit ones."""
    import torch

    if place == "cuda":
        found: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return found
    capability = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(capability()) if capability is not None else False
