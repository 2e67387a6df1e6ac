"""The randomness of a learner: its own generators, whose states a checkpoint holds."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import numpy as np
import torch


class Generators:
    """A generator for tensors and one for arrays, both from one seed."""

    def __init__(self, seed: int) -> None:
        self.torch = torch.Generator().manual_seed(seed)
        self.numpy = np.random.Generator(np.random.PCG64(seed))

    def normal_like(self, like: torch.Tensor) -> torch.Tensor:
        """Returns standard normal draws, the same on every device."""
        return torch.randn(like.shape, generator=self.torch).to(like.device)

    def exponential_like(self, like: torch.Tensor) -> torch.Tensor:
        """Returns draws of the exponential distribution, above 0, the same on every device."""
        drawn = torch.empty(like.shape).exponential_(generator=self.torch)
        return drawn.clamp_min(torch.finfo(drawn.dtype).tiny).to(like.device)

    def choices(self, log_part: torch.Tensor) -> torch.Tensor:
        """Returns alternatives drawn by their log-probabilities, along the last axis."""
        return (log_part - self.exponential_like(log_part).log()).argmax(-1)

    def state(self) -> dict[str, Any]:
        """Returns the generators' states: a tensor, and plain values."""
        return {"torch": self.torch.get_state(), "numpy": self.numpy.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes over what `state` gave."""
        self.torch.set_state(state["torch"])
        self.numpy.bit_generator.state = state["numpy"]


@contextlib.contextmanager
def seeded_weights(seed: int) -> Generator[int, None, None]:
    """Draws weights within from one part of `seed`, and gives another for the decisions' noise and exploration."""
    weights, decisions = (int(part) >> 1 for part in np.random.SeedSequence(seed).generate_state(2, np.uint64))
    with torch.random.fork_rng():
        torch.manual_seed(weights)
        yield decisions
