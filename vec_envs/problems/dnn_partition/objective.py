"""The objective of `DNNPartition`: the cost of a slot. The reward is minus this cost.

Only this module holds the formulas: the reward, the searches and the exact optimum call it. To use your own objective,
pass a function from `SlotTerms` to named costs as `DNNPartition(reward=...)`:

    def delay_and_energy(terms: SlotTerms) -> dict[str, np.ndarray]:
        energy_j = 0.1 * terms.local_gcycles * terms.client_ghz**2
        return {"delay": terms.delay_s.sum(axis=-1), "energy": energy_j.sum(axis=-1)}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from vec_envs.physics import lyapunov
from vec_envs.physics.lyapunov import PerEnvironment
from vec_envs.physics.queues import next_backlog_gcycles

REWARDS = ("drift_bound", "drift", "delay")
"""The names of the objectives that the package defines."""
Costs = Mapping[str, PerEnvironment]
"""Costs by name, each `[*batch]`; the objective is their sum."""


@dataclass(frozen=True, kw_only=True)
class SlotTerms:
    """All quantities of a slot that an objective may use.

    Arrays of queues hold the clients, then the DNN types at the roadside unit, then the service vehicles.
    """

    local_s: Float[np.ndarray, "*batch clients"]
    transmit_s: Float[np.ndarray, "*batch clients"]
    process_s: Float[np.ndarray, "*batch clients"]
    wait_s: Float[np.ndarray, "*batch clients"]
    delay_s: Float[np.ndarray, "*batch clients"]
    """The completion time of each client's task: the sum of the four parts."""
    local_gcycles: Float[np.ndarray, "*batch clients"]
    """The work that each client runs itself."""
    client_ghz: Float[np.ndarray, "*batch clients"]
    rsu_allocation_ghz: Float[np.ndarray, "*batch types"]
    backlog_gcycles: Float[np.ndarray, "*batch queues"]
    arrivals_gcycles: Float[np.ndarray, "*batch queues"]
    service_gcycles: Float[np.ndarray, "*batch queues"]
    """The most work that each processor can do in the slot."""
    next_backlog_gcycles: Float[np.ndarray, "*batch queues"]
    drift: PerEnvironment
    drift_bound: PerEnvironment


@runtime_checkable
class Objective(Protocol):
    """A function from the terms of slots to their costs by name, each `[*batch]`; less is better."""

    def __call__(self, terms: SlotTerms) -> Costs:
        """Returns the costs by name, for example `{"drift": ..., "delay": ...}`."""
        ...


@dataclass(frozen=True, kw_only=True)
class DriftPlusPenalty:
    """Lyapunov drift plus V times the completion times: the objective of the paper and two variants of it.

    The cost is a sum of one part for each queue (`queue_cost`) and one for each task's delay (`delay_cost`). The search
    for the exact optimum relies on this sum.

    Paper: MAD2RL Eqs. (30), (32), (56).
    Differs: (30) is minus the reward `"drift"` of one realised slot; (56) is minus the objective `"drift_bound"`.
    """

    name: str
    """`"drift_bound"` (the paper's), `"drift"` (the exact drift) or `"delay"` (completion times alone, without V)."""
    lyapunov_v: float

    def __call__(self, terms: SlotTerms) -> Costs:
        """Returns the costs `"drift"` and `"delay"` of slots."""
        if self.name == "delay":
            drift = np.zeros_like(terms.drift)
        else:
            drift = terms.drift if self.name == "drift" else terms.drift_bound
        return {"drift": drift, "delay": self.delay_cost(np.add.reduce(terms.delay_s, axis=-1))}

    def delay_cost(self, delay_s: Any) -> Any:
        """Returns the cost of completion times in s, which are arrays or tensors."""
        return delay_s if self.name == "delay" else self.lyapunov_v * delay_s

    def queue_cost(self, backlog: np.ndarray, arrivals: np.ndarray, service: np.ndarray) -> np.ndarray:
        """Returns the cost of each queue, with the shape of the arguments, which are in Gcycles."""
        if self.name == "delay":
            return np.zeros_like(backlog)
        if self.name == "drift_bound":
            return lyapunov.queue_drift_bound(backlog, arrivals, service)
        return lyapunov.queue_drift(backlog, next_backlog_gcycles(backlog, arrivals, service))


def total_cost(costs: Costs) -> PerEnvironment:
    """Returns the sum of named costs."""
    first, *others = costs.values()
    for cost in others:
        first = first + cost
    return first
