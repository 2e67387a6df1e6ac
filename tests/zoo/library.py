"""Compares the library with torchvision, transformers and ultralytics: `python -m tests.zoo.library [NAME ...]`.

Of DenseNet-121 and YOLOv8n only totals are compared: torchvision keeps the parts of a dense block apart, and the result
of ultralytics holds more than the detections. Of YOLOv5n the last layer is not compared: the package ultralytics has
another head.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch

from tests.zoo.operators import define_missing_operators
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.dnn.build_library import LIBRARY
from vec_envs.dnn.workload import WORKLOADS

TOTALS_ALONE = ("densenet121", "yolov8n")
OTHER_HEAD = ("yolov5n",)


class _Result(torch.nn.Module):
    """A model of transformers with one tensor as its result."""

    def __init__(self, model: torch.nn.Module, entry: str, **keywords: object) -> None:
        super().__init__()
        self.model, self.entry, self.keywords = model, entry, keywords

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model(tokens, **self.keywords)[self.entry]


def _torchvision(name: str, **keywords: object) -> torch.nn.Module:
    from torchvision import models

    return getattr(models, name)(weights=None, **keywords)


def _bert() -> torch.nn.Module:
    from transformers import BertConfig, BertModel

    return _Result(BertModel(BertConfig()), "pooler_output")


def _gpt2() -> torch.nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return _Result(GPT2LMHeadModel(GPT2Config()), "logits", use_cache=False, logits_to_keep=1)


def _yolo(name: str) -> torch.nn.Module:
    from ultralytics.nn.tasks import DetectionModel

    return DetectionModel(f"{name}.yaml", verbose=False)


MODULES: dict[str, Callable[[], torch.nn.Module]] = {
    "alexnet": partial(_torchvision, "alexnet"),
    "bertbase": _bert,
    "densenet121": partial(_torchvision, "densenet121"),
    "efficientnetb0": partial(_torchvision, "efficientnet_b0"),
    "gpt2prefill": _gpt2,
    "inceptionv3": partial(_torchvision, "inception_v3", aux_logits=False, init_weights=False),
    "mobilenetv2": partial(_torchvision, "mobilenet_v2"),
    "mobilenetv3large": partial(_torchvision, "mobilenet_v3_large"),
    "resnet101": partial(_torchvision, "resnet101"),
    "resnet152": partial(_torchvision, "resnet152"),
    "resnet34": partial(_torchvision, "resnet34"),
    "squeezenet11": partial(_torchvision, "squeezenet1_1"),
    "vgg19": partial(_torchvision, "vgg19"),
    "vitb16": partial(_torchvision, "vit_b_16"),
    "yolov5n": partial(_yolo, "yolov5n"),
    "yolov8n": partial(_yolo, "yolov8n"),
}


def main(names: Sequence[str]) -> int:
    """Prints a line for each network, and returns the number of those that differ."""
    warnings.simplefilter("ignore")
    define_missing_operators()
    return sum(not _is_equal(name) for name in names or MODULES)


def _is_equal(name: str) -> bool:
    shape = json.loads((LIBRARY / f"{name}.json").read_text(encoding="utf-8"))["input_shape"]
    sample = torch.zeros(1, *shape, dtype=torch.float32 if len(shape) > 1 else torch.int32)
    module, equal = MODULES[name](), True
    for workload in WORKLOADS:
        theirs = DNNProfile.from_torch(module, sample, name=name, workload=workload)
        ours = DNNProfile.load(name, workload)
        counted = _totals if name in TOTALS_ALONE else _numbers
        compared = slice(-1 if name in OTHER_HEAD else None)
        equal &= theirs.input_mbit == ours.input_mbit
        equal &= counted(theirs.layers[compared]) == counted(ours.layers[compared])
    print(name, "equal" if equal else "DIFFERS", flush=True)
    return equal


def _numbers(layers: Sequence[Layer]) -> list[tuple[float, ...]]:
    return [(layer.gflops, layer.gmacs, layer.parameter_mbyte, layer.output_mbit) for layer in layers]


def _totals(layers: Sequence[Layer]) -> list[float]:
    return [round(sum(column), 9) for column in list(zip(*_numbers(layers), strict=True))[:3]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
