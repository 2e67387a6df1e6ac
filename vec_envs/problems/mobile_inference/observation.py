"""The observations of `MobileInference`: features of each client, scaled to order one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int

from vec_envs.problems.mobile_inference.loads import loads
from vec_envs.problems.mobile_inference.records import Exogenous, State

OBSERVATIONS = ("local",)

LOCAL_SCALE_GCYCLES = 50.0
DATA_SCALE_MBIT = 100.0
FORWARD_SCALE_S = 1.0
EDGE_SCALE_GCYCLES = 100.0
ENERGY_SCALE_J = 100.0
EFFICIENCY_SCALE = 4.0
DISTANCE_SCALE_M = 500.0
SPEED_SCALE_MPS = 15.0
CLIENT_SCALE_GHZ, SERVICE_SCALE_GHZ = 10.0, 30.0
COUNT_SCALE = 4.0
_SIGNED = ("unit_ahead", "service_ahead", "service_speed")
_OWN = (
    "present",
    "waits",
    "in_flight",
    "waiting_age",
    "age",
    "local_left",
    "data_left",
    "forward_left",
    "edge_left",
    "speed",
    "processor",
    "energy_queue",
)
_OF_UNIT = ("unit_ahead", "unit_efficiency", "unit_efficiency_before", "unit_senders", "unit_tasks", "unit_work")
_OF_SERVICE = (
    "service_present",
    "service_ahead",
    "service_speed",
    "service_efficiency",
    "service_efficiency_before",
    "service_processor",
    "service_tasks",
    "service_work",
)

SHARED = (
    "unit_senders",
    "unit_tasks",
    "unit_work",
    "service_present",
    "service_processor",
    "service_tasks",
    "service_work",
)
"""The features that are equal for all clients."""

Features = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class StreetObservation:
    """Encodes the slot as an observation of each client.

    Features, with the value that is observed as 1:

    - The client: whether the seat is held; whether a task waits, and whether one is in flight; their ages (deadline);
      what is left of the local work (50 Gcycles), the data (100 Mbit), the forwarding (1 s) and the work at the node
      (100 Gcycles); speed (15 m/s); processor (10 GHz); energy queue (100 J); the waiting task's DNN (one-hot); the
      node of the task in flight (one-hot).
    - Each unit: distance ahead along the road (500 m), negative behind the client; on a road without an axis, along the
      client's heading. Efficiency now and one slot before (4 bit/s/Hz); tasks sent in its cell (4); tasks (4) and work
      (100 Gcycles) of its server.
    - Each service vehicle: whether the seat is held; distance ahead (500 m); speed relative to the client's, in the
      client's heading (15 m/s); efficiency now and one slot before; processor (30 GHz); its tasks and work.

    All features of a service seat without a vehicle are 0.
    """

    num_types: int
    deadline_s: float
    num_units: int
    num_services: int

    @cached_property
    def columns(self) -> Mapping[str, slice]:
        """The position of each kind of feature in an observation."""
        lengths = dict.fromkeys(_OWN, 1)
        lengths |= {"dnn": self.num_types, "node": self.num_units + self.num_services}
        lengths |= dict.fromkeys(_OF_UNIT, self.num_units) | dict.fromkeys(_OF_SERVICE, self.num_services)
        ends = accumulate(lengths.values())
        return {name: slice(end - lengths[name], end) for name, end in zip(lengths, ends, strict=True)}

    @cached_property
    def size(self) -> int:
        """The number of features of a client."""
        return max(column.stop for column in self.columns.values())

    @cached_property
    def bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature; distances and relative speeds are unbounded."""
        low = np.zeros(self.size, np.float32)
        for name in _SIGNED:
            low[self.columns[name]] = -np.inf
        return low, np.full(self.size, np.inf, np.float32)

    def encode(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch clients features"]:
        """Returns the features of every client."""
        observation = np.empty((*state.waiting.shape, self.size), np.float32)
        own, of_services = self._own(state, exogenous), self._services(exogenous)
        for name, value in (own | self._units(exogenous) | of_services | self._busy(state, exogenous)).items():
            observation[..., self.columns[name]] = value
        for name in _OF_SERVICE:
            observation[..., self.columns[name]] *= exogenous.service_present[..., None, :]
        return observation

    def _own(self, state: State, exogenous: Exogenous) -> Features:
        waits = state.waiting[..., None]
        numbers = {
            "present": exogenous.client_present,
            "waits": state.waiting,
            "in_flight": state.in_flight,
            "waiting_age": state.waiting_age_s / self.deadline_s,
            "age": state.age_s / self.deadline_s,
            "local_left": state.local_gcycles / LOCAL_SCALE_GCYCLES,
            "data_left": state.send_mbit / DATA_SCALE_MBIT,
            "forward_left": state.forward_s / FORWARD_SCALE_S,
            "edge_left": state.edge_gcycles / EDGE_SCALE_GCYCLES,
            "speed": np.abs(_given(exogenous.client_speed_mps)) / SPEED_SCALE_MPS,
            "processor": exogenous.client_ghz / CLIENT_SCALE_GHZ,
            "energy_queue": state.energy_queue_j / ENERGY_SCALE_J,
        }
        nodes = np.arange(self.num_units + self.num_services)
        return {name: _given(value)[..., None] for name, value in numbers.items()} | {
            "dnn": waits & (state.waiting_type[..., None] == np.arange(self.num_types)),
            "node": state.node[..., None] == nodes,
        }

    def _units(self, exogenous: Exogenous) -> Features:
        return {
            "unit_ahead": exogenous.unit_ahead_m / DISTANCE_SCALE_M,
            "unit_efficiency": exogenous.v2i_efficiency / EFFICIENCY_SCALE,
            "unit_efficiency_before": _given(exogenous.v2i_efficiency_before) / EFFICIENCY_SCALE,
        }

    def _services(self, exogenous: Exogenous) -> Features:
        return {
            "service_present": exogenous.service_present[..., None, :],
            "service_ahead": exogenous.service_ahead_m / DISTANCE_SCALE_M,
            "service_speed": exogenous.service_faster_mps / SPEED_SCALE_MPS,
            "service_efficiency": exogenous.v2v_efficiency / EFFICIENCY_SCALE,
            "service_efficiency_before": _given(exogenous.v2v_efficiency_before) / EFFICIENCY_SCALE,
            "service_processor": exogenous.service_ghz[..., None, :] / SERVICE_SCALE_GHZ,
        }

    def _busy(self, state: State, exogenous: Exogenous) -> Features:
        """Returns the loads of cells and nodes, which all clients observe alike."""
        num_units = self.num_units
        busy = loads(state, exogenous.v2i_efficiency, num_units + self.num_services)
        tasks, work = busy.tasks[..., None, :] / COUNT_SCALE, busy.gcycles[..., None, :] / EDGE_SCALE_GCYCLES
        return {
            "unit_senders": busy.senders[..., None, :num_units] / COUNT_SCALE,
            "unit_tasks": tasks[..., :num_units],
            "unit_work": work[..., :num_units],
            "service_tasks": tasks[..., num_units:],
            "service_work": work[..., num_units:],
        }

    def decides(
        self, observation: Float32[np.ndarray, "*batch clients features"]
    ) -> tuple[
        Bool[np.ndarray, "*batch clients"], Int[np.ndarray, "*batch clients"], Bool[np.ndarray, "*batch services"]
    ]:
        """Returns from observations who decides, on which DNN, and which service vehicles are present."""
        waits, flies = (observation[..., self.columns[name].start] > 0.5 for name in ("waits", "in_flight"))
        dnn = observation[..., self.columns["dnn"]].argmax(axis=-1)
        return waits & ~flies, dnn, observation[..., 0, self.columns["service_present"]] > 0.5


def global_state(
    observation: StreetObservation, features: Float32[np.ndarray, "*batch clients features"]
) -> Float32[np.ndarray, "*batch numbers"]:
    """Returns the observations of all clients, with each shared feature once.

    The loads of units and service vehicles, and the presence and processors of service vehicles, are shared. Their
    values come from the row of client 0.
    """
    is_shared = np.zeros(observation.size, np.bool_)
    for name in SHARED:
        is_shared[observation.columns[name]] = True
    own = features[..., ~is_shared]
    return np.concatenate(
        [own.reshape((*own.shape[:-2], own.shape[-2] * own.shape[-1])), features[..., 0, is_shared]], axis=-1
    )


def _given(value: Any) -> Any:
    """Returns a field of `Exogenous` that has a default; it is never None once the record is made."""
    return value
