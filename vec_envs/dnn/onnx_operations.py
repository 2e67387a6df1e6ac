"""The operations that a node of an ONNX graph does, as records of `geometry`.

They are the operations that the door of torch finds in the same network (`torch_operations`). A padding counts as 0 and
does not enlarge the input of the operation that follows. Work of other nodes, such as activations, counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation, OtherProduct, Pooling, Shape

Shapes = Sequence[Shape]
"""The shapes of the inputs or outputs of a node; () for one that is left out."""

WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "MatMulInteger": (1,),
    "QLinearMatMul": (3,),
    "BatchNormalization": (1, 2),
}
"""Inputs that are parameters, of nodes that have others which are none, such as the running mean and variance."""
CONTROL = ("If", "Loop", "Scan")


def operations_of(kind: str, attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    """Returns the operations of a node; empty where it has no work to count.

    Args:
        kind: The operator, such as "Conv".
        attributes: Its attributes.
        inputs: The shapes of its inputs. That of an input that was padded is its shape before.
        outputs: The shapes of its outputs.
    """
    count = _COUNTS.get(kind)
    return [] if count is None else count(attributes, inputs, outputs)


def _convolution(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    source, weight = inputs[0], inputs[1]
    convolution = Convolution(
        in_channels=source[1],
        out_channels=weight[0],
        kernel=weight[2:],
        input_size=source[2:],
        output_size=outputs[0][2:],
        groups=attributes.get("group", 1),
    )
    return [convolution] * source[0]


def _quantised_convolution(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    return _convolution(attributes, (inputs[0], inputs[3]), outputs)


def _transposed_convolution(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    source, weight = inputs[0], inputs[1]
    return [OtherProduct(macs=source[0] * math.prod(source[2:]) * math.prod(weight))]


def _gemm(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    left, (positions, out_features) = inputs[0], outputs[0]
    inner = left[0] if attributes.get("transA", 0) else left[1]
    return [MatrixProduct(in_features=inner, out_features=out_features, positions=positions)]


def _matrix_product(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    left, right = inputs[0], inputs[1]
    out_features = right[-1] if len(right) > 1 else 1
    positions = math.prod(outputs[0]) // max(out_features, 1)
    return [MatrixProduct(in_features=left[-1], out_features=out_features, positions=positions)]


def _quantised_matrix_product(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    return _matrix_product(attributes, (inputs[0], inputs[3]), outputs)


def _einsum(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    terms = attributes["equation"].replace(" ", "").partition("->")[0].split(",")
    if len(terms) < 2:
        return []
    if any("." in term for term in terms):  # an ellipsis: the sum is taken to run over the last axis of the first input
        return [OtherProduct(macs=math.prod(outputs[0]) * inputs[0][-1])]
    sizes = {letter: size for term, shape in zip(terms, inputs, strict=True) for letter, size in zip(term, shape)}  # noqa: B905
    return [OtherProduct(macs=math.prod(sizes.values()))]


def _recurrent(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    source, weight, recurrence = inputs[0], inputs[1], inputs[2]
    steps, directions = math.prod(source[:2]), weight[0]
    return [
        MatrixProduct(in_features=of[2], out_features=of[1], positions=steps)
        for of in (weight, recurrence)
        for _ in range(directions)
    ]


def _pooling(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    source, target, kernel = inputs[0], outputs[0], tuple(attributes["kernel_shape"])
    if math.prod(kernel) == 1 and source == target:
        return []
    channels = math.prod(source[: -len(kernel)])
    return [Pooling(channels=channels, kernel=kernel, input_size=source[2:], output_size=target[2:])]


def _global_pooling(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    source = inputs[0]
    size = source[2:]
    if math.prod(size) == 1:
        return []
    ones = (1,) * len(size)
    return [Pooling(channels=math.prod(source[:2]), kernel=size, input_size=size, output_size=ones)]


def _mean(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> list[Operation]:
    """A mean over all axes but batch and channel is a global pooling."""
    source, target = inputs[0], outputs[0]
    is_over_space = len(source) > 3 and math.prod(target) == math.prod(source[:2]) and target[:2] == source[:2]
    return _global_pooling(attributes, inputs, outputs) if is_over_space else []


_COUNTS: Mapping[str, Callable[[Mapping[str, Any], Shapes, Shapes], list[Operation]]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "QLinearConv": _quantised_convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _matrix_product,
    "MatMulInteger": _matrix_product,
    "QLinearMatMul": _quantised_matrix_product,
    "Einsum": _einsum,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "MaxPool": _pooling,
    "AveragePool": _pooling,
    "LpPool": _pooling,
    "GlobalAveragePool": _global_pooling,
    "GlobalMaxPool": _global_pooling,
    "GlobalLpPool": _global_pooling,
    "ReduceMean": _mean,
}
