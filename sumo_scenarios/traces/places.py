"""Where a trace is: the projection of degrees, the place of the roadside unit, and the axis of the road."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from sumo_scenarios.traces.motion import Piece
from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.traffic import Road

EQUATORIAL_RADIUS_M, ECCENTRICITY_SQUARED = 6_378_137.0, 0.006_694_379_990_14
"""The ellipsoid of WGS 84, on which GPS receivers report places."""
AXIS_STEP_M, STRAIGHT_STEPS = 25.0, 4
"""The distance between the points of an axis, and the number of points at each end that give its direction there."""
SOME_PLACES = 20_000
"""The number of places whose distance from an axis is computed."""
BESIDE_M, SHARE_BESIDE = 30.0, 0.95
"""Vehicles follow one road where this share of their places is at most so far from its axis."""
MOST_CELLS, MOST_PLACES, MEAN_SHIFTS = 1000, 200_000, 10
"""The search for the busiest place: cells of a side, places that are looked at, and steps of the mean shift."""
SOUTH, NORTH = -56.0, 81.0
"""The latitudes between which there are roads."""
_Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class LocalProjection:
    """Degrees to metres on the plane that touches the ellipsoid of WGS 84 at an origin.

    x grows to the east, y to the north. Within 10 km of the origin, distances are right to 0.2 % below 60 degrees of
    latitude.
    """

    lon: float
    lat: float

    def xy_m(self, lon: Float[np.ndarray, " places"], lat: Float[np.ndarray, " places"]) -> np.ndarray:
        """Returns places [m]; an axis for x and y is appended."""
        sine, cosine = math.sin(math.radians(self.lat)), math.cos(math.radians(self.lat))
        flattened = 1.0 - ECCENTRICITY_SQUARED * sine**2
        to_north_m = EQUATORIAL_RADIUS_M * (1.0 - ECCENTRICITY_SQUARED) / flattened**1.5
        to_east_m = EQUATORIAL_RADIUS_M / math.sqrt(flattened) * cosine
        east = np.radians((lon - self.lon + 180.0) % 360.0 - 180.0)
        return np.stack((to_east_m * east, to_north_m * np.radians(lat - self.lat)), axis=-1)


def check_degrees(lon: Float[np.ndarray, " places"], lat: Float[np.ndarray, " places"]) -> None:
    """Raises `ValueError` for longitudes and latitudes that do not exist, or where no road is."""
    if (np.abs(lat) > 90.0).any() or (np.abs(lon) > 180.0).any():
        raise ValueError(
            f"longitudes must be from -180 to 180 and latitudes from -90 to 90, got {lon.min():g} to {lon.max():g} and "
            f"{lat.min():g} to {lat.max():g}: are the two swapped, or are they metres?"
        )
    middle = float(np.median(lat))
    if not SOUTH <= middle <= NORTH:
        raise ValueError(
            f"latitudes must be from {SOUTH:g} to {NORTH:g}, where roads are, got {middle:g} in the middle of the "
            "trace: are --lon and --lat swapped, or are they metres?"
        )


def busiest_place(xy_m: Float[np.ndarray, "places 2"], range_m: float) -> tuple[float, float]:
    """Returns the middle of the places in range of the place where traffic is densest."""
    places = xy_m[:: max(1, len(xy_m) // MOST_PLACES)]
    low, high = np.percentile(places, (0.5, 99.5), axis=0)
    cells = np.clip(np.ceil((high - low) / range_m), 1, MOST_CELLS).astype(int)
    high = np.maximum(high, low + 1e-6)
    edges: list[_Numbers] = [np.linspace(low[n], high[n], int(cells[n]) + 1) for n in (0, 1)]
    counted = np.histogram2d(places[:, 0], places[:, 1], bins=edges)[0]
    busiest = np.unravel_index(int(counted.argmax()), counted.shape)
    corner = np.array([edges[n][busiest[n]] for n in (0, 1)])
    inside = ((corner <= places) & (places <= corner + (high - low) / cells)).all(axis=1)
    middle = np.median(places[inside] if inside.any() else places, axis=0)
    for _ in range(MEAN_SHIFTS):
        near = ((places - middle) ** 2).sum(axis=-1) <= range_m**2
        if not near.any():
            break
        middle = places[near].mean(axis=0)
    return round(float(middle[0]), 1), round(float(middle[1]), 1)


def axis_of(
    stays: Sequence[Piece], rsu_xyz_m: tuple[float, float, float], range_m: float
) -> tuple[tuple[float, float], ...]:
    """Returns the longest way of a vehicle as the axis of a road; empty where most vehicles do not follow it.

    Both ends are extended on a straight line to the last vehicle, because positions do not change beyond the ends.
    """
    longest = max(stays, key=lambda stay: float(np.hypot(*(stay.xy_m[-1] - stay.xy_m[0]))))
    points = [longest.xy_m[0]]
    for place in longest.xy_m[1:]:
        if np.hypot(*(place - points[-1])) >= AXIS_STEP_M:
            points.append(place)
    if len(points) < 2:
        return ()
    places = _some(np.concatenate([stay.xy_m for stay in stays]))
    points = [_end(points[::-1], places), *points, _end(points, places)]
    axis = tuple((round(float(x), 1), round(float(y), 1)) for x, y in points)
    road = Road(name="", rsu_xyz_m=rsu_xyz_m, range_m=range_m, speed_limit_mps=1.0, axis_xy_m=axis)
    return axis if share_beside(stays, road) >= SHARE_BESIDE and _goes_on(axis) else ()


def _end(way: Sequence[np.ndarray], places: Float[np.ndarray, "places 2"]) -> np.ndarray:
    """Returns where a way ends when it goes straight on, as far as vehicles are beside it."""
    ahead = way[-1] - way[max(0, len(way) - 1 - STRAIGHT_STEPS)]
    ahead = ahead / np.hypot(*ahead)
    beyond = places - way[-1]
    beside = np.abs(beyond @ (-ahead[1], ahead[0])) <= BESIDE_M
    return way[-1] + max(float((beyond @ ahead)[beside].max(initial=0.0)), 1.0) * ahead


def share_beside(stays: Sequence[Piece], road: Road) -> float:
    """Returns the share of the places of vehicles that are at most `BESIDE_M` from the axis of a road."""
    _, beside_m = RoadAxis(road).nearest_m(_some(np.concatenate([stay.xy_m for stay in stays])))
    return float((beside_m <= BESIDE_M).mean())


def _some(places: Float[np.ndarray, "places 2"]) -> Float[np.ndarray, "some 2"]:
    """Returns some of the places, evenly."""
    return places[:: max(1, len(places) // SOME_PLACES)]


def _goes_on(axis: tuple[tuple[float, float], ...]) -> bool:
    """Returns whether an axis never turns by 90 degrees or more."""
    pieces = np.diff(np.array(axis), axis=0)
    ahead = (pieces[1:] * pieces[:-1]).sum(axis=-1)
    return bool((ahead > 0.0).all())
