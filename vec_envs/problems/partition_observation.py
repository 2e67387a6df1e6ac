"""What each client of `DNNPartition` sees, as numbers of order one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.dnn_partition_records import Exogenous, State

OBSERVATIONS = ("paper", "extended")

BACKLOG_SCALE_GCYCLES = 4.0
POSITION_SCALE_M = 500.0
RATE_SCALE_MBPS = 100.0
CAPACITY_SCALE_GHZ = 10.0
SPEED_SCALE_MPS = 30.0


@dataclass(frozen=True, kw_only=True)
class PartitionObservation:
    """How a slot is seen by clients of these DNN types: `kind` of observation, beside so many edge nodes.

    Features: own backlog, the RSU's backlog of the own type, every service vehicle's; own position, every service
    vehicle's. Where extended: own rate to every node, own and every service vehicle's processor, own and every service
    vehicle's speed.

    Paper: MAD2RL Eqs. (52), (53).
    """

    kind: str
    client_types: Int[np.ndarray, "clients"]
    num_nodes: int

    @property
    def size(self) -> int:
        """Number of features an agent observes: 2J + 1, and 3J + 1 + S more where extended."""
        paper = 2 * self.num_nodes + 1
        return paper if self.kind == "paper" else paper + 3 * self.num_nodes

    def of(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*lanes clients features"]:
        """Returns the features of every client's slot."""
        lanes, nodes = state.client_backlog_gcycles.shape[:-1], self.num_nodes
        seen = np.empty((*lanes, len(self.client_types), self.size), dtype=np.float32)
        seen[..., 0] = state.client_backlog_gcycles
        seen[..., 1] = state.rsu_backlog_gcycles[..., self.client_types]
        seen[..., 2 : nodes + 1] = state.service_backlog_gcycles[..., None, :]
        seen[..., : nodes + 1] /= BACKLOG_SCALE_GCYCLES
        seen[..., nodes + 1] = exogenous.client_position_m
        seen[..., nodes + 2 : 2 * nodes + 1] = exogenous.service_position_m[..., None, :]
        seen[..., nodes + 1 : 2 * nodes + 1] /= POSITION_SCALE_M
        if self.kind == "extended":
            self._write_more(seen[..., 2 * nodes + 1 :], exogenous)
        return seen

    def _write_more(self, more: Float32[np.ndarray, "*lanes clients more"], exogenous: Exogenous) -> None:
        nodes = self.num_nodes
        more[..., 0] = exogenous.v2i_mbps / RATE_SCALE_MBPS
        more[..., 1:nodes] = exogenous.v2v_mbps / RATE_SCALE_MBPS
        more[..., nodes] = exogenous.client_ghz / CAPACITY_SCALE_GHZ
        more[..., nodes + 1 : 2 * nodes] = exogenous.service_ghz[..., None, :] / CAPACITY_SCALE_GHZ
        more[..., 2 * nodes] = cast(np.ndarray, exogenous.client_speed_mps) / SPEED_SCALE_MPS
        more[..., 2 * nodes + 1 :] = cast(np.ndarray, exogenous.service_speed_mps)[..., None, :] / SPEED_SCALE_MPS
