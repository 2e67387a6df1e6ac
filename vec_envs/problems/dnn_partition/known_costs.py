"""The costs of every action of `DNNPartition` that a client can compute from its own observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from vec_envs.physics import lyapunov, offloading
from vec_envs.physics.queues import next_backlog_gcycles
from vec_envs.problems.dnn_partition.actions import ActionTable
from vec_envs.problems.dnn_partition.observation import Column

DELAYS = ("transmit_s", "process_s", "local_s")
MIN_SPEED = 1e-3
"""A lower bound on rates (Mbit/s) and speeds (GHz), so that an observation of zeros causes no division by 0."""

Array: TypeAlias = Any
"""A numpy array, or a tensor by which a learner has replaced it."""


@dataclass(frozen=True, kw_only=True)
class KnownCosts:
    """Three delays and a drift of every action, in s, for a client that shares its server with no other client.

    For a client alone at a service vehicle they equal the parts of `SlotTerms`; a test compares the two. A client does
    not observe the decisions of the others, so these costs assume that the roadside unit serves this client alone.

    A delay is (backlog + work) / speed. Backlog and speed are columns of the observation, by kind and node. The cut
    determines the work, and whether the backlog counts. The drift is the increase in drift of the two queues that the
    action fills. It is divided by V, so that it is in seconds as well.

    Arrays of actions have the axes `[clients, 1, kinds, cuts, 1]`. `columns`, `scale`, `constant` and `least` are flat
    arrays of `[backlog or speed, kinds, nodes]`.
    """

    columns: Array
    """The columns of the observation that hold backlogs and speeds."""
    scale: Array
    """The factor from a feature to its unit; 0 for values that are not observed."""
    constant: Array
    """The values that are not observed: the speed of the roadside unit."""
    least: Array
    """The lower bound of each value."""
    work: Array
    """Data to send in Mbit, work of the server in Gcycles, work of the client in Gcycles."""
    runs: Array
    """1 where the action has work of this kind, else 0."""
    in_queue: Array
    """1 where this work joins a queue, else 0; always 0 for data to send."""
    slot_s: Array
    per_v: Array
    """1 / V."""
    rate_column: Array
    """The column of the rate to each action's node. Empty where all nodes are always in reach."""
    is_local: Array
    """1 for the action of each client that runs all layers itself, else 0, `[clients, 1, actions]`."""

    @property
    def num_kinds(self) -> int:
        """The number of kinds of cost: three delays and a drift."""
        return len(DELAYS) + 1

    def of(self, observation: Array) -> Array:
        """Returns a list of costs in s, `[clients, batch, actions]` for each kind.

        `observation` has the axes [clients, batch, features].
        """
        values = self.constant + observation[..., self.columns] * self.scale
        values = values.clip(min=self.least)
        nodes = values.shape[-1] // (2 * len(DELAYS))
        values = values.reshape((*values.shape[:-1], 2, len(DELAYS), 1, nodes))
        backlog, speed = values[:, :, 0], values[:, :, 1]
        delays_s = offloading.finish_s(backlog, self.work, speed, self.runs)
        left = backlog - self.slot_s * speed
        without = next_backlog_gcycles(left, 0.0, 0.0)
        with_work = next_backlog_gcycles(left, self.work, 0.0)
        drift_s = (self.in_queue * lyapunov.queue_drift(without, with_work)).sum(2) * self.per_v
        flat = (*delays_s.shape[:2], -1)
        kinds = [delays_s[:, :, kind].reshape(flat) for kind in range(len(DELAYS))]
        return self._within_reach([*kinds, drift_s.reshape(flat)], observation)

    def _within_reach(self, kinds: list[Array], observation: Array) -> list[Array]:
        """Returns costs in which an action out of reach costs as much as running all layers locally."""
        if not len(self.rate_column):
            return kinds
        reached = 1.0 * (observation[..., self.rate_column] > 0.0)
        return [kind * reached + (kind * self.is_local).sum(-1)[..., None] * (1.0 - reached) for kind in kinds]


def known_costs(
    table: ActionTable,
    columns: dict[str, Column],
    *,
    num_nodes: int,
    observation_size: int,
    rsu_ghz: float,
    slot_s: float,
    lyapunov_v: float,
    limits_reach: bool = False,
) -> KnownCosts:
    """Returns the known costs for clients whose observations have these columns.

    With `limits_reach`, a rate of 0 means that the node is out of reach.
    """
    places, scales, none = np.arange(observation_size), np.zeros(observation_size), np.zeros(1, int)
    for column in columns.values():
        scales[column.at] = column.scale

    def at(*names: str) -> np.ndarray:
        return np.concatenate([places[columns[name].at] for name in names])

    backlog = none, at("rsu_backlog_gcycles", "service_backlog_gcycles"), at("client_backlog_gcycles")
    speed = at("v2i_mbps", "v2v_mbps"), np.append(none, at("service_ghz")), at("client_ghz")
    column_at = np.stack([np.broadcast_to(kind, num_nodes) for kind in (*backlog, *speed)])
    scale, constant, least = scales[column_at], np.zeros(column_at.shape), np.zeros(column_at.shape)
    least[len(backlog) :] = MIN_SPEED
    scale[0] = 0.0  # data to send does not wait in a queue
    at_rsu = len(backlog) + DELAYS.index("process_s"), 0
    scale[at_rsu], constant[at_rsu] = 0.0, rsu_ghz
    work = table.sent_mbit, table.offloads * table.edge_gcycles, table.runs_local * table.local_gcycles
    runs = np.ones_like(table.sent_mbit), table.offloads, table.runs_local
    in_queue = np.zeros_like(table.sent_mbit), table.offloads, table.runs_local
    is_local = table.runs_local & ~table.offloads & (table.link % num_nodes == 0)
    rates = np.tile(speed[0], table.link.shape[1] // num_nodes)
    return KnownCosts(
        columns=column_at.ravel(),
        scale=_single(scale.ravel()),
        constant=_single(constant.ravel()),
        least=_single(least.ravel()),
        work=_by_cut(work, num_nodes),
        runs=_by_cut(runs, num_nodes),
        in_queue=_by_cut(in_queue, num_nodes),
        slot_s=_single(np.array(slot_s)),
        per_v=_single(np.array(1.0 / lyapunov_v)),
        rate_column=rates if limits_reach else np.zeros(0, np.int64),
        is_local=_single(is_local[:, None]),
    )


def _by_cut(kinds: tuple[np.ndarray, ...], num_nodes: int) -> Float[np.ndarray, "clients 1 kinds cuts 1"]:
    """Returns values of actions for each cut; they are equal for all nodes."""
    by_node = np.stack(kinds, axis=1).reshape(len(kinds[0]), 1, len(kinds), -1, num_nodes)
    return _single(by_node[..., :1])


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)
