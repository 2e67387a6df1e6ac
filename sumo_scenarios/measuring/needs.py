"""What episodes need of traffic, and the times at which a place and a range offer it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from sumo_scenarios.measuring.trace import SLOT_S, Trace
from vec_envs.mobility import EpisodeShape
from vec_envs.registration import ENVIRONMENTS, factory_of


@dataclass(frozen=True, kw_only=True)
class Need:
    """The traffic and the roadside units of an environment's episodes at its defaults."""

    environment: str
    shape: EpisodeShape
    num_units: int

    @property
    def seconds(self) -> int:
        """How many seconds in a row a vehicle must be in range, from the begin of an episode on."""
        slots = 2 if self.shape.come_and_go else self.shape.num_slots
        return max(1, round(slots * self.shape.slot_s / SLOT_S))

    @property
    def episode_s(self) -> float:
        """The length of an episode [s]."""
        return self.shape.num_slots * self.shape.slot_s


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The vehicle types that may be clients and service vehicles; `None`: all types."""

    client_types: Collection[str] | None = None
    service_types: Collection[str] | None = None


def default_needs() -> list[Need]:
    """Returns what the environments of this package need at their defaults."""
    needs: list[Need] = []
    for env_id in ENVIRONMENTS:
        problem = factory_of(env_id).problem_type()
        needs.append(
            Need(environment=env_id, shape=problem.traffic_shape, num_units=int(getattr(problem, "num_rsus", 1)))
        )
    return needs


def possible(
    trace: Trace, need: Need, roles: Roles, unit_xyz_m: Sequence[float], range_m: float
) -> Bool[np.ndarray, " seconds"]:
    """Returns at which seconds of a trace an episode can begin. The last ones of the trace, too late, are left out."""
    near = trace.in_range(unit_xyz_m, range_m)
    client, service = (_may(trace, types) for types in (roles.client_types, roles.service_types))
    clients, services = need.shape.num_client_vehicles, need.shape.num_service_vehicles
    enough = trace.staying(near & client, need.seconds) >= clients
    if services:
        enough &= trace.staying(near & service, need.seconds) >= services
        enough &= trace.staying(near & (client | service), need.seconds) >= clients + services
    return enough[: max(0, trace.num_slots - round(need.episode_s / SLOT_S) + 1)]


def _may(trace: Trace, types: Collection[str] | None) -> Bool[np.ndarray, " readings"]:
    """Returns which readings are of vehicles of some types."""
    allowed = np.array([types is None or kind in types for kind in trace.types], np.bool_)
    return allowed[trace.vehicle]
