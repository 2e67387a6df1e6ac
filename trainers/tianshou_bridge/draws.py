"""Random numbers of a learner, from generators whose states a checkpoint holds."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import numpy as np
import torch


class Generators:
    """A generator for tensors and one for arrays, both with the same seed."""

    def __init__(self, seed: int) -> None:
        self.torch = torch.Generator().manual_seed(seed)
        self.numpy = np.random.Generator(np.random.PCG64(seed))

    def normal_like(self, like: torch.Tensor) -> torch.Tensor:
        """Returns standard normal numbers in the shape of a tensor; they do not depend on its device."""
        return torch.randn(like.shape, generator=self.torch).to(like.device)

    def exponential_like(self, like: torch.Tensor) -> torch.Tensor:
        """Returns exponential numbers above 0 in the shape of a tensor; they do not depend on its device."""
        drawn = torch.empty(like.shape).exponential_(generator=self.torch)
        return drawn.clamp_min(torch.finfo(drawn.dtype).tiny).to(like.device)

    def choices(self, log_probability: torch.Tensor) -> torch.Tensor:
        """Returns an index along the last axis for each row, drawn with the row's log-probabilities.

        The log-probabilities need not be normalised: the Gumbel-max trick adds -log of exponential numbers to them.
        """
        return (log_probability - self.exponential_like(log_probability).log()).argmax(-1)

    def state(self) -> dict[str, Any]:
        """Returns the states of both generators: a tensor, and plain values."""
        return {"torch": self.torch.get_state(), "numpy": self.numpy.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `state` returned."""
        self.torch.set_state(state["torch"])
        self.numpy.bit_generator.state = state["numpy"]


@contextlib.contextmanager
def seeded_weights(seed: int) -> Generator[int, None, None]:
    """Seeds torch for weights that are drawn in this context, and yields another seed for noise and exploration.

    Both seeds come from `seed`. Torch's global generator is restored at the end.
    """
    weights, decisions = (int(part) >> 1 for part in np.random.SeedSequence(seed).generate_state(2, np.uint64))
    with torch.random.fork_rng():
        torch.manual_seed(weights)
        yield decisions
