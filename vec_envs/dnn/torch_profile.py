"""Logical layers of a torch module: where it can be cut, and the work and output of each layer.

The module is traced (`torch_trace`) and its graph divided into segments (`torch_graph`); nothing is computed, and no
weights are copied (`torch_modules`). A segment without counted work, such as an activation, a normalisation or a
flattening, is merged into a neighbour:

- into the layer before it, in general;
- into the layer after it at the start of the network, and where it makes the tensor larger (padding, nearest
  upsampling), because the smaller tensor is the better one to send.

`torch_operations` and `torch_products` define which operations are counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vec_envs.dnn.layer import Layer
from vec_envs.dnn.torch_failures import explanation
from vec_envs.dnn.torch_graph import Segment, Segments, segments_of, sent_bits
from vec_envs.dnn.torch_modules import Arguments, arguments_of, inputs_without_data, unwrapped, without_data
from vec_envs.dnn.torch_trace import no_data_mode, plain_kernels, ways
from vec_envs.dnn.workload import convention, layer_of
from vec_envs.validation import check_one_of

ACTIVATION_BITS = (8, 16, 32)
"""The bits in which a floating-point number may be sent."""


def profile_of_module(
    module: torch.nn.Module,
    example_input: Any,
    *,
    name: str,
    workload: str,
    keywords: Mapping[str, Any] | None = None,
    max_tensors: int = 1,
    activation_bits: int | None = None,
) -> tuple[float, tuple[Layer, ...]]:
    """Returns the size of the input in Mbit and the logical layers of `module` on one sample.

    `DNNProfile.from_torch` describes the arguments and the errors. The module and its mode stay unchanged.
    """
    convention(workload)
    if activation_bits is not None:
        check_one_of(ACTIVATION_BITS, activation_bits=activation_bits)
    if not isinstance(max_tensors, int) or max_tensors < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"max_tensors must be a whole number of at least 1, got {max_tensors!r}")
    module = unwrapped(module)
    arguments = arguments_of(module, example_input, keywords)
    label = f"{name!r} ({type(module).__name__})"
    found = _segments(label, module, arguments, max_tensors=max_tensors, activation_bits=activation_bits)
    _warn_of_unknown(label, found)
    merged = _merge(found.segments)
    if not merged[0].operations:
        raise ValueError(f"{label} has no convolution, pooling or matrix product to count")
    layers = tuple(
        layer_of(
            segment.name,
            segment.operations,
            output_bits=segment.output_bits,
            parameter_bytes=sum(tensor.numel() * tensor.itemsize for tensor in segment.parameters),
            workload=workload,
        )
        for segment in merged
    )
    return sent_bits(arguments.tensors, activation_bits) / 1e6, layers


def _segments(
    label: str, module: torch.nn.Module, arguments: Arguments, *, max_tensors: int, activation_bits: int | None
) -> Segments:
    """Returns the segments by the first way of tracing that succeeds."""
    failures: list[Exception] = []
    with plain_kernels():
        for way in ways(module):
            mode = no_data_mode()
            shadow, inputs = _without_data(module, arguments, mode)
            try:
                traced = way(shadow, inputs, mode)
                return segments_of(shadow, traced, mode, max_tensors=max_tensors, activation_bits=activation_bits)
            except Exception as error:
                failures.append(error)
        mode = no_data_mode()
        shadow, inputs = _without_data(module, arguments, mode)
        message = explanation(label, shadow, inputs, mode, failures)
    raise ValueError(message) from failures[-1]


def _without_data(
    module: torch.nn.Module, arguments: Arguments, mode: FakeTensorMode
) -> tuple[torch.nn.Module, Arguments]:
    return without_data(module, mode), inputs_without_data(arguments, mode)


def _warn_of_unknown(label: str, found: Segments) -> None:
    if found.unknown:
        named = ", ".join(f"{operation} in {path!r}" for operation, path in found.unknown)
        warnings.warn(
            f"{label}: the work of these operations is unknown and counted as 0: {named}; "
            "add it to gflops and gmacs of the layer with dataclasses.replace if it matters",
            stacklevel=4,
        )


def _merge(segments: Iterable[Segment]) -> list[Segment]:
    """Returns segments that each have counted work: merges those without it into a neighbour."""
    layers: list[Segment] = []
    for segment in segments:
        if layers and not layers[-1].ends_before(segment):
            layers[-1] = layers[-1].join(segment)
        else:
            layers.append(segment)
    if len(layers) > 1 and not layers[-1].operations:
        layers[-2:] = [layers[-2].join(layers[-1])]
    return layers
