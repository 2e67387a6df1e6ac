"""Copies of torch modules and of their example inputs that have shapes but no data.

The copies hold fake tensors on the CPU: torch computes shapes and types with them, and neither runs nor copies weights.
Small tensors that are no parameters (anchors, strides, window indices) keep their values, because code may read them.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.parameter import is_lazy
from torch.utils import _pytree as pytree

_MOST_KEPT_VALUES = 4096
_SHARDED = ("FullyShardedDataParallel", "FSDPModule")
_PARALLEL = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The arguments of one call of a module."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors in the arguments, also those in lists and dictionaries."""
        return tensors_of(opened((self.positional, dict(self.keywords))))

    @property
    def shapes(self) -> str:
        """The shapes of all tensors, for messages."""
        return ", ".join(str(tuple(tensor.shape)) for tensor in self.tensors)


def tensors_of(value: Any) -> list[torch.Tensor]:
    """Returns the tensors in a value, also those in lists, dictionaries and other registered containers."""
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def arguments_of(module: torch.nn.Module, example_input: Any, keywords: Mapping[str, Any] | None = None) -> Arguments:
    """Returns the arguments that an example input stands for.

    A tuple holds positional arguments. A dictionary holds keywords if `forward` has all these names, and else is itself
    one argument, as is a list.

    Raises:
        ValueError: There is no tensor.
    """
    given = dict(keywords or {})
    if isinstance(example_input, tuple):
        arguments = Arguments(positional=cast(tuple[Any, ...], example_input), keywords=given)
    elif isinstance(example_input, Mapping) and _are_keywords(module, cast(Mapping[Any, Any], example_input)):
        arguments = Arguments(positional=(), keywords={**cast(Mapping[str, Any], example_input), **given})
    else:
        arguments = Arguments(positional=(example_input,), keywords=given)
    if not arguments.tensors:
        raise ValueError(
            f"example_input must be a tensor, got {type(example_input).__name__} without one; a tuple (arguments) or a "
            "dict (keywords) of tensors is allowed too"
        )
    return arguments


def unwrapped(module: object) -> torch.nn.Module:
    """Returns the module inside wrappers that compile it or distribute its batches.

    Raises:
        ValueError: It is no module, or it is sharded over processes.
    """
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    for name, part in module.named_modules():
        if any(base.__name__ in _SHARDED for base in type(part).__mro__):
            raise ValueError(
                f"module must not be sharded, got {type(part).__name__}{f' in {name!r}' if name else ''} (FSDP); "
                "profile the module before it is sharded"
            )
    while (inner := _inside(module)) is not None:
        module = inner
    return module


def without_data(module: torch.nn.Module, mode: FakeTensorMode) -> torch.nn.Module:
    """Returns a copy in evaluation mode without data, with all wrappers inside it removed.

    Raises:
        ValueError: A parameter has no shape yet, or a part cannot be copied.
    """
    memo = {id(tensor): _shadow(tensor, name, mode) for name, tensor in _tensors_in(module)}
    try:
        copied = copy.deepcopy(module, memo)
    except Exception as error:
        raise ValueError(
            f"{type(module).__name__} cannot be copied ({error}); remove what copy.deepcopy refuses from its attributes"
        ) from error
    for part in list(copied.modules()):
        for name, child in part.named_children():
            if (inner := _inside(child)) is not None:
                part.register_module(name, unwrapped(inner))
    return copied.eval()


def inputs_without_data(arguments: Arguments, mode: FakeTensorMode) -> Arguments:
    """Returns the arguments with fake tensors in place of tensors."""
    positional, keywords = with_tensors(
        (arguments.positional, dict(arguments.keywords)), lambda tensor: _fake(tensor, mode)
    )
    return Arguments(positional=positional, keywords=keywords)


def with_tensors(value: Any, replace: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Returns a copy of a value in which all tensors are replaced, also those in objects such as caches."""
    memo = {id(tensor): replace(tensor) for tensor in tensors_of(opened(value))}
    return pytree.tree_map(lambda leaf: memo.get(id(leaf)) if id(leaf) in memo else copy.deepcopy(leaf, memo), value)


def opened(value: Any, depth: int = 5) -> Any:
    """Returns a value with lists of attributes in place of objects, to a depth; nothing but tensors and nodes stays."""

    def of_leaf(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor | torch.fx.Node):
            return leaf
        if isinstance(leaf, type | torch.nn.Module) or not hasattr(leaf, "__dict__") or not depth:
            return None
        return [opened(inner, depth - 1) for inner in vars(leaf).values()]

    return pytree.tree_map(of_leaf, value)


def _are_keywords(module: torch.nn.Module, names: Mapping[Any, Any]) -> bool:
    try:
        parameters = inspect.signature(module.forward).parameters
    except ValueError:  # a script
        return False
    kinds = [parameter.kind for parameter in parameters.values()]
    if inspect.Parameter.VAR_KEYWORD in kinds and not set(parameters).isdisjoint(names):
        return all(isinstance(name, str) for name in names)
    return bool(names) and set(names) <= set(parameters)


def check_one_sample(arguments: Arguments) -> None:
    """Raises `ValueError` if the input is several samples. Tensors that all begin with the same axis are a batch."""
    direct = [*arguments.positional, *arguments.keywords.values()]
    shapes = [tuple(value.shape) for value in direct if isinstance(value, torch.Tensor)]
    if len(direct) == 1 and shapes:
        if len(shapes[0]) < 2 or shapes[0][0] != 1:
            raise ValueError(f"example_input must be one sample, of shape [1, ...], got shape {shapes[0]}")
        return
    first_axes = {shape[0] for shape in shapes if len(shape) > 1}
    if len(shapes) > 1 and len(first_axes) == 1 and first_axes != {1}:
        raise ValueError(
            f"example_input must be one sample, whose tensors have a first axis of length 1, got shapes {shapes}"
        )


def _inside(module: torch.nn.Module) -> torch.nn.Module | None:
    """Returns the module inside a wrapper; None if the module is no wrapper."""
    if isinstance(module, _PARALLEL):
        return cast(torch.nn.Module, module.module)
    if type(module).__name__ == "OptimizedModule":  # what torch.compile returns; its class needs a long import
        return cast(torch.nn.Module, module._orig_mod)
    return None


def _tensors_in(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields the tensors of a module with names: parameters, buffers and attributes that are registered as neither."""
    yield from module.named_parameters(remove_duplicate=False)
    for path, part in module.named_modules():
        for name, value in {**vars(part), **part._buffers}.items():
            if name not in ("_parameters", "_buffers", "_modules"):
                for tensor in tensors_of(value):
                    yield f"{path}.{name}", tensor


def _shadow(tensor: torch.Tensor, name: str, mode: FakeTensorMode) -> torch.Tensor:
    if is_lazy(tensor):
        raise ValueError(f"parameter {name!r} has no shape yet; run the module once on an input, then profile it")
    if tensor.layout is not torch.strided:
        raise ValueError(
            f"{name.strip('.')!r} is a tensor of layout {tensor.layout}, whose work depends on its values; make it "
            "dense: tensor.to_dense()"
        )
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(_fake(tensor, mode), requires_grad=False)
    if tensor.device.type == "cpu" and type(tensor) is torch.Tensor and tensor.numel() <= _MOST_KEPT_VALUES:
        return mode.fake_tensor_converter.from_real_tensor(mode, tensor.detach().clone(), make_constant=True)
    return _fake(tensor, mode)


def _fake(tensor: torch.Tensor, mode: FakeTensorMode) -> torch.Tensor:
    with mode:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
