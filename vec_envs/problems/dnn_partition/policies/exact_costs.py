"""The cost of a slot of `DNNPartition` as a sum of parts: one for each client and one for each server.

The cost is drift plus V times the delays. A client's part depends on its own action only. The part of a service
vehicle depends on the number n of tasks that it receives and on their total work A. The part of the roadside unit
depends on n_k and A_k of each DNN type k:

    service vehicle    V (n Q + (n + 1) / 2 A) / f + drift(Q + A - f tau)
    roadside unit      sum_k V (n_k Q_k + (n_k + 1) / 2 A_k) / f_k + drift(Q_k + A_k - f_k tau)

Both grow with work. The cost of a set of tasks is at least the sum of the costs of its tasks, each alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.physics import offloading
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import DriftPlusPenalty
from vec_envs.problems.dnn_partition.problem import DNNPartition

Rows = Float[np.ndarray, "rows"]

BISECTIONS = 16
"""The steps of bisection towards the best speed."""


@dataclass(frozen=True, kw_only=True)
class SlotCosts:
    """The parts of the cost of one slot. Cuts that a client does not have cost infinity."""

    problem: DNNPartition
    objective: DriftPlusPenalty
    local: Float[np.ndarray, "clients"]
    """The cost of running all layers on the vehicle."""
    work: Float[np.ndarray, "clients cuts"]
    """The work that each cut leaves to the server, in Gcycles; 0 for the last cut."""
    sent: Float[np.ndarray, "clients nodes cuts"]
    """The cost of the layers before each cut and of sending its data to each node.

    It is infinite for the last cut, and for nodes that are out of reach.
    """
    rsu_backlog: Float[np.ndarray, "types"]
    service_backlog: Float[np.ndarray, "services"]
    service_ghz: Float[np.ndarray, "services"]

    def action_cost(self, action: Int[np.ndarray, "clients"]) -> float:
        """Returns the cost of a joint action: the sum of its parts."""
        problem = self.problem
        cut, node = np.divmod(action, problem.num_nodes)
        sends, clients = cut < problem.num_layers, np.arange(len(action))
        own = np.where(sends, self.sent[clients, node, np.minimum(cut, problem.num_layers - 1)], self.local)
        work = np.where(sends, self.work[clients, cut], 0.0)
        at_node = [sends & (node == n) for n in range(problem.num_nodes)]
        types, length = problem.client_types[at_node[0]], len(self.rsu_backlog)
        rsu_work = np.bincount(types, work[at_node[0]], length).astype(np.float64)[None]
        at_services = sum(
            self.service_cost(n, int(at.sum()), work[at].sum(keepdims=True))[0] for n, at in enumerate(at_node[1:])
        )
        return float(own.sum() + self.rsu_cost(np.bincount(types, minlength=length), rsu_work)[0] + at_services)

    def service_cost(self, service: int, num_tasks: int, work: Rows) -> Rows:
        """Returns the cost of tasks at a service vehicle, for each total of their work in Gcycles."""
        backlog, speed = self.service_backlog[service], self.service_ghz[service]
        delay_s = offloading.delays_at_server_gcycles(num_tasks, backlog, work) / speed
        served = np.full(work.shape, speed * self.problem.slot_s)
        in_queue = self.objective.queue_cost(np.full(work.shape, backlog), work, served)
        return self.objective.delay_cost(delay_s) + in_queue

    def gamma(
        self,
        num_tasks: int | Int[np.ndarray, "types"],
        backlog: float | Float[np.ndarray, "types"],
        work: Float[np.ndarray, "*shape"],
    ) -> Float[np.ndarray, "*shape"]:
        """Returns V times the sum of the delays of tasks at the roadside unit, at a speed of 1 GHz."""
        return self.objective.delay_cost(offloading.delays_at_server_gcycles(num_tasks, backlog, work))

    def rsu_cost(self, num_tasks: Int[np.ndarray, "types"], work: Float[np.ndarray, "rows types"]) -> Rows:
        """Returns the cost of tasks at the roadside unit, at the speeds that it allocates to them."""
        backlog = np.broadcast_to(self.rsu_backlog, work.shape)
        speed = self.problem.dynamics.rsu_allocation_ghz(backlog, work, np.broadcast_to(1.0 * num_tasks, work.shape))
        gamma = self.gamma(num_tasks, self.rsu_backlog, work)
        delay = np.divide(gamma, speed, out=np.zeros(work.shape), where=speed > 0.0)
        return (delay + self.objective.queue_cost(backlog, work, speed * self.problem.slot_s)).sum(axis=-1)

    def served_at_rsu(self, has_tasks: Bool[np.ndarray, "types"]) -> Bool[np.ndarray, "types"]:
        """Returns the DNN types that may get speed from the roadside unit, given the types that have tasks.

        Under the exact allocation (P3), a type without tasks may get speed only if its queue is the longest of all. Of
        equally long queues without tasks only the first may.
        """
        if self.problem.allocation != "exact":
            return np.ones(has_tasks.shape, dtype=np.bool_)
        longest = np.where(has_tasks, self.rsu_backlog, 0.0).max()
        idle = np.where(has_tasks, 0.0, self.rsu_backlog)
        return has_tasks | ((np.arange(len(idle)) == idle.argmax()) & (idle > longest))

    def rsu_lower_bound(
        self, kind: int, num_tasks: int, work: Rows, price: Float[np.ndarray, "prices"]
    ) -> Float[np.ndarray, "rows prices"]:
        """Returns the least cost of tasks of a type at the roadside unit, where each GHz costs `price`.

        The speed is free up to the most that the type can get. For the objective `"drift_bound"` the best speed is
        sqrt(Gamma / (price - Q tau)). For the exact drift, bisection brackets the best speed. The cost is convex, so
        the tangent at the upper end of the bracket is a lower bound in all of it.
        """
        backlog, tau = float(self.rsu_backlog[kind]), self.problem.slot_s
        gamma = self.gamma(num_tasks, backlog, work)[:, None]
        most = self._max_rsu_ghz(gamma, backlog)
        if self.objective.name == "drift_bound":
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

    def _max_rsu_ghz(self, gamma: Float[np.ndarray, "rows 1"], backlog: float) -> Float[np.ndarray, "rows 1"]:
        """Returns an upper bound on the speed in GHz that tasks of a type can get.

        Under the exact allocation (P3), the price of a GHz is at least Q tau of the longest queue, even if this queue
        has no tasks. So the types with shorter queues get less, and the longest queue gets all the remaining speed.
        """
        capacity = np.full(gamma.shape, self.problem.rsu_ghz)
        shorter = (float(self.rsu_backlog.max()) - backlog) * self.problem.slot_s
        if self.problem.allocation != "exact" or shorter <= 0.0:
            return capacity
        return np.where(gamma > 0.0, np.minimum(capacity, (1.0 + 1e-9) * np.sqrt(gamma / shorter)), capacity)


def slot_costs(problem: DNNPartition, view: View, objective: DriftPlusPenalty) -> list[SlotCosts]:
    """Returns the costs of the slot of each environment."""
    nodes, clients, layers = problem.num_nodes, problem.num_client_vehicles, problem.num_layers
    cut = np.arange(int(layers.max()) + 1)
    real = np.minimum(cut, layers[:, None])  # cuts that a client does not have repeat its last one
    table, entry = problem.choices.table, (np.arange(clients)[:, None], real * nodes)
    state, exogenous = view.state, view.exogenous
    own = table.local_gcycles[entry]
    backlog, ghz, arrivals = np.broadcast_arrays(
        state.client_backlog_gcycles[..., None], exogenous.client_ghz[..., None], own
    )
    local_s = offloading.local_s(backlog, arrivals, ghz, np.broadcast_to(cut > 0, backlog.shape))
    cost = objective.delay_cost(local_s) + objective.queue_cost(backlog, arrivals, ghz * problem.slot_s)
    rate = np.concatenate([exogenous.v2i_mbps[..., None], exogenous.v2v_mbps], axis=-1)[..., None]
    cost_of_mbit = objective.delay_cost(table.sent_mbit[entry][:, None])
    shape = np.broadcast_shapes(cost_of_mbit.shape, rate.shape)
    sending = np.divide(cost_of_mbit, rate, out=np.full(shape, np.inf), where=rate > 0.0)
    offloads = (cut < layers[:, None])[:, None]
    sent = np.where(offloads, cost[..., None, :] + sending, np.inf)
    return [
        SlotCosts(
            problem=problem,
            objective=objective,
            local=cost[index, np.arange(clients), layers],
            work=table.edge_gcycles[entry],
            sent=sent[index],
            rsu_backlog=state.rsu_backlog_gcycles[index],
            service_backlog=state.service_backlog_gcycles[index],
            service_ghz=exogenous.service_ghz[index],
        )
        for index in range(len(cost))
    ]
