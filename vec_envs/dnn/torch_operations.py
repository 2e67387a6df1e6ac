"""Which operations a piece of torch code does, in the terms of `geometry`.

They are read off the calls that reach torch's kernels, so modules, functions and operators count
alike. Products of a kind that `geometry` does not know (transposed convolutions, fused attention)
are counted by torch's own flop counter; what torch does not count either is free. A padding is free
too, and does not make the input of the operation that it is for any larger, whether that
operation pads by itself or is handed a padded tensor.
"""

from __future__ import annotations

import math
from collections.abc import Generator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakTensorKeyDictionary

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation, OtherProduct, Pooling, Shape
from vec_envs.dnn.workload import macs

Unpadded: TypeAlias = MutableMapping[torch.Tensor, Shape]
"""Padded tensors that are alive, and the shape that each had before."""

_aten = torch.ops.aten
_SLIDING_POOLS = (_aten.max_pool2d_with_indices, _aten.max_pool3d_with_indices, _aten.avg_pool2d, _aten.avg_pool3d)
_ADAPTIVE_POOLS = (
    _aten._adaptive_avg_pool2d,
    _aten._adaptive_avg_pool3d,
    _aten.adaptive_max_pool2d,
    _aten.adaptive_max_pool3d,
)
_PADDINGS = (
    _aten.constant_pad_nd,
    _aten.reflection_pad1d,
    _aten.reflection_pad2d,
    _aten.reflection_pad3d,
    _aten.replication_pad1d,
    _aten.replication_pad2d,
    _aten.replication_pad3d,
)


def nothing_padded() -> Unpadded:
    """What `recorded` needs to know when a network starts."""
    return WeakTensorKeyDictionary()


@contextmanager
def recorded(unpadded: Unpadded) -> Generator[list[Operation], None, None]:
    """A list that holds, once the block is left, the operations done inside it.

    `unpadded` carries the paddings seen from one block to the next.
    """
    recorder = _Recorder(unpadded)
    with recorder, FlopCounterMode(display=False) as torch_counter:
        yield recorder.operations
    missed_macs = torch_counter.get_total_flops() // 2 - sum(macs(operation) for operation in recorder.operations)
    if missed_macs > 0:
        recorder.operations.append(OtherProduct(macs=missed_macs))


class _Recorder(TorchDispatchMode):
    """Keeps the operations that `geometry` knows, and the paddings, while it is active."""

    def __init__(self, unpadded: Unpadded) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.unpadded = unpadded

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in _PADDINGS:
            before = self.unpadded.get(args[0], args[0].shape)
            self.unpadded[result] = tuple(map(min, before, result.shape))  # a negative padding crops
        self.operations += _recognised(packet, args, result, self.unpadded)
        return result


def _recognised(packet: Any, args: Sequence[Any], result: Any, unpadded: Unpadded) -> list[Operation]:
    """The operation that this call of torch's is, once for each sample; empty when it is none of ours."""
    if packet is _aten.convolution and not args[6]:
        source, weight, groups = args[0], args[1], args[8]
        convolution = Convolution(
            in_channels=source.shape[1],
            out_channels=weight.shape[0],
            kernel=tuple(weight.shape[2:]),
            input_size=tuple(unpadded.get(source, source.shape)[2:]),
            output_size=tuple(result.shape[2:]),
            groups=groups,
        )
        return [convolution] * source.shape[0]
    if packet in (_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm):
        left, right = args[-2:] if packet in (_aten.mm, _aten.bmm) else args[1:3]
        positions = math.prod(left.shape[:-1])
        return [MatrixProduct(in_features=left.shape[-1], out_features=right.shape[-1], positions=positions)]
    return _recognised_pooling(packet, args, result, unpadded)


def _recognised_pooling(packet: Any, args: Sequence[Any], result: Any, unpadded: Unpadded) -> list[Operation]:
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
    input_size = tuple(unpadded.get(source, source.shape)[-len(kernel) :])
    return [Pooling(channels=channels, kernel=kernel, input_size=input_size, output_size=output_size)]


def _is_over_space(source: Any, axes: Sequence[int] | None = None) -> bool:
    """Whether a mean runs over every axis but batch and channel, which is a pooling over all of a feature map."""
    return (
        source.ndim > 3 and axes is not None and sorted(axis % source.ndim for axis in axes) == [*range(2, source.ndim)]
    )
