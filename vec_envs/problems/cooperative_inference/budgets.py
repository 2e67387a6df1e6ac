"""The long-term budgets of `CooperativeInference`, and the virtual queues that say by how much they are overdrawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vec_envs.physics import lyapunov
from vec_envs.physics.inference import next_virtual_queue
from vec_envs.problems.cooperative_inference.records import PerDevice, State


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """What each device may spend and occupy in the long run, and how much the queues make of what exceeds it."""

    energy_j: Float[np.ndarray, "devices"]
    memory_gb: Float[np.ndarray, "devices"]
    energy_queue_scale: float
    memory_queue_scale: float

    def after(self, state: State, *, energy_j: PerDevice, memory_gb: PerDevice) -> State:
        """Returns the queues after a slot that took this much."""
        return State(
            energy_queue=next_virtual_queue(state.energy_queue, energy_j, self.energy_j, scale=self.energy_queue_scale),
            memory_queue=next_virtual_queue(
                state.memory_queue, memory_gb, self.memory_gb, scale=self.memory_queue_scale
            ),
        )


def drift(before: State, after: State) -> lyapunov.PerEnvironment:
    """Returns by how much the Lyapunov function of all queues has grown."""
    pairs = (before.energy_queue, after.energy_queue), (before.memory_queue, after.memory_queue)
    return sum((lyapunov.lyapunov(new) - lyapunov.lyapunov(old) for old, new in pairs), start=np.float64(0.0))
