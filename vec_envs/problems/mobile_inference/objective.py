"""The objective of `MobileInference`: the cost of a slot. The reward is minus this cost.

The reward and the searches call this module, so that the formulas are in one place. A custom objective is a function
from `SlotTerms` to costs `[*batch]`. Pass this function as `MobileInference(reward=...)`:

    def cost_and_energy(terms: SlotTerms) -> np.ndarray:
        return terms.cost_s + 0.1 * terms.energy_j.sum(axis=-1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int
from jaxtyping import Real as RealArray

from vec_envs.physics.lyapunov import PerEnvironment
from vec_envs.problems.mobile_inference.records import PerClient

REWARDS = ("drift", "delay")
"""The names of the objectives that `DriftPlusCost` computes."""


@dataclass(frozen=True, kw_only=True)
class SlotTerms:
    """The quantities of a slot that an objective can depend on."""

    done: Int[np.ndarray, "*batch clients"]
    missed: Int[np.ndarray, "*batch clients"]
    withdrawn: Int[np.ndarray, "*batch clients"]
    arrived: Int[np.ndarray, "*batch clients"]
    task_time_s: PerClient
    in_system_s: PerClient
    penalty_s: PerClient
    """The cost of the tasks that were missed, in addition to their time in the system."""
    energy_j: PerClient
    energy_queue_j: RealArray[np.ndarray, "*batch clients"]
    """The energy queues before the slot."""
    drift: PerEnvironment

    @property
    def cost_s(self) -> PerEnvironment:
        """The time in the system and the penalties, summed over the clients."""
        return np.add.reduce(self.in_system_s + self.penalty_s, axis=-1)


@runtime_checkable
class Objective(Protocol):
    """A function from the terms of slots to their costs `[*batch]`; lower is better."""

    def __call__(self, terms: SlotTerms) -> PerEnvironment:
        """Returns the costs of slots."""
        ...


@dataclass(frozen=True, kw_only=True)
class DriftPlusCost:
    """The drift of the energy queues divided by V, plus the time in the system and the penalties.

    The sum of drifts over an episode depends only on the final energy queues, and on those of clients when they left.
    """

    name: str
    """`"drift"`, or `"delay"` for the times and penalties alone."""
    lyapunov_v: float

    def __call__(self, terms: SlotTerms) -> PerEnvironment:
        """Returns the costs of slots."""
        return terms.cost_s if self.name == "delay" else terms.drift / self.lyapunov_v + terms.cost_s


@dataclass(frozen=True, kw_only=True)
class MissCost:
    """The cost of a missed task in addition to its time in the system: the rest of its deadline, and a penalty.

    A missed task therefore costs the deadline and the penalty in all, however early it is given up.
    """

    deadline_s: float
    miss_penalty_s: float

    def of(
        self, missed: Bool[np.ndarray, "*batch clients"], age_s: RealArray[np.ndarray, "*batch clients"] | float
    ) -> PerClient:
        """Returns the cost in s of tasks that were missed at an age; 0 elsewhere."""
        return np.where(missed, np.maximum(self.deadline_s - age_s, 0.0) + self.miss_penalty_s, 0.0)
