"""Logical layers of a torch module: where it can be cut, and the work and output of each layer.

torch.fx traces the module. The graph is then run once on the meta device, which computes shapes and touches no weights.

The graph can be cut wherever exactly one tensor is alive. A *segment* lies between two neighbouring cuts. A segment
without counted work, such as an activation, a normalisation or a flattening, is merged into a neighbour:

- into the layer before it, in general;
- into the layer after it at the start of the network, and where it makes the tensor larger (padding, nearest
  upsampling), because the smaller tensor is the better one to send.

`torch_operations` defines which operations are counted.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch.utils import _pytree as pytree

from vec_envs.dnn.geometry import Operation
from vec_envs.dnn.layer import Layer
from vec_envs.dnn.torch_operations import no_paddings, record_operations
from vec_envs.dnn.workload import convention, logical_layer


def layers_of_module(module: torch.nn.Module, example_input: object, *, name: str, workload: str) -> tuple[Layer, ...]:
    """Returns the logical layers of `module` on one sample. Leaves the module and its mode unchanged.

    Args:
        module: The network. Parameters that several layers share count in the first of them.
        example_input: A tensor of one sample, [1, ...].
        name: The name of the profile, for error messages.
        workload: How work is counted, one of `vec_envs.dnn.workload.WORKLOADS`.

    Raises:
        ValueError: The input has another batch size, the workload is unknown, torch.fx cannot trace the module, the
            module does not accept the input, or it has no counted work.
    """
    convention(workload)
    if not isinstance(example_input, torch.Tensor):
        raise ValueError(f"example_input must be a tensor, got {type(example_input).__name__}")
    label, shape = f"{name!r} ({type(module).__name__})", tuple(example_input.shape)
    if len(shape) < 2 or shape[0] != 1:
        raise ValueError(f"example_input must be one sample, of shape [1, ...], got shape {shape}")
    with _as_value_error(f"{label} cannot be traced by torch.fx"):
        traced = _trace(_on_meta(module))
    with _as_value_error(f"{label} cannot be run on an input of shape {shape}"):
        merged = _merge(_segments(traced, example_input))
    if not merged[0].operations:
        raise ValueError(f"{label} has no convolution, pooling or matrix product to count")
    return tuple(
        logical_layer(
            segment.name,
            segment.operations,
            output_values=segment.output_values,
            parameters=segment.parameters,
            workload=workload,
        )
        for segment in merged
    )


@contextmanager
def _as_value_error(summary: str) -> Generator[None]:
    """Turns any exception into a `ValueError` with the first line of its message; torch.fx adds many lines."""
    try:
        yield
    except Exception as error:
        cause = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(f"{summary}: {cause}") from error


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A part of the graph between two cuts. `counted` holds the paths of the modules that did its operations."""

    counted: tuple[str, ...]
    operations: tuple[Operation, ...]
    parameters: int
    output_values: int

    @property
    def name(self) -> str:
        """The path of the innermost module with all the work, or those of the first and last module with work."""
        levels = zip(*(path.split(".") for path in self.counted), strict=False)
        shared = takewhile(lambda level: len(set(level)) == 1, levels)
        return ".".join(level[0] for level in shared) or f"{self.counted[0]}-{self.counted[-1]}"

    def ends_before(self, other: _Segment) -> bool:
        """Returns whether the next segment, `other`, starts a new layer."""
        enlarges = other.output_values > self.output_values
        return bool(self.operations) and (bool(other.operations) or enlarges)

    def join(self, other: _Segment) -> _Segment:
        """Returns this segment followed by `other`, as one segment."""
        return _Segment(
            counted=self.counted + other.counted,
            operations=self.operations + other.operations,
            parameters=self.parameters + other.parameters,
            output_values=other.output_values,
        )


def _merge(segments: Iterable[_Segment]) -> list[_Segment]:
    """Returns segments that each have counted work: merges those without it into a neighbour."""
    layers: list[_Segment] = []
    for segment in segments:
        if layers and not layers[-1].ends_before(segment):
            layers[-1] = layers[-1].join(segment)
        else:
            layers.append(segment)
    if len(layers) > 1 and not layers[-1].operations:
        layers[-2:] = [layers[-2].join(layers[-1])]
    return layers


