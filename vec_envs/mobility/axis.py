"""Positions along a road of points in its plane, and the places of roadside units along the road."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vec_envs.mobility.traffic import Road


class RoadAxis:
    """Positions along the centre line of a road, measured from the point nearest to the roadside unit.

    Positions grow in the direction of the axis.
    """

    def __init__(self, road: Road) -> None:
        points = np.asarray(road.axis_xy_m, dtype=np.float64)
        pieces = points[1:] - points[:-1]
        self._length_m = np.hypot(pieces[:, 0], pieces[:, 1])
        unit = pieces / self._length_m[:, None]
        normal = np.stack((-unit[:, 1], unit[:, 0]), axis=-1)
        self._begin_m, self._forward, self._left = points[:-1], unit, normal
        # (x, y, 1) times these matrices gives the distance of a point along each piece, and beside it.
        self._along = np.vstack((unit.T, -(points[:-1] * unit).sum(axis=-1)))
        self._beside = np.vstack((normal.T, -(points[:-1] * normal).sum(axis=-1)))
        self._passed_m = np.concatenate(([0.0], np.cumsum(self._length_m)[:-1]))
        self._passed_m -= float(self.position_m(np.asarray(road.rsu_xyz_m[:2])))

    def position_m(self, xy_m: Float[np.ndarray, "*points 2"]) -> Float[np.ndarray, "*points"]:
        """Returns the position along the road [m] of each point: that of the nearest point of the centre line."""
        xy1 = np.ones((xy_m.size // 2, 3))
        xy1[:, :2] = xy_m.reshape(-1, 2)
        along_m, distance = xy1 @ self._along, xy1 @ self._beside
        inside_m = np.minimum(np.maximum(along_m, 0.0), self._length_m)
        # The part of `along_m` beyond the ends of a piece adds to the distance; squared, and in place for speed.
        along_m -= inside_m
        along_m *= along_m
        distance *= distance
        distance += along_m
        nearest = distance.argmin(axis=1)
        position_m = inside_m[np.arange(len(nearest)), nearest] + self._passed_m[nearest]
        return position_m.reshape(xy_m.shape[:-1])

    def frame(
        self, position_m: Float[np.ndarray, " points"]
    ) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"]]:
        """Returns the points of the centre line [m] at some positions, with the unit vectors ahead and to the left.

        Beyond its ends the centre line continues straight.
        """
        piece = np.maximum(np.searchsorted(self._passed_m, position_m, side="right") - 1, 0)
        forward = self._forward[piece]
        xy_m = self._begin_m[piece] + (position_m - self._passed_m[piece])[:, None] * forward
        return xy_m, forward, self._left[piece]


def roadside_units(road: Road, count: int, spacing_m: float) -> Float[np.ndarray, "units 3"]:
    """Returns the places [m] of roadside units at regular spacing along a road, symmetric about the road's own unit.

    Unit k has the position `(k - (count - 1) / 2) * spacing_m`. All have the height of the road's own unit, and its
    distance from the axis. Beyond its ends the axis continues straight.

    Raises:
        ValueError: `count` is below 1, or `spacing_m` is not above 0.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if not 0.0 < spacing_m < np.inf:
        raise ValueError(f"spacing_m must be above 0, got {spacing_m}")
    axis = RoadAxis(road)
    # The road's own unit is beside the axis; where the axis ends or bends, it may also be ahead of the nearest point.
    xy_m, along, across = axis.frame(np.zeros(1))
    offset_m = np.asarray(road.rsu_xyz_m[:2]) - xy_m[0]
    xy_m, forward, left = axis.frame((np.arange(count) - (count - 1) / 2.0) * spacing_m)
    units_m = np.full((count, 3), road.rsu_xyz_m[2])
    units_m[:, :2] = xy_m + (offset_m @ along[0]) * forward + (offset_m @ across[0]) * left
    return units_m
