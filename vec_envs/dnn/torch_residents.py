"""Residents: tensors that stay on the device that runs their layer, such as the caches of a language model.

A resident is never sent: among the arguments it is like a weight, and among the outputs it is left out. So one step of
decoding is a network whose input is a token, although the module also takes and returns its caches.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeAlias, cast

import torch

from vec_envs.dnn.torch_modules import Arguments, opened, with_tensors

Residents: TypeAlias = Collection[str | int]
"""Names of arguments of `forward` and of entries of its output, or positions in an output that is a tuple."""


def divided(module: torch.nn.Module, arguments: Arguments, residents: Residents) -> tuple[Arguments, Mapping[str, Any]]:
    """Returns the arguments that are sent, and those that are resident by their names.

    Raises:
        ValueError: A resident is neither text nor a whole number, or all tensors are resident.
    """
    if isinstance(residents, str) or not all(
        isinstance(resident, str | int) for resident in cast(Collection[Any], residents)
    ):
        raise ValueError(f"residents must be a list of names or positions, got {residents!r}")
    if not residents:
        return arguments, {}
    named = _by_name(module, arguments)
    kept = {name: value for name, value in named.items() if name in residents}
    if not kept:
        return arguments, {}
    sent = Arguments(positional=(), keywords={name: value for name, value in named.items() if name not in kept})
    if not sent.tensors:
        raise ValueError(f"residents must leave a tensor that is sent, got {tuple(residents)!r}, which are all inputs")
    return sent, kept


def _by_name(module: torch.nn.Module, arguments: Arguments) -> Mapping[str, Any]:
    """Returns the arguments by the names that `forward` gives them; empty if some have no name."""
    try:
        signature = inspect.signature(module.forward)
        bound = signature.bind(*arguments.positional, **arguments.keywords)
    except (TypeError, ValueError):  # a script without a signature, or arguments that do not fit
        return arguments.keywords if not arguments.positional else {}
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            return {}
        named |= value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value}
    return named


def keep(module: torch.nn.Module, kept: Mapping[str, Any]) -> None:
    """Makes a module take its resident arguments by itself."""

    def add(module: torch.nn.Module, positional: Any, keywords: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        return positional, {**keywords, **with_tensors(dict(kept), lambda tensor: tensor)}

    if kept:
        _make_optional(module, kept)
        module.register_forward_pre_hook(add, with_kwargs=True)


def _make_optional(module: torch.nn.Module, kept: Collection[str]) -> None:
    """Lets torch.export call a module without resident arguments that `forward` requires, before they are added."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # a script without a signature
        return
    found = [parameter for parameter in signature.parameters.values() if parameter.kind != parameter.VAR_POSITIONAL]
    if all(parameter.name not in kept or parameter.default is not parameter.empty for parameter in found):
        return
    forward = module.forward

    def with_keywords(**keywords: Any) -> Any:
        return forward(**keywords)

    parameters = [
        parameter
        if parameter.kind is parameter.VAR_KEYWORD
        else parameter.replace(
            kind=parameter.KEYWORD_ONLY, default=None if parameter.name in kept else parameter.default
        )
        for parameter in found
    ]
    with_keywords.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportFunctionMemberAccess]
    module.forward = with_keywords


def sent_part(output: Any, residents: Residents) -> Any:
    """Returns an output without its residents; lists stand in place of objects that hold tensors."""
    if is_dataclass(output) and not isinstance(output, Mapping):
        output = dict(vars(output))
    if isinstance(output, Mapping):
        entries = cast(Mapping[Any, Any], output)
        output = {name: value for name, value in entries.items() if name not in residents}
    elif isinstance(output, tuple | list):
        values = cast(tuple[Any, ...] | list[Any], output)
        output = tuple(value for position, value in enumerate(values) if position not in residents)
    return opened(output)
