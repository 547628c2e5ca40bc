"""The operations of exported backbones, in torch. See ``replayed.py``.

Rounding is passed straight through: a value is what the file computes, its slope that of the value before rounding.

Source:
    The operators of ONNX, opset 17, and ``MatMulNBits`` in onnxruntime's list of contributed operators; Bengio, Léonard
    and Courville, "Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432, section 4 (the
    straight-through estimator).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def _constant(*, value: Any) -> Tensor:
    import onnx
    import torch

    return torch.from_numpy(onnx.numpy_helper.to_array(value).copy())


def _filled(shape: Tensor, *, value: Any) -> Tensor:
    import torch

    content = _constant(value=value)
    return torch.full(shape.tolist(), content.item(), dtype=content.dtype)


def _gather(table: Tensor, places: Tensor, *, axis: int = 0) -> Tensor:
    found = table.index_select(axis, places.reshape(-1))
    return found.reshape([*table.shape[:axis], *places.shape, *table.shape[axis + 1 :]])


def _slice(values: Tensor, starts: Tensor, ends: Tensor, axes: Tensor, steps: Tensor) -> Tensor:
    cut = [slice(None)] * values.ndim
    for start, end, axis, step in zip(*(one.tolist() for one in (starts, ends, axes, steps)), strict=True):
        cut[axis] = slice(start, end, step)
    return values[tuple(cut)]


def _reshape(values: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    sizes = [values.shape[axis] if size == 0 and not allowzero else size for axis, size in enumerate(shape.tolist())]
    return values.reshape(sizes)


def _unsqueeze(values: Tensor, axes: Tensor) -> Tensor:
    for axis in axes.tolist():
        values = values.unsqueeze(axis)
    return values


def _layer_norm(values: Tensor, scale: Tensor, bias: Tensor, *, axis: int, epsilon: float) -> Tensor:
    from torch.nn import functional

    return functional.layer_norm(values, values.shape[axis:], scale, bias, epsilon)


def _divide(one: Tensor, other: Tensor) -> Tensor:
    if one.is_floating_point():
        return one / other
    return one.div(other, rounding_mode="trunc")


def _quantised(values: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Whole numbers as floats, so that they can be differentiated."""
    spread = values / scale + zero.float()
    return spread + (spread.round().clamp(0, 255) - spread).detach()


def _whole_product(given: Tensor, weight: Tensor, given_zero: Tensor, weight_zero: Tensor) -> Tensor:
    return (given - given_zero.float()) @ (weight.float() - weight_zero.float())


def _block_product(
    given: Tensor, steps: Tensor, scales: Tensor, *, K: int, N: int, block_size: int, **_: int
) -> Tensor:
    weight = (steps.float() - 128).reshape(N, -1, block_size) * scales.reshape(N, -1, 1)
    return given @ weight.reshape(N, -1)[:, :K].T


def _expand(values: Tensor, shape: Tensor) -> Tensor:
    sizes = shape.tolist()
    own = [1] * (len(sizes) - values.ndim) + list(values.shape)
    return values.expand([max(one, size) for one, size in zip(own, sizes, strict=True)])


def _sum(values: Tensor, axes: Tensor, *, keepdims: int) -> Tensor:
    return values.sum(dim=axes.tolist(), keepdim=bool(keepdims))


def _largest(values: Tensor, *, axes: Sequence[int], keepdims: int) -> Tensor:
    return values.amax(dim=list(axes), keepdim=bool(keepdims))


def _length(values: Tensor, *, axes: Sequence[int], keepdims: int) -> Tensor:
    import torch

    lengths: Tensor = torch.linalg.vector_norm(values, dim=list(axes), keepdim=bool(keepdims))
    return lengths


def _flatten(values: Tensor, *, axis: int) -> Tensor:
    return values.reshape(prod(values.shape[:axis]), -1)


@cache
def operations() -> Mapping[str, Callable[..., Any]]:
    """What each operation does, by the name that a file calls it by; options by keyword."""
    import torch

    types = {1: torch.float32, 7: torch.int64, 9: torch.bool}  # as ONNX numbers them
    return {
        "Abs": torch.abs,
        "Add": torch.add,
        "And": torch.logical_and,
        "Cast": lambda values, *, to: values.to(types[to]),
        "Clip": torch.clamp,
        "Concat": lambda *parts, axis: torch.cat(parts, dim=axis),
        "Constant": _constant,
        "ConstantOfShape": _filled,
        "Div": _divide,
        "Equal": torch.eq,
        "Erf": torch.erf,
        "Expand": _expand,
        "Flatten": _flatten,
        "Gather": _gather,
        "GatherElements": lambda values, places, *, axis: values.gather(axis, places),
        "GreaterOrEqual": torch.ge,
        "Identity": lambda values: values,
        "IsNaN": torch.isnan,
        "LayerNormalization": _layer_norm,
        "MatMul": torch.matmul,
        "MatMulInteger": _whole_product,
        "MatMulNBits": _block_product,
        "Max": torch.maximum,
        "Mul": torch.mul,
        "QuantizeLinear": _quantised,
        "Range": lambda first, end, step: torch.arange(first.item(), end.item(), step.item()),
        "ReduceL2": _length,
        "ReduceMax": _largest,
        "ReduceSum": _sum,
        "Reshape": _reshape,
        "Shape": lambda values: torch.tensor(values.shape),
        "Slice": _slice,
        "Softmax": lambda values, *, axis: torch.softmax(values, dim=axis),
        "Transpose": lambda values, *, perm: values.permute(list(perm)),
        "Unsqueeze": _unsqueeze,
        "Where": torch.where,
    }
