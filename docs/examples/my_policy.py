"""A policy for the leaderboard, from a file to a rank: `docs/leaderboard.md` plays, compares and submits it.

Clients choose one after another where to run their whole task: at the roadside unit, at a service vehicle, or locally.
Each takes the place of least V x time + queue x work, the part of the paper's objective that it can compute. The queues
include the work that clients before it have sent. No DNN is cut, so there is much to improve.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class WholeTasks:
    """Runs each task in one place, chosen by its time and by the queue there."""

    env_ids = ("VEC-DNNPartition-v0",)
    """It plays the cases of this environment only."""
    sees = {"observation": "extended"}  # noqa: RUF012
    """Its observations have rates and processors too. The cases themselves do not change."""

    def __init__(self, problem: Any) -> None:
        """Takes the problem of a case, whose numbers of clients, vehicles and DNN types differ between cases."""
        self._problem = problem
        profiles = [problem.profiles[kind] for kind in problem.client_types]
        self._work_gcycles = [float(profile.local_gflops[-1]) for profile in profiles]
        self._input_mbit = [float(profile.cut_mbit[0]) for profile in profiles]

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness. Otherwise seed a generator for environment b with `seed` + b."""

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        """Returns the actions `[batch, clients]` for the observations `[batch, clients, features]`."""
        columns = self._problem.features.columns
        seen = {name: observation[..., column.at] * column.scale for name, column in columns.items()}
        batch, nodes = len(observation), self._problem.num_nodes
        unit_ghz = np.full((batch, 1), self._problem.rsu_ghz)
        node_ghz = np.concatenate([unit_ghz, seen["service_ghz"][:, 0]], axis=-1)  # the unit is node 0
        sent_gcycles = np.zeros((batch, nodes))  # by the clients that have chosen already
        action = np.empty((batch, len(self._work_gcycles)), dtype=np.int64)
        for client, work in enumerate(self._work_gcycles):
            mbps = np.concatenate([seen["v2i_mbps"][:, client], seen["v2v_mbps"][:, client]], axis=-1)
            queues = [seen["rsu_backlog_gcycles"][:, client], seen["service_backlog_gcycles"][:, client]]
            waiting = np.concatenate(queues, axis=-1) + sent_gcycles
            node_s = self._input_mbit[client] / np.maximum(mbps, 1e-9) + (waiting + work) / node_ghz
            own = seen["client_backlog_gcycles"][:, client]
            own_s = (own + work) / seen["client_ghz"][:, client]
            time_s, queue = np.concatenate([node_s, own_s], axis=-1), np.concatenate([waiting, own], axis=-1)
            best = (self._problem.lyapunov_v * time_s + queue * work).argmin(axis=-1)
            sends = best < nodes
            sent_gcycles[sends, best[sends]] += work
            all_local = self._problem.num_layers[client] * nodes  # an action is cut * nodes + node
            action[:, client] = np.where(sends, best, all_local)
        return action
