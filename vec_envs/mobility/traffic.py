"""The positions of an episode's vehicles: the records and the protocol of all sources of traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.headings import headings_rad, kept_seats


class TrafficError(RuntimeError):
    """A source of traffic cannot provide an episode. The message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Road:
    """A road or an area: its centre line, its speed limit, and the place and range of its roadside unit.

    Positions along the road are measured on the centre line, `axis_xy_m`. They are 0 at the point nearest to the
    roadside unit and grow in the direction of the axis, which is the direction of travel on a one-way road.

    A crossing, a grid of streets or a district has no axis. There, the position of a vehicle is its distance to the
    unit in the plane, negative while the vehicle approaches the unit. Its speed is that along its heading.

    A road may list several units. Range and positions still refer to its own unit, `rsu_xyz_m`, which is one of them.
    """

    name: str
    rsu_xyz_m: tuple[float, float, float]
    range_m: float
    speed_limit_mps: float
    axis_xy_m: tuple[tuple[float, float], ...] = ()
    """The points of the centre line; empty where vehicles do not follow one road."""
    units_xyz_m: tuple[tuple[float, float, float], ...] = ()
    """The places of all roadside units in the order of the road; empty where the road lists its own unit only."""


@dataclass(frozen=True, kw_only=True)
class TrafficWindow:
    """The vehicles in range of a road's roadside unit during some consecutive slots.

    If vehicles come and go, these are all vehicles that are present for at least two slots in a row; otherwise, those
    that are present in all slots. A column is one stay of a vehicle. A vehicle that comes back has another column.
    Columns are in order of arrival.
    """

    xy_m: Float[np.ndarray, "slots vehicles 2"]
    """Place in the plane of the road; 0.0 where the vehicle is absent."""
    position_m: Float[np.ndarray, "slots vehicles"]
    """Position along the road; 0.0 where the vehicle is absent."""
    speed_mps: Float[np.ndarray, "slots vehicles"]
    """Speed along the road, negative against the direction of the axis; 0.0 where the vehicle is absent. That of a
    vehicle that drives across the axis, and on a road without an axis, is its speed in the plane."""
    present: Bool[np.ndarray, "slots vehicles"]
    """Whether the vehicle is in range: from the slot of its arrival to the last one before it leaves."""
    may_be_client: Bool[np.ndarray, " vehicles"]
    """Whether the scenario allows the vehicle to be a client."""
    may_be_service: Bool[np.ndarray, " vehicles"]
    """Whether the scenario allows the vehicle to be a service vehicle."""


@dataclass(frozen=True, kw_only=True)
class TrafficBlock:
    """The clients and service vehicles of one episode, slot by slot. A vehicle that holds a seat is in range.

    `client_vehicle` and `service_vehicle` are the numbers of the vehicles that hold the seats, unique in the episode.
    Vehicles are numbered in order of first holding a seat, with clients before service vehicles within a slot.
    Where no vehicles come and go, the number of a vehicle is that of its seat. An empty seat has number -1, and 0.0 in
    the other arrays.
    """

    client_xy_m: Float[np.ndarray, "*batch slots clients 2"]
    service_xy_m: Float[np.ndarray, "*batch slots services 2"]
    client_position_m: Float[np.ndarray, "*batch slots clients"]
    service_position_m: Float[np.ndarray, "*batch slots services"]
    client_speed_mps: Float[np.ndarray, "*batch slots clients"]
    service_speed_mps: Float[np.ndarray, "*batch slots services"]
    client_vehicle: Int[np.ndarray, "*batch slots clients"]
    service_vehicle: Int[np.ndarray, "*batch slots services"]

    @property
    def client_heading_rad(self) -> Float[np.ndarray, "*batch slots clients"]:
        """The headings of clients in the plane, counter-clockwise from the x axis; see `headings.directions`."""
        return headings_rad(self.client_xy_m, kept_seats(self.client_vehicle))

    @property
    def service_heading_rad(self) -> Float[np.ndarray, "*batch slots services"]:
        """The headings of service vehicles in the plane."""
        return headings_rad(self.service_xy_m, kept_seats(self.service_vehicle))


def entry_slot(vehicle: Int[np.ndarray, "*batch slots seats"]) -> Int[np.ndarray, "*batch slots seats"]:
    """Returns, for each slot and seat, the slot in which the present holder took the seat."""
    num_slots: int = vehicle.shape[-2]
    slots = np.arange(num_slots).reshape(-1, 1)
    changed = np.ones(vehicle.shape, dtype=np.bool_)
    changed[..., 1:, :] = vehicle[..., 1:, :] != vehicle[..., :-1, :]
    return np.maximum.accumulate(np.where(changed, slots, 0), axis=-2)


@dataclass(frozen=True, kw_only=True)
class EpisodeShape:
    """The traffic that an episode needs: the number of vehicles of each role, and the number and length of the slots.

    Without `come_and_go`, every vehicle stays in range for all slots. With it, roles are seats that vehicles hold while
    they are in range. In the slot after a vehicle's last one, its seat passes to a vehicle without a seat: the one that
    arrived last (of several, the first in the window). If there is none, the seat stays empty until one arrives. Every
    seat is held in the first slot.

    Raises:
        ValueError: Vehicles come and go in fewer than two slots, which do not determine a speed.
    """

    num_client_vehicles: int
    num_service_vehicles: int
    num_slots: int
    slot_s: float
    come_and_go: bool = False

    def __post_init__(self) -> None:
        if self.come_and_go and self.num_slots < 2:
            raise ValueError(f"num_slots must be at least 2 where vehicles come and go, got {self.num_slots}")


@runtime_checkable
class Mobility(Protocol):
    """A source of traffic.

    `blocks` gives an endless stream that is a pure function of its arguments. Equal seeds and shapes give bitwise equal
    blocks, whatever other streams are open.
    """

    @property
    def road(self) -> Road:
        """The road that the vehicles are on."""
        ...

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields a block for each episode, from episode `start` on. Raises `TrafficError` if it cannot provide one."""
        ...

    def close(self) -> None:
        """Stops the worker processes, if there are any. May be called again."""
        ...
