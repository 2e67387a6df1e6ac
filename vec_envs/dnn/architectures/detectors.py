"""Detectors of objects: Tiny YOLOv2, Tiny YOLOv3, YOLOv5n and YOLOv8n.

All but Tiny YOLOv2 detect at several scales. Where features of an earlier scale are still needed, a cut would send
several tensors, so all that follows is one layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps
from vec_envs.dnn.geometry import Operation, Shape, Stage, Step, concatenation, convolution, pooling, sequence

_KEEPING_POOL = pooling(2, stride=1, padding=(0, 1))
"""A pooling that keeps the size, since its input is padded on one side."""


def tinyyolov2_layers() -> NamedSteps:
    """Returns the 15 layers of Tiny YOLOv2 for Pascal VOC, with 5 boxes of 4 + 1 + 20 numbers for each cell."""
    layers: list[tuple[str, Step]] = []
    for number, channels in enumerate((16, 32, 64, 128, 256, 512), start=1):
        last = channels == 512
        layers.append((f"conv{number}", convolution(channels, 3, padding=1, batch_norm=True)))
        layers.append((f"pool{number}", _KEEPING_POOL if last else pooling(2, stride=2)))
    return (
        *layers,
        ("conv7", convolution(1024, 3, padding=1, batch_norm=True)),
        ("conv8", convolution(1024, 3, padding=1, batch_norm=True)),
        ("conv9", convolution(125, 1)),
    )


def tinyyolov3_layers() -> NamedSteps:
    """Returns the 10 layers of Tiny YOLOv3 for COCO, with 3 boxes of 4 + 1 + 80 numbers for each cell of two scales."""
    layers: list[tuple[str, Step]] = []
    for number, channels in enumerate((16, 32, 64, 128), start=1):
        layers.append((f"conv{number}", _convolution(channels, 3)))
        layers.append((f"pool{number}", pooling(2, stride=2)))
    return (*layers, ("conv5", _convolution(256, 3)), ("head", _tinyyolov3_head))


def yolov5n_layers() -> NamedSteps:
    """Returns the 8 layers of YOLOv5n for COCO: those of its backbone before the first scale, and all the rest.

    A block has two branches, which one layer holds because they read the same tensor, and a convolution that joins
    them.
    """
    return (
        ("conv1", convolution(16, 6, stride=2, padding=2, batch_norm=True)),
        ("conv2", _convolution(32, 3, stride=2)),
        ("block1.branches", _branches(32, depth=1)),
        ("block1.conv", _convolution(32, 1)),
        ("conv3", _convolution(64, 3, stride=2)),
        ("block2.branches", _branches(64, depth=2)),
        ("block2.conv", _convolution(64, 1)),
        ("head", _yolov5n_rest),
    )


def yolov8n_layers() -> NamedSteps:
    """Returns the 10 layers of YOLOv8n for COCO: those of its backbone before the first scale, and all the rest."""
    return (
        ("conv1", _convolution(16, 3, stride=2)),
        ("conv2", _convolution(32, 3, stride=2)),
        ("block1.conv1", _convolution(32, 1)),
        ("block1.bottlenecks", _bottlenecks(32, depth=1)),
        ("block1.conv2", _convolution(32, 1)),
        ("conv3", _convolution(64, 3, stride=2)),
        ("block2.conv1", _convolution(64, 1)),
        ("block2.bottlenecks", _bottlenecks(64, depth=2)),
        ("block2.conv2", _convolution(64, 1)),
        ("head", _yolov8n_rest),
    )


class _Tally:
    """Adds up the operations and the parameters of steps that are applied to several tensors."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.parameters = 0

    def __call__(self, shape: Shape, *steps: Step) -> Shape:
        """Applies steps one after the other, and returns the shape of the output."""
        stage = sequence(*steps)(shape)
        self.operations += stage.operations
        self.parameters += stage.parameters
        return stage.output_shape

    def stage(self, output_shape: Shape) -> Stage:
        """Returns all steps as one stage."""
        return Stage(operations=tuple(self.operations), output_shape=output_shape, parameters=self.parameters)


def _convolution(channels: int, kernel: int, *, stride: int = 1) -> Step:
    return convolution(channels, kernel, stride=stride, padding="same", batch_norm=True)


def _joined(*shapes: Shape) -> Shape:
    """Returns the shape of tensors that are joined along their channels, at the size of the largest."""
    return (sum(shape[0] for shape in shapes), *max(shape[1:] for shape in shapes))


def _num_cells(shapes: Sequence[Shape]) -> int:
    return sum(height * width for _, height, width in shapes)


def _tinyyolov3_head(shape: Shape) -> Stage:
    """The layers after the fifth convolution, whose output the finer scale reads again."""
    tally = _Tally()
    deep = tally(shape, pooling(2, stride=2), _convolution(512, 3), _KEEPING_POOL, _convolution(1024, 3))
    deep = tally(deep, _convolution(256, 1))
    coarse = tally(deep, _convolution(512, 3), convolution(255, 1))
    fine = tally(_joined(tally(deep, _convolution(128, 1)), shape), _convolution(256, 3), convolution(255, 1))
    return tally.stage((_num_cells((coarse, fine)) * 3, 85))


