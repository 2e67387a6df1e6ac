"""Graphs of torch modules: torch.fx first, torch.export where torch.fx fails, TorchScript's converter for scripts.

torch.fx keeps a call of a layer of `torch.nn` as one node. torch.export follows tensors through all Python code, so
that its nodes are torch functions; each knows the module that called it.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeAlias, cast

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree

from vec_envs.dnn.torch_modules import Arguments
from vec_envs.dnn.torch_residents import Residents, sent_part

_CONTAINERS = (torch.nn.Transformer, torch.nn.TransformerEncoder, torch.nn.TransformerDecoder)
_CONSTANTS = (int, float, str, type(None))


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A graph, with the value of each of its placeholders in order."""

    graph_module: torch.fx.GraphModule
    inputs: tuple[Any, ...]


Way: TypeAlias = Callable[[torch.nn.Module, Arguments, FakeTensorMode, Residents], Traced]
"""Traces a module; the last argument names what is not sent."""


def no_data_mode() -> FakeTensorMode:
    """Returns the mode in which tensors have shapes and types but no data."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def ways(module: torch.nn.Module) -> tuple[Way, ...]:
    """Returns the functions that may trace a module, best first."""
    return (_by_script,) if isinstance(module, torch.jit.ScriptModule) else (_by_fx, _by_export)


@contextmanager
def plain_kernels() -> Generator[None]:
    """Makes torch use kernels whose parts are visible (matrix products, convolutions), and hides its warnings."""
    fused = torch._C._get_mkldnn_enabled()
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.device("cpu"))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_quiet("torch"))
        stack.callback(torch._C._set_mkldnn_enabled, fused)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast_attention)
        warnings.simplefilter("ignore")
        torch._C._set_mkldnn_enabled(False)
        torch.backends.mha.set_fastpath_enabled(False)
        yield


class _Tracer(torch.fx.Tracer):
    """Looks into the containers of torch.nn that hold several layers, and not into scripts."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, _CONTAINERS):
            return False
        return isinstance(m, torch.jit.ScriptModule) or super().is_leaf_module(m, module_qualified_name)


def _by_fx(module: torch.nn.Module, arguments: Arguments, mode: FakeTensorMode, residents: Residents) -> Traced:
    """Traces with torch.fx. Arguments without a tensor are constants, so that code may branch on them."""
    if module._forward_pre_hooks or module._forward_hooks:
        raise ValueError("torch.fx does not call the hooks of the whole module")
    signature = inspect.signature(module.forward)
    bound = signature.bind(*arguments.positional, **arguments.keywords)
    bound.apply_defaults()
    constants = {name: value for name, value in bound.arguments.items() if isinstance(value, _CONSTANTS)}
    tracer = _Tracer()
    graph = tracer.trace(module, concrete_args=constants)
    output = graph.output_node()
    output.args = (sent_part(output.args[0], residents),)
    inputs = tuple(_bound_value(node, bound.arguments) for node in graph.find_nodes(op="placeholder"))
    return Traced(graph_module=torch.fx.GraphModule(tracer.root, graph), inputs=inputs)


def _bound_value(placeholder: torch.fx.Node, bound: dict[str, Any]) -> Any:
    """Returns the value of a placeholder. torch.fx appends a number to the names of constants."""
    name = str(placeholder.target)
    if name.startswith("*"):
        if bound[name.lstrip("*")]:
            raise ValueError(f"torch.fx cannot trace the arguments {name}")
        return bound[name.lstrip("*")]
    return bound[name] if name in bound else bound[name.rpartition("_")[0]]


def _by_export(module: torch.nn.Module, arguments: Arguments, mode: FakeTensorMode, residents: Residents) -> Traced:
    module.register_forward_hook(lambda _module, _inputs, output: sent_part(output, residents))
    with mode, redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # torch prints the graph before some errors
        program = torch.export.export(module, arguments.positional, dict(arguments.keywords), strict=False)
    graph_module = program.module(check_guards=False)
    with mode:
        inputs = tuple(
            pytree.tree_map_only(torch.Tensor, _fresh, node.meta["val"])
            for node in graph_module.graph.find_nodes(op="placeholder")
        )
    return Traced(graph_module=graph_module, inputs=inputs)


def _by_script(module: torch.nn.Module, arguments: Arguments, mode: FakeTensorMode, residents: Residents) -> Traced:
    from torch._export.converter import TS2EPConverter

    real = pytree.tree_map_only(torch.Tensor, _zeros, (arguments.positional, dict(arguments.keywords)))
    program = TS2EPConverter(cast(torch.jit.ScriptModule, module), *real).convert()
    inputs = tuple(pytree.tree_leaves((arguments.positional, dict(arguments.keywords))))
    return Traced(graph_module=program.module(check_guards=False), inputs=inputs)


def _zeros(tensor: torch.Tensor) -> torch.Tensor:
    return torch.zeros(tuple(tensor.shape), dtype=tensor.dtype)


def _fresh(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tuple(tensor.shape), dtype=tensor.dtype)


@contextmanager
def _quiet(name: str) -> Generator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
