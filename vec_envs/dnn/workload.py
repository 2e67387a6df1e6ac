"""How much work an operation is: one function per convention, and torch's multiply-accumulates.

`WORKLOADS` maps the name a user writes to the convention. A convention is a function from an
operation to its number of floating-point operations. Where a paper is silent (grouped
convolutions, a fully connected layer applied at several positions) its formula is applied to what
one output value reads, and work of unknown shape counts two operations a multiply-accumulate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation, OtherProduct, Pooling
from vec_envs.dnn.profile import Layer

Convention: TypeAlias = Callable[[Operation], int]

_BITS_PER_VALUE = 32
_BYTES_PER_PARAMETER = 4


def mad2rl_flops(operation: Operation) -> int:
    """Operations by MAD2RL's count at the size of the *output*.

    With H, W the output's height and width, C channels, k the kernel and U features:
    convolution 2 H W (C_in k^2 + 1) C_out, pooling k^2 C H W, fully connected (2 U_in - 1) U_out.

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
    """Operations by the letter of the same equation: H, W of the *input*, pooling as a convolution from C to C."""
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
    """Operations by RTD's count: convolution C_in (2 k^2 - 1) H W C_out, fully connected (2 N_in - 1) N_out.

    H, W are the layer's height and width, that is its output's.

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
    """Multiply-accumulates as torch counts them: no bias, no pooling."""
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
    """The convention of that name. Raises ValueError, listing the names, when there is none."""
    if workload not in WORKLOADS:
        raise ValueError(f"no workload {workload!r}; there are {', '.join(WORKLOADS)}")
    return WORKLOADS[workload]


def logical_layer(
    name: str, operations: Iterable[Operation], *, output_values: int, parameters: int, workload: str
) -> Layer:
    """The layer that these operations make, its float32 output and parameters counted at 4 bytes each."""
    flops = convention(workload)
    operations = tuple(operations)
    return Layer(
        name=name,
        gflops=sum(flops(operation) for operation in operations) / 1e9,
        gmacs=sum(macs(operation) for operation in operations) / 1e9,
        output_mbit=mbit(output_values),
        parameter_mbyte=parameters * _BYTES_PER_PARAMETER / 1e6,
    )


def mbit(values: int) -> float:
    """Size in Mbit of that many float32 values."""
    return values * _BITS_PER_VALUE / 1e6


def _eq6_convolution(size: Iterable[int], in_channels: int, kernel: Iterable[int], out_channels: int) -> int:
    return 2 * math.prod(size) * (in_channels * math.prod(kernel) + 1) * out_channels


def _pooling_flops(pooling: Pooling) -> int:
    return math.prod(pooling.kernel) * pooling.channels * math.prod(pooling.output_size)


def _dot_product_flops(product: MatrixProduct) -> int:
    return (2 * product.in_features - 1) * product.out_features * product.positions
