"""Networks of the library in plain torch become the library's own profiles."""

from collections import OrderedDict
from dataclasses import replace
from itertools import pairwise

import pytest

from vec_envs.dnn import DNNProfile
from vec_envs.dnn.workload import WORKLOADS

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional


def head():
    return [
        ("flatten", nn.Flatten()),
        ("fc6", nn.LazyLinear(4096)),
        ("relu6", nn.ReLU(inplace=True)),
        ("drop6", nn.Dropout()),
        ("fc7", nn.Linear(4096, 4096)),
        ("relu7", nn.ReLU(inplace=True)),
        ("drop7", nn.Dropout()),
        ("fc8", nn.Linear(4096, 1000)),
    ]


def alexnet():
    shapes = (
        ("1", nn.Conv2d(3, 64, 11, stride=4, padding=2)),
        ("2", nn.Conv2d(64, 192, 5, padding=2)),
        ("3", nn.Conv2d(192, 384, 3, padding=1)),
        ("4", nn.Conv2d(384, 256, 3, padding=1)),
        ("5", nn.Conv2d(256, 256, 3, padding=1)),
    )
    parts = []
    for number, convolution in shapes:
        parts += [(f"conv{number}", convolution), (f"relu{number}", nn.ReLU(inplace=True))]
        if number in "125":
            parts.append((f"pool{number}", nn.MaxPool2d(3, stride=2)))
    return nn.Sequential(OrderedDict([*parts, ("avgpool", nn.AdaptiveAvgPool2d((6, 6))), *head()]))


def vgg(*depths):
    parts, channels = [], 3
    for group, (width, depth) in enumerate(zip((64, 128, 256, 512, 512), depths, strict=True), start=1):
        for index in range(1, depth + 1):
            parts += [(f"conv{group}_{index}", nn.Conv2d(channels, width, 3, padding=1))]
            parts += [(f"relu{group}_{index}", nn.ReLU(inplace=True))]
            channels = width
        parts.append((f"pool{group}", nn.MaxPool2d(2, 2)))
    return nn.Sequential(OrderedDict([*parts, ("avgpool", nn.AdaptiveAvgPool2d((7, 7))), *head()]))


def vgg16():
    return vgg(2, 2, 3, 3, 3)


def vgg19():
    return vgg(2, 2, 4, 4, 4)


