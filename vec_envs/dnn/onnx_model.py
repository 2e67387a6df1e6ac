"""Reads an ONNX file, and gives every tensor of its graph a shape of fixed size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, inliner, shape_inference

from vec_envs.dnn.geometry import Shape
from vec_envs.dnn.onnx_operations import CONTROL
from vec_envs.files import read_bytes, shortened
from vec_envs.validation import shown

MOST_BYTES = 2**31
"""The largest size of an ONNX file, which is that of a protobuf message. Weights in other files are not read."""
MOST_NODES = 100_000
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """The shape of a tensor, the bits of a value, and whether its values are floating-point numbers."""

    shape: Shape
    bits: int
    is_float: bool

    @property
    def size_bits(self) -> int:
        """The size of the tensor in bits."""
        return math.prod(self.shape) * self.bits


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The nodes of a model in order, the tensors that have a shape, and the names of some of them."""

    nodes: tuple[Any, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    initializers: frozenset[str]


def read_graph(path: str | Path, sizes: Mapping[str, int]) -> Graph:
    """Returns the graph of an ONNX file, on one sample.

    Args:
        path: The file.
        sizes: The sizes of symbolic axes of the inputs, by their names. A symbolic first axis is the batch, 1.

    Raises:
        ValueError: The file is no ONNX model, a size is missing, or an operation cannot be profiled.
        OSError: There is no such file.
    """
    content = read_bytes(Path(path), most_bytes=MOST_BYTES)
    try:
        model = onnx.load_model_from_string(content)
        if model.functions:
            model = inliner.inline_local_functions(model)
    except Exception as error:
        raise ValueError(f"{path} must be an ONNX model: {shortened(error)}") from error
    _check_nodes(model)
    if _fix_sizes(model, sizes):
        del model.graph.value_info[:]  # they hold the symbolic sizes
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
    try:
        model = shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise ValueError(f"{path} has shapes that do not fit each other: {shortened(error)}") from error
    return _graph(model)


def _check_nodes(model: Any) -> None:
    nodes = model.graph.node
    if not 0 < len(nodes) <= MOST_NODES:
        raise ValueError(f"an ONNX model must have from 1 to {MOST_NODES} nodes, got {len(nodes)}")
    for node in nodes:
        if node.op_type in CONTROL and node.domain in STANDARD:
            raise ValueError(
                f"{node.op_type} {node.name!r} is control flow, whose work depends on values: export the network "
                "for one fixed path, such as with fixed sizes and in evaluation mode"
            )


def _fix_sizes(model: Any, sizes: Mapping[str, int]) -> bool:
    """Gives symbolic axes of the inputs a size; returns whether there were any."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    changed, unused = False, set(sizes)
    for given in (one for one in model.graph.input if one.name not in initializers):
        shape = given.type.tensor_type.shape
        for axis, dim in enumerate(shape.dim):
            if not dim.HasField("dim_value"):
                name = dim.dim_param or f"{given.name}:{axis}"
                dim.dim_value = _size_of(name, axis, given.name, sizes)
                unused.discard(name)
                changed = True
        if len(shape.dim) > 1 and shape.dim[0].dim_value != 1:
            raise ValueError(
                f"the input {given.name!r} must be one sample, of shape [1, ...], got a first axis of "
                f"{shape.dim[0].dim_value}"
            )
    if unused:
        raise ValueError(f"sizes has {', '.join(map(repr, sorted(unused)))}, which is no symbolic axis of an input")
    return changed


def _size_of(name: str, axis: int, of_input: str, sizes: Mapping[str, int]) -> int:
    if name not in sizes and axis > 0:
        raise ValueError(
            f"axis {axis} of the input {of_input!r} has the symbolic size {shown(name)}: give it a number, "
            f"such as sizes={{{name!r}: 224}}, or --argument {name}=224"
        )
    size = sizes.get(name, 1)
    if type(size) is not int or size < 1:
        raise ValueError(f"sizes[{name!r}] must be an integer of at least 1, got {shown(size)}")
    return size


def _graph(model: Any) -> Graph:
    graph = model.graph
    tensors = {
        value.name: _tensor(value.type.tensor_type.elem_type, value.type.tensor_type.shape)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.HasField("tensor_type") and _is_known(value.type.tensor_type)
    }
    for weight in graph.initializer:
        tensors[weight.name] = _of_type(weight.data_type, tuple(weight.dims))
    initializers = frozenset(weight.name for weight in graph.initializer)
    return Graph(
        nodes=tuple(graph.node),
        tensors=tensors,
        inputs=tuple(value.name for value in graph.input if value.name not in initializers),
        outputs=tuple(value.name for value in graph.output),
        initializers=initializers,
    )


def _is_known(kind: Any) -> bool:
    return kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim)


def _tensor(elem_type: int, shape: Any) -> Tensor:
    return _of_type(elem_type, tuple(dim.dim_value for dim in shape.dim))


def _of_type(elem_type: int, shape: Shape) -> Tensor:
    kind: Any = helper.tensor_dtype_to_np_dtype(elem_type)
    name = onnx.TensorProto.DataType.Name(elem_type)
    bits = 4 if name.endswith("INT4") or name == "FLOAT4E2M1" else 8 * kind.itemsize
    return Tensor(shape=shape, bits=bits, is_float="FLOAT" in name or name == "DOUBLE")
