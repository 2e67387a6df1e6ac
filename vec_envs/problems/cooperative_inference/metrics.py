"""The metrics of a slot of `CooperativeInference`, under their names in the infos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from vec_envs.physics.lyapunov import PerEnvironment
from vec_envs.problems.base import Metric
from vec_envs.problems.cooperative_inference.records import Outcome, State

REPORTED = (
    Metric(name="delay_s", unit="s"),
    Metric(name="energy_j", unit="J"),
    Metric(name="memory_gb", unit="GB"),
    Metric(name="energy_queue", unit="", final=True),
    Metric(name="memory_queue", unit="", final=True),
)
"""Policies are ranked by the mean delay of a task."""


def metrics_of(
    next_state: State,
    outcome: Outcome,
    *,
    delay_cost: PerEnvironment,
    dnn_names: Sequence[str],
    device_types: Int[np.ndarray, "devices"],
    energy_budget_j: Sequence[float],
    memory_budget_gb: Sequence[float],
) -> dict[str, Any]:
    """Returns the metrics of a slot as `[*batch]` arrays.

    - `delay_s`, `energy_j`, `memory_gb`: means over the devices that have tasks. Seats without a vehicle do not count:
      they would lower the means.
    - `energy_queue`, `memory_queue`: means over all devices, after the slot.
    - `drift`, `drift_plus_penalty`: sums over all devices.
    - `energy_to_budget_<dnn>`, `memory_to_budget_<dnn>`, `energy_queue_<dnn>`: means over the devices of a DNN type.

    Args:
        next_state: the virtual queues after the slot.
        outcome: the outcome of the slot.
        delay_cost: V times the sum of the delays.
        dnn_names: the name of each DNN type.
        device_types: the index of each device's DNN type.
        energy_budget_j: the budget of each DNN type.
        memory_budget_gb: the budget of each DNN type.
    """
    with_tasks = np.maximum(np.add.reduce(outcome.has_tasks, axis=-1), 1)
    means = {
        name: np.add.reduce(getattr(outcome, name), axis=-1) / with_tasks
        for name in ("delay_s", "energy_j", "memory_gb")
    }
    by_dnn: dict[str, Any] = {}
    for k in np.unique(device_types).tolist():
        name, own = dnn_names[k], device_types == k
        by_dnn[f"energy_to_budget_{name}"] = outcome.energy_j[..., own].mean(axis=-1) / energy_budget_j[k]
        by_dnn[f"memory_to_budget_{name}"] = outcome.memory_gb[..., own].mean(axis=-1) / memory_budget_gb[k]
        by_dnn[f"energy_queue_{name}"] = next_state.energy_queue[..., own].mean(axis=-1)
    return {
        **means,
        "energy_queue": next_state.energy_queue.mean(axis=-1),
        "memory_queue": next_state.memory_queue.mean(axis=-1),
        "drift": outcome.drift,
        "drift_plus_penalty": outcome.drift + delay_cost,
        **by_dnn,
    }
