"""Devices that stand still at equal distances from the access point. Needs no road and no simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from vec_envs.mobility.selection import split, staying_vehicles
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.validation import check_positive


@dataclass(frozen=True, kw_only=True)
class StillMobility:
    """Devices that stand at equal intervals on a circle around the access point, as in Section V.A of LyMDO.

    Raises `ValueError` for a distance that is not above 0.
    """

    distance_m: float = 150.0
    """The radius of the circle."""

    def __post_init__(self) -> None:
        check_positive(distance_m=self.distance_m)

    @property
    def road(self) -> Road:
        """A road along a diameter of the circle, with the access point in its middle."""
        return Road(
            name="still",
            rsu_xyz_m=(0.0, 0.0, 0.0),
            range_m=self.distance_m,
            speed_limit_mps=0.0,
            axis_xy_m=((-self.distance_m, 0.0), (self.distance_m, 0.0)),
        )

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields an equal block for each episode, whatever the seed."""
        devices = shape.num_client_vehicles + shape.num_service_vehicles
        angle = 2.0 * np.pi * np.arange(devices) / max(devices, 1)
        xy_m = self.distance_m * np.stack((np.cos(angle), np.sin(angle)), axis=-1)
        slots = (shape.num_slots, devices)
        block = split(
            shape.num_client_vehicles,
            np.broadcast_to(xy_m, (*slots, 2)),
            np.broadcast_to(xy_m[:, 0], slots),
            np.zeros(slots),
            staying_vehicles(shape),
        )
        return (block for _ in count())

    def close(self) -> None:
        """Does nothing: no process or file is open."""
