"""Dense networks over observations, in the form that Tianshou's actors, critics and value functions need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from tianshou.utils.net.common import ModuleWithVectorOutput
from torch import Tensor, nn

LEAST_VARIANCE = 1e-6


def compressed(x: Tensor) -> Tensor:
    """Returns sign(x) log(1 + |x|), elementwise."""
    return x.sign() * x.abs().log1p()


class RunningNormalizer(nn.Module):
    """Normalises features by moving averages of their means and variances."""

    mean: Tensor
    variance: Tensor

    def __init__(self, size: int, *, rate: float) -> None:
        """Starts with mean 0 and variance 1.

        Args:
            size: The number of features.
            rate: The weight of a new batch. Early batches have the weight 1 / (number of batches so far) while that is
                larger.
        """
        super().__init__()
        self._rate = rate
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Returns normalised features `[batch, size]`, clipped to the range -10 to 10."""
        return ((x - self.mean) / (self.variance + LEAST_VARIANCE).sqrt()).clamp(-10.0, 10.0)

    def soft_update(self, x: Tensor) -> None:
        """Moves the averages towards the mean and variance of a batch `[batch, size]`."""
        self.batches += 1
        weight = max(1.0 / float(self.batches), self._rate)
        self.mean.lerp_(x.mean(0), weight)
        self.variance.lerp_((x - self.mean).square().mean(0), weight)


class ObservationEncoder(ModuleWithVectorOutput):
    """Encodes observations: flattened, optionally compressed and normalised, and passed through hidden layers."""

    def __init__(
        self, size: int, *, compress: bool, hidden: Sequence[int] = (), usual: RunningNormalizer | None = None
    ) -> None:
        """Makes the hidden layers.

        Args:
            size: The number of features of all deciders together.
            compress: Whether the features are compressed by `compressed`.
            hidden: The number of neurons of each hidden layer; none by default.
            usual: Normalises the features.
        """
        super().__init__([size, *hidden][-1])
        self.compress, self.usual = compress, usual
        pairs = pairwise([size, *hidden])
        self.layers = nn.Sequential(*(layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())))

    def forward(self, obs: Tensor, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        """Returns `[batch, out]` features of `obs` [batch, deciders, features], and `state` unchanged."""
        x = self.flat(obs)
        return self.layers(x if self.usual is None else self.usual(x)), state

    def flat(self, obs: Tensor) -> Tensor:
        """Returns the features `[batch, size]` before normalisation."""
        x = obs.flatten(1)
        return compressed(x) if self.compress else x
