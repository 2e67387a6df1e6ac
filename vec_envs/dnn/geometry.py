"""The operations that do the work of a network, with their sizes, and how they compose into logical layers.

An *operation* is a convolution, pooling or matrix product with all the sizes that counting its work needs. A *step* is
one or several operations whose input shape is not yet known: a function from this shape to a `Stage`.

Activation, normalisation, dropout and flattening are not operations. The parameters of a normalisation are counted
with the convolution before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Shape: TypeAlias = tuple[int, ...]
"""The shape of a sample without a batch axis: (channels, *size), (tokens, features), or (features,) once flattened."""

Padding: TypeAlias = int | tuple[int, int]
"""The number of values added at each end of a spatial axis, or a pair: the numbers added before and after."""


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution over any number of spatial axes."""

    in_channels: int
    out_channels: int
    kernel: Shape
    input_size: Shape
    output_size: Shape
    groups: int = 1

    @property
    def in_channels_per_group(self) -> int:
        """The number of channels that one output value reads."""
        return self.in_channels // self.groups

    def __str__(self) -> str:
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        source, target = _by((self.in_channels, *self.input_size)), _by((self.out_channels, *self.output_size))
        return f"convolution {source} -> {target}, kernel {_by(self.kernel)}{groups}"


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """Maximum or average pooling over any number of spatial axes."""

    channels: int
    kernel: Shape
    input_size: Shape
    output_size: Shape

    def __str__(self) -> str:
        source, target = _by((self.channels, *self.input_size)), _by((self.channels, *self.output_size))
        return f"pooling {source} -> {target}, kernel {_by(self.kernel)}"


@dataclass(frozen=True, kw_only=True)
class MatrixProduct:
    """A fully connected layer, applied at `positions` positions (tokens, heads) of one sample."""

    in_features: int
    out_features: int
    positions: int = 1

    def __str__(self) -> str:
        positions = f" at {self.positions} positions" if self.positions > 1 else ""
        return f"fully connected {self.in_features} -> {self.out_features}{positions}"


@dataclass(frozen=True, kw_only=True)
class OtherProduct:
    """An operation of unknown shape, with its number of multiply-accumulates."""

    macs: int

    def __str__(self) -> str:
        return f"other, {self.macs} multiply-accumulates"


