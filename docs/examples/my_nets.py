"""A network of your own for `python -m vec_envs.dnn profile my_nets:small`, see `docs/tutorials/own-network.md`."""

from __future__ import annotations

from torch import nn


def small(width: int = 16) -> nn.Module:
    """Returns a small network for images of 64 x 64 pixels."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 16 * 16, 10),
    )
