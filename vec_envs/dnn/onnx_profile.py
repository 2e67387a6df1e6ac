"""Logical layers of an ONNX model: where it can be cut, and the work and output of each layer.

The rules are those for torch modules. The graph can be cut wherever exactly one tensor is alive. A tensor is alive if
it depends on values of the input and is still needed. `segments` describes how the parts between cuts become layers.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from vec_envs.dnn.geometry import Operation, Shape
from vec_envs.dnn.layer import Layer
from vec_envs.dnn.onnx_model import STANDARD, Graph, Tensor, read_graph
from vec_envs.dnn.onnx_operations import WEIGHTS, operations_of
from vec_envs.dnn.segments import Segment, layers_of
from vec_envs.dnn.workload import convention

FROM_SHAPE = ("Shape", "Size")
"""Operators whose result depends on the shape of their input, and not on its values."""
VIEWS = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
"""Operators whose output holds the values of their first input. The two are one tensor to send."""
SCOPES, MOST_SCOPE_CHARACTERS = "pkg.torch.onnx.name_scopes", 2000


def layers_of_onnx(path: str | Path, *, workload: str, sizes: Mapping[str, int]) -> tuple[float, tuple[Layer, ...]]:
    """Returns the size of the input in Mbit and the logical layers of an ONNX file, see `read_graph`.

    Raises `ValueError` also for an unknown workload, and for a model without counted work.
    """
    convention(workload)
    graph = read_graph(path, sizes)
    layers = layers_of(_segments(graph), workload=workload)
    if not layers:
        raise ValueError(f"{path} has no convolution, pooling or matrix product to count")
    return sum(graph.tensors[name].size_bits for name in graph.inputs) / 1e6, layers


def _segments(graph: Graph) -> list[Segment]:
    """Returns the segments of a graph, in order. A parameter counts in the segment that first uses it."""
    unpadded: dict[str, Shape] = {}
    loaded: set[str] = set()
    segments: list[Segment] = []
    for nodes, output_bits in _pieces(graph):
        counted = [(_path(node), _operations(node, graph.tensors, unpadded)) for node in nodes]
        parameters = {name for node in nodes for name in _parameters(node, graph)} - loaded
        loaded |= parameters
        segments.append(
            Segment(
                counted=tuple(path for path, operations in counted if operations),
                operations=tuple(operation for _, operations in counted for operation in operations),
                parameter_bytes=sum(graph.tensors[name].size_bits for name in parameters) / 8,
                output_bits=output_bits,
            )
        )
    return segments


def _pieces(graph: Graph) -> list[tuple[list[Any], int]]:
    """Returns the nodes of each segment, with the bits that the segment outputs.

    Nodes that do not depend on values of the input belong to the segment where they are first used.
    """
    end = len(graph.nodes)
    last_use = {name: index for index, node in enumerate(graph.nodes) for name in node.input}
    last_use |= dict.fromkeys(graph.outputs, end)
    alive, root = set(graph.inputs), {name: name for name in graph.inputs}
    pieces: list[tuple[list[Any], int]] = []
    piece: list[Any] = []
    idle: list[Any] = []
    for index, node in enumerate(graph.nodes):
        if node.op_type in FROM_SHAPE or not any(name in root for name in node.input):
            idle.append(node)
            continue
        needed, idle = _needed_by(node, idle)
        piece += [*needed, node]
        produced: list[str] = [name for name in node.output if name]
        for name in produced:
            _check_shape(name, node, graph.tensors)
            source: str = node.input[0]
            root[name] = root.get(source, name) if node.op_type in VIEWS else name
        alive = {name for name in {*alive, *produced} if last_use.get(name, -1) > index}
        if len({root[name] for name in alive}) == 1 and index < end - 1:
            pieces.append((piece, max(graph.tensors[name].size_bits for name in alive)))
            piece = []
    outputs = sum(graph.tensors[name].size_bits for name in graph.outputs if name in graph.tensors)
    if piece:
        return [*pieces, (piece, outputs)]
    return [*pieces[:-1], (pieces[-1][0], outputs)] if pieces else [([], outputs)]


def _needed_by(node: Any, idle: list[Any]) -> tuple[list[Any], list[Any]]:
    """Returns the nodes of `idle` that a node needs, and the others, both in order."""
    wanted, needed, others = set(node.input), list[Any](), list[Any]()
    for earlier in reversed(idle):
        is_needed = not wanted.isdisjoint(earlier.output)
        (needed if is_needed else others).append(earlier)
        if is_needed:
            wanted |= set(earlier.input)
    return needed[::-1], others[::-1]


def _check_shape(name: str, node: Any, tensors: Mapping[str, Tensor]) -> None:
    if name not in tensors:
        where = "" if node.domain in STANDARD else f" of the domain {node.domain!r}"
        raise ValueError(
            f"the operation {node.op_type}{where} ({_name(node)!r}) has an output whose shape is not known, or inputs "
            "that do not fit each other: export the network with fixed sizes and with standard operators"
        )


def _operations(node: Any, tensors: Mapping[str, Tensor], unpadded: dict[str, Shape]) -> list[Operation]:
    before = [unpadded.get(name, tensors[name].shape if name in tensors else ()) for name in node.input]
    outputs = [tensors[name].shape if name in tensors else () for name in node.output]
    if node.op_type == "Pad":
        unpadded[node.output[0]] = tuple(map(min, before[0], outputs[0]))
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    attributes = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
    return operations_of(node.op_type, attributes, before, outputs)


def _parameters(node: Any, graph: Graph) -> list[str]:
    """Returns the parameters that a node uses: initial tensors of floating-point numbers, and quantised weights."""
    weights = WEIGHTS.get(node.op_type)
    if weights is not None:
        return [name for i, name in enumerate(node.input) if i in weights and name in graph.initializers]
    initial = (name for name in node.input if name in graph.initializers)
    return [name for name in initial if graph.tensors[name].is_float and graph.tensors[name].shape]


def _name(node: Any) -> str:
    return node.name or next(iter(node.output), node.op_type)


def _path(node: Any) -> str:
    """Returns the path of the module that a node belongs to, as the exporter wrote it, or the node's own name."""
    for entry in node.metadata_props:
        if entry.key == SCOPES and len(entry.value) <= MOST_SCOPE_CHARACTERS:
            try:
                scopes: Any = ast.literal_eval(entry.value)
                return str(scopes[-2] or scopes[-1])
            except (IndexError, SyntaxError, TypeError, ValueError):
                break
    parts = [part for part in _name(node).split("/") if part]
    return parts[max(len(parts) - 2, 0)] if parts else node.op_type
