"""The street of a recorded episode in its true shape, for the player of episodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from vec_envs.interfaces.plane import dense, direction_of, turned
from vec_envs.interfaces.present_scene import Place, places_of
from vec_envs.mobility.street import street_in_network
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.scenes import Numbers, PlayedSlot, SceneFrame, SceneNode

BEYOND = 1.1
"""Lanes and junctions are recorded up to so many times the distance to the farthest place in range."""


class RecordedStreet:
    """Writes the lanes of a street, and the places of nodes in the plane, turned so that the road runs to the right."""

    def __init__(self, mobility: Mobility) -> None:
        self._road, self._street = mobility.road, street_in_network(mobility)
        self._centre, self._turn = self._road.rsu_xyz_m[:2], direction_of(self._road, self._street)
        units_m = np.array([unit[:2] for unit in (*self._road.units_xyz_m, self._road.rsu_xyz_m)])
        farthest_m = float(np.hypot(*(units_m - np.array(self._centre)).T).max())
        self._reach_m = BEYOND * max(self._road.range_m, farthest_m)

    @property
    def is_known(self) -> bool:
        """Whether there is a network, or an area in which vehicles drive.

        Other roads are known by their axis alone. Their vehicles stay on the strips of the scenes, which part them.
        """
        return bool(self._street.lanes) or (not self._road.axis_xy_m and self._road.speed_limit_mps > 0.0)

    def written(self) -> dict[str, Any]:
        """Returns the lanes and junctions in reach as JSON values: `[width, x, y, x, y, ...]` and `[x, y, ...]` [m]."""
        lanes = [(lane, turned(lane.points, self._centre, self._turn)) for lane in self._street.lanes]
        junctions = [turned(points, self._centre, self._turn) for points in self._street.junctions]
        return {
            "lanes": [[lane.width_m, *_flat(points)] for lane, points in lanes if self._reaches(points)],
            "junctions": [_flat(points) for points in junctions if self._reaches(points)],
        }

    def _reaches(self, points: Float[np.ndarray, "points 2"]) -> bool:
        return bool((np.hypot(*dense(points).T) <= self._reach_m).any())

    def placed(self, frame: SceneFrame, nodes: tuple[SceneNode, ...], played: PlayedSlot) -> SceneFrame:
        """Returns a frame with the places of its nodes in the turned plane."""
        places = places_of(nodes, frame, played.traffic, played.road, played.slot)
        x_m, y_m = self._columns(places)
        return replace(frame, x_m=x_m, y_m=y_m)

    def _columns(self, places: tuple[Place, ...]) -> tuple[Numbers, Numbers]:
        known = np.array([place or self._centre for place in places], dtype=np.float64).reshape(-1, 2)
        here = np.round(turned(known, self._centre, self._turn), 1)
        x_m, y_m = (
            tuple(None if place is None else value for place, value in zip(places, column, strict=True))
            for column in here.T.tolist()
        )
        return x_m, y_m


def _flat(points: Float[np.ndarray, "points 2"]) -> list[float]:
    return np.round(points, 1).ravel().tolist()
