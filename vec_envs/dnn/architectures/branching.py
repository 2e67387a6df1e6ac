"""Networks whose blocks have several branches: GoogLeNet, Inception-v3, DenseNet and SqueezeNet.

A block cannot be cut where several of its branches are alive, so most blocks are one layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps
from vec_envs.dnn.geometry import (
    Shape,
    Step,
    concatenation,
    convolution,
    fully_connected,
    global_pooling,
    normalisation,
    pooling,
    sequence,
)

_GOOGLENET_MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""(1x1, before 3x3, 3x3, before 5x5, 5x5, after pooling) channels: Table 1 of the paper that `NETWORKS` cites."""


def googlenet_layers() -> NamedSteps:
    """Returns the 18 layers of GoogLeNet without its auxiliary classifiers. Its poolings round their size up."""
    halved = pooling(3, stride=2, padding=(0, 1))
    layers: list[tuple[str, Step]] = [
        ("conv1", convolution(64, 7, stride=2, padding=3)),
        ("pool1", halved),
        ("conv2.reduce", convolution(64, 1)),
        ("conv2", convolution(192, 3, padding=1)),
        ("pool2", halved),
    ]
    for name, widths in _GOOGLENET_MODULES.items():
        layers.append((f"inception{name}", _googlenet_module(*widths)))
        if name in ("3b", "4e"):
            layers.append((f"pool{name[0]}", halved))
    return (*layers, ("avgpool", global_pooling()), ("fc", fully_connected(1000)))


def _googlenet_module(direct: int, reduce3: int, width3: int, reduce5: int, width5: int, pooled: int) -> Step:
    return concatenation(
        convolution(direct, 1),
        sequence(convolution(reduce3, 1), convolution(width3, 3, padding=1)),
        sequence(convolution(reduce5, 1), convolution(width5, 5, padding=2)),
        sequence(pooling(3, stride=1, padding=1), convolution(pooled, 1)),
    )


def inceptionv3_layers() -> NamedSteps:
    """Returns the 20 layers of Inception-v3 without its auxiliary classifier."""
    return (
        ("conv1", _convolutions((32, 3), stride=2, padding=0)),
        ("conv2", _convolutions((32, 3), padding=0)),
        ("conv3", _convolutions((64, 3))),
        ("pool1", pooling(3, stride=2)),
        ("conv4", _convolutions((80, 1))),
        ("conv5", _convolutions((192, 3), padding=0)),
        ("pool2", pooling(3, stride=2)),
        *((f"mixed{number}", _inception_35x35(width)) for number, width in enumerate((32, 64, 64), start=1)),
        ("mixed4", _inception_halving((), ((64, 1), (96, 3)), widths=(384, 96))),
        *((f"mixed{number}", _inception_17x17(width)) for number, width in enumerate((128, 160, 160, 192), start=5)),
        ("mixed9", _inception_halving(((192, 1),), ((192, 1), (192, (1, 7)), (192, (7, 1))), widths=(320, 192))),
        ("mixed10", _inception_8x8()),
        ("mixed11", _inception_8x8()),
        ("avgpool", global_pooling()),
        ("fc", fully_connected(1000)),
    )


def _convolutions(*parts: tuple[int, int | Shape], stride: int = 1, padding: int | None = None) -> Step:
    """Returns convolutions of (channels, kernel) in a row, each with a normalisation. They keep the size by default."""
    added = "same" if padding is None else padding
    return sequence(
        *(convolution(width, kernel, stride=stride, padding=added, batch_norm=True) for width, kernel in parts)
    )


def _pooled(width: int) -> Step:
    return sequence(pooling(3, stride=1, padding=1), _convolutions((width, 1)))


def _inception_35x35(pooled: int) -> Step:
    return concatenation(
        _convolutions((64, 1)),
        _convolutions((48, 1), (64, 5)),
        _convolutions((64, 1), (96, 3), (96, 3)),
        _pooled(pooled),
    )


def _inception_17x17(width: int) -> Step:
    row, column = (1, 7), (7, 1)
    return concatenation(
        _convolutions((192, 1)),
        _convolutions((width, 1), (width, row), (192, column)),
        _convolutions((width, 1), (width, column), (width, row), (width, column), (192, row)),
        _pooled(192),
    )