def _bottlenecks(channels: int, *, depth: int) -> Step:
    """Returns bottlenecks on the second half of `channels`, each of which reads the one before; all are joined."""

    def step(shape: Shape) -> Stage:
        tally, half = _Tally(), (channels // 2, *shape[1:])
        parts: list[Shape] = [half, half]
        for _ in range(depth):
            parts.append(tally(parts[-1], _convolution(half[0], 3), _convolution(half[0], 3)))
        return tally.stage(_joined(*parts))

    return step


def _block(channels: int, *, depth: int) -> Step:
    return sequence(_convolution(channels, 1), _bottlenecks(channels, depth=depth), _convolution(channels, 1))


def _branches(channels: int, *, depth: int) -> Step:
    """Returns the two branches of a block, each of half the channels: bottlenecks in a row, and one convolution."""
    half = channels // 2
    bottlenecks = (step for _ in range(depth) for step in (_convolution(half, 1), _convolution(half, 3)))
    return concatenation(sequence(_convolution(half, 1), *bottlenecks), _convolution(half, 1))


def _joined_branches(channels: int, *, depth: int) -> Step:
    return sequence(_branches(channels, depth=depth), _convolution(channels, 1))


def _pyramid_pooling(channels: int) -> Step:
    """Returns three poolings in a row, each of which keeps the size, whose outputs are joined."""
    pool = pooling(5, stride=1, padding=2)
    again = sequence(pool, concatenation(sequence(), pool))
    pools = concatenation(sequence(), sequence(pool, concatenation(sequence(), again)))
    return sequence(_convolution(channels // 2, 1), pools, _convolution(channels, 1))


def _yolov5n_rest(shape: Shape) -> Stage:
    """The layers after the first scale: two more scales, their joining upwards and downwards, and the detection.

    Each cell of a scale has 3 boxes of 4 + 1 + 80 numbers.
    """
    tally = _Tally()
    middle = tally(shape, _convolution(128, 3, stride=2), _joined_branches(128, depth=3))
    deep = tally(middle, _convolution(256, 3, stride=2), _joined_branches(256, depth=1), _pyramid_pooling(256))
    deep = tally(deep, _convolution(128, 1))
    up = tally(_joined(deep, middle), _joined_branches(128, depth=1), _convolution(64, 1))
    fine = tally(_joined(up, shape), _joined_branches(64, depth=1))
    medium = tally(_joined(tally(fine, _convolution(64, 3, stride=2)), up), _joined_branches(128, depth=1))
    coarse = tally(_joined(tally(medium, _convolution(128, 3, stride=2)), deep), _joined_branches(256, depth=1))
    for scale in (fine, medium, coarse):
        tally(scale, convolution(3 * 85, 1))
    return tally.stage((_num_cells((fine, medium, coarse)) * 3, 85))


def _yolov8n_rest(shape: Shape) -> Stage:
    """The layers after the first scale: two more scales, their joining upwards and downwards, and the detection."""
    tally = _Tally()
    middle = tally(shape, _convolution(128, 3, stride=2), _block(128, depth=2))
    deep = tally(middle, _convolution(256, 3, stride=2), _block(256, depth=1), _pyramid_pooling(256))
    up = tally(_joined(deep, middle), _block(128, depth=1))
    fine = tally(_joined(up, shape), _block(64, depth=1))
    medium = tally(_joined(tally(fine, _convolution(64, 3, stride=2)), up), _block(128, depth=1))
    coarse = tally(_joined(tally(medium, _convolution(128, 3, stride=2)), deep), _block(256, depth=1))
    for scale in (fine, medium, coarse):
        tally(scale, _convolution(64, 3), _convolution(64, 3), convolution(64, 1))
        tally(scale, _convolution(80, 3), _convolution(80, 3), convolution(80, 1))
    cells = _num_cells((fine, medium, coarse))
    tally((16, 4, cells), convolution(1, 1, bias=False))  # the mean of each side's distribution
    return tally.stage((4 + 80, cells))


NETWORKS = (
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
        name="tinyyolov3",
        sources=(
            'J. Redmon, A. Farhadi, "YOLOv3: an incremental improvement", 2018, arXiv:1804.02767',
            "darknet, cfg/yolov3-tiny.cfg: https://github.com/pjreddie/darknet",
        ),
        input_shape=(3, 416, 416),
        layers=tinyyolov3_layers(),
    ),
    Architecture(
        name="yolov5n",
        sources=(
            "G. Jocher et al., Ultralytics YOLOv5, 6.0, 2021: https://github.com/ultralytics/yolov5/releases/v6.0",
        ),
        input_shape=(3, 640, 640),
        layers=yolov5n_layers(),
    ),
    Architecture(
        name="yolov8n",
        sources=(
            "G. Jocher, A. Chaurasia, J. Qiu, Ultralytics YOLOv8, 2023: https://docs.ultralytics.com/models/yolov8/",
        ),
        input_shape=(3, 640, 640),
        layers=yolov8n_layers(),
    ),
)
