"""Why a torch module cannot be profiled: the operation, the line of its code, and what to try."""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import linecache
import os
import sysconfig
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jaxtyping
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from vec_envs.dnn.torch_modules import Arguments

_NO_CODE_OF_USERS = tuple(
    os.path.dirname(file) + os.sep for file in (torch.__file__, jaxtyping.__file__, __file__) if file
)
_PYTHON = sysconfig.get_path("stdlib")
_NEEDS_VALUES = (
    "its code needs the values of tensors, and a profile knows their shapes only. Try: decide by a shape or by an "
    "argument of __init__; use torch.where; or profile the part before this line, such as the backbone"
)
_NO_SHAPE_RULE = (
    "torch knows no shape rule for this operation. Try: torch.library.register_fake for an operation of your own; "
    "a part written in plain torch instead; or profile the parts before and after it"
)
_REFUSED = "Try: check that example_input is what forward expects, with its sizes and types"
_ONLY_TRACING = (
    "the module runs on this input all the same. Try: return tensors, tuples or dictionaries; or profile a part of it"
)
_UNTRACED = "cannot be traced by torch.fx or torch.export"
_NONE = "its first operation"
_IN_PYTHON = {
    "aten._local_scalar_dense": "item(), or a branch on a tensor",
    "aten.nonzero": "nonzero(), or an index by a mask",
    "aten.is_nonzero": "a branch on a tensor",
}


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """The error of a run without data, None if it succeeds, with the last operation and the module in which it ran."""

    error: Exception | None
    operation: str
    module: str


def explanation(
    label: str, module: torch.nn.Module, arguments: Arguments, mode: FakeTensorMode, failures: Sequence[Exception]
) -> str:
    """Returns why a module cannot be profiled.

    Args:
        label: The name of the module in the message.
        module: The module, without data.
        arguments: Its arguments, without data.
        mode: The mode of both.
        failures: What tracing it raised, one for each way.
    """
    trial = _try(module, arguments, mode)
    error = trial.error or failures[-1]
    where = _where(error) or next(filter(None, map(_where, failures)), "")
    inside = f" in module {trial.module!r}" if trial.error and trial.module else ""
    cause = _first_line(error)
    in_python = _IN_PYTHON.get(trial.operation)
    operation = f"{trial.operation} ({in_python})" if in_python else trial.operation
    if _is_about_values(error):
        return f"{label} {_UNTRACED}: {operation}{inside}{where}: {_NEEDS_VALUES} ({cause})"
    if trial.error is None:
        return f"{label} {_UNTRACED}{where}: {cause}; {_ONLY_TRACING}"
    if trial.operation != _NONE and ("Fake" in type(error).__name__ or isinstance(error, NotImplementedError)):
        return f"{label} {_UNTRACED}: {operation}{inside}{where}: {_NO_SHAPE_RULE} ({cause})"
    return f"{label} cannot be run on an input of shape {arguments.shapes}: {cause}{inside}{where}. {_REFUSED}"


def _is_about_values(error: Exception) -> bool:
    names = {base.__name__ for base in type(error).__mro__}
    if ".numpy()" in str(error):
        return True
    return bool(names & {"DataDependentOutputException", "DynamicOutputShapeException", "GuardOnDataDependentSymNode"})


class _LastOperation(TorchDispatchMode):
    """Remembers the name of the last torch function that was called."""

    def __init__(self) -> None:
        super().__init__()
        self.name = _NONE

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.name = str(func.overloadpacket)
        return func(*args, **(kwargs or {}))


def _try(module: torch.nn.Module, arguments: Arguments, mode: FakeTensorMode) -> _Trial:
    """Runs a module without data, without tracing it."""
    entered: list[str] = []
    handles = [
        part.register_forward_pre_hook(lambda _module, _inputs, path=path: entered.append(path))
        for path, part in module.named_modules()
        if not isinstance(part, torch.jit.ScriptModule)
    ]
    last, error = _LastOperation(), None
    try:
        with mode, last:
            module(*arguments.positional, **arguments.keywords)
    except Exception as raised:
        error = raised
    for handle in handles:
        handle.remove()
    return _Trial(error=error, operation=last.name, module=entered[-1] if entered else "")


def _where(error: Exception) -> str:
    """Returns the last line of code outside of torch that an error passed through; empty if there is none."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*_NO_CODE_OF_USERS, "<")) and os.path.dirname(frame.filename) != _PYTHON
    ]
    if not frames:
        return ""
    line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip()
    return f" at {frames[-1].filename}:{frames[-1].lineno}{f': `{line}`' if line else ''}"


def _first_line(error: Exception) -> str:
    """Returns the first line of an error's message; torch adds many lines."""
    return str(error).strip().split("\n")[0].rstrip(".;: ") or type(error).__name__
