"""Signs that a trace has other units than it was read with: names of columns, speeds and accelerations.

A name that says a unit is refused until an option says the unit. Numbers are only unlikely, and give warnings with the
option that would make them likely, unless nothing moves at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from sumo_scenarios.traces.motion import LARGEST_SHARE, MOVES_MPS, Cutting, Piece, Steps, speeds_mps
from sumo_scenarios.traces.table import LENGTHS_M, TIMES_S, Columns
from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.traffic import Road

SLOW_MPS, FAST_MPS = 2.0, 38.0
"""Median speeds of moving vehicles outside of these bounds suggest a wrong unit."""
USUAL_MPS = (3.0, 36.0)
"""Median speeds that a suggested unit must give."""
MOST_MPS2 = 6.0
"""The acceleration that hardly any step of a vehicle exceeds: emergency braking reaches 8 m/s^2."""
ABOVE_LIMIT = 1.5
"""A median speed above so many times the speed limit suggests a wrong unit."""
AGAINST = 0.95
"""From this share of the way that is driven against the axis on, the axis or the trace may be mirrored."""
_RATES_HZ = (25.0, 10.0)
_NGSIM = frozenset({"local_x", "local_y", "global_x", "global_y"})
_SAID = re.compile(r"[^a-z0-9](ft|feet|km|ms|us|ns|min|h)[^a-z0-9]*$")


def check_names(columns: Columns) -> None:
    """Raises `ValueError` where the name of a column says another unit or meaning than the options."""
    if not columns.header:
        return
    if columns.degrees:
        _check_swapped(columns.x, columns.y)
    elif columns.length_unit is None:
        for name in (columns.x, columns.y):
            _check_length(name.strip())
    if columns.time_unit is None and columns.frame_rate is None:
        _check_time(columns.time.strip())


def _check_swapped(lon: str, lat: str) -> None:
    if lon.strip().casefold().startswith("lat") or lat.strip().casefold().startswith("lon"):
        raise ValueError(f"--lon names the column {lon!r} and --lat the column {lat!r}: are the two swapped?")


def _check_length(name: str) -> None:
    said = _SAID.search(name.casefold())
    if name.casefold() in _NGSIM:
        raise ValueError(
            f"the column {name!r} is one of NGSIM, whose lengths are in feet: give --length-unit ft, or --length-unit "
            "m if they have been converted"
        )
    if said and (unit := said[1].replace("feet", "ft")) in LENGTHS_M:
        raise ValueError(f"the column {name!r} seems to be in {unit}: give --length-unit {unit}, or --length-unit m")


def _check_time(name: str) -> None:
    said = _SAID.search(name.casefold())
    if "frame" in name.casefold():
        raise ValueError(
            f"the column {name!r} seems to have numbers of frames: give --frame-rate, such as 25 for highD and 10 for "
            "NGSIM, or --time-unit s if these are seconds"
        )
    unit = "ms" if name.casefold() == "global_time" else said[1] if said else ""
    if unit in TIMES_S:
        raise ValueError(f"the column {name!r} seems to be in {unit}: give --time-unit {unit}, or --time-unit s")


def check_speeds(steps: Steps, cutting: Cutting, columns: Columns | None) -> None:
    """Raises `ValueError` where most steps are impossibly fast, every gap is too long to bridge, or nothing moves.

    A trace in which nothing moves is accepted where options say its units, and in FCD.
    """
    if not steps.same.any():
        raise ValueError("no vehicle has two samples: is the column of ids right?")
    speed_mps, gap_s = steps.speed_mps[steps.same], steps.gap_s[steps.same]
    half_mps = float(np.median(speed_mps))
    if (too_fast := float((speed_mps > cutting.top_speed_mps).mean())) > LARGEST_SHARE:
        raise ValueError(
            f"{100 * too_fast:.0f} % of the steps between samples are faster than --top-speed-mps "
            f"{cutting.top_speed_mps:g}, and half of them are faster than {half_mps:.3g} m/s"
            f"{_suggested(half_mps, columns)}; or the column of ids is not that of vehicles"
        )
    if not (bridged := gap_s <= cutting.max_gap_s).any():
        hint = "" if SLOW_MPS < half_mps < FAST_MPS else f"; half of the speeds are above {half_mps:.3g} m/s"
        raise ValueError(
            f"the samples of a vehicle are at least {gap_s.min():g} s apart, and {np.median(gap_s):g} s as a rule, but "
            f"--max-gap-s is {cutting.max_gap_s:g}: give a longer one, or check --time-unit"
            f"{hint and hint + _suggested(half_mps, columns)}"
        )
    if columns is None or (columns.time_unit and (columns.length_unit or columns.degrees)):
        return
    if (fastest := float(np.percentile(speed_mps[bridged], 99.0))) < MOVES_MPS:
        raise ValueError(
            f"hardly any vehicle moves: 99 % of the speeds are at most {fastest:.3g} m/s"
            f"{_suggested(fastest, columns)}; or say that the units are right, by --length-unit m --time-unit s"
        )


def _suggested(speed_mps: float, columns: Columns | None) -> str:
    """Returns the options with which a speed would be usual, as the end of a sentence; "" without any."""
    low, high = USUAL_MPS
    usual = [
        f"{speed_mps * by:.3g} m/s with {option}" for option, by in _others(columns) if low <= speed_mps * by <= high
    ]
    return f" (it would be {', or '.join(usual)})" if usual else ": check --length-unit and --time-unit"


def _others(columns: Columns | None) -> Iterator[tuple[str, float]]:
    """Yields options of other units, with the factors by which they change speeds."""
    if columns is None:
        return
    metres, seconds = LENGTHS_M[columns.length_unit or "m"], TIMES_S.get(columns.time_unit or "s")
    if not columns.degrees:
        yield from ((f"--length-unit {unit}", of / metres) for unit, of in LENGTHS_M.items() if of != metres)
    if seconds is None or columns.frame_rate is not None:
        return
    yield from ((f"--time-unit {unit}", seconds / of) for unit, of in TIMES_S.items() if of != seconds)
    yield from ((f"--frame-rate {rate:g}", seconds * rate) for rate in _RATES_HZ)


def unit_warnings(
    stays: Sequence[Piece], road: Road, cutting: Cutting, steps: Steps, columns: Columns | None, *, limit: bool
) -> Iterator[str]:
    """Yields warnings about speeds, accelerations and directions that suggest wrong units.

    Args:
        stays: The ways of vehicles in range, slot by slot.
        road: The road.
        cutting: How they were resampled.
        steps: The samples.
        columns: The columns of the trace; None for FCD.
        limit: Whether the speed limit of the road was given, and not measured.
    """
    of_stays = speeds_mps(stays, cutting)
    half_mps = _median_of_moving(of_stays)
    if half_mps is None:
        yield "warning: no vehicle moves: check --time-unit and --length-unit"
        return
    hint = _suggested(half_mps, columns)
    if not SLOW_MPS < half_mps < FAST_MPS:
        yield f"warning: half of the moving vehicles drive {half_mps:.3g} m/s, which is no usual speed{hint}"
    elif limit and half_mps > ABOVE_LIMIT * road.speed_limit_mps:
        times = half_mps / road.speed_limit_mps
        yield f"warning: half of the moving vehicles drive {half_mps:.3g} m/s, {times:.1f} times the speed limit{hint}"
    elif float(np.median(steps.gap_s[steps.same])) <= cutting.slot_s:
        yield from _of_accelerations(of_stays, cutting, columns)
    if (against := share_against(stays, road)) >= AGAINST:
        yield (
            f"warning: {100 * against:.0f} % of the way is driven against the axis of the road: is the trace mirrored, "
            "or are the points of the axis in reverse order?"
        )


def _of_accelerations(
    of_stays: Iterable[Float[np.ndarray, " slots"]], cutting: Cutting, columns: Columns | None
) -> Iterator[str]:
    changes = np.concatenate([np.abs(np.diff(of)) for of in of_stays]) / cutting.slot_s
    if len(changes) and (high := float(np.percentile(changes, 99.0))) > MOST_MPS2:
        in_feet, said = high * LENGTHS_M["ft"], columns is None or columns.length_unit or columns.degrees
        hint = "" if said or in_feet > MOST_MPS2 else f"; in feet they would be {in_feet:.1f} m/s2 (--length-unit ft)"
        yield (
            f"warning: a hundredth of the accelerations is above {high:.1f} m/s2, which no vehicle reaches so often: "
            f"places are imprecise, or in another unit{hint}"
        )


def _median_of_moving(of_stays: Sequence[Float[np.ndarray, " slots"]]) -> float | None:
    speed_mps = np.concatenate(of_stays)
    moving = speed_mps[speed_mps > MOVES_MPS]
    return float(np.median(moving)) if len(moving) else None


def check_on_scenario(stays: Sequence[Piece], road: Road, cutting: Cutting, columns: Columns | None) -> None:
    """Raises `ValueError` where vehicles are too fast for the road of the scenario that was given for the trace."""
    half_mps = _median_of_moving(speeds_mps(stays, cutting))
    if half_mps is not None and half_mps > ABOVE_LIMIT * road.speed_limit_mps:
        raise ValueError(
            f"half of the moving vehicles drive {half_mps:.3g} m/s, but the speed limit of {road.name!r} is "
            f"{road.speed_limit_mps:g} m/s{_suggested(half_mps, columns)}"
        )


def share_against(stays: Sequence[Piece], road: Road) -> float:
    """Returns which share of the way along the axis of a road is driven against it; 0.0 without an axis."""
    if not road.axis_xy_m:
        return 0.0
    axis = RoadAxis(road)
    steps_m = np.concatenate([np.diff(axis.position_m(stay.xy_m)) for stay in stays])
    way_m = float(np.abs(steps_m).sum())
    return -float(np.minimum(steps_m, 0.0).sum()) / way_m if way_m else 0.0
