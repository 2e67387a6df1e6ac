"""Which operations a piece of torch code does, in the terms of `geometry`.

They are read off the calls that reach torch's kernels, so modules, functions and operators count
alike. Products of a kind that `geometry` does not know (transposed convolutions, fused attention)
are counted by torch's own flop counter; what torch does not count either is free.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation, OtherProduct, Pooling
from vec_envs.dnn.workload import macs

_aten = torch.ops.aten
_SLIDING_POOLS = (_aten.max_pool2d_with_indices, _aten.max_pool3d_with_indices, _aten.avg_pool2d, _aten.avg_pool3d)
_ADAPTIVE_POOLS = (
    _aten._adaptive_avg_pool2d,
    _aten._adaptive_avg_pool3d,
    _aten.adaptive_max_pool2d,
    _aten.adaptive_max_pool3d,
)


@contextmanager
def recorded() -> Generator[list[Operation], None, None]:
    """A list that holds, once the block is left, the operations done inside it."""
    recorder = _Recorder()
    with recorder, FlopCounterMode(display=False) as torch_counter:
        yield recorder.operations
    missed_macs = torch_counter.get_total_flops() // 2 - sum(macs(operation) for operation in recorder.operations)
    if missed_macs > 0:
        recorder.operations.append(OtherProduct(macs=missed_macs))


class _Recorder(TorchDispatchMode):
    """Keeps the operations that `geometry` knows while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations += _recognised(func.overloadpacket, args, result)
        return result


def _recognised(packet: Any, args: Sequence[Any], result: Any) -> list[Operation]:
    """The operation that this call of torch's is, once for each sample; empty when it is none of ours."""
    if packet is _aten.convolution and not args[6]:
        source, weight, groups = args[0], args[1], args[8]
        convolution = Convolution(
            in_channels=source.shape[1],
            out_channels=weight.shape[0],
            kernel=tuple(weight.shape[2:]),
            input_size=tuple(source.shape[2:]),
            output_size=tuple(result.shape[2:]),
            groups=groups,
        )
        return [convolution] * source.shape[0]
    if packet in (_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm):
        left, right = args[-2:] if packet in (_aten.mm, _aten.bmm) else args[1:3]
        positions = math.prod(left.shape[:-1])
        return [MatrixProduct(in_features=left.shape[-1], out_features=right.shape[-1], positions=positions)]
    return _recognised_pooling(packet, args, result)


def _recognised_pooling(packet: Any, args: Sequence[Any], result: Any) -> list[Operation]:
    """The same for poolings; an adaptive one counts the even share of the input that a value has, rounded up."""
    source: Any = next(iter(args), None)
    if packet in _SLIDING_POOLS or packet in _ADAPTIVE_POOLS:
        target: Any = pytree.tree_leaves(result)[0]
        input_size, output_size = (tuple[int, ...](tensor.shape[-len(args[1]) :]) for tensor in (source, target))
    elif packet is _aten.mean and _is_over_space(source, *args[1:2]):
        input_size = tuple[int, ...](source.shape[2:])
        output_size = (1,) * len(input_size)
    else:
        return []
    even_share = tuple(-(-before // after) for before, after in zip(input_size, output_size, strict=True))
    kernel = tuple[int, ...](args[1]) if packet in _SLIDING_POOLS else even_share
    if math.prod(kernel) == 1 and input_size == output_size:
        return []
    channels = math.prod(source.shape[: -len(kernel)])
    return [Pooling(channels=channels, kernel=kernel, input_size=input_size, output_size=output_size)]


def _is_over_space(source: Any, axes: Sequence[int] | None = None) -> bool:
    """Whether a mean runs over every axis but batch and channel, which is a pooling over all of a feature map."""
    return (
        source.ndim > 3 and axes is not None and sorted(axis % source.ndim for axis in axes) == [*range(2, source.ndim)]
    )
