"""The models of public packages, each with a function that builds it without trained weights, and with an input."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_VERBOSE", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from tests.zoo.operators import define_missing_operators
from tests.zoo.transformer_models import transformers

define_missing_operators()

ENCODERS = (
    *("resnet18", "resnext50_32x4d", "mobilenet_v2", "efficientnet-b0", "vgg11_bn", "densenet121", "dpn68", "xception"),
    *("inceptionv4", "mit_b0", "mobileone_s0", "se_resnet50", "timm-regnetx_002", "timm-skresnet18"),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model: `build` returns the module and its input."""

    package: str
    group: str
    name: str
    build: Callable[[], tuple[torch.nn.Module, Any]]


def image(size: int, channels: int = 3) -> torch.Tensor:
    return torch.empty(1, channels, size, size, device="meta")


def torchvision() -> Iterator[Case]:
    """All models but the quantized ones; of detectors the backbone."""
    import torchvision.models as models

    for name in models.list_models():
        builder = models.get_model_builder(name)
        group = builder.__module__.split(".")[2]
        group = (
            group if group in ("segmentation", "detection", "video", "optical_flow", "quantization") else "classifiers"
        )
        if group != "quantization":
            yield Case(package="torchvision", group=group, name=name, build=lambda n=name, g=group: _torchvision(n, g))


def _torchvision(name: str, group: str) -> tuple[torch.nn.Module, Any]:
    import torchvision.models as models

    options = {"weights": None, **({"weights_backbone": None} if group in ("segmentation", "detection") else {})}
    try:
        with torch.device("meta" if group != "detection" else "cpu"):
            module = models.get_model(name, **options)
    except NotImplementedError:  # its widths are computed with tensors
        module = models.get_model(name, **options)
    if group == "video":
        frames = 16
        return module, torch.empty(1, 3, frames, 224, 224, device="meta")
    if group == "optical_flow":
        return module, (image(128), image(128))
    if group == "detection":
        return module.backbone, image(320)
    return module, image(299 if name == "inception_v3" else 224)


def timm(*, of_each_family: int | None = 2) -> Iterator[Case]:
    """Models of timm: some of each family, the families being its source files; or all."""
    import timm as package

    families: dict[str, list[str]] = defaultdict(list)
    for name in package.list_models():
        families[package.models._registry._model_to_module[name]].append(name)
    for family, names in sorted(families.items()):
        step = max(1, len(names) // of_each_family) if of_each_family else 1
        chosen = names[::step][:of_each_family] if of_each_family else names
        for name in chosen:
            yield Case(package="timm", group=family, name=name, build=lambda n=name: _timm(n))


def _timm(name: str) -> tuple[torch.nn.Module, Any]:
    import timm as package

    try:
        with torch.device("meta"):
            module = package.create_model(name, pretrained=False)
    except Exception:
        module = package.create_model(name, pretrained=False)
    return module, torch.empty(1, *module.pretrained_cfg["input_size"], device="meta")


def ultralytics() -> Iterator[Case]:
    """Every configuration file of ultralytics, at its smallest scale."""
    import ultralytics as package

    folder = Path(package.__file__).parent / "cfg/models"
    for path in sorted(folder.rglob("*.yaml")):
        yield Case(package="ultralytics", group=path.parent.name, name=path.stem, build=lambda p=path: _ultralytics(p))


def _ultralytics(path: Path) -> tuple[torch.nn.Module, Any]:
    from ultralytics import RTDETR, YOLO
    from ultralytics.nn.tasks import guess_model_task, yaml_model_load

    config = yaml_model_load(str(path))
    task = guess_model_task(config)
    module = RTDETR(str(path)).model if "rtdetr" in path.stem else YOLO(str(path), task=task).model
    return module.eval(), image(224 if task == "classify" else 320)


def smp() -> Iterator[Case]:
    """Every architecture on one encoder, and every encoder in ENCODERS in a U-Net."""
    import segmentation_models_pytorch as package

    architectures = sorted(package.MODEL_ARCHITECTURES_MAPPING)
    pairs = [
        (architecture, "resnet18" if architecture != "dpt" else "tu-vit_tiny_patch16_224.augreg_in21k")
        for architecture in architectures
    ]
    pairs += [("unet", encoder) for encoder in ENCODERS] + [("segformer", "mit_b0"), ("fpn", "mit_b0")]
    for architecture, encoder in dict.fromkeys(pairs):
        yield Case(
            package="smp",
            group=architecture,
            name=f"{architecture}-{encoder}",
            build=lambda a=architecture, e=encoder: _smp(a, e),
        )


def _smp(architecture: str, encoder: str) -> tuple[torch.nn.Module, Any]:
    import segmentation_models_pytorch as package

    size = 224 if architecture == "dpt" else 256
    return package.create_model(architecture, encoder_name=encoder, encoder_weights=None), image(size)


def cases(package: str, *, of_each_family: int | None) -> list[Case]:
    if package == "timm":
        return list(timm(of_each_family=of_each_family))
    if package == "transformers":
        return [
            Case(package="transformers", group=group, name=name, build=build) for group, name, build in transformers()
        ]
    return list({"torchvision": torchvision, "ultralytics": ultralytics, "smp": smp}[package]())


PACKAGES = ("torchvision", "timm", "ultralytics", "transformers", "smp")
