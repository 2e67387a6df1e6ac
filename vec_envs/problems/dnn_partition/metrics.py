"""The metrics of a slot of `DNNPartition`, under their names in the infos."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.problems.base import Metric
from vec_envs.problems.dnn_partition.records import Outcome, State

REPORTED = (
    Metric(name="completion_time_s", unit="s"),
    Metric(name="backlog_gcycles", unit="Gc", final=True),
)
"""Policies are ranked by the completion time."""


def metrics_of(next_state: State, outcome: Outcome) -> dict[str, Any]:
    """Returns the metrics of a slot as `[*batch]` arrays.

    - `completion_time_s`: the sum of the tasks' delays.
    - `client_backlog_gcycles`, `rsu_backlog_gcycles`, `service_backlog_gcycles`: the work that waits after the slot, by
      kind of node. `backlog_gcycles` is their sum.
    - `drift`, `drift_bound`: the Lyapunov drift of all queues, and its bound.
    - `reward_terms`: the terms of the reward by name.
    """
    client, rsu, service = (
        np.add.reduce(backlog, axis=-1)
        for backlog in (
            next_state.client_backlog_gcycles,
            next_state.rsu_backlog_gcycles,
            next_state.service_backlog_gcycles,
        )
    )
    return {
        "completion_time_s": np.add.reduce(outcome.delay_s, axis=-1),
        "backlog_gcycles": client + rsu + service,
        "client_backlog_gcycles": client,
        "rsu_backlog_gcycles": rsu,
        "service_backlog_gcycles": service,
        "drift": outcome.drift,
        "drift_bound": outcome.drift_bound,
        "reward_terms": dict(outcome.reward_terms),
    }
