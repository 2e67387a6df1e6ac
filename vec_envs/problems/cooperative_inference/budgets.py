"""The long-term budgets of `CooperativeInference`, and the virtual queues that count how far they are overdrawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vec_envs.physics import lyapunov
from vec_envs.physics.inference import next_virtual_queue
from vec_envs.problems.cooperative_inference.records import PerDevice, State


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """The long-term budgets of energy and memory of each device, and the scales of its virtual queues."""

    energy_j: Float[np.ndarray, "devices"]
    memory_gb: Float[np.ndarray, "devices"]
    energy_queue_scale: float
    memory_queue_scale: float

    def next_state(self, state: State, *, energy_j: PerDevice, memory_gb: PerDevice) -> State:
        """Returns the virtual queues after a slot that used this much energy and memory."""
        return State(
            energy_queue=next_virtual_queue(state.energy_queue, energy_j, self.energy_j, scale=self.energy_queue_scale),
            memory_queue=next_virtual_queue(
                state.memory_queue, memory_gb, self.memory_gb, scale=self.memory_queue_scale
            ),
        )


def drift(state: State, next_state: State) -> lyapunov.PerEnvironment:
    """Returns the Lyapunov drift: the growth of the Lyapunov function of all virtual queues over a slot."""
    pairs = (state.energy_queue, next_state.energy_queue), (state.memory_queue, next_state.memory_queue)
    return sum((lyapunov.lyapunov(new) - lyapunov.lyapunov(old) for old, new in pairs), start=np.float64(0.0))
