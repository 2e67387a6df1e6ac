"""The objective of `CooperativeInference`: the cost of a slot. The reward is minus this cost.

The reward, the allocation of resources and the exact policy all call this module, so that the formulas are in one
place. A custom objective is a function from `SlotTerms` to costs `[*batch]`. Pass this function as
`CooperativeInference(reward=...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Real as RealArray

from vec_envs.physics.lyapunov import PerEnvironment
from vec_envs.problems.cooperative_inference.records import PerDevice

REWARDS = ("drift_bound", "drift", "delay")
"""The names of the objectives that `DriftPlusPenalty` computes."""


@dataclass(frozen=True, kw_only=True)
class SlotTerms:
    """The quantities of a slot that an objective can depend on."""

    delay_s: PerDevice
    energy_j: PerDevice
    memory_gb: PerDevice
    energy_queue: RealArray[np.ndarray, "*#batch devices"]
    """The virtual queues before the slot."""
    memory_queue: RealArray[np.ndarray, "*#batch devices"]
    drift: PerEnvironment
    """The exact drift of all virtual queues over the slot."""


@runtime_checkable
class Objective(Protocol):
    """A function from the terms of slots to their costs `[*batch]`; lower is better."""

    def __call__(self, terms: SlotTerms) -> PerEnvironment:
        """Returns the costs of slots."""
        ...


@dataclass(frozen=True, kw_only=True)
class DriftPlusPenalty:
    """The drift of the virtual queues, or its upper bound, plus V times the sum of the delays.

    The bound is a sum over devices: queues times use, plus V times the delay. The allocation of resources and the exact
    policy rely on this.

    Paper: LyMDO Eqs. (10), (11), (14).
    Differs: (14) is minus the objective `"drift_bound"`, (10) is `"drift"` of one realised slot.
    """

    name: str
    """`"drift_bound"` (the paper's), `"drift"` (the exact drift) or `"delay"` (only V times the delays)."""
    lyapunov_v: float

    def __call__(self, terms: SlotTerms) -> PerEnvironment:
        """Returns the costs of slots."""
        delay = self.delay_cost(np.add.reduce(terms.delay_s, axis=-1))
        if self.name == "delay":
            return delay
        if self.name == "drift":
            return terms.drift + delay
        use = use_cost(terms.energy_queue, terms.energy_j, terms.memory_queue, terms.memory_gb)
        return np.add.reduce(use, axis=-1) + delay

    def delay_cost(self, delay_s: Any) -> Any:
        """Returns V times the delays in s."""
        return self.lyapunov_v * delay_s

    def second_of_sending(self, energy_queue: Any, arrival_rate_hz: Any, *, transmit_power_w: float) -> Any:
        """Returns the cost of each second that a task takes to send: the energy of the sender and the delay."""
        return energy_queue * transmit_power_w * arrival_rate_hz + self.lyapunov_v


def use_cost(energy_queue: Any, energy_j: Any, memory_queue: Any, memory_gb: Any) -> Any:
    """Returns each device's part of the drift bound: queues times use."""
    return energy_queue * energy_j + memory_queue * memory_gb
