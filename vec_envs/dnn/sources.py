"""Torch modules and example inputs that are named on a command line."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from vec_envs.validation import shown

if TYPE_CHECKING:
    import torch

MOST_AXES = 16
"""The largest number of axes of an input."""


def made_by_factory(source: str, arguments: Sequence[str] = ()) -> torch.nn.Module:
    """Returns the module that a factory makes, such as `torchvision.models:resnet18`, or the module of that name.

    Args:
        source: "package.module:name". The name is a function, a class, or a module that exists already.
        arguments: The arguments of the call, each `VALUE` or `NAME=VALUE`. A value is a Python literal or text.

    Raises:
        ValueError: There is no such name, the call fails, or its result is no torch module.
    """
    import torch

    package, colon, name = source.partition(":")
    if not (package and colon and name):
        raise ValueError(f"the source must be package.module:factory or a file.onnx, got {shown(source)}")
    try:
        made: Any = resolve_name(source)
    except Exception as error:  # the module's own code runs
        raise ValueError(f"{source} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(made, torch.nn.Module):
        values = [argument_of(argument) for argument in arguments]
        try:
            made = made(*(value for name, value in values if not name), **{name: of for name, of in values if name})
        except Exception as error:
            raise ValueError(f"{source} cannot be called: {type(error).__name__}: {error}") from error
    if not isinstance(made, torch.nn.Module):
        raise ValueError(f"{source} must be or return a torch.nn.Module, got {type(made).__name__}")
    return made


def example_inputs(shapes: Sequence[str]) -> Any:
    """Returns a tensor of zeros of a shape such as "1,3,224,224" or "1,128:int64"; a tuple for several shapes.

    Raises:
        ValueError: There is no shape, or one is wrong.
    """
    if not shapes:
        raise ValueError("a torch module needs the shape of its input: --input 1,3,224,224")
    tensors = tuple(map(_zeros, shapes))
    return tensors[0] if len(tensors) == 1 else tensors


def _zeros(shape: str) -> torch.Tensor:
    import torch

    sizes, _, kind = shape.partition(":")
    dtype = getattr(torch, kind or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"the type of an input must be one of torch's, such as float32 or int64, got {shown(kind)}")
    parts = sizes.split(",")
    if len(parts) > MOST_AXES or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"an input must be a shape such as 1,3,224,224, got {shown(shape)}")
    return torch.empty(tuple(map(int, parts)), dtype=dtype, device="meta")


def argument_of(text: str) -> tuple[str, Any]:
    """Returns the name ("" for none) and the value of an argument, `VALUE` or `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        name, value = "", text
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value
