"""Where the vehicles of an episode are: the records and the protocol that every source of traffic serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float


class TrafficError(RuntimeError):
    """A source of traffic cannot serve an episode; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Road:
    """What the problem must know of a road: where its roadside unit stands and how far it hears.

    Positions along the road are measured on `axis_xy_m`, with zero abeam of the roadside unit and growing in the
    direction of travel.
    """

    name: str
    rsu_xyz_m: tuple[float, float, float]
    range_m: float
    speed_limit_mps: float
    axis_xy_m: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class TrafficWindow:
    """Every vehicle that is on the road and in range for all slots of one episode.

    `xy_m` is in the plane of the road, `position_m` and `speed_mps` along it (zero abeam of the roadside unit).
    `may_be_client` and `may_be_service` say which roles the scenario allows a vehicle.
    """

    xy_m: Float[np.ndarray, "slots vehicles 2"]
    position_m: Float[np.ndarray, "slots vehicles"]
    speed_mps: Float[np.ndarray, "slots vehicles"]
    may_be_client: Bool[np.ndarray, " vehicles"]
    may_be_service: Bool[np.ndarray, " vehicles"]


@dataclass(frozen=True, kw_only=True)
class TrafficBlock:
    """The clients and service vehicles of one episode, slot by slot: always the same vehicles, always in range."""

    client_xy_m: Float[np.ndarray, "*lanes slots clients 2"]
    service_xy_m: Float[np.ndarray, "*lanes slots services 2"]
    client_position_m: Float[np.ndarray, "*lanes slots clients"]
    service_position_m: Float[np.ndarray, "*lanes slots services"]
    client_speed_mps: Float[np.ndarray, "*lanes slots clients"]
    service_speed_mps: Float[np.ndarray, "*lanes slots services"]


@dataclass(frozen=True, kw_only=True)
class EpisodeShape:
    """What an environment asks of its traffic: how many of each role, for how many slots of what length."""

    num_client_vehicles: int
    num_service_vehicles: int
    num_slots: int
    slot_s: float


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
