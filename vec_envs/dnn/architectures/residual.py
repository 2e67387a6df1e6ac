"""ResNets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps
from vec_envs.dnn.geometry import Step, convolution, fully_connected, global_pooling, pooling, residual, sequence


@runtime_checkable
class ResidualBlock(Protocol):
    """A function that makes a residual block of a width. The block divides height and width by its stride."""

    def __call__(self, channels: int, *, stride: int) -> Step: ...


def basic_block(channels: int, *, stride: int) -> Step:
    """Returns a residual block of two 3x3 convolutions."""
    body = sequence(
        convolution(channels, 3, stride=stride, padding=1, batch_norm=True),
        convolution(channels, 3, padding=1, batch_norm=True),
    )
    return residual(body, stride=stride)


def bottleneck(channels: int, *, stride: int) -> Step:
    """Returns a block of 1x1, 3x3 and 1x1 convolutions, the last four times as wide.

    As in torchvision, the 3x3 convolution has the stride.
    """
    return _bottleneck(channels, first_stride=1, second_stride=stride)


def original_bottleneck(channels: int, *, stride: int) -> Step:
    """Returns a `bottleneck` with the stride in the first 1x1 convolution, as its authors defined it."""
    return _bottleneck(channels, first_stride=stride, second_stride=1)


def resnet_layers(block: ResidualBlock, depths: Sequence[int]) -> NamedSteps:
    """Returns the 4 + sum(depths) layers of a ResNet with `depths[s]` blocks in stage s.

    ResNet18 has (2, 2, 2, 2) blocks of `basic_block`, and ResNet50 has (3, 4, 6, 3) of `bottleneck`.
    """
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


def _resnet(name: str, block: ResidualBlock, depths: Sequence[int], *, note: str = "") -> Architecture:
    return Architecture(
        name=name,
        sources=(
            'K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, '
            "arXiv:1512.03385",
            f"torchvision.models.{name}{note}",
        ),
        input_shape=(3, 224, 224),
        layers=resnet_layers(block, depths),
    )


_STRIDE = " (the stride of a block in its 3x3 convolution)"

NETWORKS = (
    _resnet("resnet18", basic_block, (2, 2, 2, 2)),
    _resnet("resnet34", basic_block, (3, 4, 6, 3)),
    _resnet("resnet50", bottleneck, (3, 4, 6, 3), note=_STRIDE),
    _resnet("resnet101", bottleneck, (3, 4, 23, 3), note=_STRIDE),
    _resnet("resnet152", bottleneck, (3, 8, 36, 3), note=_STRIDE),
)
