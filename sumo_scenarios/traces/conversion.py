"""The conversion of a trace to the windows of a recording."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from sumo_scenarios.traces.fcd import read_fcd
from sumo_scenarios.traces.motion import (
    MOVES_MPS,
    Cutting,
    Piece,
    Steps,
    check_metres,
    in_range,
    pieces_of,
    steps_of,
)
from sumo_scenarios.traces.places import (
    BESIDE_M,
    LocalProjection,
    axis_of,
    busiest_place,
    check_degrees,
    share_beside,
)
from sumo_scenarios.traces.samples import Collector, Samples
from sumo_scenarios.traces.table import Columns, read_table
from sumo_scenarios.traces.units import check_names, check_on_scenario, check_speeds
from sumo_scenarios.traces.windows import windows_of
from vec_envs.mobility import Scenario
from vec_envs.mobility.traffic import Road, TrafficWindow
from vec_envs.validation import near_misses

LIMIT_PERCENTILE = 95.0
"""Without a speed limit, this percentile of the speeds of moving vehicles takes its place."""
LEAST_ON_ROAD = 0.5
"""The least share of places in range that are on the axis of the scenario of a trace."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The options of a conversion."""

    cutting: Cutting
    slots: int
    """The number of slots of a window."""
    columns: Columns | None
    """The columns of a table; None for SUMO's FCD."""
    degrees: bool = False
    """Whether coordinates are longitudes and latitudes."""
    begin_s: float = 0.0
    """The part of the trace that is taken, in seconds after its first sample: from `begin_s` to before `end_s`."""
    end_s: float = np.inf
    range_m: float = 750.0
    unit: tuple[float, float] | None = None
    """The place of the roadside unit in the trace's own coordinates; None for the place with the densest traffic."""
    height_m: float = 8.0
    axis: bool = True
    """Whether to look for an axis. Without one, the traffic is that of an area."""
    scenario: str | None = None
    """A scenario whose road, unit and range are those of the trace."""
    speed_limit_mps: float | None = None
    client_types: Collection[str] | None = None
    service_types: Collection[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Converted:
    """The windows of a trace, with its samples and the steps between them for the report."""

    road: Road
    windows: list[TrafficWindow]
    samples: Samples
    steps: Steps
    options: Conversion
    stays: list[Piece]
    origin_s: float
    projection: LocalProjection | None


def convert(path: Path, options: Conversion) -> Converted:
    """Returns the windows of a trace. Raises `ValueError` where it is damaged, or holds no traffic that can be used."""
    into = Collector()
    if options.columns is None:
        read_fcd(path, into)
    else:
        check_names(options.columns)
        read_table(path, options.columns, into)
    samples = into.samples(options.begin_s, options.end_s)
    xy_m, projection = _metres(samples, options)
    steps = steps_of(samples, xy_m)
    check_speeds(steps, options.cutting, options.columns)
    origin_s = float(steps.time_s.min())
    pieces = pieces_of(steps, options.cutting, origin_s)
    road, stays = _road(path, pieces, options, projection, _speed_limit_mps(steps, options))
    windows = windows_of(
        stays,
        road,
        slots=options.slots,
        slot_s=options.cutting.slot_s,
        may_be_client=_may(samples, options.client_types, "--client-types"),
        may_be_service=_may(samples, options.service_types, "--service-types"),
    )
    return Converted(
        road=road,
        windows=windows,
        samples=samples,
        steps=steps,
        options=options,
        stays=stays,
        origin_s=origin_s,
        projection=projection,
    )


def _metres(samples: Samples, options: Conversion) -> tuple[Float[np.ndarray, "samples 2"], LocalProjection | None]:
    """Returns the places of samples [m], and how degrees were projected."""
    if options.degrees:
        check_degrees(samples.x, samples.y)
        lon, lat = (float(np.median(samples.x)), float(np.median(samples.y))) if options.unit is None else options.unit
        projection = LocalProjection(lon=round(lon, 6), lat=round(lat, 6))
        return projection.xy_m(samples.x, samples.y), projection
    xy_m = np.stack((samples.x, samples.y), axis=-1)
    check_metres(xy_m, "--geo" if options.columns is None else "their columns by --lon and --lat")
    return xy_m, None


def _speed_limit_mps(steps: Steps, options: Conversion) -> float:
    if options.speed_limit_mps is not None:
        return options.speed_limit_mps
    speed_mps = steps.speed_mps[steps.same]
    moving = speed_mps[(speed_mps > MOVES_MPS) & (speed_mps <= options.cutting.top_speed_mps)]
    return round(float(np.percentile(moving, LIMIT_PERCENTILE)), 1) if len(moving) else 1.0


def _road(
    path: Path, pieces: list[Piece], options: Conversion, projection: LocalProjection | None, speed_limit_mps: float
) -> tuple[Road, list[Piece]]:
    """Returns the road or area, and the parts of vehicles' ways that are in range of its unit."""
    if options.scenario is not None:
        road = Scenario.load(options.scenario).road
        stays = _stays(pieces, road, f"the unit of {options.scenario!r}: is the trace of this scenario's network?")
        _check_on_road(stays, road)
        check_on_scenario(stays, road, options.cutting, options.columns)
        return road, stays
    x, y = _place_of_unit(pieces, options, projection)
    unit = (x, y, options.height_m)
    name = path.name.partition(".")[0]
    area = Road(name=name, rsu_xyz_m=unit, range_m=options.range_m, speed_limit_mps=speed_limit_mps)
    stays = _stays(pieces, area, "the unit: give another place by --unit, or a wider --range-m")
    return replace(area, axis_xy_m=axis_of(stays, unit, options.range_m) if options.axis else ()), stays


def _place_of_unit(pieces: list[Piece], options: Conversion, projection: LocalProjection | None) -> tuple[float, float]:
    """Returns the place of the roadside unit in the plane."""
    if options.unit is None:
        return busiest_place(np.concatenate([piece.xy_m for piece in pieces]), options.range_m)
    if projection is None:
        return options.unit
    x, y = projection.xy_m(np.array(options.unit[:1]), np.array(options.unit[1:]))[0].tolist()
    return round(x, 1), round(y, 1)


def _check_on_road(stays: list[Piece], road: Road) -> None:
    """Raises `ValueError` where most vehicles in range are not on a road, which is then that of another trace."""
    if road.axis_xy_m and (share := share_beside(stays, road)) < LEAST_ON_ROAD:
        raise ValueError(
            f"only {100 * share:.0f} % of the places in range are within {BESIDE_M:g} m of the axis of {road.name!r}: "
            "is the trace of this scenario's network? Leave --scenario out otherwise"
        )


def _stays(pieces: list[Piece], road: Road, what: str) -> list[Piece]:
    if stays := in_range(pieces, road.rsu_xyz_m, road.range_m):
        return stays
    low, high = (np.array([getattr(p.xy_m, of)(axis=0) for p in pieces]) for of in ("min", "max"))
    x, y, _ = road.rsu_xyz_m
    raise ValueError(
        f"no vehicle is within {road.range_m:g} m of ({x:g}, {y:g}) for two slots, where the unit is; the trace is "
        f"between {low.min(axis=0).round(1).tolist()} and {high.max(axis=0).round(1).tolist()}. Check {what}"
    )


def _may(samples: Samples, types: Collection[str] | None, option: str) -> Bool[np.ndarray, " vehicles"]:
    """Returns which vehicles are of some types. Raises `ValueError` for a type that no vehicle has."""
    if types is None:
        return np.ones(len(samples.kind_of_vehicle), dtype=np.bool_)
    if set(samples.kinds) == {""}:
        raise ValueError(f"{option} needs a trace with types of vehicles: name their column by --type, or leave it out")
    if unknown := sorted(set(types) - set(samples.kinds)):
        known, near = ", ".join(map(repr, samples.kinds[:30])), near_misses(unknown, samples.kinds)
        raise ValueError(f"{option} must be types of the trace, {known}, got {', '.join(map(repr, unknown))}{near}")
    numbers = [samples.kinds.index(kind) for kind in types]
    return np.isin(samples.kind_of_vehicle, numbers)
