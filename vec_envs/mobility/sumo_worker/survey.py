"""What a simulation holds at one time, for the messages of errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """A vehicle on the road: its SUMO type, the class of that type, and its place [m]."""

    type: str
    vehicle_class: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The simulated time, the vehicles on the road, how many are still expected, and two corners of the network."""

    time_s: float
    vehicles: tuple[Vehicle, ...]
    expected: int
    """The vehicles on the road, and those that SUMO has read and not inserted yet."""
    corners: tuple[Place, Place]


def survey(sumo: Any) -> Survey:
    """Returns the survey of a simulation; `sumo` is the module libsumo, or a connection of TraCI."""
    domain = sumo.vehicle
    (left, low), (right, high) = sumo.simulation.getNetBoundary()
    return Survey(
        time_s=float(sumo.simulation.getTime()),
        vehicles=tuple(
            Vehicle(
                type=domain.getTypeID(name),
                vehicle_class=domain.getVehicleClass(name),
                place=tuple(domain.getPosition(name)),
            )
            for name in domain.getIDList()
        ),
        expected=int(sumo.simulation.getMinExpectedNumber()),
        corners=((left, low), (right, high)),
    )
