"""A replay buffer with one array for each field, which is written and sampled without a loop.

Tianshou's `VectorReplayBuffer` gives every environment a sub-buffer. All sub-buffers sample with the same fixed seed,
so a batch holds few distinct slots. The buffer can be saved only by pickling. This buffer draws uniformly with its own
generator, and its state is plain tensors. An off-policy `Algorithm` needs only its method `sample`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Shaped
from tianshou.data import Batch


class ReplayBuffer:
    """Stores the last `size` transitions.

    The value after a terminated transition is 0; a truncated transition is stored as not terminated.
    """

    def __init__(
        self, size: int, *, observation_shape: tuple[int, ...], action_space: gymnasium.Space[Any], seed: int
    ) -> None:
        """Makes an empty buffer.

        Args:
            size: The largest number of transitions.
            observation_shape: The shape of one observation, `(deciders, features)`.
            action_space: The space of one stored action.
            seed: The seed of the samples.

        Raises:
            ValueError: The size is below 1.
        """
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
        """Writes transitions over the oldest ones."""
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
        stored = {name: torch.from_numpy(array[: len(self)].copy()) for name, array in self._fields.items()}
        return {"fields": stored, "written": self._written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned. Raises `ValueError` where a shape or type differs."""
        rows = min(state["written"], self._size)
        for name, array in self._fields.items():
            stored, shape = state["fields"][name].numpy(), (rows, *array.shape[1:])
            if stored.shape != shape or stored.dtype != array.dtype:
                raise ValueError(
                    f"{name!r} of the replay buffer is {stored.dtype} of shape {stored.shape}, must be {array.dtype} "
                    f"of shape {shape}"
                )
            array[:rows] = stored
        self._written = state["written"]

    def random_state(self) -> dict[str, Any]:
        """Returns the state of the generator."""
        return dict(self._rng.bit_generator.state)

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Restores what `random_state` returned."""
        self._rng.bit_generator.state = state
