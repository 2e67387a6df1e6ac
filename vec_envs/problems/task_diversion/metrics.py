"""The metrics of a decision of `TaskDiversion`, under their names in the infos."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.problems.base import Metric
from vec_envs.problems.task_diversion.records import Outcome

REPORTED = (
    Metric(name="cost", unit=""),
    Metric(name="time_s", unit="s"),
    Metric(name="energy_j", unit="J"),
    Metric(name="vehicle_energy_j", unit="J"),
    Metric(name="missed", unit=""),
    Metric(name="offloaded", unit=""),
)
"""Means over tasks. Policies are ranked by the cost."""
LOW_BATTERY = 1.0 / 3.0
"""Battery level up to which a battery counts as low."""


def metrics_of(outcome: Outcome, *, deadline_penalty: float) -> dict[str, Any]:
    """Returns the metrics of a decision as `[*batch]` arrays.

    - `cost`, `time_s`, `energy_j`, `vehicle_energy_j`, `missed`: of the task. `penalised_cost` is the cost plus the
      penalty of a task that is missed or that failed.
    - `failed`, `offloaded`: 1 or 0. `queue_s`, `cut`, `battery`: the wait at the unit, the cut, and the battery level.
    - `low_battery`: 1 where the battery is low. `low_battery_energy_j`: the vehicle's energy there, else 0.
    """
    task, low = outcome.task, outcome.battery <= LOW_BATTERY
    return {
        "cost": task.cost,
        "penalised_cost": task.cost + deadline_penalty * (task.missed | outcome.failed),
        "time_s": task.time_s,
        "energy_j": task.energy_j,
        "vehicle_energy_j": task.vehicle_energy_j,
        "missed": task.missed.astype(np.float64),
        "failed": outcome.failed.astype(np.float64),
        "offloaded": outcome.offloaded.astype(np.float64),
        "queue_s": outcome.queue_s,
        "cut": outcome.cut,
        "battery": outcome.battery,
        "low_battery": low.astype(np.float64),
        "low_battery_energy_j": np.where(low, task.vehicle_energy_j, 0.0),
    }
