"""The operations that torch code does, as records of `geometry`.

Operations are read from the calls that reach torch's kernels, so modules, functions and operators all count. Products
that `geometry` does not know (transposed convolutions, fused attention) are counted by torch's own flop counter. Those
that torch does not count either are counted or named by `torch_products`.

A padding counts as 0 too. It does not enlarge the input of the operation that follows, whether that operation pads by
itself or receives a padded tensor.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakTensorKeyDictionary

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation, OtherProduct, Pooling, Shape
from vec_envs.dnn.torch_products import has_unknown_work, products_of
from vec_envs.dnn.workload import macs

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


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is remembered of tensors that are alive: their shape before padding, and which are products."""

    unpadded: MutableMapping[torch.Tensor, Shape]
    products: MutableMapping[torch.Tensor, bool]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The operations done in a block, and the names of those whose work is unknown and counted as 0."""

    operations: list[Operation] = field(default_factory=list[Operation])
    unknown: list[str] = field(default_factory=list[str])


def no_memory() -> Memory:
    """Returns an empty memory, for the start of a network."""
    return Memory(unpadded=WeakTensorKeyDictionary(), products=WeakTensorKeyDictionary())


@contextmanager
def record_operations(memory: Memory) -> Generator[Record, None, None]:
    """Yields a record that holds, at the end of the block, the operations done inside it.

    `memory` carries paddings and products from one block to the next.
    """
    recorder = _Recorder(memory)
    with recorder, FlopCounterMode(display=False) as torch_counter:
        yield recorder.record
    missed_macs = torch_counter.get_total_flops() // 2 - recorder.known_to_torch
    if missed_macs > 0:
        recorder.record.operations.append(OtherProduct(macs=missed_macs))


class _Recorder(TorchDispatchMode):
    """Records the operations that `geometry` knows, the paddings and the products, while it is active."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.record = Record()
        self.memory = memory
        self.known_to_torch = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in _PADDINGS:
            before = self.memory.unpadded.get(args[0], args[0].shape)
            self.memory.unpadded[result] = tuple(map(min, before, result.shape))  # a negative padding crops
        operations = _operations_of(packet, args, result, self.memory.unpadded)
        self.known_to_torch += sum(macs(operation) for operation in operations)
        if not operations:
            operations = products_of(packet, args, result, self.memory.products)
        self.record.operations.extend(operations)
        if not operations and has_unknown_work(func):
            self.record.unknown.append(func.name().replace("::", "."))
        return result


def _operations_of(
    packet: Any, args: Sequence[Any], result: Any, unpadded: Mapping[torch.Tensor, Shape]
) -> list[Operation]:
    """Returns the operation of a call that torch's counter knows, once for each sample; also of a pooling."""
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
    return _pooling_of(packet, args, result, unpadded)


def _pooling_of(
    packet: Any, args: Sequence[Any], result: Any, unpadded: Mapping[torch.Tensor, Shape]
) -> list[Operation]:
    """Returns the pooling of a torch call; empty where it is none.

    The kernel of an adaptive pooling is the input size divided by the output size, rounded up.
    """
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
    """Returns whether a mean runs over all axes but batch and channel, which is a global pooling."""
    return (
        source.ndim > 3 and axes is not None and sorted(axis % source.ndim for axis in axes) == [*range(2, source.ndim)]
    )
