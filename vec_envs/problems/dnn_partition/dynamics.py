"""The dynamics of `DNNPartition`: delays, the sharing of the roadside unit, and the queues after a slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vec_envs.physics import lyapunov, offloading
from vec_envs.physics.allocation import allocate_rsu, allocate_rsu_capped, band_shares
from vec_envs.physics.queues import next_backlog_gcycles
from vec_envs.problems.dnn_partition.actions import PartitionActions
from vec_envs.problems.dnn_partition.objective import SlotTerms
from vec_envs.problems.dnn_partition.records import Exogenous, QueueRow, State

ALLOCATIONS = ("exact", "capped", "eq46")

PerType = Float[np.ndarray, "*batch types"]


@dataclass(frozen=True, kw_only=True)
class SlotDynamics:
    """Computes the delays and queues of a slot, from the state, the actions and the exogenous record.

    All queues are in one row: I clients, K DNN types at the roadside unit (RSU), S service vehicles. The last K + S are
    the *servers*. A task for node 0 goes to the server of its own DNN type. So a task always waits for the other tasks
    at its server: those of the same type at the RSU, and all others at a service vehicle.
    """

    actions: PartitionActions
    queues: QueueRow
    lyapunov_v: float
    slot_s: float
    rsu_ghz: float
    allocation: str
    limits_reach: bool = False
    """Whether a rate of 0 means that the node is out of the client's reach."""
    shared_band: bool = False
    """Whether the senders of a node share one band."""

    def slot(self, state: State, action: Int[np.ndarray, "*batch clients"], exogenous: Exogenous) -> SlotTerms:
        """Returns the terms of a slot.

        The records may have batch axes of length 1 where those of `action` are longer.

        Paper: MAD2RL Eqs. (12), (16), (17).
        """
        row, table = self.queues, self.actions.table
        entry = action + self.actions.first_entry
        batch_shape = entry.shape[:-1]
        # Entries of all environments are in one flat array; `index` is the number of the environment.
        index = np.arange(math.prod(batch_shape)).reshape((*batch_shape, 1))
        link = table.link.take(entry) + index * (row.num_clients * self.actions.num_nodes)
        rate = self._rates(batch_shape, exogenous).take(link)
        if self.limits_reach:
            entry = np.where(rate > 0.0, entry, self.actions.local_entry)
        edge, offloads = table.edge_gcycles.take(entry), table.offloads.take(entry)
        server = (table.server.take(entry) + (index * row.length + row.num_clients)).ravel()

        backlog = row.join(batch_shape, state.client_backlog_gcycles, state.rsu_backlog_gcycles,
                           state.service_backlog_gcycles)  # fmt: skip
        arrivals = np.bincount(server, edge.ravel(), backlog.size).reshape(backlog.shape)
        num_tasks = np.bincount(server, offloads.ravel(), backlog.size).reshape(backlog.shape)
        rsu_ghz = self.rsu_allocation_ghz(backlog[row.rsu], arrivals[row.rsu], num_tasks[row.rsu])
        speed = row.join(batch_shape, exogenous.client_ghz, rsu_ghz, exogenous.service_ghz)

        server_speed, server_backlog, server_arrivals = (
            queues.take(server).reshape(entry.shape) for queues in (speed, backlog, arrivals)
        )
        served = offloads & (server_speed > 0.0)
        arrivals[row.clients] = table.local_gcycles.take(entry)
        local_s = offloading.local_s(
            backlog[row.clients], arrivals[row.clients], speed[row.clients], table.runs_local.take(entry)
        )
        transmit_s = offloading.transmit_s(table.sent_mbit.take(entry), rate)
        if self.shared_band:
            transmit_s = self._transmit_in_shared_band_s(transmit_s, action % self.actions.num_nodes, index)
        process_s = offloading.process_s(server_backlog, edge, server_speed, served)
        wait_s = offloading.wait_s(server_arrivals - edge, server_speed, served)
        service = speed * self.slot_s
        next_backlog = next_backlog_gcycles(backlog, arrivals, service)
        return SlotTerms(
            local_s=local_s,
            transmit_s=transmit_s,
            process_s=process_s,
            wait_s=wait_s,
            delay_s=local_s + transmit_s + process_s + wait_s,
            local_gcycles=arrivals[row.clients],
            client_ghz=speed[row.clients],
            rsu_allocation_ghz=rsu_ghz,
            backlog_gcycles=backlog,
            arrivals_gcycles=arrivals,
            service_gcycles=service,
            next_backlog_gcycles=next_backlog,
            drift=lyapunov.drift(backlog, next_backlog),
            drift_bound=lyapunov.drift_bound(backlog, arrivals, service),
        )

    def rsu_allocation_ghz(self, backlog: PerType, arrivals: PerType, num_tasks: PerType) -> PerType:
        """Returns the RSU's speed in GHz for each DNN type, from the weights of their delays in P3.

        Paper: MAD2RL Eq. (46).
        Differs: the backlog is multiplied by the number of tasks, as in Eq. (42). `allocation="eq46"` multiplies it by
        1, even without tasks.
        """
        counted = 1.0 if self.allocation == "eq46" else num_tasks
        gamma = self.lyapunov_v * (counted * backlog + offloading.shared_gcycles(num_tasks, arrivals))
        if self.allocation == "capped":
            usable_ghz = (backlog + arrivals) / self.slot_s
            return allocate_rsu_capped(gamma, backlog, usable_ghz, capacity_ghz=self.rsu_ghz, slot_s=self.slot_s)
        return allocate_rsu(gamma, backlog, capacity_ghz=self.rsu_ghz, slot_s=self.slot_s)

    def _transmit_in_shared_band_s(
        self,
        alone_s: Float[np.ndarray, "*batch clients"],
        node: Int[np.ndarray, "*batch clients"],
        index: Int[np.ndarray, "*batch 1"],
    ) -> Float[np.ndarray, "*batch clients"]:
        """Returns the times to send, where each node has one band and divides it among its senders.

        A client that has the band of its node alone needs `alone_s`, as in the paper, where each link has a band of its
        own. The spectral efficiency of a link does not depend on its share.
        """
        share = band_shares(alone_s, node + index * self.actions.num_nodes)
        return np.divide(alone_s, share, out=np.zeros(alone_s.shape), where=share > 0.0)

    def _rates(self, batch_shape: tuple[int, ...], exogenous: Exogenous) -> Float[np.ndarray, "*batch clients nodes"]:
        """Returns the rates in Mbit/s of all links, with the RSU as node 0."""
        rates = np.empty((*batch_shape, self.queues.num_clients, self.actions.num_nodes))
        rates[..., 0], rates[..., 1:] = exogenous.v2i_mbps, exogenous.v2v_mbps
        return rates
