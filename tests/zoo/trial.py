"""One trial: profiles a model and compares it with what torch counts when the model runs."""

from __future__ import annotations

import signal
import time
import warnings
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tests.zoo.packages import Case
from vec_envs.dnn import DNNProfile
from vec_envs.dnn.torch_modules import arguments_of, inputs_without_data, tensors_of, without_data
from vec_envs.dnn.torch_trace import no_data_mode, plain_kernels

TIME_LIMIT_S = 400


class _Touched(TorchDispatchMode):
    """Collects the tensors that a run reads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.ids.update(id(tensor) for tensor in tensors_of((args, kwargs or {})))
        return func(*args, **(kwargs or {}))


def reference(module: torch.nn.Module, example_input: Any) -> tuple[float, float]:
    """Returns the multiply-accumulates that torch counts in a run, and the number of parameters that the run reads."""
    mode, arguments = no_data_mode(), arguments_of(module, example_input)
    with plain_kernels():
        shadow, inputs = without_data(module, mode), inputs_without_data(arguments, mode)
        touched = _Touched()
        with mode, touched, FlopCounterMode(display=False) as counter:
            shadow(*inputs.positional, **inputs.keywords)
    parameters = {id(parameter): parameter.numel() for parameter in shadow.parameters()}
    used = sum(count for key, count in parameters.items() if key in touched.ids)
    return counter.get_total_flops() / 2, used


def tried(case: Case) -> dict[str, Any]:
    """Returns the row of a case: what was counted, or why it failed."""
    row: dict[str, Any] = {"package": case.package, "group": case.group, "name": case.name}
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(TIME_LIMIT_S)
    try:
        row |= _compared(case)
    except (Exception, _TooLongError) as error:
        row |= {"status": row.get("status", "failed"), "reason": f"{type(error).__name__}: {error}"}
        if isinstance(error, _NotBuiltError):
            row |= {"status": "not built", "reason": str(error)}
    finally:
        signal.alarm(0)
    return row | {"seconds": round(time.monotonic() - begin, 1)}


class _NotBuiltError(Exception):
    pass


class _TooLongError(BaseException):
    """No `Exception`, which tracing would take for its own failure."""


def _stop(*_: Any) -> None:
    raise _TooLongError(f"took more than {TIME_LIMIT_S} s")


def _compared(case: Case) -> dict[str, Any]:
    try:
        module, example_input = case.build()
    except Exception as error:
        raise _NotBuiltError(f"{type(error).__name__}: {error}") from error
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        profile = DNNProfile.from_torch(module, example_input, name=case.name)
    unknown = [str(each.message) for each in caught if "counted as 0" in str(each.message)]
    macs, parameters = reference(module, example_input)
    counted = profile.local_gmacs[-1] * 1e9
    bytes_each = next(module.parameters()).itemsize
    stored = profile.local_parameter_mbyte[-1] * 1e6 / bytes_each
    return {
        "status": "passed",
        "layers": profile.num_layers,
        "gmacs": counted / 1e9,
        "macs_off": counted / macs - 1 if macs else None,
        "parameters_off": stored / parameters - 1 if parameters else None,
        "unknown": unknown,
    }
