"""The plane of a road, turned about its unit so that the road runs from left to right."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.street import Street
from vec_envs.mobility.traffic import Road


def turned(
    points: Float[np.ndarray, "points 2"], centre: tuple[float, float], turn: float
) -> Float[np.ndarray, "points 2"]:
    """Returns points relative to a centre, in a plane whose first axis has the direction `turn` [rad]."""
    cosine, sine = math.cos(turn), math.sin(turn)
    return (points - np.array(centre)) @ np.array(((cosine, -sine), (sine, cosine)))


def direction_of(road: Road, street: Street) -> float:
    """Returns the direction of the road within range; 0 where nothing drives, or the road has no axis."""
    if not street.lanes or len(road.axis_xy_m) < 2:
        return 0.0
    (begin, end), _, _ = RoadAxis(road).frame(np.array((-road.range_m, road.range_m)))
    return math.atan2(end[1] - begin[1], end[0] - begin[0])


def dense(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "dense_points 2"]:
    """Returns a line with a point every 25 m at most, so that the part of it within a range has points."""
    steps = np.hypot(*(points[1:] - points[:-1]).T)
    passed = np.concatenate(([0.0], np.cumsum(steps)))
    length_m = float(passed[-1])
    at: Float[np.ndarray, "dense_points"] = np.linspace(0.0, length_m, int(length_m // 25.0) + 2)
    return np.stack([np.interp(at, passed, points[:, axis]) for axis in (0, 1)], axis=-1)
