"""Where the vehicles of an episode are: the records and the protocol that every source of traffic serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int


class TrafficError(RuntimeError):
    """A source of traffic cannot serve an episode; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Road:
    """What the problem must know of a road: where its roadside unit stands and how far it hears.

    Positions along the road are measured on `axis_xy_m`, with zero abeam of the roadside unit and growing in the
    direction of the axis: that of travel, on a road with traffic one way only.
    """

    name: str
    rsu_xyz_m: tuple[float, float, float]
    range_m: float
    speed_limit_mps: float
    axis_xy_m: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class TrafficWindow:
    """The vehicles on the observed stretch of a road (in range of its roadside unit) during some slots.

    Without coming and going those that stay for all slots; with it everyone who is there for two slots in a row or
    more. A column is one stay: `present` is true from the slot in which the vehicle comes in to the last one before it
    leaves, and all else is 0.0 outside it; a vehicle that comes back later has another column. Columns are in order of
    coming in.

    `xy_m` is in the plane of the road, `position_m` and `speed_mps` along it (zero abeam of the roadside unit; a speed
    is negative against the direction of the axis). `may_be_client` and `may_be_service` say which roles the scenario
    allows a vehicle.
    """

    xy_m: Float[np.ndarray, "slots vehicles 2"]
    position_m: Float[np.ndarray, "slots vehicles"]
    speed_mps: Float[np.ndarray, "slots vehicles"]
    present: Bool[np.ndarray, "slots vehicles"]
    may_be_client: Bool[np.ndarray, " vehicles"]
    may_be_service: Bool[np.ndarray, " vehicles"]


@dataclass(frozen=True, kw_only=True)
class TrafficBlock:
    """The clients and service vehicles of one episode, slot by slot; whoever holds a seat is in range.

    `client_vehicle` and `service_vehicle` say which vehicle holds a seat: its number, in order of first holding
    (clients before service vehicles in a slot), and unique in the episode. Without coming and going seat and vehicle
    are the same. A seat that is empty has vehicle -1 and 0.0 everywhere else.
    """

    client_xy_m: Float[np.ndarray, "*lanes slots clients 2"]
    service_xy_m: Float[np.ndarray, "*lanes slots services 2"]
    client_position_m: Float[np.ndarray, "*lanes slots clients"]
    service_position_m: Float[np.ndarray, "*lanes slots services"]
    client_speed_mps: Float[np.ndarray, "*lanes slots clients"]
    service_speed_mps: Float[np.ndarray, "*lanes slots services"]
    client_vehicle: Int[np.ndarray, "*lanes slots clients"]
    service_vehicle: Int[np.ndarray, "*lanes slots services"]


@dataclass(frozen=True, kw_only=True)
class EpisodeShape:
    """What an environment asks of its traffic: how many of each role, for how many slots of what length.

    Without `come_and_go` the same vehicles stay in range for all slots. With it the roles are seats: a vehicle holds
    one while it is in range; in the slot after its last the seat passes to the vehicle that came in last among those
    without a seat (ties: the first in the window), or stays empty for as long as there is none. In the first slot
    every seat is held.

    Raises `ValueError` for vehicles that come and go in fewer than two slots, from which no speed could be told.
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

    `blocks` gives an endless, seekable stream that is a pure function of its arguments: the same seed and shape
    give the same blocks, bit for bit, whatever other streams are open; `start` skips that many blocks.
    """

    @property
    def road(self) -> Road: ...

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields one block an episode. Raises `TrafficError` where none can be had."""
        ...

    def close(self) -> None:
        """Ends what the source holds (worker processes); idempotent."""
        ...