def _segments(traced: torch.fx.GraphModule, example_input: torch.Tensor) -> list[_Segment]:
    """Returns the segments of a traced module, in order."""
    interpreter = _Counter(traced)
    with torch.no_grad(), torch.device("meta"):
        interpreter.run(torch.empty_like(example_input, device="meta"))
    pieces = _pieces(traced.graph, interpreter.tensors)
    return [interpreter.segment(nodes, output_values=output_values) for nodes, output_values in pieces]


def _on_meta(module: torch.nn.Module) -> torch.nn.Module:
    """Returns a copy in evaluation mode whose tensors have shapes but no data."""
    shapes: dict[int, Any] = {}
    for parameter in module.parameters():
        shapes[id(parameter)] = torch.nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    for buffer in module.buffers():
        shapes[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(module, shapes).eval()


def _trace(module: torch.nn.Module) -> torch.fx.GraphModule:
    """Returns the module's graph. Arguments after the first have their defaults, so that code may branch on them."""
    arguments = list(inspect.signature(module.forward).parameters.values())[1:]
    flags = {one.name: one.default for one in arguments if isinstance(one.default, int | float | str | None)}
    return torch.fx.symbolic_trace(module, concrete_args=flags)


def _pieces(
    graph: torch.fx.Graph, tensors: Mapping[torch.fx.Node, Sequence[int]]
) -> Iterator[tuple[list[torch.fx.Node], int]]:
    """Yields the nodes of each segment, with the number of values that the segment outputs.

    A segment ends where exactly one tensor is alive; the last segment ends in the output. A tensor is alive if it
    depends on the input and is still needed. Nodes that do not depend on the input (weights) end no segment. They
    belong to the next one, where they are used.
    """
    order = {node: index for index, node in enumerate(graph.nodes)}
    last_use = {node: max((order[user] for user in node.users), default=-1) for node in order}
    from_input: dict[torch.fx.Node, None] = {}
    piece: list[torch.fx.Node] = []
    for node, index in order.items():
        piece.append(node)
        if index > 0 and from_input.keys().isdisjoint(node.all_input_nodes):
            continue
        from_input[node] = None
        alive = [size for earlier in from_input if last_use[earlier] > index for size in tensors[earlier]]
        if node.op == "output":
            yield piece, sum(tensors[node])
        elif len(alive) == 1:
            yield piece, alive[0]
            piece = []


class _Counter(torch.fx.Interpreter):
    """Runs a graph and stores the operations, the parameters and the tensor sizes of each node."""

    def __init__(self, traced: torch.fx.GraphModule) -> None:
        super().__init__(traced)
        self.operations: dict[torch.fx.Node, list[Operation]] = {}
        self.parameters: dict[torch.fx.Node, list[torch.nn.Parameter]] = {}
        self.tensors: dict[torch.fx.Node, list[int]] = {}
        self._loaded: set[int] = set()
        self._unpadded = no_paddings()

    def run_node(self, n: torch.fx.Node) -> Any:
        with record_operations(self._unpadded) as self.operations[n]:
            result = super().run_node(n)
        self.tensors[n] = [leaf.numel() for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        owner = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        used = list(owner.parameters()) if isinstance(owner, torch.nn.Module) else [result]
        self.parameters[n] = [value for value in used if isinstance(value, torch.nn.Parameter)]
        return result

    def segment(self, nodes: Iterable[torch.fx.Node], *, output_values: int) -> _Segment:
        """Returns the next nodes in order as a segment. A parameter counts in the segment that first uses it."""
        nodes = list(nodes)
        parameters = [parameter for node in nodes for parameter in self.parameters[node]]
        first_used = {id(parameter): parameter for parameter in parameters if id(parameter) not in self._loaded}
        self._loaded.update(first_used)
        return _Segment(
            counted=tuple(_module_path(node) for node in nodes if self.operations[node]),
            operations=tuple(operation for node in nodes for operation in self.operations[node]),
            parameters=sum(parameter.numel() for parameter in first_used.values()),
            output_values=output_values,
        )


def _module_path(node: torch.fx.Node) -> str:
    """Returns the path of the innermost module that a node belongs to, or the node's own name."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return stack[-1][0] if stack else node.name