Operation: TypeAlias = Convolution | Pooling | MatrixProduct | OtherProduct


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step for a known input shape: its operations, its number of parameters and the shape of its output."""

    operations: tuple[Operation, ...]
    output_shape: Shape
    parameters: int


Step: TypeAlias = Callable[[Shape], Stage]


def convolution(
    out_channels: int,
    kernel: int | Shape,
    *,
    stride: int = 1,
    padding: Padding | Literal["same"] = 0,
    groups: int = 1,
    bias: bool = True,
    batch_norm: bool = False,
) -> Step:
    """Returns a convolution with a bias, or with a batch normalisation (scale and shift) instead of the bias.

    Args:
        out_channels: The number of its output channels.
        kernel: The size of the kernel: one number for a square, or a number for each spatial axis.
        stride: The distance of two positions of the kernel.
        padding: What is added at the ends of each axis. "same" adds half the kernel, which must be odd.
        groups: The number of groups of channels.
        bias: Whether it has a bias, if it has no batch normalisation.
        batch_norm: Whether a batch normalisation follows.
    """

    def step(shape: Shape) -> Stage:
        in_channels, *size = shape
        sides = (kernel,) * len(size) if isinstance(kernel, int) else kernel
        paddings = [side // 2 if padding == "same" else padding for side in sides]
        windows = zip(size, sides, paddings, strict=True)
        operation = Convolution(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel=sides,
            input_size=tuple(size),
            output_size=tuple(_num_positions(extent, side, stride, added) for extent, side, added in windows),
            groups=groups,
        )
        weights = out_channels * operation.in_channels_per_group * math.prod(operation.kernel)
        affine = 2 * out_channels if batch_norm else out_channels * bias
        output_shape = (out_channels, *operation.output_size)
        return Stage(operations=(operation,), output_shape=output_shape, parameters=weights + affine)

    return step


def pooling(kernel: int, *, stride: int, padding: Padding = 0) -> Step:
    """Returns a square pooling. `padding=(0, stride - 1)` rounds the size of its output up instead of down."""

    def step(shape: Shape) -> Stage:
        channels, *size = shape
        output_size = tuple(_num_positions(extent, kernel, stride, padding) for extent in size)
        return _pooled(shape, kernel=(kernel,) * len(size), output_shape=(channels, *output_size))

    return step


def global_pooling() -> Step:
    """Returns a pooling over the whole of each channel."""

    def step(shape: Shape) -> Stage:
        channels, *size = shape
        return _pooled(shape, kernel=tuple(size), output_shape=(channels, *(1 for _ in size)))

    return step


def fully_connected(out_features: int) -> Step:
    """Returns a fully connected layer with a bias, which flattens its input."""

    def step(shape: Shape) -> Stage:
        in_features = math.prod(shape)
        operation = MatrixProduct(in_features=in_features, out_features=out_features)
        parameters = (in_features + 1) * out_features
        return Stage(operations=(operation,), output_shape=(out_features,), parameters=parameters)

    return step


def normalisation() -> Step:
    """Returns a batch normalisation (scale and shift) that does not follow a convolution. It counts no work."""
    return lambda shape: Stage(operations=(), output_shape=shape, parameters=2 * shape[0])


def sequence(*steps: Step) -> Step:
    """Returns a step that applies the given steps one after the other."""

    def step(shape: Shape) -> Stage:
        stages: list[Stage] = []
        for inner in steps:
            stages.append(inner(stages[-1].output_shape if stages else shape))
        return Stage(
            operations=tuple(operation for stage in stages for operation in stage.operations),
            output_shape=stages[-1].output_shape if stages else shape,
            parameters=sum(stage.parameters for stage in stages),
        )

    return step


def residual(body: Step, *, stride: int = 1) -> Step:
    """Returns a residual block.

    Where the body changes the shape, the shortcut is a 1x1 convolution with `stride` and a batch normalisation. The
    addition counts no work. The step raises `ValueError` if body and shortcut have different output shapes.
    """

    def step(shape: Shape) -> Stage:
        main = body(shape)
        if main.output_shape == shape:
            return main
        shortcut = convolution(main.output_shape[0], 1, stride=stride, batch_norm=True)(shape)
        if shortcut.output_shape != main.output_shape:
            raise ValueError(
                f"the shortcut must have the body's output shape, {_by(main.output_shape)}; "
                f"got {_by(shortcut.output_shape)} with stride {stride}"
            )
        return Stage(
            operations=main.operations + shortcut.operations,
            output_shape=main.output_shape,
            parameters=main.parameters + shortcut.parameters,
        )

    return step


def concatenation(*branches: Step) -> Step:
    """Returns a step whose branches read the same input; their outputs are joined along the channels.

    `sequence()` is a branch that passes its input on. The step raises `ValueError` if the outputs differ in size.
    """

    def step(shape: Shape) -> Stage:
        stages = [branch(shape) for branch in branches]
        sizes = {stage.output_shape[1:] for stage in stages}
        if len(sizes) > 1:
            outputs = ", ".join(_by(stage.output_shape) for stage in stages)
            raise ValueError(f"the outputs of branches must have the same height and width, got {outputs}")
        return Stage(
            operations=tuple(operation for stage in stages for operation in stage.operations),
            output_shape=(sum(stage.output_shape[0] for stage in stages), *sizes.pop()),
            parameters=sum(stage.parameters for stage in stages),
        )

    return step


def gate(body: Step) -> Step:
    """Returns a step that multiplies its input by the output of `body`. The multiplication counts no work."""

    def step(shape: Shape) -> Stage:
        return replace(body(shape), output_shape=shape)

    return step


def _pooled(shape: Shape, *, kernel: Shape, output_shape: Shape) -> Stage:
    operation = Pooling(channels=shape[0], kernel=kernel, input_size=shape[1:], output_size=output_shape[1:])
    return Stage(operations=(operation,), output_shape=output_shape, parameters=0)


def _num_positions(extent: int, kernel: int, stride: int, padding: Padding) -> int:
    """Returns the number of positions of a sliding window along one axis."""
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    positions = (before + extent + after - kernel) // stride + 1
    if positions < 1:
        raise ValueError(f"a kernel of {kernel} does not fit into {extent} values with padding {padding}")
    return positions


def _by(sizes: Shape) -> str:
    return "x".join(str(size) for size in sizes)
