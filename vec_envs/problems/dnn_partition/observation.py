"""The observations of `DNNPartition`: features of each client, scaled to order one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

from vec_envs.problems.dnn_partition.records import Exogenous, State

OBSERVATIONS = ("paper", "extended")

BACKLOG_SCALE_GCYCLES = 4.0
POSITION_SCALE_M = 500.0
RATE_SCALE_MBPS = 100.0
CAPACITY_SCALE_GHZ = 10.0
SPEED_SCALE_MPS = 30.0
REACH = "v2v_reach"
"""The name of the features that say which service vehicles are in reach."""


class Column(NamedTuple):
    """The position of some features in an observation, and their scale.

    A feature of 1 is `scale` in the unit of the name.
    """

    at: slice
    scale: float


@dataclass(frozen=True, kw_only=True)
class PartitionObservation:
    """Encodes the slot as an observation of each client. `kind` is `"paper"` or `"extended"`.

    Features: the client's backlog, the RSU's backlog of its DNN type, the backlog of every service vehicle; the
    client's position and that of every service vehicle. `"extended"` adds the client's rate to every node, the
    processors of the client and of every service vehicle, and their driving speeds. On a road without an axis, a
    position is the distance to the RSU, negative while the vehicle approaches it.

    Paper: MAD2RL Eqs. (52), (53).
    """

    kind: str
    client_types: Int[np.ndarray, "clients"]
    num_nodes: int
    has_reach: bool = False
    """Whether service vehicles can be out of reach. Then `"paper"` adds 1 for each one in reach and 0 for others. Of
    `"extended"` the rates show it, which are 0 out of reach."""

    @cached_property
    def size(self) -> int:
        """The number of features that a client observes: 2J + 1, or 5J + 1 for `"extended"`; 3J with reach."""
        return max(column.at.stop for column in self.columns.values())

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The features in their order, by the names of the fields of `State` and `Exogenous`."""
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
        elif self.has_reach:
            kinds.append((REACH, services, 1.0))
        ends = accumulate(length for _, length, _ in kinds)
        return {
            name: Column(slice(end - length, end), scale)
            for (name, length, scale), end in zip(kinds, ends, strict=True)
        }

    @cached_property
    def bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature. Positions and speeds are unbounded."""
        low = np.zeros(self.size, np.float32)
        for name, column in self.columns.items():
            if name.endswith(("position_m", "speed_mps")):
                low[column.at] = -np.inf
        return low, np.full(self.size, np.inf, np.float32)

    def encode(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch clients features"]:
        """Returns the features of every client."""
        batch_shape = state.client_backlog_gcycles.shape[:-1]
        features = np.empty((*batch_shape, len(self.client_types), self.size), dtype=np.float32)
        for name, (at, scale) in self.columns.items():
            if name == REACH:
                features[..., at] = exogenous.v2v_mbps > 0.0
                continue
            value = getattr(state if "backlog" in name else exogenous, name)
            if name == "rsu_backlog_gcycles":
                value = value[..., self.client_types]
            if name.startswith("service_"):
                value = value[..., None, :]
            elif name != "v2v_mbps":
                value = value[..., None]
            np.divide(value, scale, out=features[..., at], casting="same_kind")
        return features

    def reached(
        self, observation: Float32[np.ndarray, "*batch clients features"]
    ) -> Bool[np.ndarray, "*batch clients services"]:
        """Returns which service vehicles are in each client's reach, from observations with limited reach."""
        column = self.columns["v2v_mbps" if self.kind == "extended" else REACH]
        return observation[..., column.at] > 0.0


def global_state(state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch features"]:
    """Returns every queue, position, speed, rate and processor of a slot once, in the scales of the observation."""
    v2v_mbps = exogenous.v2v_mbps.reshape(*exogenous.v2v_mbps.shape[:-2], -1)
    parts: list[tuple[Any, float]] = [
        (state.client_backlog_gcycles, BACKLOG_SCALE_GCYCLES),
        (state.rsu_backlog_gcycles, BACKLOG_SCALE_GCYCLES),
        (state.service_backlog_gcycles, BACKLOG_SCALE_GCYCLES),
        (exogenous.client_position_m, POSITION_SCALE_M),
        (exogenous.service_position_m, POSITION_SCALE_M),
        (exogenous.client_speed_mps, SPEED_SCALE_MPS),
        (exogenous.service_speed_mps, SPEED_SCALE_MPS),
        (exogenous.v2i_mbps, RATE_SCALE_MBPS),
        (v2v_mbps, RATE_SCALE_MBPS),
        (exogenous.client_ghz, CAPACITY_SCALE_GHZ),
        (exogenous.service_ghz, CAPACITY_SCALE_GHZ),
    ]
    scaled: list[np.ndarray] = [value / scale for value, scale in parts]
    return np.concatenate(scaled, axis=-1, dtype=np.float32, casting="same_kind")
