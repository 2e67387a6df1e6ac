"""Soft updates of target networks."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_update(targets: list[Tensor], sources: list[Tensor], rate: float) -> None:
    """Moves each target by the fraction `rate` towards its source, in place.

    Tianshou's own update does this weight by weight, with a copy of each; here it is one call for all weights.
    """
    with torch.no_grad():
        torch._foreach_lerp_(targets, sources, rate)  # pyright: ignore[reportPrivateImportUsage]
