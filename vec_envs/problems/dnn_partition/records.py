"""The records that the functions of `DNNPartition` take and return, and the order of its queues in one row."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The exogenous quantities of a slot, which do not depend on decisions.

    Positions are measured along the road, from the point nearest to the RSU. Speeds are 0 by default. With the
    option `v2v_range_m`, a rate of 0 in `v2v_mbps` means that the service vehicle is out of the client's reach.
    """

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
    """The random draws of an episode: the fading power of every link and slot, and the processors' speeds.

    Node 0 is the RSU.
    """

    fading_power: Float[np.ndarray, "*batch slots clients nodes"]
    client_ghz: Float[np.ndarray, "*batch clients"]
    service_ghz: Float[np.ndarray, "*batch services"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a slot.

    `delay_s` is the sum of the four parts, and `reward` is the sum of `reward_terms`.
    """

    delay_s: Float[np.ndarray, "*batch clients"]
    local_s: Float[np.ndarray, "*batch clients"]
    transmit_s: Float[np.ndarray, "*batch clients"]
    process_s: Float[np.ndarray, "*batch clients"]
    wait_s: Float[np.ndarray, "*batch clients"]
    rsu_allocation_ghz: Float[np.ndarray, "*batch types"]
    drift: PerEnvironment
    drift_bound: PerEnvironment
    reward_terms: Mapping[str, PerEnvironment]
    """Minus the costs of the objective, by name."""
    reward: PerEnvironment


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """The order of all queues in one row: clients, then DNN types at the RSU, then service vehicles.

    `clients`, `rsu` and `services` index the last axis of arrays of queues.
    """

    num_clients: int
    num_types: int
    num_services: int

    @property
    def length(self) -> int:
        """The number of queues."""
        return self.num_clients + self.num_types + self.num_services

    @cached_property
    def clients(self) -> Any:
        """The index of the clients' queues."""
        return np.s_[..., : self.num_clients]

    @cached_property
    def rsu(self) -> Any:
        """The index of the RSU's queues, one for each DNN type."""
        return np.s_[..., self.num_clients : self.num_clients + self.num_types]

    @cached_property
    def services(self) -> Any:
        """The index of the service vehicles' queues."""
        return np.s_[..., self.num_clients + self.num_types :]

    def state(self, row: Queues) -> State:
        """Returns the state with the backlogs of a row."""
        return State(
            client_backlog_gcycles=row[self.clients],
            rsu_backlog_gcycles=row[self.rsu],
            service_backlog_gcycles=row[self.services],
        )

    def join(
        self,
        batch_shape: tuple[int, ...],
        client: RealArray[np.ndarray, "*#batch clients"],
        rsu: RealArray[np.ndarray, "*#batch types"],
        service: RealArray[np.ndarray, "*#batch services"],
    ) -> Queues:
        """Returns the three parts as rows `[*batch_shape, queues]`; the parts broadcast over the batch."""
        row = np.empty((*batch_shape, self.length))
        row[self.clients], row[self.rsu], row[self.services] = client, rsu, service
        return row
