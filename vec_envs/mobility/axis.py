"""Positions along a road of points in its plane, and the places of roadside units along the road."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from vec_envs.mobility.traffic import Road, TrafficError
from vec_envs.validation import check_at_most

MOST_UNITS = 1000
"""The largest number of roadside units that a road lists."""
LEAST_SHARE = 0.2
"""The least length of an axis, as a share of the range of the unit. A shorter one was given in another unit."""
SHARPEST_TURN = np.radians(135.0)
"""The sharpest turn of an axis at one of its points."""


class RoadAxis:
    """Positions along the centre line of a road, measured from the point nearest to the roadside unit.

    Positions grow in the direction of the axis. For a road without an axis it is a line to the east, through the unit.
    """

    def __init__(self, road: Road) -> None:
        x, y, _ = road.rsu_xyz_m
        points = np.asarray(road.axis_xy_m or ((x - road.range_m, y), (x + road.range_m, y)), dtype=np.float64)
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
        return self.nearest_m(xy_m)[0]

    def nearest_m(
        self, xy_m: Float[np.ndarray, "*points 2"]
    ) -> tuple[Float[np.ndarray, "*points"], Float[np.ndarray, "*points"]]:
        """Returns the position along the road [m] of each point, and its distance from the centre line [m]."""
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
        chosen = np.arange(len(nearest)), nearest
        position_m = inside_m[chosen] + self._passed_m[nearest]
        return position_m.reshape(xy_m.shape[:-1]), np.sqrt(distance[chosen]).reshape(xy_m.shape[:-1])

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


def check_axis(road: Road) -> None:
    """Raises `ValueError` for an axis that cannot be the centre line of the road in range of its unit."""
    if not road.axis_xy_m:
        return
    points = np.asarray(road.axis_xy_m, dtype=np.float64)
    pieces = points[1:] - points[:-1]
    length_m = float(np.hypot(pieces[:, 0], pieces[:, 1]).sum())
    _, beside_m = RoadAxis(road).nearest_m(np.array(road.rsu_xyz_m[:2]))
    else_say = "or leave axis_xy_m out where vehicles do not follow one road"
    if beside_m > road.range_m:
        raise ValueError(
            f"axis_xy_m must pass within range_m = {road.range_m:g} of the roadside unit, got {beside_m:.0f} m at its "
            f"nearest point: give the centre line of the road in metres, in the plane of the network, {else_say}"
        )
    if length_m < LEAST_SHARE * road.range_m:
        raise ValueError(
            f"axis_xy_m must be at least {LEAST_SHARE * road.range_m:g} m long for range_m = {road.range_m:g}, got "
            f"{length_m:.1f} m: give the centre line of the road in metres (not in km), {else_say}"
        )
    heading = np.arctan2(pieces[:, 1], pieces[:, 0])
    turn = np.abs((np.diff(heading) + np.pi) % (2.0 * np.pi) - np.pi)
    if len(turn) and turn.max() > SHARPEST_TURN:
        point = int(turn.argmax()) + 1
        raise ValueError(
            f"axis_xy_m must not turn back, got a turn of {np.degrees(turn.max()):.0f} degrees at its point {point}, "
            f"{list(road.axis_xy_m[point])}: list the points in the order in which vehicles pass them, {else_say}"
        )


def check_units(road: Road) -> None:
    """Raises `ValueError` unless the units that a road lists are in the order of the road, with its own among them.

    Those of a road without an axis may be in any order, each at another place.
    """
    check_at_most(MOST_UNITS, **{"the number of units_xyz_m": len(road.units_xyz_m)})
    if not road.units_xyz_m:
        return
    if road.rsu_xyz_m not in road.units_xyz_m:
        raise ValueError(f"units_xyz_m must contain the road's own unit, rsu_xyz_m = {list(road.rsu_xyz_m)}")
    if not road.axis_xy_m:
        if len(set(road.units_xyz_m)) < len(road.units_xyz_m):
            raise ValueError("units_xyz_m must list different places, got one of them twice")
        return
    axis = RoadAxis(road)
    position_m = [float(axis.position_m(np.array(unit[:2]))) for unit in road.units_xyz_m]  # one by one, for the memory
    if not all(after > before for before, after in pairwise(position_m)):
        shown = ", ".join(f"{round(place, 1) + 0.0:g}" for place in position_m[:20])
        raise ValueError(f"units_xyz_m must be in the order of the road, got the positions {shown} along it")


def units_of_road(
    road: Road, count: int, spacing_m: float
) -> tuple[Float[np.ndarray, "units 3"], Float[np.ndarray, "units"]]:
    """Returns the places [m] of `count` roadside units, and their positions along the road [m].

    Where the road lists several units, these are the ones nearest to its own unit, in the order of the road. Otherwise
    they are at regular spacing; see `roadside_units`. On a road without an axis, a position is the distance to the east
    of its own unit.

    Raises:
        TrafficError: The road lists several units, but fewer than `count`.
    """
    if len(road.units_xyz_m) < 2:
        return roadside_units(road, count, spacing_m), (np.arange(count) - (count - 1) / 2.0) * spacing_m
    if count > len(road.units_xyz_m):
        raise TrafficError(
            f"num_rsus must be at most {len(road.units_xyz_m)}, the number of roadside units on the road "
            f"{road.name!r}, got {count}: ask for fewer, or use a road that lists as many, or only its own"
        )
    units_m = np.array(road.units_xyz_m)
    position_m = RoadAxis(road).position_m(units_m[:, :2])
    away_m = np.abs(position_m) if road.axis_xy_m else np.hypot(*(units_m[:, :2] - road.rsu_xyz_m[:2]).T)
    nearest = np.sort(np.argsort(away_m, kind="stable")[:count])
    return units_m[nearest], position_m[nearest]
