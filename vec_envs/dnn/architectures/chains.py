"""Networks that are chains of convolutions, poolings and fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps
from vec_envs.dnn.geometry import Step, convolution, fully_connected, global_pooling, pooling


def lenet5_layers() -> NamedSteps:
    """Returns the 7 layers of LeNet-5, named as in its paper.

    As in most of today's versions, C3 reads all channels, poolings have no weights, and the output layer is linear. In
    the paper C3 reads some of the channels, and the output layer has radial basis functions.
    """
    return (
        ("c1", convolution(6, 5)),
        ("s2", pooling(2, stride=2)),
        ("c3", convolution(16, 5)),
        ("s4", pooling(2, stride=2)),
        ("c5", convolution(120, 5)),
        ("f6", fully_connected(84)),
        ("output", fully_connected(10)),
    )


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


def vgg_layers(depths: Sequence[int]) -> NamedSteps:
    """Returns the layers of a VGG: five groups of `depths` convolutions, each with a pooling, and the classifier."""
    layers: list[tuple[str, Step]] = []
    for group, (channels, depth) in enumerate(zip((64, 128, 256, 512, 512), depths, strict=True), start=1):
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


def _classifier(*, first: int) -> NamedSteps:
    """Returns the classifier of AlexNet and VGG: two hidden layers and an output layer for 1000 classes."""
    return tuple((f"fc{first + index}", fully_connected(width)) for index, width in enumerate((4096, 4096, 1000)))


def _vgg(name: str, depths: Sequence[int], *, configuration: str) -> Architecture:
    return Architecture(
        name=name,
        sources=(
            'K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", '
            f"ICLR 2015, arXiv:1409.1556, configuration {configuration}",
            f"torchvision.models.{name}",
        ),
        input_shape=(3, 224, 224),
        layers=vgg_layers(depths),
    )


NETWORKS = (
    Architecture(
        name="lenet5",
        sources=(
            'Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", '
            "Proceedings of the IEEE 86(11), 1998, Section II.B",
        ),
        input_shape=(1, 32, 32),
        layers=lenet5_layers(),
    ),
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
        name="nin",
        sources=(
            'M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014, arXiv:1312.4400',
            "Caffe model zoo, NIN-Imagenet: https://gist.github.com/mavenlin/d802a5849de39225bcc6 "
            "(its first pooling is called pool0 there; Caffe rounds the size of a pooling up)",
        ),
        input_shape=(3, 224, 224),
        layers=nin_layers(),
    ),
    _vgg("vgg16", (2, 2, 3, 3, 3), configuration="D"),
    _vgg("vgg19", (2, 2, 4, 4, 4), configuration="E"),
)