class BasicBlock(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += shortcut
        return functional.relu(y)


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = nn.Identity()
        if stride != 1 or channels != 4 * width:
            shortcut = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, block, expansion, depths):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, depth in enumerate(depths):
            width, stride = 64 * 2**stage, 1 if stage == 0 else 2
            blocks = [block(channels, width, stride)]
            channels = expansion * width
            blocks += [block(channels, width, 1) for _ in range(depth - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(channels, 1000)

    def forward(self, x):
        x = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resnet18():
    return ResNet(BasicBlock, 1, (2, 2, 2, 2))


def resnet50():
    return ResNet(Bottleneck, 4, (3, 4, 6, 3))


def resnet34():
    return ResNet(BasicBlock, 1, (3, 4, 6, 3))


def nin():
    shapes = (
        (nn.Conv2d(3, 96, 11, stride=4), 96, 96),
        (nn.Conv2d(96, 256, 5, padding=2), 256, 256),
        (nn.Conv2d(256, 384, 3, padding=1), 384, 384),
        (nn.Conv2d(384, 1024, 3, padding=1), 1024, 1000),
    )
    parts = []
    for group, (convolution, width, last_width) in enumerate(shapes, start=1):
        names = (f"conv{group}", f"cccp{2 * group - 1}", f"cccp{2 * group}")
        convolutions = (convolution, nn.Conv2d(width, width, 1), nn.Conv2d(width, last_width, 1))
        for name, each in zip(names, convolutions, strict=True):
            parts += [(name, each), (f"{name}_relu", nn.ReLU(inplace=True))]
        pool = nn.AvgPool2d(6, stride=1) if group == 4 else nn.MaxPool2d(3, 2, ceil_mode=True)
        parts += [(f"pool{group}", pool), (f"drop{group}", nn.Dropout())]
    return nn.Sequential(OrderedDict([*parts, ("flatten", nn.Flatten())]))


class TinyYOLOv2(nn.Module):
    """The last pooling pads by a module or by a function; the profile is the same."""

    def __init__(self, pad=None):
        super().__init__()
        self.pad = pad
        widths = (3, 16, 32, 64, 128, 256, 512, 1024, 1024)
        for number, (channels, width) in enumerate(pairwise(widths), start=1):
            setattr(self, f"conv{number}", nn.Conv2d(channels, width, 3, padding=1, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm2d(width))
            setattr(self, f"pool{number}", nn.MaxPool2d(2, 2) if number < 6 else nn.MaxPool2d(2, 1))
        self.conv9 = nn.Conv2d(1024, 125, 1)

    def forward(self, x):
        for number in range(1, 9):
            x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x))
            x = functional.leaky_relu(x, 0.1)
            if number == 6:
                x = self.pad(x) if self.pad else functional.pad(x, (0, 1, 0, 1), value=float("-inf"))
            if number <= 6:
                x = getattr(self, f"pool{number}")(x)
        return self.conv9(x)


def tinyyolov2():
    return TinyYOLOv2(nn.ZeroPad2d((0, 1, 0, 1)))


class InvertedResidual(nn.Module):
    def __init__(self, channels, width, expansion, stride):
        super().__init__()
        hidden = expansion * channels
        self.expand = nn.Identity() if expansion == 1 else nn.Conv2d(channels, hidden, 1, bias=False)
        self.expand_bn = nn.Identity() if expansion == 1 else nn.BatchNorm2d(hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(hidden)
        self.project, self.project_bn = nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width)
        self.has_shortcut = stride == 1 and channels == width

    def forward(self, x):
        y = functional.relu6(self.expand_bn(self.expand(x)))
        y = functional.relu6(self.depthwise_bn(self.depthwise(y)))
        y = self.project_bn(self.project(y))
        return x + y if self.has_shortcut else y


def mobilenetv2():
    stages = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    parts = [("conv1", nn.Conv2d(3, 32, 3, 2, 1, bias=False)), ("bn1", nn.BatchNorm2d(32)), ("relu1", nn.ReLU6())]
    channels, number = 32, 0
    for expansion, width, depth, first_stride in stages:
        for index in range(depth):
            number += 1
            block = InvertedResidual(channels, width, expansion, 1 if index else first_stride)
            parts.append((f"block{number}", block))
            channels = width
    parts += [("conv2", nn.Conv2d(320, 1280, 1, bias=False)), ("bn2", nn.BatchNorm2d(1280)), ("relu2", nn.ReLU6())]
    parts += [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten())]
    return nn.Sequential(OrderedDict([*parts, ("drop", nn.Dropout(0.2)), ("fc", nn.Linear(1280, 1000))]))


def mobilenetv1():
    blocks = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
    parts, channels = [("conv1", nn.Conv2d(3, 32, 3, 2, 1, bias=False)), ("bn", nn.BatchNorm2d(32))], 32
    for number, (width, stride) in enumerate(blocks, start=1):
        block = [
            ("depthwise", nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)),
            *(("bn1", nn.BatchNorm2d(channels)), ("relu1", nn.ReLU())),
            ("pointwise", nn.Conv2d(channels, width, 1, bias=False)),
            *(("bn2", nn.BatchNorm2d(width)), ("relu2", nn.ReLU())),
        ]
        parts.append((f"block{number}", nn.Sequential(OrderedDict(block))))
        channels = width
    parts += [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(channels, 1000))]
    return nn.Sequential(OrderedDict(parts))


