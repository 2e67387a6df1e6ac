"""What a slot of `DNNPartition` costs, taken apart: what a client's own decision costs, and what a server's tasks do.

The cost is drift plus V times the delays. Own parts add up over the clients. A service vehicle's part depends on how
many tasks come to it, n, and on their work A in sum; the roadside unit's on n_k and A_k of each DNN type:

    service vehicle    V (n Q + (n + 1) / 2 A) / f + drift(Q + A - f tau)
    roadside unit      sum_k V (n_k Q_k + (n_k + 1) / 2 A_k) / f_k + drift(Q_k + A_k - f_k tau)

Both grow with work, and a set of tasks costs at least what its parts do, each alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.physics import lyapunov
from vec_envs.physics.queues import next_backlog_gcycles
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.records import map_arrays

Objective = Literal["drift", "drift_bound"]
Rows = Float[np.ndarray, "rows"]

BISECTIONS = 16


@dataclass(frozen=True, kw_only=True)
class SlotCosts:
    """The costs of one slot; those of cuts that a client does not have are infinite."""

    problem: DNNPartition
    objective: Objective
    local: Float[np.ndarray, "clients"]
    """Of running all layers."""
    work: Float[np.ndarray, "clients cuts"]
    """Gcycles left to the server by each cut but the last, which leaves none."""
    sent: Float[np.ndarray, "clients nodes cuts"]
    """Of the own layers before each cut, and of sending the data at it to each node; infinite for the last cut."""
    rsu_backlog: Float[np.ndarray, "types"]
    service_backlog: Float[np.ndarray, "services"]
    service_ghz: Float[np.ndarray, "services"]

    def of_service(self, service: int, num_tasks: int, work: Rows) -> Rows:
        """Returns what tasks of that much work in sum cost at a service vehicle."""
        backlog, speed = self.service_backlog[service], self.service_ghz[service]
        delay_s = (num_tasks * backlog + 0.5 * (num_tasks + 1.0) * work) / speed
        served = np.full(work.shape, speed * self.problem.slot_s)
        return self.problem.lyapunov_v * delay_s + drift(self.objective, np.full(work.shape, backlog), work, served)

    def gamma(
        self,
        num_tasks: int | Int[np.ndarray, "types"],
        backlog: float | Float[np.ndarray, "types"],
        work: Float[np.ndarray, "*shape"],
    ) -> Float[np.ndarray, "*shape"]:
        """Returns V times the sum of the delays of tasks at the roadside unit, for 1 GHz."""
        return self.problem.lyapunov_v * (num_tasks * backlog + 0.5 * (num_tasks + 1.0) * work)

    def of_rsu(self, num_tasks: Int[np.ndarray, "types"], work: Float[np.ndarray, "rows types"]) -> Rows:
        """Returns what tasks cost at the roadside unit with the speeds that it gives them."""
        backlog = np.broadcast_to(self.rsu_backlog, work.shape)
        speed = self.problem.rsu_allocation_ghz(backlog, work, np.broadcast_to(1.0 * num_tasks, work.shape))
        gamma = self.gamma(num_tasks, self.rsu_backlog, work)
        delay = np.divide(gamma, speed, out=np.zeros(work.shape), where=speed > 0.0)
        return (delay + drift(self.objective, backlog, work, speed * self.problem.slot_s)).sum(axis=-1)

    def served_at_rsu(self, has_tasks: Bool[np.ndarray, "types"]) -> Bool[np.ndarray, "types"]:
        """Returns the types that may get speed where these have tasks.

        By P3 to the letter, of those without the first of the longest queue may, if it is longer than all with tasks'.
        """
        if self.problem.allocation != "exact":
            return np.ones(has_tasks.shape, dtype=np.bool_)
        longest = np.where(has_tasks, self.rsu_backlog, 0.0).max()
        idle = np.where(has_tasks, 0.0, self.rsu_backlog)
        return has_tasks | ((np.arange(len(idle)) == idle.argmax()) & (idle > longest))

    def least_at_rsu(
        self, kind: int, num_tasks: int, work: Rows, price: Float[np.ndarray, "prices"]
    ) -> Float[np.ndarray, "rows prices"]:
        """Returns what tasks of a type cost at least if each GHz up to the most that they can get costs `price`.

        With the drift's bound the best speed is sqrt(Gamma / (price - Q tau)); with the exact drift it is bracketed,
        and the tangent at the bracket's upper end, where the cost rises, is below the cost everywhere in it.
        """
        backlog, tau = float(self.rsu_backlog[kind]), self.problem.slot_s
        gamma = self.gamma(num_tasks, backlog, work)[:, None]
        most = self._most_at_rsu(gamma, backlog)
        if self.objective == "drift_bound":
            net = np.broadcast_to(price - backlog * tau, (len(work), len(price)))
            root = np.sqrt(np.divide(gamma, net, out=np.full(net.shape, np.inf), where=net > 0.0))
            speed = np.minimum(root, most)
            delay = np.divide(gamma, speed, out=np.zeros(net.shape), where=speed > 0.0)
            return delay + net * speed + backlog * work[:, None]
        waiting = backlog + work[:, None]

        def slope(ghz: np.ndarray) -> np.ndarray:
            return price - gamma / ghz**2 - tau * np.maximum(waiting - ghz * tau, 0.0)

        low, high = np.zeros((len(work), len(price))), np.broadcast_to(most, (len(work), len(price)))
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            rises = slope(middle) > 0.0
            low, high = np.where(rises, low, middle), np.where(rises, middle, high)
        value = gamma / high + 0.5 * (np.maximum(waiting - high * tau, 0.0) ** 2 - backlog**2) + price * high
        return value - np.maximum(slope(high), 0.0) * (high - low)

    def _most_at_rsu(self, gamma: Float[np.ndarray, "rows 1"], backlog: float) -> Float[np.ndarray, "rows 1"]:
        """Returns the most speed that tasks can get.

        By P3 to the letter a queue's pull Q tau is part of the price, also where the queue has no tasks. So those of a
        shorter queue get less, and the longest queue what they leave, used or not.
        """
        capacity = np.full(gamma.shape, self.problem.rsu_ghz)
        shorter = (float(self.rsu_backlog.max()) - backlog) * self.problem.slot_s
        if self.problem.allocation != "exact" or shorter <= 0.0:
            return capacity
        return np.where(gamma > 0.0, np.minimum(capacity, (1.0 + 1e-9) * np.sqrt(gamma / shorter)), capacity)


def cost_of_slot(
    view: View, action: Int[np.ndarray, "batch *tries clients"], objective: Objective
) -> Float[np.ndarray, "batch *tries"]:
    """Returns drift, or its bound, plus V times the delays that actions bring in each lane's slot."""
    axes = tuple(range(1, action.ndim - 1))
    state, exogenous = (map_arrays(lambda a: np.expand_dims(a, axes), r) for r in (view.state, view.exogenous))
    outcome = view.problem.transition(state, action, exogenous)[1]
    return getattr(outcome, objective) + view.problem.lyapunov_v * outcome.delay_s.sum(axis=-1)


