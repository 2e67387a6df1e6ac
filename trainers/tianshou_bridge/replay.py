"""A replay buffer of whole lanes: one array a field, written and sampled without a loop.

Tianshou's `VectorReplayBuffer` gives every lane a sub-buffer that samples from the same fixed seed, so that a batch
holds few distinct slots, and it can be saved only by pickling. This one draws uniformly from its own generator, and
its state is plain tensors. To an `Algorithm` it is a buffer: it has `sample`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Shaped
from tianshou.data import Batch


class ReplayBuffer:
    """Keeps the last `size` transitions. What follows a terminated one is worth nothing; a truncated one goes on."""

    def __init__(
        self, size: int, *, observation_shape: tuple[int, ...], action_space: gymnasium.Space[Any], seed: int
    ) -> None:
        """`action_space` is the space of one stored action. Raises `ValueError` for a size below 1."""
        if size < 1:
            raise ValueError(f"buffer_size={size} must be at least 1")
        self._fields = {
            "obs": np.zeros((size, *observation_shape), np.float32),
            "obs_next": np.zeros((size, *observation_shape), np.float32),
            "act": np.zeros((size, *(action_space.shape or ())), action_space.dtype),
            "rew": np.zeros(size, np.float32),
            "terminated": np.zeros(size, np.bool_),
        }
        self._size = size
        self._written = 0
        self._rng = np.random.Generator(np.random.PCG64(seed))

    def __len__(self) -> int:
        return min(self._written, self._size)

    def add(
        self,
        obs: Float32[np.ndarray, "batch deciders features"],
        act: Shaped[np.ndarray, "batch ..."],
        rew: Float[np.ndarray, "batch"],
        obs_next: Float32[np.ndarray, "batch deciders features"],
        terminated: Bool[np.ndarray, "batch"],
    ) -> None:
        """Writes one transition a lane over the oldest ones."""
        rows = (self._written + np.arange(len(rew))) % self._size
        written = {"obs": obs, "act": act, "rew": rew, "obs_next": obs_next, "terminated": terminated}
        for name, value in written.items():
            self._fields[name][rows] = value
        self._written += len(rew)

    def sample(self, batch_size: int | None) -> tuple[Batch, Int[np.ndarray, "batch"]]:
        """Returns `batch_size` transitions drawn uniformly with replacement, and their rows."""
        rows = self._rng.integers(0, len(self), batch_size or len(self))
        return Batch({name: array[rows] for name, array in self._fields.items()}), rows

    def state_dict(self) -> dict[str, Any]:
        """Returns the transitions, as tensors."""
        kept = {name: torch.from_numpy(array[: len(self)].copy()) for name, array in self._fields.items()}
        return {"fields": kept, "written": self._written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        for name, kept in state["fields"].items():
            self._fields[name][: len(kept)] = kept.numpy()
        self._written = state["written"]

    def random_state(self) -> dict[str, Any]:
        """Returns the state of the generator."""
        return dict(self._rng.bit_generator.state)

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Takes over what `random_state` gave."""
        self._rng.bit_generator.state = state