def _inception_8x8() -> Step:
    pair = concatenation(_convolutions((384, (1, 3))), _convolutions((384, (3, 1))))
    return concatenation(
        _convolutions((320, 1)),
        sequence(_convolutions((384, 1)), pair),
        sequence(_convolutions((448, 1), (384, 3)), pair),
        _pooled(192),
    )


def _inception_halving(*branches: Sequence[tuple[int, int | Shape]], widths: Sequence[int]) -> Step:
    """Returns branches that each end in a 3x3 convolution of stride 2, beside a pooling of stride 2."""
    ends = (_convolutions((width, 3), stride=2, padding=0) for width in widths)
    return concatenation(
        *(sequence(_convolutions(*branch), end) for branch, end in zip(branches, ends, strict=True)),
        pooling(3, stride=2),
    )


def densenet_layers(depths: Sequence[int], *, growth: int) -> NamedSteps:
    """Returns the layers of a DenseNet for 1000 classes, with `depths[b]` dense layers in block b.

    A dense layer joins its output to its input, so a cut after it sends all channels so far as one tensor.
    """
    layers: list[tuple[str, Step]] = [
        ("conv1", convolution(2 * growth, 7, stride=2, padding=3, batch_norm=True)),
        ("pool1", pooling(3, stride=2, padding=1)),
    ]
    channels = 2 * growth
    for block, depth in enumerate(depths, start=1):
        layers += [(f"block{block}.{number}", _dense_layer(growth)) for number in range(1, depth)]
        layers.append((f"block{block}.{depth}", sequence(_dense_layer(growth), normalisation())))
        channels = (channels + depth * growth) // 2
        if block < len(depths):
            layers.append((f"transition{block}.conv", convolution(channels, 1, bias=False)))
            layers.append((f"transition{block}.pool", pooling(2, stride=2)))
    return (*layers, ("avgpool", global_pooling()), ("fc", fully_connected(1000)))


def _dense_layer(growth: int) -> Step:
    new = sequence(
        normalisation(),
        convolution(4 * growth, 1, batch_norm=True),
        convolution(growth, 3, padding=1, bias=False),
    )
    return concatenation(sequence(), new)


def squeezenet_layers() -> NamedSteps:
    """Returns the 22 layers of SqueezeNet 1.1, which can be cut in the middle of a fire module.

    Its poolings round their size up.
    """
    halved = pooling(3, stride=2, padding=(0, 1))
    layers: list[tuple[str, Step]] = [("conv1", convolution(64, 3, stride=2)), ("pool1", halved)]
    for number, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
        expanded = concatenation(convolution(4 * squeezed, 1), convolution(4 * squeezed, 3, padding=1))
        layers += [(f"fire{number}.squeeze", convolution(squeezed, 1)), (f"fire{number}.expand", expanded)]
        if number in (3, 5):
            layers.append((f"pool{number}", halved))
    return (*layers, ("conv10", convolution(1000, 1)), ("avgpool", global_pooling()))


NETWORKS = (
    Architecture(
        name="googlenet",
        sources=(
            'C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, arXiv:1409.4842, Table 1',
            "Caffe model zoo, bvlc_googlenet: https://github.com/BVLC/caffe/tree/master/models/bvlc_googlenet",
        ),
        input_shape=(3, 224, 224),
        layers=googlenet_layers(),
    ),
    Architecture(
        name="inceptionv3",
        sources=(
            'C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception architecture for '
            'computer vision", CVPR 2016, arXiv:1512.00567',
            "torchvision.models.inception_v3",
        ),
        input_shape=(3, 299, 299),
        layers=inceptionv3_layers(),
    ),
    Architecture(
        name="densenet121",
        sources=(
            'G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely connected convolutional networks", '
            "CVPR 2017, arXiv:1608.06993, Table 1",
            "torchvision.models.densenet121",
        ),
        input_shape=(3, 224, 224),
        layers=densenet_layers((6, 12, 24, 16), growth=32),
    ),
    Architecture(
        name="squeezenet11",
        sources=(
            'F. N. Iandola, S. Han, M. W. Moskewicz, K. Ashraf, W. J. Dally, K. Keutzer, "SqueezeNet: AlexNet-level '
            'accuracy with 50x fewer parameters and <0.5MB model size", 2016, arXiv:1602.07360',
            "https://github.com/forresti/SqueezeNet, SqueezeNet_v1.1; torchvision.models.squeezenet1_1",
        ),
        input_shape=(3, 224, 224),
        layers=squeezenet_layers(),
    ),
)
