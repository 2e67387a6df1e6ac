"""The networks of the library, layer by layer.

To add a network, write its layers as (name, step) pairs, add an `Architecture` to `ARCHITECTURES`, and run
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

_MOBILENETV2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""(expansion, channels, blocks, stride of the first block): Table 2 of the paper that `ARCHITECTURES` cites."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network as named logical layers, with the sources of its layers and shapes."""

    name: str
    sources: tuple[str, ...]
    input_shape: Shape
    layers: NamedSteps

    def stages(self) -> tuple[tuple[str, Stage], ...]:
        """Returns the name and the stage of each layer, at the network's input shape."""
        stages: list[tuple[str, Stage]] = []
        shape = self.input_shape
        for name, step in self.layers:
            stage = step(shape)
            stages.append((name, stage))
            shape = stage.output_shape
        return tuple(stages)


def alexnet_layers() -> NamedSteps:
    """Returns the 11 layers of AlexNet, in its version for a single GPU."""
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
    """Returns the 21 layers of VGG16: 13 convolutions in five groups, five poolings and the classifier."""
    layers: list[tuple[str, Step]] = []
    for group, (channels, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        layers += [(f"conv{group}_{index + 1}", convolution(channels, 3, padding=1)) for index in range(depth)]
        layers.append((f"pool{group}", pooling(2, stride=2)))
    return (*layers, *_classifier(first=6))


def nin_layers() -> NamedSteps:
    """Returns the 16 layers of Network in Network.

    It has four convolutions, each followed by two 1x1 convolutions and a pooling, and no fully connected layer. It was
    trained in Caffe, which rounds the output size of a pooling up. This enlarges the output of the first pooling.
    """
    rounded_up = pooling(3, stride=2, padding=(0, 1))
    groups = (
        (convolution(96, 11, stride=4), (96, 96), rounded_up),
        (convolution(256, 5, padding=2), (256, 256), rounded_up),
        (convolution(384, 3, padding=1), (384, 384), rounded_up),
        (convolution(1024, 3, padding=1), (1024, 1000), global_pooling()),
    )
    layers: list[tuple[str, Step]] = []
    for group, (first, widths, pool) in enumerate(groups, start=1):
        layers.append((f"conv{group}", first))
        layers += [(f"cccp{2 * group - 1 + index}", convolution(width, 1)) for index, width in enumerate(widths)]
        layers.append((f"pool{group}", pool))
    return tuple(layers)


def tinyyolov2_layers() -> NamedSteps:
    """Returns the 15 layers of Tiny YOLOv2 for Pascal VOC, with 5 boxes of 4 + 1 + 20 numbers for each cell.

    The last pooling keeps the size, since its input is padded on one side.
    """
    layers: list[tuple[str, Step]] = []
    for number, channels in enumerate((16, 32, 64, 128, 256, 512), start=1):
        last = channels == 512
        layers.append((f"conv{number}", convolution(channels, 3, padding=1, batch_norm=True)))
        layers.append((f"pool{number}", pooling(2, stride=1, padding=(0, 1)) if last else pooling(2, stride=2)))
    return (
        *layers,
        ("conv7", convolution(1024, 3, padding=1, batch_norm=True)),
        ("conv8", convolution(1024, 3, padding=1, batch_norm=True)),
        ("conv9", convolution(125, 1)),
    )


def mobilenetv2_layers() -> NamedSteps:
    """Returns the 34 layers of MobileNetV2 of width 1.

    A block without a shortcut is several layers, because it can be cut between its convolutions.
    """
    layers: list[tuple[str, Step]] = [("conv1", convolution(32, 3, stride=2, padding=1, batch_norm=True))]
    in_channels, number = 32, 0
    for expansion, channels, depth, first_stride in _MOBILENETV2_STAGES:
        for stride in (first_stride, *(1,) * (depth - 1)):
            number += 1
            steps = _inverted_bottleneck(in_channels, channels, expansion=expansion, stride=stride)
            if stride == 1 and in_channels == channels:
                layers.append((f"block{number}", residual(sequence(*(step for _, step in steps)))))
            else:
                layers += [(f"block{number}.{part}", step) for part, step in steps]
            in_channels = channels
    return (
        *layers,
        ("conv2", convolution(1280, 1, batch_norm=True)),
        ("avgpool", global_pooling()),
        ("fc", fully_connected(1000)),
    )


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


def _inverted_bottleneck(in_channels: int, channels: int, *, expansion: int, stride: int) -> NamedSteps:
    """Returns the convolutions of a block of MobileNetV2.

    The first, 1x1, widens the input by `expansion`; there is none if that is 1. The second is 3x3 on each channel. The
    third, 1x1, has `channels` output channels.
    """
    hidden = expansion * in_channels
    expand = ("expand", convolution(hidden, 1, batch_norm=True))
    return (
        *((expand,) if expansion > 1 else ()),
        ("depthwise", convolution(hidden, 3, stride=stride, padding=1, groups=hidden, batch_norm=True)),
        ("project", convolution(channels, 1, batch_norm=True)),
    )


def _classifier(*, first: int) -> NamedSteps:
    """Returns the classifier of AlexNet and VGG: two hidden layers and an output layer for 1000 classes."""
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
        name="mobilenetv2",
        sources=(
            'M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, "MobileNetV2: inverted residuals and linear '
            'bottlenecks", CVPR 2018, arXiv:1801.04381, Table 2',
            "torchvision.models.mobilenet_v2",
        ),
        input_shape=(3, 224, 224),
        layers=mobilenetv2_layers(),
    ),
    Architecture(
        name="nin",
        sources=(
            'M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014, arXiv:1312.4400',
            "Caffe model zoo, NIN-Imagenet: https://gist.github.com/mavenlin/d802a5849de39225bcc6 "
            "(its first pooling is called pool0 there; Caffe rounds the size of a pooling up)",
        ),
        input_shape=(3, 224, 224),
        layers=nin_layers(),
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
        name="resnet50",
        sources=(
            'K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, '
            "arXiv:1512.03385",
            "torchvision.models.resnet50 (the stride of a block in its 3x3 convolution)",
        ),
        input_shape=(3, 224, 224),
        layers=resnet_layers(bottleneck, (3, 4, 6, 3)),
    ),
    Architecture(
        name="tinyyolov2",
        sources=(
            'J. Redmon, A. Farhadi, "YOLO9000: better, faster, stronger", CVPR 2017, arXiv:1612.08242',
            "darknet, cfg/yolov2-tiny-voc.cfg: https://github.com/pjreddie/darknet",
        ),
        input_shape=(3, 416, 416),
        layers=tinyyolov2_layers(),
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
