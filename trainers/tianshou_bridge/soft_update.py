"""Lagged networks that follow the learned ones all weights at once."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_update(targets: list[Tensor], sources: list[Tensor], rate: float) -> None:
    """Moves each target by the part `rate` of its way: what Tianshou does weight by weight, with copies of each."""
    with torch.no_grad():
        torch._foreach_lerp_(targets, sources, rate)  # pyright: ignore[reportPrivateImportUsage]
