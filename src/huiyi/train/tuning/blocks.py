"""An ONNX file with its weights as 8-bit numbers in blocks, each block with its own scale.

What a linear layer is given is quantised too, while it runs, in blocks of one
token. So a text's vector does not depend on its neighbours. With onnxruntime's
``quantize_dynamic``, which has one scale for all that a layer is given, it does,
in the second decimal; and it is ten times less exact.

Source:
    Dettmers et al., "8-bit Optimizers via Block-wise Quantization", ICLR 2022,
    section 2 (a scale a block); ``MatMulNBits`` in onnxruntime's list of
    contributed operators (the layer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from huiyi.values import Array

BLOCK = 64  # weights that share a scale; with 32 vectors are nearer by two fifths, and a text takes 10 % longer
LARGE_TABLE = 100_000  # numbers; a smaller table, such as T5's relative positions, stays as it is


def in_blocks(model: bytes) -> bytes:
    """Rewrite an ONNX file of 32-bit floats with 8-bit weights.

    Only weights with two axes are touched: those of linear layers, and the rows
    of large tables. It runs in onnxruntime 1.22 and newer.

    Args:
        model: The file, all weights inside.
    """
    import onnx

    parsed = onnx.load_from_string(model)
    shrunk = _Shrunk(parsed.graph)
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


class _Shrunk:
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
        return self._layer(node, weight)

    def _layer(self, node: Any, weight: Any) -> list[Any]:
        """A linear layer, whose weights (inputs, outputs) are cut along the inputs into blocks."""
        from onnx import helper, numpy_helper

        inputs, outputs = weight.dims
        steps, scales = f"{weight.name}.blocks", f"{weight.name}.block_scales"
        if steps not in self.tensors:
            blocks = np.zeros((outputs, -(-inputs // BLOCK) * BLOCK), dtype=np.float32)
            blocks[:, :inputs] = numpy_helper.to_array(weight).T
            whole, scale = _steps(blocks.reshape(outputs, -1, BLOCK))
            self._add(steps, (whole + 128).astype(np.uint8))  # the operation takes 128 for zero
            self._add(scales, scale.ravel())
        with_bias = len(node.input) > 2
        product = f"{node.output[0]}.product" if with_bias else node.output[0]
        options = {"K": inputs, "N": outputs, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}  # 4: on integers
        layer = helper.make_node(
            "MatMulNBits", [node.input[0], steps, scales], [product], domain="com.microsoft", **options
        )
        return [layer, helper.make_node("Add", [product, node.input[2]], node.output)] if with_bias else [layer]

    def _table(self, node: Any, weight: Any) -> list[Any]:
        """Rows of an embedding table, each with its own scale."""
        from onnx import TensorProto, helper, numpy_helper

        steps, scales = f"{weight.name}.rows", f"{weight.name}.row_scales"
        if steps not in self.tensors:
            whole, scale = _steps(numpy_helper.to_array(weight))
            self._add(steps, whole.astype(np.int8))
            self._add(scales, scale)
        ids, (result,) = node.input[1], node.output
        return [
            helper.make_node("Gather", [steps, ids], [f"{result}.steps"]),
            helper.make_node("Cast", [f"{result}.steps"], [f"{result}.whole"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scales, ids], [f"{result}.scales"]),
            helper.make_node("Mul", [f"{result}.whole", f"{result}.scales"], [result]),
        ]

    def _add(self, name: str, values: Array) -> None:
        from onnx import numpy_helper

        self.tensors[name] = numpy_helper.from_array(values, name)


def _steps(values: Array) -> tuple[Array, Array]:
    """Whole numbers from −127 to 127, and the scale (…, 1) that each last axis of them is multiplied by."""
    scale = np.abs(values).max(axis=-1, keepdims=True) / np.float32(127)
    return np.rint(values / np.where(scale == 0, 1, scale)), scale
