"""Networks for mobile devices, of depthwise convolutions: MobileNets and EfficientNet.

A block without a shortcut is several layers, because it can be cut between its convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps
from vec_envs.dnn.geometry import (
    Step,
    convolution,
    fully_connected,
    gate,
    global_pooling,
    residual,
    sequence,
)

_MOBILENETV1_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""(channels, stride): Table 1 of the paper that `NETWORKS` cites."""

_MOBILENETV2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""(expansion, channels, blocks, stride of the first block): Table 2 of the paper that `NETWORKS` cites."""

_MOBILENETV3_LARGE_BLOCKS = (
    (3, 16, 16, 0, 1),
    (3, 64, 24, 0, 2),
    (3, 72, 24, 0, 1),
    (5, 72, 40, 24, 2),
    (5, 120, 40, 32, 1),
    (5, 120, 40, 32, 1),
    (3, 240, 80, 0, 2),
    (3, 200, 80, 0, 1),
    (3, 184, 80, 0, 1),
    (3, 184, 80, 0, 1),
    (3, 480, 112, 120, 1),
    (3, 672, 112, 168, 1),
    (5, 672, 160, 168, 2),
    (5, 960, 160, 240, 1),
    (5, 960, 160, 240, 1),
)
"""(kernel, hidden channels, channels, squeezed channels, stride): Table 1 of the paper that `NETWORKS` cites.

The squeezed channels are a quarter of the hidden ones, rounded to a multiple of 8.
"""

_EFFICIENTNET_B0_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""(expansion, kernel, channels, blocks, stride of the first block): Table 1 of the paper that `NETWORKS` cites."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    """An inverted bottleneck: 1x1 to `hidden` channels, a convolution on each channel, a gate, and 1x1 to `channels`.

    Its first convolution is left out where it would not widen the input; `squeezed` 0 means no gate.
    """

    hidden: int
    channels: int
    kernel: int = 3
    stride: int = 1
    squeezed: int = 0

    def parts(self, in_channels: int) -> NamedSteps:
        """Returns the parts of the block between which a block without a shortcut can be cut."""
        expand = ("expand", convolution(self.hidden, 1, batch_norm=True))
        depthwise = convolution(
            self.hidden, self.kernel, stride=self.stride, padding="same", groups=self.hidden, batch_norm=True
        )
        weights = sequence(global_pooling(), convolution(self.squeezed, 1), convolution(self.hidden, 1))
        return (
            *((expand,) if self.hidden != in_channels else ()),
            ("depthwise", depthwise),
            *((("squeeze", gate(weights)),) if self.squeezed else ()),
            ("project", convolution(self.channels, 1, batch_norm=True)),
        )


def mobilenetv1_layers() -> NamedSteps:
    """Returns the 29 layers of MobileNetV1 of width 1."""
    layers: list[tuple[str, Step]] = [("conv1", _stem(32))]
    in_channels = 32
    for number, (channels, stride) in enumerate(_MOBILENETV1_BLOCKS, start=1):
        depthwise = convolution(in_channels, 3, stride=stride, padding=1, groups=in_channels, batch_norm=True)
        layers.append((f"block{number}.depthwise", depthwise))
        layers.append((f"block{number}.pointwise", convolution(channels, 1, batch_norm=True)))
        in_channels = channels
    return (*layers, ("avgpool", global_pooling()), ("fc", fully_connected(1000)))


def mobilenetv2_layers() -> NamedSteps:
    """Returns the 34 layers of MobileNetV2 of width 1."""
    stages = ((expansion, 3, channels, depth, stride) for expansion, channels, depth, stride in _MOBILENETV2_STAGES)
    return (("conv1", _stem(32)), *_blocks(32, _staged(32, stages, squeeze=False)), *_classifier(1280))


def mobilenetv3_large_layers() -> NamedSteps:
    """Returns the layers of MobileNetV3-Large of width 1."""
    blocks = (
        _Block(hidden=hidden, channels=channels, kernel=kernel, stride=stride, squeezed=squeezed)
        for kernel, hidden, channels, squeezed, stride in _MOBILENETV3_LARGE_BLOCKS
    )
    return (
        ("conv1", _stem(16)),
        *_blocks(16, blocks),
        ("conv2", convolution(960, 1, batch_norm=True)),
        ("avgpool", global_pooling()),
        ("fc1", fully_connected(1280)),
        ("fc2", fully_connected(1000)),
    )


def efficientnet_b0_layers() -> NamedSteps:
    """Returns the layers of EfficientNet-B0."""
    blocks = _staged(32, _EFFICIENTNET_B0_STAGES, squeeze=True)
    return (("conv1", _stem(32)), *_blocks(32, blocks), *_classifier(1280))


def _stem(channels: int) -> Step:
    return convolution(channels, 3, stride=2, padding=1, batch_norm=True)


def _staged(in_channels: int, stages: Iterable[tuple[int, int, int, int, int]], *, squeeze: bool) -> Iterator[_Block]:
    """Yields the blocks of stages, each (expansion, kernel, channels, blocks, stride of the first block).

    A gate squeezes to a quarter of the channels of its block's input.
    """
    for expansion, kernel, channels, depth, first_stride in stages:
        for stride in (first_stride, *(1,) * (depth - 1)):
            hidden, squeezed = expansion * in_channels, in_channels // 4 if squeeze else 0
            yield _Block(hidden=hidden, channels=channels, kernel=kernel, stride=stride, squeezed=squeezed)
            in_channels = channels


def _blocks(in_channels: int, blocks: Iterable[_Block]) -> NamedSteps:
    """Returns the layers of inverted bottlenecks: one for a block with a shortcut, and several for any other."""
    layers: list[tuple[str, Step]] = []
    for number, block in enumerate(blocks, start=1):
        steps = block.parts(in_channels)
        if block.stride == 1 and in_channels == block.channels:
            layers.append((f"block{number}", residual(sequence(*(step for _, step in steps)))))
        else:
            layers += [(f"block{number}.{part}", step) for part, step in steps]
        in_channels = block.channels
    return tuple(layers)


def _classifier(channels: int) -> NamedSteps:
    return (
        ("conv2", convolution(channels, 1, batch_norm=True)),
        ("avgpool", global_pooling()),
        ("fc", fully_connected(1000)),
    )


NETWORKS = (
    Architecture(
        name="mobilenetv1",
        sources=(
            'A. G. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision '
            'applications", 2017, arXiv:1704.04861, Table 1',
        ),
        input_shape=(3, 224, 224),
        layers=mobilenetv1_layers(),
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
        name="mobilenetv3large",
        sources=(
            'A. Howard et al., "Searching for MobileNetV3", ICCV 2019, arXiv:1905.02244, Table 1',
            "torchvision.models.mobilenet_v3_large",
        ),
        input_shape=(3, 224, 224),
        layers=mobilenetv3_large_layers(),
    ),
    Architecture(
        name="efficientnetb0",
        sources=(
            'M. Tan, Q. V. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, '
            "arXiv:1905.11946, Table 1",
            "torchvision.models.efficientnet_b0",
        ),
        input_shape=(3, 224, 224),
        layers=efficientnet_b0_layers(),
    ),
)
