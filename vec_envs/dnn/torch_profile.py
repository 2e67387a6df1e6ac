"""A torch module as a DNN profile, where torch.fx can trace it: where it can be cut, and what each piece costs.

The module is traced by torch.fx and run once on the meta device, which computes shapes and touches
no weights. Wherever exactly one tensor is alive the graph can be cut; what lies between two
cuts is a segment. A segment without counted work (activation, normalisation, flattening, an
adaptive pooling that changes nothing) folds into the layer before it. It folds into the layer
after it at the start, and where it makes the tensor larger (padding, nearest upsampling): the
smaller tensor is the one to send. `torch_operations` says what counts.
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
from vec_envs.dnn.profile import DNNProfile
from vec_envs.dnn.torch_operations import nothing_padded, recorded
from vec_envs.dnn.workload import convention, logical_layer, mbit


def profile_module(module: torch.nn.Module, example_input: object, *, name: str, workload: str) -> DNNProfile:
    """The profile of `module` on one sample; the module itself is left as it is, its mode included.

    `example_input`: a tensor [1, ...]; parameters used in several layers count in the first. Raises ValueError for
    another batch size, an unknown workload, a module that torch.fx cannot trace or that does not take such an input,
    and one without counted work.
    """
    convention(workload)
    if not isinstance(example_input, torch.Tensor):
        raise ValueError(f"example_input must be a tensor, got {type(example_input).__name__}")
    called, shape = f"{name!r} ({type(module).__name__})", tuple(example_input.shape)
    if len(shape) < 2 or shape[0] != 1:
        raise ValueError(f"example_input has shape {shape}; it must be one sample, [1, ...]")
    with _said_as(f"{called} cannot be traced by torch.fx"):
        traced = _traced(_on_meta(module))
    with _said_as(f"{called} cannot be run on an input of shape {shape}"):
        layers = _folded(_segments(traced, example_input))
    if not layers[0].operations:
        raise ValueError(f"{called} has no convolution, pooling or matrix product to count")
    return DNNProfile(
        name=name,
        input_mbit=mbit(example_input.numel()),
        layers=tuple(
            logical_layer(
                layer.name,
                layer.operations,
                output_values=layer.output_values,
                parameters=layer.parameters,
                workload=workload,
            )
            for layer in layers
        ),
    )


@contextmanager
def _said_as(what: str) -> Generator[None]:
    """Raises `ValueError` for whatever goes wrong, with the first line of the cause: torch.fx adds a page to it."""
    try:
        yield
    except Exception as error:
        cause = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(f"{what}: {cause}") from error


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A piece of the graph; `counted` names the modules that did its operations."""

    counted: tuple[str, ...]
    operations: tuple[Operation, ...]
    parameters: int
    output_values: int

    @property
    def name(self) -> str:
        """The innermost module that holds all the work, or the first and the last that do some."""
        levels = zip(*(path.split(".") for path in self.counted), strict=False)
        shared = takewhile(lambda level: len(set(level)) == 1, levels)
        return ".".join(level[0] for level in shared) or f"{self.counted[0]}-{self.counted[-1]}"

    def ends_before(self, other: _Segment) -> bool:
        """Whether this one is done, so that what comes next belongs to another layer."""
        enlarges = other.output_values > self.output_values
        return bool(self.operations) and (bool(other.operations) or enlarges)

    def then(self, other: _Segment) -> _Segment:
        """Both, one after the other."""
        return _Segment(
            counted=self.counted + other.counted,
            operations=self.operations + other.operations,
            parameters=self.parameters + other.parameters,
            output_values=other.output_values,
        )


def _folded(segments: Iterable[_Segment]) -> list[_Segment]:
    layers: list[_Segment] = []
    for segment in segments:
        if layers and not layers[-1].ends_before(segment):
            layers[-1] = layers[-1].then(segment)
        else:
            layers.append(segment)
    if len(layers) > 1 and not layers[-1].operations:
        layers[-2:] = [layers[-2].then(layers[-1])]
    return layers


def _segments(traced: torch.fx.GraphModule, example_input: torch.Tensor) -> list[_Segment]:
    """The pieces between one place where a single tensor is alive and the next."""
    interpreter = _Counter(traced)
    with torch.no_grad(), torch.device("meta"):
        interpreter.run(torch.empty_like(example_input, device="meta"))
    pieces = _pieces(traced.graph, interpreter.tensors)
    return [interpreter.segment(nodes, output_values=output_values) for nodes, output_values in pieces]


def _on_meta(module: torch.nn.Module) -> torch.nn.Module:
    """A copy in evaluation mode whose tensors have shapes but no data."""
    shapes: dict[int, Any] = {}
    for parameter in module.parameters():
        shapes[id(parameter)] = torch.nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    for buffer in module.buffers():
        shapes[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(module, shapes).eval()


def _traced(module: torch.nn.Module) -> torch.fx.GraphModule:
    """The module's graph, every flag after the first argument held at its default, so that code may branch on it."""
    arguments = list(inspect.signature(module.forward).parameters.values())[1:]
    flags = {each.name: each.default for each in arguments if isinstance(each.default, int | float | str | None)}
    return torch.fx.symbolic_trace(module, concrete_args=flags)


def _pieces(
    graph: torch.fx.Graph, tensors: Mapping[torch.fx.Node, Sequence[int]]
) -> Iterator[tuple[list[torch.fx.Node], int]]:
    """The nodes up to each place where one tensor is alive, with its size; the last piece ends in the output.

    Alive is what comes from the input and is still needed. Nodes that do not come from the input (weights)
    end no piece: they belong to the next one, where they are used.
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
    """Runs a graph and keeps, for each node, its operations, its parameters and its tensors' sizes."""

    def __init__(self, traced: torch.fx.GraphModule) -> None:
        super().__init__(traced)
        self.operations: dict[torch.fx.Node, list[Operation]] = {}
        self.parameters: dict[torch.fx.Node, list[torch.nn.Parameter]] = {}
        self.tensors: dict[torch.fx.Node, list[int]] = {}
        self._loaded: set[int] = set()
        self._unpadded = nothing_padded()

    def run_node(self, n: torch.fx.Node) -> Any:
        with recorded(self._unpadded) as self.operations[n]:
            result = super().run_node(n)
        self.tensors[n] = [leaf.numel() for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        owner = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        used = list(owner.parameters()) if isinstance(owner, torch.nn.Module) else [result]
        self.parameters[n] = [each for each in used if isinstance(each, torch.nn.Parameter)]
        return result

    def segment(self, nodes: Iterable[torch.fx.Node], *, output_values: int) -> _Segment:
        """What these nodes, the next in order, come to; a parameter counts where it is first used."""
        nodes = list(nodes)
        fresh = {id(each): each for node in nodes for each in self.parameters[node] if id(each) not in self._loaded}
        self._loaded.update(fresh)
        return _Segment(
            counted=tuple(_module_path(node) for node in nodes if self.operations[node]),
            operations=tuple(operation for node in nodes for operation in self.operations[node]),
            parameters=sum(each.numel() for each in fresh.values()),
            output_values=output_values,
        )


def _module_path(node: torch.fx.Node) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return stack[-1][0] if stack else node.name
