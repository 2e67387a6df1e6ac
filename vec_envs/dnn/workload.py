"""The work of an operation: one function for each paper's convention, and torch's multiply-accumulates.

A convention is a function from an operation to its number of floating-point operations. `WORKLOADS` maps the names
that users give to the conventions.

The papers do not cover grouped convolutions, or a fully connected layer applied at several positions. Their formula is
then applied to the inputs that one output value reads. An operation of unknown shape (`OtherProduct`) counts two
floating-point operations for each multiply-accumulate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation, OtherProduct, Pooling
from vec_envs.dnn.layer import Layer
from vec_envs.validation import check_one_of

Convention: TypeAlias = Callable[[Operation], int]

_BITS_PER_VALUE = 32
_BYTES_PER_PARAMETER = 4


def mad2rl_flops(operation: Operation) -> int:
    """Returns the floating-point operations by MAD2RL's convention, with H, W the size of the *output*.

    H, W are the output's height and width, C the channels, k the kernel and U the features:

    - convolution: 2 H W (C_in k^2 + 1) C_out
    - pooling: k^2 C H W
    - fully connected: (2 U_in - 1) U_out

    Paper: MAD2RL Eq. (6).
    Differs: the paper calls H, W the size of the input and puts pooling under the convolution's formula. At
    the output's size the formula gives the 22.6 Gflop that the paper quotes for ResNet152, at the
    input's it counts work that a stride skips (`mad2rl_literal_flops`); pooling has no weights and mixes no channels.
    """
    match operation:
        case Convolution():
            return _eq6_convolution(
                operation.output_size, operation.in_channels_per_group, operation.kernel, operation.out_channels
            )
        case Pooling():
            return _pooling_flops(operation)
        case MatrixProduct():
            return _dot_product_flops(operation)
        case OtherProduct():
            return 2 * operation.macs


def mad2rl_literal_flops(operation: Operation) -> int:
    """Returns the floating-point operations by the literal text of MAD2RL's Eq. (6).

    H, W are the size of the *input*, and pooling counts as a convolution from C to C channels.
    """
    match operation:
        case Convolution():
            return _eq6_convolution(
                operation.input_size, operation.in_channels_per_group, operation.kernel, operation.out_channels
            )
        case Pooling():
            return _eq6_convolution(operation.input_size, operation.channels, operation.kernel, operation.channels)
        case MatrixProduct() | OtherProduct():
            return mad2rl_flops(operation)


def rtd_flops(operation: Operation) -> int:
    """Returns the floating-point operations by RTD's convention.

    H, W are the height and width of the layer's output, C the channels, k the kernel and N the features:

    - convolution: C_in (2 k^2 - 1) H W C_out
    - fully connected: (2 N_in - 1) N_out

    Paper: RTD Eq. (4).
    Differs: pooling is k^2 C H W, not the convolution's formula, since it has no weights and mixes no channels.
    Paper: RTD Eq. (6).
    """
    match operation:
        case Convolution():
            per_channel = 2 * math.prod(operation.kernel) - 1
            values = math.prod(operation.output_size) * operation.out_channels
            return operation.in_channels_per_group * per_channel * values
        case Pooling():
            return _pooling_flops(operation)
        case MatrixProduct():
            return _dot_product_flops(operation)
        case OtherProduct():
            return 2 * operation.macs


def macs(operation: Operation) -> int:
    """Returns the multiply-accumulates as torch counts them: without bias and pooling."""
    match operation:
        case Convolution():
            taps = operation.in_channels_per_group * math.prod(operation.kernel)
            return taps * operation.out_channels * math.prod(operation.output_size)
        case Pooling():
            return 0
        case MatrixProduct():
            return operation.in_features * operation.out_features * operation.positions
        case OtherProduct():
            return operation.macs


WORKLOADS: Mapping[str, Convention] = MappingProxyType(
    {"mad2rl": mad2rl_flops, "mad2rl-literal": mad2rl_literal_flops, "rtd": rtd_flops}
)


def convention(workload: str) -> Convention:
    """Returns the convention of a name. Raises `ValueError` for an unknown name; the message lists the known ones."""
    check_one_of(tuple(WORKLOADS), workload=workload)
    return WORKLOADS[workload]


def logical_layer(
    name: str, operations: Iterable[Operation], *, output_values: int, parameters: int, workload: str
) -> Layer:
    """Returns the layer that does the given operations.

    Args:
        name: The name of the layer.
        operations: Its operations.
        output_values: The number of values in its output, each a float32.
        parameters: The number of its parameters, each a float32.
        workload: How its work is counted, one of `WORKLOADS`.
    """
    return layer_of(
        name,
        operations,
        output_bits=output_values * _BITS_PER_VALUE,
        parameter_bytes=parameters * _BYTES_PER_PARAMETER,
        workload=workload,
    )


def layer_of(
    name: str, operations: Iterable[Operation], *, output_bits: int, parameter_bytes: float, workload: str
) -> Layer:
    """Returns the layer that does the given operations, with values and parameters of any type.

    Args:
        name: The name of the layer.
        operations: Its operations.
        output_bits: The size of its output in bits.
        parameter_bytes: The memory of its parameters in bytes.
        workload: How its work is counted, one of `WORKLOADS`.
    """
    flops = convention(workload)
    operations = tuple(operations)
    return Layer(
        name=name,
        gflops=sum(flops(operation) for operation in operations) / 1e9,
        gmacs=sum(macs(operation) for operation in operations) / 1e9,
        output_mbit=output_bits / 1e6,
        parameter_mbyte=parameter_bytes / 1e6,
    )


def mbit(values: int) -> float:
    """Returns the size in Mbit of a number of float32 values."""
    return values * _BITS_PER_VALUE / 1e6


def _eq6_convolution(size: Iterable[int], in_channels: int, kernel: Iterable[int], out_channels: int) -> int:
    return 2 * math.prod(size) * (in_channels * math.prod(kernel) + 1) * out_channels


def _pooling_flops(pooling: Pooling) -> int:
    return math.prod(pooling.kernel) * pooling.channels * math.prod(pooling.output_size)


def _dot_product_flops(product: MatrixProduct) -> int:
    return (2 * product.in_features - 1) * product.out_features * product.positions