class Branches(nn.Module):
    """Branches that read the same input; their outputs are joined."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet():
    modules = {
        "3a": (192, 64, 96, 128, 16, 32, 32),
        "3b": (256, 128, 128, 192, 32, 96, 64),
        "4a": (480, 192, 96, 208, 16, 48, 64),
        "4b": (512, 160, 112, 224, 24, 64, 64),
        "4c": (512, 128, 128, 256, 24, 64, 64),
        "4d": (512, 112, 144, 288, 32, 64, 64),
        "4e": (528, 256, 160, 320, 32, 128, 128),
        "5a": (832, 256, 160, 320, 32, 128, 128),
        "5b": (832, 384, 192, 384, 48, 128, 128),
    }
    parts = [("conv1", nn.Conv2d(3, 64, 7, 2, 3)), ("pool1", nn.MaxPool2d(3, 2, ceil_mode=True))]
    parts += [("reduce", nn.Conv2d(64, 64, 1)), ("conv2", nn.Conv2d(64, 192, 3, 1, 1))]
    parts.append(("pool2", nn.MaxPool2d(3, 2, ceil_mode=True)))
    for name, (channels, direct, reduce3, width3, reduce5, width5, pooled) in modules.items():
        branches = (
            nn.Conv2d(channels, direct, 1),
            nn.Sequential(nn.Conv2d(channels, reduce3, 1), nn.ReLU(), nn.Conv2d(reduce3, width3, 3, 1, 1)),
            nn.Sequential(nn.Conv2d(channels, reduce5, 1), nn.ReLU(), nn.Conv2d(reduce5, width5, 5, 1, 2)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(channels, pooled, 1)),
        )
        parts.append((f"inception{name}", Branches(*branches)))
        if name in ("3b", "4e"):
            parts.append((f"pool{name[0]}", nn.MaxPool2d(3, 2, ceil_mode=True)))
    parts += [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(1024, 1000))]
    return nn.Sequential(OrderedDict(parts))


def densenet121():
    parts = [("conv1", nn.Conv2d(3, 64, 7, 2, 3, bias=False)), ("bn", nn.BatchNorm2d(64))]
    parts.append(("pool1", nn.MaxPool2d(3, 2, 1)))
    channels = 64
    for block, depth in enumerate((6, 12, 24, 16), start=1):
        for number in range(depth):
            new = nn.Sequential(
                *(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 128, 1, bias=False)),
                *(nn.BatchNorm2d(128), nn.ReLU(), nn.Conv2d(128, 32, 3, 1, 1, bias=False)),
            )
            parts.append((f"block{block}_{number}", Branches(nn.Identity(), new)))
            channels += 32
        parts.append((f"bn{block}", nn.BatchNorm2d(channels)))
        if block < 4:
            parts.append((f"conv_{block}", nn.Conv2d(channels, channels // 2, 1, bias=False)))
            parts.append((f"pool_{block}", nn.AvgPool2d(2, 2)))
            channels //= 2
    parts += [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(channels, 1000))]
    return nn.Sequential(OrderedDict(parts))


NETWORKS = {
    each.__name__: each
    for each in (alexnet, mobilenetv1, mobilenetv2, nin, resnet18, resnet34, resnet50, tinyyolov2, vgg16, vgg19)
}
"""Networks whose layers also have the names of the library's."""
BRANCHING = {each.__name__: each for each in (densenet121, googlenet)}
"""Networks whose layers have other names."""


def on_meta(build, size=224):
    with torch.device("meta"):
        module, image = build(), torch.empty(1, 3, size, size)
        with torch.no_grad():
            module.eval()(image)  # sizes the lazy layers
    return module, image


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_module_equals_the_library(name):
    module, image = on_meta(NETWORKS[name], 416 if name == "tinyyolov2" else 224)
    for workload in WORKLOADS:
        profile = DNNProfile.from_torch(module, image, name=name, workload=workload)
        assert profile == DNNProfile.load(name, workload)


@pytest.mark.slow
@pytest.mark.parametrize("name", BRANCHING)
def test_a_module_with_branches_has_the_layers_of_the_library(name):
    module, image = on_meta(BRANCHING[name])
    for workload in WORKLOADS:
        profile = DNNProfile.from_torch(module, image, name=name, workload=workload)
        expected = DNNProfile.load(name, workload)
        assert profile.num_layers == expected.num_layers
        for layer, like in zip(profile.layers, expected.layers, strict=True):
            assert replace(layer, name=like.name) == like


def test_padding_by_a_function_is_padding_by_a_module():
    module, image = on_meta(TinyYOLOv2, 416)
    for workload in WORKLOADS:
        profile = DNNProfile.from_torch(module, image, name="tinyyolov2", workload=workload)
        assert profile == DNNProfile.load("tinyyolov2", workload)
