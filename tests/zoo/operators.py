"""Makes torchvision importable beside a build of torch that its binary does not fit, such as one for CPUs only."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch


def define_missing_operators() -> None:
    """Defines the operators that torchvision's import looks for, if its binary cannot be loaded."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return
    try:
        torch.ops.load_library(str(Path(found.origin).parent / "_C.so"))
    except OSError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
