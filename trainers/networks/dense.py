"""Dense networks of one decider in the form in which Tianshou's actors, critics and value functions ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from tianshou.utils.net.common import ModuleWithVectorOutput
from torch import Tensor, nn

LEAST_VARIANCE = 1e-6


def compressed(x: Tensor) -> Tensor:
    """Returns sign(x) log(1 + |x|) of each number."""
    return x.sign() * x.abs().log1p()


class Usual(nn.Module):
    """Means and standard deviations of what is seen, as a moving average, so that networks see what differs."""

    mean: Tensor
    variance: Tensor

    def __init__(self, size: int, *, rate: float) -> None:
        """`rate`: how fast the average follows, at first as fast as there are batches."""
        super().__init__()
        self._rate = rate
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Returns `[batch, size]` numbers of about mean 0 and deviation 1, none beyond 10."""
        return ((x - self.mean) / (self.variance + LEAST_VARIANCE).sqrt()).clamp(-10.0, 10.0)

    def soft_update(self, x: Tensor) -> None:
        """Moves the averages towards those of a batch."""
        self.batches += 1
        part = max(1.0 / float(self.batches), self._rate)
        self.mean.lerp_(x.mean(0), part)
        self.variance.lerp_((x - self.mean).square().mean(0), part)


class Seen(ModuleWithVectorOutput):
    """Observations as networks see them, flat and compressed where asked, and the hidden layers over them, if any."""

    def __init__(self, size: int, *, compress: bool, hidden: Sequence[int] = (), usual: Usual | None = None) -> None:
        """`hidden`: the neurons of each hidden layer."""
        super().__init__([size, *hidden][-1])
        self.compress, self.usual = compress, usual
        pairs = pairwise([size, *hidden])
        self.layers = nn.Sequential(*(layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())))

    def forward(self, obs: Tensor, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        """Returns `[batch, out]` features of `obs` [batch, deciders, features], and the state as it is."""
        x = self.flat(obs)
        return self.layers(x if self.usual is None else self.usual(x)), state

    def flat(self, obs: Tensor) -> Tensor:
        """Returns `[batch, size]`, compressed where asked."""
        x = obs.flatten(1)
        return compressed(x) if self.compress else x
