"""Segments of a traced module: the parts of its graph that lie between two possible cuts.

The graph can be cut wherever at most `max_tensors` tensors are alive. A tensor is alive if it depends on the values of
the input and is still needed. Views of one tensor count as one, and are sent once.

What does not depend on values of the input (weights, positions, masks made from shapes) ends no segment and is never
sent. It belongs to the segment where it is first used.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vec_envs.dnn.geometry import Operation
from vec_envs.dnn.segments import Segment
from vec_envs.dnn.torch_modules import tensors_of
from vec_envs.dnn.torch_operations import no_memory, record_operations
from vec_envs.dnn.torch_trace import Traced

_aten = torch.ops.aten
_FROM_SHAPE = (
    torch.ones_like,
    torch.zeros_like,
    torch.full_like,
    torch.empty_like,
    _aten.ones_like.default,
    _aten.zeros_like.default,
    _aten.full_like.default,
    _aten.empty_like.default,
    _aten.new_ones.default,
    _aten.new_zeros.default,
    _aten.new_full.default,
    _aten.new_empty.default,
    *("new_ones", "new_zeros", "new_full", "new_empty", "size", "dim"),
)
"""Functions and methods whose result depends on the shape and type of their first argument, and not on its values."""


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The segments of a module in order, and its operations whose work is unknown: (operation, module)."""

    segments: tuple[Segment, ...]
    unknown: tuple[tuple[str, str], ...]


def segments_of(
    module: torch.nn.Module, traced: Traced, mode: FakeTensorMode, *, max_tensors: int, activation_bits: int | None
) -> Segments:
    """Runs the graph of a module without data, and divides it into segments."""
    counter = _Counter(module, traced.graph_module)
    with mode:
        counter.run(*traced.inputs, enable_io_processing=False)
    pieces = _pieces(traced.graph_module.graph, counter.tensors, max_tensors, activation_bits)
    unknown = dict.fromkeys((name, counter.path(node)) for node, names in counter.unknown.items() for name in names)
    return Segments(
        segments=tuple(counter.segment(nodes, output_bits=bits) for nodes, bits in pieces), unknown=tuple(unknown)
    )


