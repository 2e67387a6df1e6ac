"""The metrics of a slot of `MobileInference`, under their names in the infos."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.problems.base import Metric
from vec_envs.problems.mobile_inference.records import Outcome, State

REPORTED = (
    Metric(name="cost_per_task_s", unit="s"),
    Metric(name="missed_per_task", unit=""),
    Metric(name="energy_j", unit="J"),
    Metric(name="energy_queue_j", unit="J", final=True),
)
"""Policies are ranked by the cost of a task that arrived: the sum of costs of an episode, divided by its arrivals."""


def metrics_of(next_state: State, outcome: Outcome) -> dict[str, Any]:
    """Returns the metrics of a slot as `[*batch]` arrays, each summed over the clients.

    - `cost_s`: times and penalties.
    - `cost_per_task_s`, `missed_per_task`: `cost_s` and `missed`, divided by the mean arrivals of a slot of the
      episode, which do not depend on decisions. So the mean over the slots of an episode is the sum of costs, or of
      missed tasks, divided by the sum of arrivals.
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
    of_tasks = {
        "cost_per_task_s": outcome.cost_s / outcome.mean_arrivals,
        "missed_per_task": sums["missed"] / outcome.mean_arrivals,
    }
    return {**of_tasks, "cost_s": outcome.cost_s, **sums, "drift": outcome.drift}
