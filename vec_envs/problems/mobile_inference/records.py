"""The records that the functions of `MobileInference` take and return.

Axes: `clients` are the seats of client vehicles, `units` the roadside units in the order of the road, `services` the
seats of service vehicles. *Nodes* are the servers of the units, then the service vehicles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Int
from jaxtyping import Real as RealArray

from vec_envs.physics.lyapunov import PerEnvironment

PerClient = Float[np.ndarray, "*batch clients"]


@dataclass(frozen=True, kw_only=True)
class State:
    """The tasks of each client at the start of a slot, and its energy queue.

    A client has at most one task in flight and one that waits to be started. Fields of a task that does not exist are
    0, and `node` is -1.
    """

    waiting: Bool[np.ndarray, "*batch clients"]
    waiting_type: Int[np.ndarray, "*batch clients"]
    """The index of the waiting task's DNN; keeps its last value while nothing waits."""
    waiting_age_s: RealArray[np.ndarray, "*batch clients"]
    in_flight: Bool[np.ndarray, "*batch clients"]
    node: Int[np.ndarray, "*batch clients"]
    """The node that runs the layers after the cut; -1 where the client runs all layers."""
    local_gcycles: RealArray[np.ndarray, "*batch clients"]
    """The work that is left at the client."""
    send_mbit: RealArray[np.ndarray, "*batch clients"]
    """The data that is left to send."""
    task_mbit: RealArray[np.ndarray, "*batch clients"]
    """The data of the whole task, which the units forward."""
    forward_s: RealArray[np.ndarray, "*batch clients"]
    """The time that is left until the data has reached the server of another unit."""
    edge_gcycles: RealArray[np.ndarray, "*batch clients"]
    """The work that is left at the node."""
    age_s: RealArray[np.ndarray, "*batch clients"]
    energy_queue_j: RealArray[np.ndarray, "*batch clients"]
    """A virtual queue. A slot adds the energy that was used and takes its budget away, but never below 0."""


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """The exogenous quantities of a slot, which do not depend on decisions.

    An empty client seat has efficiencies of 0 and no arrivals. An empty service seat has `service_present` False,
    efficiencies of 0 and any speed above 0. The transition does not use the fields that have a default.
    """

    v2i_efficiency: RealArray[np.ndarray, "*batch clients units"]
    """In bit/s/Hz; 0 where a client does not hear a unit."""
    v2v_efficiency: RealArray[np.ndarray, "*batch clients services"]
    client_ghz: RealArray[np.ndarray, "*batch clients"]
    service_ghz: RealArray[np.ndarray, "*batch services"]
    arrives: Bool[np.ndarray, "*batch clients"]
    """Whether a task reaches the client when the slot ends."""
    arriving_type: Int[np.ndarray, "*batch clients"]
    client_leaves: Bool[np.ndarray, "*batch clients"]
    """Whether the vehicle gives up its seat when the slot ends."""
    service_present: Bool[np.ndarray, "*batch services"]
    service_leaves: Bool[np.ndarray, "*batch services"]
    client_present: Bool[np.ndarray, "*batch clients"] | None = None
    """True by default."""
    client_position_m: RealArray[np.ndarray, "*batch clients"] | None = None
    """Position along the road; 0 by default, and for the other fields below."""
    service_position_m: RealArray[np.ndarray, "*batch services"] | None = None
    client_speed_mps: RealArray[np.ndarray, "*batch clients"] | None = None
    service_speed_mps: RealArray[np.ndarray, "*batch services"] | None = None
    client_heading: RealArray[np.ndarray, "*batch clients"] | None = None
    """1 in the direction of the road's axis, -1 against it; 1 by default. A vehicle that stands keeps its heading."""
    unit_position_m: RealArray[np.ndarray, "*batch units"] | None = None
    in_plane: Bool[np.ndarray, "*batch"] | None = None
    """Whether the road has no axis, so that the three fields below are used; False by default."""
    unit_ahead_in_plane_m: RealArray[np.ndarray, "*batch clients units"] | None = None
    """How far units, and service vehicles, are ahead of a client along its heading in the plane."""
    service_ahead_in_plane_m: RealArray[np.ndarray, "*batch clients services"] | None = None
    service_faster_in_plane_mps: RealArray[np.ndarray, "*batch clients services"] | None = None
    v2i_efficiency_before: RealArray[np.ndarray, "*batch clients units"] | None = None
    """Efficiencies one slot before; by default, and in a vehicle's first slot, those of the slot itself."""
    v2v_efficiency_before: RealArray[np.ndarray, "*batch clients services"] | None = None
    v2i_distance_m: RealArray[np.ndarray, "*batch clients units"] | None = None
    """Distance in space; 0 by default."""
    v2v_distance_m: RealArray[np.ndarray, "*batch clients services"] | None = None
    mean_arrivals: RealArray[np.ndarray, "*batch"] | None = None
    """The tasks that arrive in the whole episode, divided by its slots; 1 by default. Only metrics use it."""

    def __post_init__(self) -> None:
        clients, services = np.shape(self.client_ghz), np.shape(self.service_ghz)
        defaults: dict[str, Any] = {
            "client_present": lambda: np.ones(clients, np.bool_),
            "client_position_m": lambda: np.zeros(clients),
            "service_position_m": lambda: np.zeros(services),
            "client_speed_mps": lambda: np.zeros(clients),
            "service_speed_mps": lambda: np.zeros(services),
            "client_heading": lambda: np.ones(clients),
            "unit_position_m": lambda: np.zeros((*clients[:-1], np.shape(self.v2i_efficiency)[-1])),
            "in_plane": lambda: np.zeros(clients[:-1], np.bool_),
            "unit_ahead_in_plane_m": lambda: np.zeros(np.shape(self.v2i_efficiency)),
            "service_ahead_in_plane_m": lambda: np.zeros(np.shape(self.v2v_efficiency)),
            "service_faster_in_plane_mps": lambda: np.zeros(np.shape(self.v2v_efficiency)),
            "v2i_efficiency_before": lambda: self.v2i_efficiency,
            "v2v_efficiency_before": lambda: self.v2v_efficiency,
            "v2i_distance_m": lambda: np.zeros(np.shape(self.v2i_efficiency)),
            "v2v_distance_m": lambda: np.zeros(np.shape(self.v2v_efficiency)),
            "mean_arrivals": lambda: np.ones(clients[:-1]),
        }
        for name, default in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, default())

    @property
    def unit_ahead_m(self) -> RealArray[np.ndarray, "*batch clients units"]:
        """How far units are ahead of a client along the road, or along its heading on a road without an axis."""
        return self._ahead(self.unit_position_m, self.client_position_m, self.unit_ahead_in_plane_m)

    @property
    def service_ahead_m(self) -> RealArray[np.ndarray, "*batch clients services"]:
        """How far service vehicles are ahead of a client; see `unit_ahead_m`."""
        return self._ahead(self.service_position_m, self.client_position_m, self.service_ahead_in_plane_m)

    @property
    def service_faster_mps(self) -> RealArray[np.ndarray, "*batch clients services"]:
        """The speed of service vehicles in the heading of a client, minus that of the client."""
        return self._ahead(self.service_speed_mps, self.client_speed_mps, self.service_faster_in_plane_mps)

    def _ahead(self, of_node: Any, of_client: Any, in_plane: Any) -> Any:
        """Returns the difference along the road, in the direction of each client, or that in the plane."""
        heading: Any = np.asarray(self.client_heading)[..., None]
        plane: Any = np.asarray(self.in_plane)[..., None, None]
        along: Any = heading * (of_node[..., None, :] - of_client[..., None])
        return cast(Any, np.where(plane, in_plane, along))


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random draws of an episode. Uniform numbers are from 0 to 1."""

    link_noise: Float[np.ndarray, "*batch slots clients nodes 2"]
    """Standard normal numbers: the innovations of z1 (line of sight) and z2 (shadowing) of each link."""
    arrival: Float[np.ndarray, "*batch slots clients"]
    """Uniform; a task arrives where the number is below the probability of an arrival."""
    arriving_type: Int[np.ndarray, "*batch slots clients"]
    client_speed: Float[np.ndarray, "*batch slots clients"]
    """Uniform; a vehicle has the processor speed of its first slot in a seat."""
    service_speed: Float[np.ndarray, "*batch slots services"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a slot."""

    done: Int[np.ndarray, "*batch clients"]
    """The number of tasks whose result came in time."""
    missed: Int[np.ndarray, "*batch clients"]
    """The number of tasks that missed their deadline or were lost."""
    withdrawn: Int[np.ndarray, "*batch clients"]
    """The number of tasks of a client that left, which are neither done nor missed."""
    arrived: Int[np.ndarray, "*batch clients"]
    """The number of tasks that arrived when the slot ended."""
    task_time_s: PerClient
    """The completion time of a task that was done; 0 elsewhere."""
    in_system_s: PerClient
    """The time that the client's tasks spent in the system during the slot."""
    energy_j: PerClient
    drift: PerEnvironment
    """The drift of the energy queues, in J^2."""
    cost_s: PerEnvironment
    """The time in the system, and the rest of the deadline and a penalty for each task that was missed."""
    mean_arrivals: PerEnvironment
    """The arrivals of a slot, averaged over the episode."""
    reward: PerEnvironment
