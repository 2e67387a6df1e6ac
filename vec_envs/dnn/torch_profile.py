"""Logical layers of a torch module: where it can be cut, and the work and output of each layer.

The module is traced (`torch_trace`) and its graph divided into segments (`torch_graph`), which are merged into layers
(`segments`). Nothing is computed, and no weights are copied (`torch_modules`).

`torch_operations` and `torch_products` define which operations are counted.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vec_envs.dnn.layer import Layer
from vec_envs.dnn.segments import layers_of
from vec_envs.dnn.torch_failures import explanation
from vec_envs.dnn.torch_graph import Segments, segments_of, sent_bits
from vec_envs.dnn.torch_modules import (
    Arguments,
    arguments_of,
    check_one_sample,
    inputs_without_data,
    unwrapped,
    without_data,
)
from vec_envs.dnn.torch_residents import Residents, divided, keep
from vec_envs.dnn.torch_trace import no_data_mode, plain_kernels, ways
from vec_envs.dnn.workload import convention

ACTIVATION_BITS = (8, 16, 32)
"""The bits in which a floating-point number may be sent."""


def profile_of_module(
    module: object,
    example_input: Any,
    *,
    name: str,
    workload: str,
    keywords: Mapping[str, Any] | None,
    max_tensors: int,
    activation_bits: int | None,
    residents: Residents,
) -> tuple[float, tuple[Layer, ...]]:
    """Returns the size of the input in Mbit and the logical layers of `module` on one sample.

    `DNNProfile.from_torch` describes the arguments and the errors. The module and its mode stay unchanged.
    """
    convention(workload)
    if activation_bits not in (None, *ACTIVATION_BITS):
        raise ValueError(f"activation_bits must be 8, 16, 32 or None, got {activation_bits!r}")
    if not isinstance(max_tensors, int) or max_tensors < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"max_tensors must be a whole number of at least 1, got {max_tensors!r}")
    inner = unwrapped(module)
    network = _network(inner, arguments_of(inner, example_input, keywords), residents)
    label = f"{name!r} ({type(inner).__name__})"
    found = _segments(label, network, max_tensors=max_tensors, activation_bits=activation_bits)
    layers = layers_of(found.segments, workload=workload)
    unknown = ", ".join(f"{operation} in {path!r}" for operation, path in found.unknown)
    if not layers:
        of_unknown_work = f"; the work of these operations is unknown: {unknown}" if unknown else ""
        raise ValueError(f"{label} has no convolution, pooling or matrix product to count{of_unknown_work}")
    if unknown:
        warnings.warn(
            f"{label}: the work of these operations is unknown and counted as 0: {unknown}; "
            "add it to gflops and gmacs of the layer with dataclasses.replace if it matters",
            stacklevel=3,
        )
    return sent_bits(network.arguments.tensors, activation_bits) / 1e6, layers


@dataclass(frozen=True, kw_only=True)
class _Network:
    """A module with the arguments that are sent to it, and those that are resident."""

    module: torch.nn.Module
    arguments: Arguments
    kept: Mapping[str, Any]
    residents: Residents

    def without_data(self, mode: FakeTensorMode) -> tuple[torch.nn.Module, Arguments]:
        """Returns a copy of the module that has its resident arguments, and its other arguments, without data."""
        copied = without_data(self.module, mode)
        kept = inputs_without_data(Arguments(positional=(), keywords=self.kept), mode)
        keep(copied, kept.keywords)
        return copied, inputs_without_data(self.arguments, mode)


def _network(module: torch.nn.Module, arguments: Arguments, residents: Residents) -> _Network:
    sent, kept = divided(module, arguments, residents)
    check_one_sample(sent)
    return _Network(module=module, arguments=sent, kept=kept, residents=residents)


def _segments(label: str, network: _Network, *, max_tensors: int, activation_bits: int | None) -> Segments:
    """Returns the segments by the first way of tracing that succeeds."""
    failures: list[Exception] = []
    with plain_kernels():
        for way in ways(network.module):
            mode = no_data_mode()
            shadow, inputs = network.without_data(mode)
            try:
                traced = way(shadow, inputs, mode, network.residents)
                return segments_of(shadow, traced, mode, max_tensors=max_tensors, activation_bits=activation_bits)
            except Exception as error:
                failures.append(error)
        mode = no_data_mode()
        shadow, inputs = network.without_data(mode)
        message = explanation(label, shadow, inputs, mode, failures)
    raise ValueError(message) from failures[-1]
