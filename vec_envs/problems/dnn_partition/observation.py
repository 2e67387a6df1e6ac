"""What each client of `DNNPartition` sees, as numbers of order one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.dnn_partition.records import Exogenous, State

OBSERVATIONS = ("paper", "extended")

BACKLOG_SCALE_GCYCLES = 4.0
POSITION_SCALE_M = 500.0
RATE_SCALE_MBPS = 100.0
CAPACITY_SCALE_GHZ = 10.0
SPEED_SCALE_MPS = 30.0


class Column(NamedTuple):
    """Where features stand, and what 1 of them is in the unit of their name."""

    at: slice
    scale: float


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

    @cached_property
    def size(self) -> int:
        """Number of features an agent observes: 2J + 1, and 3J more where extended."""
        return max(column.at.stop for column in self.columns.values())

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The features in their order, by the names that they have in `State` and `Exogenous`."""
        services = self.num_nodes - 1
        kinds = [
            ("client_backlog_gcycles", 1, BACKLOG_SCALE_GCYCLES),
            ("rsu_backlog_gcycles", 1, BACKLOG_SCALE_GCYCLES),
            ("service_backlog_gcycles", services, BACKLOG_SCALE_GCYCLES),
            ("client_position_m", 1, POSITION_SCALE_M),
            ("service_position_m", services, POSITION_SCALE_M),
        ]
        if self.kind == "extended":
            kinds += [
                ("v2i_mbps", 1, RATE_SCALE_MBPS),
                ("v2v_mbps", services, RATE_SCALE_MBPS),
                ("client_ghz", 1, CAPACITY_SCALE_GHZ),
                ("service_ghz", services, CAPACITY_SCALE_GHZ),
                ("client_speed_mps", 1, SPEED_SCALE_MPS),
                ("service_speed_mps", services, SPEED_SCALE_MPS),
            ]
        ends = accumulate(length for _, length, _ in kinds)
        return {
            name: Column(slice(end - length, end), scale)
            for (name, length, scale), end in zip(kinds, ends, strict=True)
        }

    def of(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch clients features"]:
        """Returns the features of every client's slot."""
        lanes = state.client_backlog_gcycles.shape[:-1]
        seen = np.empty((*lanes, len(self.client_types), self.size), dtype=np.float32)
        for name, (at, scale) in self.columns.items():
            value = getattr(state if "backlog" in name else exogenous, name)
            if name == "rsu_backlog_gcycles":
                value = value[..., self.client_types]
            if name.startswith("service_"):
                value = value[..., None, :]
            elif name != "v2v_mbps":
                value = value[..., None]
            np.divide(value, scale, out=seen[..., at], casting="same_kind")
        return seen
