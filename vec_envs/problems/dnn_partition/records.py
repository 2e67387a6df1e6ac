"""The records of `DNNPartition`: what its functions take and return, and how its queues stand in one row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from jaxtyping import Real as RealArray

from vec_envs.physics.lyapunov import PerEnvironment

Queues = Float[np.ndarray, "*batch queues"]


@dataclass(frozen=True, kw_only=True)
class State:
    """The backlogs at the start of a slot, in Gcycles.

    Paper: MAD2RL Eq. (27).
    """

    client_backlog_gcycles: RealArray[np.ndarray, "*batch clients"]
    rsu_backlog_gcycles: RealArray[np.ndarray, "*batch types"]
    service_backlog_gcycles: RealArray[np.ndarray, "*batch services"]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """What exogenous decides for a slot. Positions run along the road, zero abeam of the RSU; speeds default to 0."""

    client_position_m: RealArray[np.ndarray, "*batch clients"]
    service_position_m: RealArray[np.ndarray, "*batch services"]
    v2i_mbps: RealArray[np.ndarray, "*batch clients"]
    v2v_mbps: RealArray[np.ndarray, "*batch clients services"]
    client_ghz: RealArray[np.ndarray, "*batch clients"]
    service_ghz: RealArray[np.ndarray, "*batch services"]
    client_speed_mps: RealArray[np.ndarray, "*batch clients"] | None = None
    service_speed_mps: RealArray[np.ndarray, "*batch services"] | None = None

    def __post_init__(self) -> None:
        if self.client_speed_mps is None:
            object.__setattr__(self, "client_speed_mps", np.zeros(np.shape(self.client_position_m)))
        if self.service_speed_mps is None:
            object.__setattr__(self, "service_speed_mps", np.zeros(np.shape(self.service_position_m)))


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The raw draws of an episode: fading power of every link and slot (node 0 is the RSU), and the processors."""

    fading_power: Float[np.ndarray, "*batch slots clients nodes"]
    client_ghz: Float[np.ndarray, "*batch clients"]
    service_ghz: Float[np.ndarray, "*batch services"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a slot brought.

    `delay_s` is the sum of the four parts; `reward` the sum of `drift_term` and `delay_term`.
    """

    delay_s: Float[np.ndarray, "*batch clients"]
    local_s: Float[np.ndarray, "*batch clients"]
    transmit_s: Float[np.ndarray, "*batch clients"]
    process_s: Float[np.ndarray, "*batch clients"]
    wait_s: Float[np.ndarray, "*batch clients"]
    rsu_allocation_ghz: Float[np.ndarray, "*batch types"]
    drift: PerEnvironment
    drift_bound: PerEnvironment
    drift_term: PerEnvironment
    delay_term: PerEnvironment
    reward: PerEnvironment


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """The order of all queues in one row: clients, then DNN types at the RSU, then service vehicles."""

    num_clients: int
    num_types: int
    num_services: int

    @property
    def length(self) -> int:
        return self.num_clients + self.num_types + self.num_services

    @cached_property
    def clients(self) -> Any:
        return np.s_[..., : self.num_clients]

    @cached_property
    def rsu(self) -> Any:
        return np.s_[..., self.num_clients : self.num_clients + self.num_types]

    @cached_property
    def services(self) -> Any:
        return np.s_[..., self.num_clients + self.num_types :]

    def state(self, row: Queues) -> State:
        """Returns the parts of a row of backlogs."""
        return State(
            client_backlog_gcycles=row[self.clients],
            rsu_backlog_gcycles=row[self.rsu],
            service_backlog_gcycles=row[self.services],
        )

    def join(
        self,
        lanes: tuple[int, ...],
        client: RealArray[np.ndarray, "*#batch clients"],
        rsu: RealArray[np.ndarray, "*#batch types"],
        service: RealArray[np.ndarray, "*#batch services"],
    ) -> Queues:
        """Returns the parts as a row in each of the lanes, over which they broadcast."""
        row = np.empty((*lanes, self.length))
        row[self.clients], row[self.rsu], row[self.services] = client, rsu, service
        return row