def drift(objective: Objective, backlog: np.ndarray, arrivals: np.ndarray, service: np.ndarray) -> np.ndarray:
    """Returns each queue's drift over the slot, or the bound on it."""
    one = backlog[..., None], arrivals[..., None], service[..., None]
    if objective == "drift_bound":
        return np.asarray(lyapunov.drift_bound(*one))
    return np.asarray(lyapunov.drift(one[0], next_backlog_gcycles(*one)))


def slot_costs(problem: DNNPartition, view: View, objective: Objective) -> list[SlotCosts]:
    """Returns the costs of each lane's slot."""
    nodes, clients, layers = problem.num_nodes, problem.num_client_vehicles, problem.num_layers
    cut = np.arange(int(layers.max()) + 1)
    real = np.minimum(cut, layers[:, None])
    table, entry = problem.choices.table, (np.arange(clients)[:, None], real * nodes)
    state, now = view.state, view.exogenous
    own = table.local_gflops[entry]
    backlog, ghz, arrivals = np.broadcast_arrays(
        state.client_backlog_gcycles[..., None], now.client_ghz[..., None], own
    )
    local_s = np.where(cut > 0, (backlog + arrivals) / ghz, 0.0)
    cost = problem.lyapunov_v * local_s + drift(objective, backlog, arrivals, ghz * problem.slot_s)
    rate = np.concatenate([now.v2i_mbps[..., None], now.v2v_mbps], axis=-1)[..., None]
    sending = problem.lyapunov_v * table.sent_mbit[entry][:, None] / rate
    offloads = (cut < layers[:, None])[:, None]
    sent = np.where(offloads, cost[..., None, :] + sending, np.inf)
    return [
        SlotCosts(
            problem=problem,
            objective=objective,
            local=cost[lane, np.arange(clients), layers],
            work=table.edge_gflops[entry],
            sent=sent[lane],
            rsu_backlog=state.rsu_backlog_gcycles[lane],
            service_backlog=state.service_backlog_gcycles[lane],
            service_ghz=now.service_ghz[lane],
        )
        for lane in range(len(cost))
    ]
