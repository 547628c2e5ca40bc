"""An ONNX file of 32-bit floats with its weights as 8-bit numbers.

What a linear layer is given is quantised too, while it runs, each token by
itself. So a text's vector does not depend on its neighbours. With onnxruntime's
``quantize_dynamic``, which has one scale for all that a layer is given, it does,
in the second decimal; and it is ten times less exact. There are two ways:

- ``by_token``: one scale a token, and one for each column of weights. Products
  are those of whole numbers that processors are made for, so a text takes
  less than half the time it does in 32 bits.
- ``in_blocks``: one scale for each block of a token, and of a column. Four
  times as exact, for backbones of which a few numbers are much larger than the
  others, and hardly faster than 32 bits.

Source:
    Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers
    at Scale", NeurIPS 2022, section 3.1 (a scale for each row and column);
    Dettmers et al., "8-bit Optimizers via Block-wise Quantization", ICLR 2022,
    section 2 (a scale a block); ``MatMulNBits`` in onnxruntime's list of
    contributed operators (the layer of blocks).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from huiyi.values import Array

BLOCK = 64  # weights that share a scale; with 32 vectors are nearer by two fifths, and a text takes 10 % longer
LARGE_TABLE = 100_000  # numbers; a smaller table, such as T5's relative positions, stays as it is


def by_token(model: bytes) -> bytes:
    """Rewrite an ONNX file with a scale for each token and each column of weights.

    Only weights with two axes are touched: those of linear layers, and the rows
    of large tables.

    Args:
        model: The file, all weights inside.
    """
    return _rewritten(model, _ByToken)


def in_blocks(model: bytes) -> bytes:
    """Rewrite an ONNX file with a scale for each block of a token and of a column.

    It runs in onnxruntime 1.22 and newer.

    Args:
        model: The file, all weights inside.
    """
    return _rewritten(model, _InBlocks)


def _rewritten(model: bytes, make: Callable[[Any], _Shrunk]) -> bytes:
    """The file with all nodes that have large weights replaced."""
    import onnx

    parsed = onnx.load_from_string(model)
    shrunk = make(parsed.graph)
    nodes = [new for node in parsed.graph.node for new in shrunk.nodes_for(node)]
    del parsed.graph.node[:]
    parsed.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in [*parsed.graph.initializer, *shrunk.tensors.values()] if tensor.name in used]
    del parsed.graph.initializer[:]
    parsed.graph.initializer.extend(kept)
    parsed.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    content: bytes = parsed.SerializeToString()
    return content


class _Shrunk(ABC):
    """What takes the place of a graph's large weights.

    Attributes:
        tensors: The 8-bit weights and their scales, by name. A weight that several nodes share is there once.
    """

    def __init__(self, graph: Any) -> None:
        self.tensors: dict[str, Any] = {}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}

    def nodes_for(self, node: Any) -> list[Any]:
        """The nodes that do what ``node`` does, with 8-bit weights if it has weights to shrink."""
        from onnx import TensorProto, helper

        place = {"MatMul": 1, "Gemm": 1, "Gather": 0}.get(node.op_type)
        weight = None if place is None else self._weights.get(node.input[place])
        if weight is None or len(weight.dims) != 2 or weight.data_type != TensorProto.FLOAT:
            return [node]
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Gather":
            return [node] if options.get("axis") or np.prod(weight.dims) < LARGE_TABLE else self._table(node, weight)
        if any(options.get(name) for name in ("transA", "transB")):
            return [node]
        if any(options.get(name, 1) != 1 for name in ("alpha", "beta")):
            return [node]
        with_bias = len(node.input) > 2
        product = f"{node.output[0]}.product" if with_bias else node.output[0]
        layer = self.layer(node.input[0], weight, product)
        return [*layer, helper.make_node("Add", [product, node.input[2]], node.output)] if with_bias else layer

    @abstractmethod
    def layer(self, given: str, weight: Any, product: str) -> list[Any]:
        """What multiplies what is given with weights (inputs, outputs)."""

    def _table(self, node: Any, weight: Any) -> list[Any]:
        """Rows of an embedding table, each with its own scale."""
        from onnx import TensorProto, helper, numpy_helper

        steps, scales = f"{weight.name}.rows", f"{weight.name}.row_scales"
        if steps not in self.tensors:
            whole, scale = _steps(numpy_helper.to_array(weight))
            self.add(steps, whole.astype(np.int8))
            self.add(scales, scale)
        ids, (result,) = node.input[1], node.output
        return [
            helper.make_node("Gather", [steps, ids], [f"{result}.steps"]),
            helper.make_node("Cast", [f"{result}.steps"], [f"{result}.whole"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scales, ids], [f"{result}.scales"]),
            helper.make_node("Mul", [f"{result}.whole", f"{result}.scales"], [result]),
        ]

    def add(self, name: str, values: Array | np.generic) -> str:
        """Keep a tensor, and return its name."""
        from onnx import numpy_helper

        self.tensors[name] = numpy_helper.from_array(np.asarray(values), name)
        return name


class _InBlocks(_Shrunk):
    """onnxruntime's layer of weights in blocks, cut along the inputs."""

    def layer(self, given: str, weight: Any, product: str) -> list[Any]:
        """See ``_Shrunk.layer``."""
        from onnx import helper, numpy_helper

        inputs, outputs = weight.dims
        steps, scales = f"{weight.name}.blocks", f"{weight.name}.block_scales"
        if steps not in self.tensors:
            blocks = np.zeros((outputs, -(-inputs // BLOCK) * BLOCK), dtype=np.float32)
            blocks[:, :inputs] = numpy_helper.to_array(weight).T
            whole, scale = _steps(blocks.reshape(outputs, -1, BLOCK))
            self.add(steps, (whole + 128).astype(np.uint8))  # the operation takes 128 for zero
            self.add(scales, scale.ravel())
        options = {"K": inputs, "N": outputs, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}  # 4: on integers
        return [helper.make_node("MatMulNBits", [given, steps, scales], [product], domain="com.microsoft", **options)]


class _ByToken(_InBlocks):
    """Products of whole numbers: of a token, from 1 to 255 with 128 for zero, and of a column, from -127 to 127.

    Weights that several layers share stay in blocks, as onnxruntime cannot make these products safe from overflow.
    """

    def __init__(self, graph: Any) -> None:
        super().__init__(graph)
        self._uses = Counter(name for node in graph.node for name in node.input)
        self._quantised: set[str] = set()
        self._steps = self.add("quantised.steps", np.float32(127))
        self._least = self.add("quantised.least", np.float32(1e-12))  # of a token that is all zero
        self._one = self.add("quantised.one", np.float32(1))
        self._zero = self.add("quantised.zero", np.uint8(128))

    def layer(self, given: str, weight: Any, product: str) -> list[Any]:
        """See ``_Shrunk.layer``."""
        from onnx import TensorProto, helper, numpy_helper

        if self._uses[weight.name] > 1:
            return super().layer(given, weight, product)
        whole, scale = _steps(numpy_helper.to_array(weight).T)
        columns = self.add(f"{weight.name}.columns", whole.T.astype(np.int8))
        scales = self.add(f"{weight.name}.column_scales", scale[:, 0] / np.float32(127))
        zero = self.add(f"{weight.name}.column_zero", np.int8(0))  # one each, or onnxruntime cannot replace them
        return [
            *self._quantise(given),
            helper.make_node("MatMulInteger", [f"{given}.quantised", columns, self._zero, zero], [f"{product}.whole"]),
            helper.make_node("Cast", [f"{product}.whole"], [f"{product}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{product}.float", scales], [f"{product}.scaled"]),
            helper.make_node("Mul", [f"{product}.scaled", f"{given}.largest"], [product]),
        ]

    def _quantise(self, given: str) -> list[Any]:
        """What turns each token that layers are given into whole numbers, once for all of them."""
        from onnx import helper

        if given in self._quantised:
            return []
        self._quantised.add(given)
        parts = {part: f"{given}.{part}" for part in ("size", "longest", "largest", "share", "spread", "quantised")}
        return [
            helper.make_node("Abs", [given], [parts["size"]]),
            helper.make_node("ReduceMax", [parts["size"]], [parts["longest"]], axes=[-1], keepdims=1),
            helper.make_node("Max", [parts["longest"], self._least], [parts["largest"]]),
            helper.make_node("Div", [self._steps, parts["largest"]], [parts["share"]]),
            helper.make_node("Mul", [given, parts["share"]], [parts["spread"]]),
            helper.make_node("QuantizeLinear", [parts["spread"], self._one, self._zero], [parts["quantised"]]),
        ]


def _steps(values: Array) -> tuple[Array, Array]:
    """Whole numbers from −127 to 127, and the scale (…, 1) that each last axis of them is multiplied by."""
    scale = np.abs(values).max(axis=-1, keepdims=True) / np.float32(127)
    return np.rint(values / np.where(scale == 0, 1, scale)), scale
