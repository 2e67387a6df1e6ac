"""The metrics of a slot of `MobileInference`, under their names in the infos."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.problems.base import Metric
from vec_envs.problems.mobile_inference.records import Outcome, State

REPORTED = (
    Metric(name="cost_s", unit="s"),
    Metric(name="missed", unit=""),
    Metric(name="energy_j", unit="J"),
    Metric(name="energy_queue_j", unit="J", final=True),
)
"""Policies are ranked by the cost: with equal arrivals, its mean over slots ranks as the cost of a task does."""


def metrics_of(next_state: State, outcome: Outcome) -> dict[str, Any]:
    """Returns the metrics of a slot as `[*batch]` arrays, each summed over the clients.

    - `cost_s`: times and penalties. Divided by `arrived`, both summed over an episode: the cost of a task.
    - `arrived`, `done`, `missed`, `withdrawn`: numbers of tasks.
    - `task_time_s`: completion times of the tasks that are done.
    - `energy_j`: energy of the clients in the slot. `energy_queue_j`: their energy queues after the slot.
    - `in_flight`, `waiting`: numbers of tasks after the slot.
    - `drift`: the drift of the energy queues.
    """
    of_clients = {
        name: getattr(outcome, name) for name in ("arrived", "done", "missed", "withdrawn", "task_time_s", "energy_j")
    }
    of_clients |= {name: getattr(next_state, name) for name in ("energy_queue_j", "in_flight", "waiting")}
    sums = {name: np.add.reduce(value, axis=-1, dtype=np.float64) for name, value in of_clients.items()}
    return {"cost_s": outcome.cost_s, **sums, "drift": outcome.drift}
