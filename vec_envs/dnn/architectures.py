"""The library's networks, written down layer by layer.

To add one: write its layers as (name, step) pairs, add an `Architecture` to `ARCHITECTURES`, and run
`python -m vec_envs.dnn.build_library`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from vec_envs.dnn.geometry import (
    Shape,
    Stage,
    Step,
    convolution,
    fully_connected,
    global_pooling,
    pooling,
    residual,
    sequence,
)

NamedSteps: TypeAlias = tuple[tuple[str, Step], ...]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network as named logical layers, and where its shape comes from."""

    name: str
    sources: tuple[str, ...]
    input_shape: Shape
    layers: NamedSteps

    def stages(self) -> tuple[tuple[str, Stage], ...]:
        """Each layer's name and what it comes to at this input shape."""
        stages: list[tuple[str, Stage]] = []
        shape = self.input_shape
        for name, step in self.layers:
            stage = step(shape)
            stages.append((name, stage))
            shape = stage.output_shape
        return tuple(stages)


def alexnet_layers() -> NamedSteps:
    """AlexNet on one device: 11 layers."""
    return (
        ("conv1", convolution(64, 11, stride=4, padding=2)),
        ("pool1", pooling(3, stride=2)),
        ("conv2", convolution(192, 5, padding=2)),
        ("pool2", pooling(3, stride=2)),
        ("conv3", convolution(384, 3, padding=1)),
        ("conv4", convolution(256, 3, padding=1)),
        ("conv5", convolution(256, 3, padding=1)),
        ("pool5", pooling(3, stride=2)),
        *_classifier(first=6),
    )


def vgg16_layers() -> NamedSteps:
    """VGG with 13 convolutions in five groups: 21 layers."""
    layers: list[tuple[str, Step]] = []
    for group, (channels, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        layers += [(f"conv{group}_{index + 1}", convolution(channels, 3, padding=1)) for index in range(depth)]
        layers.append((f"pool{group}", pooling(2, stride=2)))
    return (*layers, *_classifier(first=6))


@runtime_checkable
class ResidualBlock(Protocol):
    """A family of residual blocks by width; the block divides height and width by its stride."""

    def __call__(self, channels: int, *, stride: int) -> Step: ...


def basic_block(channels: int, *, stride: int) -> Step:
    """Two 3x3 convolutions and a shortcut."""
    body = sequence(
        convolution(channels, 3, stride=stride, padding=1, batch_norm=True),
        convolution(channels, 3, padding=1, batch_norm=True),
    )
    return residual(body, stride=stride)


def bottleneck(channels: int, *, stride: int) -> Step:
    """1x1, 3x3 and 1x1 convolutions, the last four times as wide; torchvision's stride, in the 3x3."""
    return _bottleneck(channels, first_stride=1, second_stride=stride)


def original_bottleneck(channels: int, *, stride: int) -> Step:
    """The same block with the stride where its authors had it, in the first 1x1."""
    return _bottleneck(channels, first_stride=stride, second_stride=1)


def resnet_layers(block: ResidualBlock, depths: Sequence[int]) -> NamedSteps:
    """A ResNet of `depths[s]` blocks in stage s: 4 + sum(depths) layers. 18 is (2, 2, 2, 2) of `basic_block`."""
    blocks = tuple(
        (f"layer{stage + 1}.{index}", block(64 * 2**stage, stride=2 if stage and not index else 1))
        for stage, depth in enumerate(depths)
        for index in range(depth)
    )
    return (
        ("conv1", convolution(64, 7, stride=2, padding=3, batch_norm=True)),
        ("maxpool", pooling(3, stride=2, padding=1)),
        *blocks,
        ("avgpool", global_pooling()),
        ("fc", fully_connected(1000)),
    )


def _bottleneck(channels: int, *, first_stride: int, second_stride: int) -> Step:
    body = sequence(
        convolution(channels, 1, stride=first_stride, batch_norm=True),
        convolution(channels, 3, stride=second_stride, padding=1, batch_norm=True),
        convolution(4 * channels, 1, batch_norm=True),
    )
    return residual(body, stride=first_stride * second_stride)


def _classifier(*, first: int) -> NamedSteps:
    """Two hidden layers and a thousand classes, the head that AlexNet and VGG share."""
    return tuple((f"fc{first + index}", fully_connected(width)) for index, width in enumerate((4096, 4096, 1000)))


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        name="alexnet",
        sources=(
            'A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, arXiv:1404.5997',
            "torchvision.models.alexnet",
        ),
        input_shape=(3, 224, 224),
        layers=alexnet_layers(),
    ),
    Architecture(
        name="resnet18",
        sources=(
            'K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, '
            "arXiv:1512.03385",
            "torchvision.models.resnet18",
        ),
        input_shape=(3, 224, 224),
        layers=resnet_layers(basic_block, (2, 2, 2, 2)),
    ),
    Architecture(
        name="vgg16",
        sources=(
            'K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", '
            "ICLR 2015, arXiv:1409.1556, configuration D",
            "torchvision.models.vgg16",
        ),
        input_shape=(3, 224, 224),
        layers=vgg16_layers(),
    ),
)
