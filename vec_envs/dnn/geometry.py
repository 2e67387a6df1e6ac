"""Shapes: the operations that do the work of a network, and how they compose into logical layers.

An *operation* is a convolution, pooling or matrix product with its sizes filled in: all that
counting its work needs. A *step* is the same thing before its input is known: a function from the
shape of its input to a `Stage`. Activation, normalisation, dropout and flattening are not operations;
a normalisation's parameters are counted with the convolution it follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
"""One sample without its batch axis: (channels, *size), or (features,) once flattened."""

Padding: TypeAlias = int | tuple[int, int]
"""Values added at both ends of each spatial axis, or a pair: before it and after it."""


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
        """Channels that one output value reads."""
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
    """A fully connected layer, applied at `positions` places (tokens, heads) of one sample."""

    in_features: int
    out_features: int
    positions: int = 1

    def __str__(self) -> str:
        positions = f" at {self.positions} positions" if self.positions > 1 else ""
        return f"fully connected {self.in_features} -> {self.out_features}{positions}"


@dataclass(frozen=True, kw_only=True)
class OtherProduct:
    """Work of no shape known here, of which only the multiply-accumulates were counted."""

    macs: int

    def __str__(self) -> str:
        return f"other, {self.macs} multiply-accumulates"


Operation: TypeAlias = Convolution | Pooling | MatrixProduct | OtherProduct


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a step came to: its operations, its number of parameters and the shape it hands on."""

    operations: tuple[Operation, ...]
    output_shape: Shape
    parameters: int


Step: TypeAlias = Callable[[Shape], Stage]


def convolution(
    out_channels: int, kernel: int, *, stride: int = 1, padding: Padding = 0, groups: int = 1, batch_norm: bool = False
) -> Step:
    """A square convolution with a bias, or with a batch normalisation (scale and shift) in place of the bias."""

    def step(shape: Shape) -> Stage:
        in_channels, *size = shape
        operation = Convolution(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel=(kernel,) * len(size),
            input_size=tuple(size),
            output_size=tuple(_slid(extent, kernel, stride, padding) for extent in size),
            groups=groups,
        )
        weights = out_channels * operation.in_channels_per_group * math.prod(operation.kernel)
        affine = 2 * out_channels if batch_norm else out_channels
        output_shape = (out_channels, *operation.output_size)
        return Stage(operations=(operation,), output_shape=output_shape, parameters=weights + affine)

    return step


def pooling(kernel: int, *, stride: int, padding: Padding = 0) -> Step:
    """A square pooling. With `padding=(0, stride - 1)` the size of its output is rounded up instead of down."""

    def step(shape: Shape) -> Stage:
        channels, *size = shape
        output_size = tuple(_slid(extent, kernel, stride, padding) for extent in size)
        return _pooled(shape, kernel=(kernel,) * len(size), output_shape=(channels, *output_size))

    return step


def global_pooling() -> Step:
    """A pooling over the whole of each channel."""

    def step(shape: Shape) -> Stage:
        channels, *size = shape
        return _pooled(shape, kernel=tuple(size), output_shape=(channels, *(1 for _ in size)))

    return step


def fully_connected(out_features: int) -> Step:
    """A fully connected layer with a bias; it flattens what it is given."""

    def step(shape: Shape) -> Stage:
        in_features = math.prod(shape)
        operation = MatrixProduct(in_features=in_features, out_features=out_features)
        parameters = (in_features + 1) * out_features
        return Stage(operations=(operation,), output_shape=(out_features,), parameters=parameters)

    return step


def sequence(*steps: Step) -> Step:
    """Steps one after the other, as one step."""

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
    """A residual block; where the body changes the shape the shortcut is a 1x1 convolution with `stride`.

    The shortcut carries a batch normalisation; the addition costs nothing. Raises ValueError when
    body and shortcut end in different shapes.
    """

    def step(shape: Shape) -> Stage:
        main = body(shape)
        if main.output_shape == shape:
            return main
        shortcut = convolution(main.output_shape[0], 1, stride=stride, batch_norm=True)(shape)
        if shortcut.output_shape != main.output_shape:
            raise ValueError(
                f"shortcut of stride {stride} ends in {_by(shortcut.output_shape)}; "
                f"it must end in {_by(main.output_shape)} as the body does"
            )
        return Stage(
            operations=main.operations + shortcut.operations,
            output_shape=main.output_shape,
            parameters=main.parameters + shortcut.parameters,
        )

    return step


def _pooled(shape: Shape, *, kernel: Shape, output_shape: Shape) -> Stage:
    operation = Pooling(channels=shape[0], kernel=kernel, input_size=shape[1:], output_size=output_shape[1:])
    return Stage(operations=(operation,), output_shape=output_shape, parameters=0)


def _slid(extent: int, kernel: int, stride: int, padding: Padding) -> int:
    """How many places a window has along one axis."""
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    places = (before + extent + after - kernel) // stride + 1
    if places < 1:
        raise ValueError(f"a kernel of {kernel} does not fit into {extent} values with padding {padding}")
    return places


def _by(sizes: Shape) -> str:
    return "x".join(str(size) for size in sizes)
