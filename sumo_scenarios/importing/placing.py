"""Places for roadside units, and a range in which there is enough traffic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sumo_scenarios.measuring.needs import Need, Roles, possible
from sumo_scenarios.measuring.trace import Trace
from sumo_scenarios.sumo_files.network import Line, Network, length_of, point_on
from sumo_scenarios.sumo_files.programs import ImportRefusal

HEIGHT_M, BESIDE_M = 8.0, 10.0
"""The height of a unit, and its distance from the line of a street."""
RANGES_M = (200.0, 300.0, 400.0, 500.0, 750.0, 1000.0, 1500.0, 2000.0, 3000.0)
SPACINGS_M = (500.0, 300.0, 200.0, 100.0, 50.0, 20.0)
"""The least distances between units that are tried, one after the other, until there is room for all."""
ENOUGH = 0.95
"""The share of the seconds at which episodes should be possible."""
_CELL_M, _NEAR_M = 50.0, 250.0
Place = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Places:
    """The roadside units of a scenario, and the one of them that its range refers to."""

    own: Place
    units: tuple[Place, ...]


def along(line: Line, *, count: int, every_m: float | None) -> Places:
    """Returns units beside a line at regular spacing, about its middle, to the right of its direction.

    Without `every_m` their distance is such that `count` units have equal parts of the line, at most 500 m each.
    """
    length_m = length_of(line)
    spacing_m = every_m or min(SPACINGS_M[0], length_m / count)
    number = count if every_m is None else max(1, 1 + math.floor((length_m - 1.0) / spacing_m))
    offsets = [(k - (number - 1) / 2.0) * spacing_m for k in range(number)]
    units = [_beside(line, length_m / 2.0 + offset) for offset in offsets]
    return Places(own=units[(number - 1) // 2], units=tuple(units))


def at_junctions(
    network: Network, trace: Trace, *, count: int, box: tuple[float, float, float, float] | None
) -> Places:
    """Returns units at the junctions with most traffic near them, those with signals first.

    A network with few junctions has units along its roads too. `box` (x, y, x, y) limits the places. Raises
    `ImportRefusal` if nothing is in it.
    """
    groups = [network.signals_xy_m, network.junctions_xy_m, _points_of_edges(network)]
    chosen: list[tuple[float, float]] = []
    for spacing_m in SPACINGS_M:
        chosen = []
        for group in groups:
            _add(chosen, _inside(group, box), trace, spacing_m, count)
        if len(chosen) >= count:
            break
    if not chosen:
        raise ImportRefusal("there is no junction and no road in --box; for a network, a box is in metres")
    units = [(round(x, 1), round(y, 1), HEIGHT_M) for x, y in chosen]
    own = units[0]
    units.sort(key=lambda unit: math.dist(unit, own))
    return Places(own=own, units=tuple(units))


def proposed_range(trace: Trace, needs: Sequence[Need], roles: Roles, unit: Place, most_m: float) -> float:
    """Returns the smallest range in which most episodes of all needs are possible, or the one with most of them."""
    best, best_share = RANGES_M[0], 0.0
    for range_m in RANGES_M:
        if range_m > max(most_m, RANGES_M[0]):
            break
        shares = [_mean(possible(trace, need, roles, unit, range_m)) for need in needs]
        if min(shares) >= ENOUGH:
            return range_m
        if sum(shares) > best_share + 0.01:
            best, best_share = range_m, sum(shares)
    return best if best_share > 0.0 else max(r for r in RANGES_M if r <= max(most_m, RANGES_M[0]))


def _mean(possible_at: np.ndarray) -> float:
    return float(possible_at.mean()) if possible_at.size else 0.0


def _beside(line: Line, position_m: float) -> Place:
    """Returns the place of a unit beside a point of a line, to the right of its direction."""
    (x, y), (ahead_x, ahead_y) = point_on(line, position_m)
    return round(x + BESIDE_M * ahead_y, 1), round(y - BESIDE_M * ahead_x, 1), HEIGHT_M


def _add(
    chosen: list[tuple[float, float]],
    candidates_xy_m: Float[np.ndarray, "places 2"],
    trace: Trace,
    spacing_m: float,
    count: int,
) -> None:
    """Adds the candidates with most traffic near them until there are `count` places."""
    if len(chosen) >= count or not len(candidates_xy_m):
        return
    order = np.argsort(-_traffic_near(candidates_xy_m, trace), kind="stable")
    for x, y in candidates_xy_m[order].tolist():
        if all(math.dist((x, y), other) >= spacing_m for other in chosen):
            chosen.append((x, y))
            if len(chosen) >= count:
                return


def _traffic_near(places_xy_m: Float[np.ndarray, "places 2"], trace: Trace) -> Float[np.ndarray, " places"]:
    """Returns the number of readings near each place."""
    cells, number = np.unique(np.floor(trace.xy_m / _CELL_M).astype(np.int64), axis=0, return_counts=True)
    centres = (cells + 0.5) * _CELL_M
    return np.array(
        [number[((centres - place) ** 2).sum(axis=1) <= _NEAR_M**2].sum() for place in places_xy_m], np.float64
    )


def _inside(
    places_xy_m: Float[np.ndarray, "places 2"], box: tuple[float, float, float, float] | None
) -> Float[np.ndarray, "inside 2"]:
    if box is None:
        return places_xy_m
    low, high = np.array(box[:2]), np.array(box[2:])
    return places_xy_m[((places_xy_m >= low) & (places_xy_m <= high)).all(axis=1)]


def _points_of_edges(network: Network) -> Float[np.ndarray, "points 2"]:
    """Returns points along the roads, one for each 100 m of an edge.

    They follow the edge's line: SUMO's length of an edge may be another one than that of its line.
    """
    points = [
        edge.line[0] if position_m == 0.0 else _beside(edge.line, position_m)[:2]
        for edge in network.edges.values()
        for position_m in np.arange(0.0, length_of(edge.line), 100.0).tolist()
    ]
    return np.array(points, np.float64).reshape(-1, 2)