def sent_bits(tensors: Iterable[torch.Tensor], activation_bits: int | None) -> int:
    """Returns the number of bits in which tensors are sent. Views of one tensor are sent once.

    Args:
        tensors: The tensors.
        activation_bits: The bits of a floating-point number, or None for those of its type. Others keep their type.
    """
    by_storage: dict[int, dict[int, torch.Tensor]] = {}
    for tensor in tensors:
        by_storage.setdefault(tensor.untyped_storage()._cdata, {})[id(tensor)] = tensor
    total = 0
    for views in by_storage.values():
        stored = max(_bits(view, view.untyped_storage().nbytes() // view.itemsize, None) for view in views.values())
        total += min(
            sum(_bits(view, view.numel(), activation_bits) for view in views.values()),
            max(_bits(view, stored // (8 * view.itemsize), activation_bits) for view in views.values()),
        )
    return total


def _bits(tensor: torch.Tensor, values: int, activation_bits: int | None) -> int:
    if activation_bits is not None and tensor.is_floating_point():
        return values * activation_bits
    if activation_bits is not None and tensor.is_complex():
        return values * 2 * activation_bits
    return values * tensor.itemsize * 8


def _pieces(
    graph: torch.fx.Graph,
    tensors: Mapping[torch.fx.Node, Sequence[torch.Tensor]],
    max_tensors: int,
    activation_bits: int | None,
) -> list[tuple[list[torch.fx.Node], int]]:
    """Returns the nodes of each segment, with the bits that the segment outputs."""
    order = {node: index for index, node in enumerate(graph.nodes)}
    last_use = {node: max((order[user] for user in node.users), default=-1) for node in order}
    alive = {node for node in order if node.op == "placeholder" and tensors[node]}
    from_input = set(alive)
    outputs: list[int] = []
    home: dict[torch.fx.Node, int] = {}
    for node, index in order.items():
        if node.op == "output":
            home[node] = len(outputs)
            outputs.append(sent_bits(tensors[node], activation_bits))
            break
        if node not in from_input and not _depends_on(node, from_input, tensors):
            continue
        from_input.add(node)
        home[node] = len(outputs)
        alive = {earlier for earlier in {*alive, node} if last_use[earlier] > index}
        passed = [tensor for earlier in alive for tensor in tensors[earlier]]
        if node.op != "placeholder" and 0 < _num_stored(passed) <= max_tensors:
            outputs.append(sent_bits(passed, activation_bits))
    pieces: list[list[torch.fx.Node]] = [[] for _ in outputs]
    for node in reversed(order):  # what is independent of the input belongs to the segment of its first user
        if node not in home:
            used_in = [home[user] for user in node.users if home.get(user, -1) >= 0]  # checks of types use nothing
            home[node] = min(used_in, default=-1)
    for node in order:
        if home[node] >= 0:
            pieces[home[node]].append(node)
    return list(zip(pieces, outputs, strict=True))


def _depends_on(
    node: torch.fx.Node,
    from_input: Collection[torch.fx.Node],
    tensors: Mapping[torch.fx.Node, Sequence[torch.Tensor]],
) -> bool:
    """Returns whether the value of a node depends on values of the input: shapes do not."""
    return bool(tensors[node]) and node.target not in _FROM_SHAPE and any(s in from_input for s in node.all_input_nodes)


def _num_stored(tensors: Iterable[torch.Tensor]) -> int:
    return len({tensor.untyped_storage()._cdata for tensor in tensors})


class _Counter(torch.fx.Interpreter):
    """Runs a graph and stores the operations, the parameters and the tensors of each node."""

    def __init__(self, module: torch.nn.Module, graph_module: torch.fx.GraphModule) -> None:
        super().__init__(graph_module)
        self.operations: dict[torch.fx.Node, list[Operation]] = {}
        self.tensors: dict[torch.fx.Node, list[torch.Tensor]] = {}
        self.unknown: dict[torch.fx.Node, list[str]] = {}
        self._named = dict(module.named_parameters(remove_duplicate=False))
        self._modules = dict(graph_module.named_modules())
        self._loaded: set[int] = set()
        self._memory = no_memory()

    def run_node(self, n: torch.fx.Node) -> Any:
        with record_operations(self._memory) as record:
            result = super().run_node(n)
        self.operations[n], self.unknown[n] = record.operations, record.unknown
        self.tensors[n] = tensors_of(result)
        return result

    def segment(self, nodes: Sequence[torch.fx.Node], *, output_bits: int) -> Segment:
        """Returns the next nodes in order as a segment. A parameter counts in the segment that first uses it."""
        parameters = [parameter for node in nodes for parameter in self._parameters(node)]
        first_used = {id(parameter): parameter for parameter in parameters if id(parameter) not in self._loaded}
        self._loaded.update(first_used)
        return Segment(
            counted=tuple(self.path(node) for node in nodes if self.operations[node]),
            operations=tuple(operation for node in nodes for operation in self.operations[node]),
            parameter_bytes=sum(parameter.numel() * parameter.itemsize for parameter in first_used.values()),
            output_bits=output_bits,
        )

    def path(self, node: torch.fx.Node) -> str:
        """Returns the path of the innermost module that a node belongs to.

        A function outside of all modules is named after the owner of its first parameter, or else after its node.
        """
        stack = list(node.meta.get("nn_module_stack", {}).values())
        path = re.sub(r"@\d+", "", stack[-1][0]) if stack and "<locals>" not in str(stack[-1][1]) else ""
        owners = [str(source.target).rpartition(".")[0] for source in node.all_input_nodes if source.op == "get_attr"]
        return path or next(filter(None, owners), node.name)

    def _parameters(self, node: torch.fx.Node) -> list[torch.Tensor]:
        target = str(node.target)
        if node.op == "call_module":
            prefix = f"{target}."
            return [parameter for name, parameter in self._named.items() if name.startswith(prefix)]
        return [self._named[target]] if node.op == "get_attr" and target in self._named else []
