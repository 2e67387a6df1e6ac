"""Measures how long each layer of a torch module takes on a device of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vec_envs.dnn.measured import MeasuredTimes
from vec_envs.dnn.profile import DNNProfile
from vec_envs.validation import check_integer

if TYPE_CHECKING:
    import torch


def measure_latency(
    module: torch.nn.Module,
    example_input: Any,
    *,
    device: str = "cpu",
    name: str | None = None,
    profile: DNNProfile | None = None,
    repeats: int = 20,
    warm_up: int = 3,
) -> MeasuredTimes:
    """Returns the time of each layer of a module on one sample, for `replace(profile, measured=(times,))`.

    The module runs in evaluation mode, with the number of threads that torch is set to. A layer takes the median time
    of the modules in it. The time outside of modules, such as that of functions in `forward`, is divided among the
    layers without a module in proportion to their work. If every layer has a module, it is divided in proportion to
    the layers' times.

    Args:
        module: The network. It is moved to the device and back, and its parts keep their modes.
        example_input: One sample, as `DNNProfile.from_torch` takes it.
        device: A device of torch, such as "cpu" or "cuda".
        name: The name of the device in the result; by default `device`.
        profile: The profile of the module; by default that of `DNNProfile.from_torch`.
        repeats: How often it is measured.
        warm_up: How often it runs before.

    Raises:
        ImportError: torch is not installed.
        ValueError: The module cannot be profiled, or a number is out of bounds.
        RuntimeError: The device does not exist, or lacks memory.
    """
    import torch

    check_integer(1, repeats=repeats)
    check_integer(0, warm_up=warm_up)
    profile = profile or DNNProfile.from_torch(module, example_input, name="measured")
    was_training = {part: part.training for part in module.modules()}
    was_on = next((p.device for p in module.parameters()), torch.device("cpu"))
    paths, calls = _Calls(module, device), list[list[float]]()
    totals: list[float] = []
    try:
        module.eval().to(device)
        run = _runner(module, example_input, device)
        for _ in range(warm_up):
            run()
        for _ in range(repeats):
            totals.append(_timed(run, paths.now))
            with paths:
                run()
            calls.append(paths.seconds)
    finally:
        module.to(was_on)
        for part, training in was_training.items():
            part.training = training
    seconds = np.median(np.array(calls).reshape(repeats, -1), axis=0)
    layer_s = _by_layer(profile, paths.names, seconds, total_s=float(np.median(totals)))
    source = f"torch {torch.__version__}, {torch.get_num_threads()} threads, median of {repeats} runs of one sample"
    return MeasuredTimes(device=name or device, layer_s=tuple(layer_s), source=source)


class _Calls:
    """A context that times the innermost modules of a network; `names` and `seconds` hold the last run."""

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        named = cast(Any, module).named_modules()
        self._leaves: dict[str, Any] = {name: leaf for name, leaf in named if not list(leaf.children())}
        self._device = device
        self.names: list[str] = []
        self.seconds: list[float] = []

    def now(self) -> float:
        """Returns the time when the device has done its work."""
        import torch

        if self._device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter()

    def __enter__(self) -> None:
        self.names, self.seconds, self._hooks = [], [], list[Any]()
        for name, leaf in self._leaves.items():
            self._hooks.append(leaf.register_forward_pre_hook(partial(self._begin, name)))
            self._hooks.append(leaf.register_forward_hook(self._end))

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _begin(self, name: str, *_: object) -> None:
        self.names.append(name)
        self.seconds.append(-self.now())

    def _end(self, *_: object) -> None:
        self.seconds[-1] += self.now()


def _runner(module: torch.nn.Module, example_input: Any, device: str) -> Callable[[], object]:
    """Returns a function that runs the module once, on zeros of the shapes of the input."""
    import torch

    from vec_envs.dnn.torch_modules import arguments_of, unwrapped, with_tensors

    given = arguments_of(unwrapped(module), example_input)
    positional, keywords = with_tensors(
        (given.positional, dict(given.keywords)), lambda tensor: torch.zeros_like(tensor, device=device)
    )

    def run() -> object:
        with torch.no_grad():
            return module(*positional, **keywords)

    return run


def _timed(run: Callable[[], object], now: Callable[[], float]) -> float:
    began = now()
    run()
    return now() - began


def _by_layer(
    profile: DNNProfile, names: Sequence[str], seconds: Sequence[float] | np.ndarray, *, total_s: float
) -> list[float]:
    """Returns the time of each layer from those of the modules, in the order of their calls."""
    layer_s, has_module = np.zeros(profile.num_layers), np.zeros(profile.num_layers, np.bool_)
    layer = 0
    for name, time_s in zip(names, seconds, strict=True):
        ahead = range(layer, profile.num_layers)
        layer = next((index for index in ahead if _begins(name, profile.layers[index].name)), layer)
        layer_s[layer] += time_s
        has_module[layer] = True
    rest_s = max(total_s - float(layer_s.sum()), 0.0)
    weight = np.where(has_module, 0.0, [layer.gflops for layer in profile.layers])
    weight = weight if weight.any() else layer_s
    return (layer_s + rest_s * weight / max(float(weight.sum()), np.finfo(np.float64).tiny)).tolist()


def _begins(module: str, layer: str) -> bool:
    """Returns whether a module is in a layer, `path` of the innermost module or `first-last`."""
    return any(f"{module}.".startswith(f"{part}.") for part in layer.split("-"))
