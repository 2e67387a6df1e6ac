"""The report on a scenario's traffic, in Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sumo_scenarios.measuring.needs import Need, Roles, possible
from sumo_scenarios.measuring.trace import Trace
from sumo_scenarios.sumo_files.demand import Demand

_ROWS = 24
_MOST_TYPES = 12
_JOINED_S = 120
"""Times at which episodes are possible are shown as one span if they lie no farther apart [s]."""
_ENDED = {
    "demand": "all vehicles have arrived",
    "end": "the configuration ends it",
    "measured": "enough was measured",
    "empty": "no vehicle departed",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A scenario as far as a report needs it, with its measured traffic."""

    name: str
    extent_m: tuple[float, float, float, float]
    road_km: float
    units_xyz_m: Sequence[tuple[float, float, float]]
    own_unit_xyz_m: tuple[float, float, float]
    range_m: float
    has_axis: bool
    roles: Roles
    demand: Demand
    trace: Trace
    notes: Sequence[str] = ()


def clock(time_s: float) -> str:
    """Returns a simulated time as hours:minutes:seconds."""
    whole = round(time_s)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def report(measured: Measured, needs: Sequence[Need]) -> str:
    """Returns the text of the report."""
    sections = [
        f"# {measured.name}\n",
        _overview(measured),
        _types(measured),
        _hours(measured),
        _episodes(measured, needs),
    ]
    if measured.notes:
        sections.append("## Notes\n\n" + "".join(f"- {note}\n" for note in measured.notes))
    return "\n".join(sections)


def times_of_episodes(measured: Measured, need: Need) -> list[tuple[float, float]]:
    """Returns the spans of time [s] at which episodes of an environment can begin."""
    at = np.flatnonzero(
        possible(measured.trace, need, measured.roles, measured.own_unit_xyz_m, measured.range_m)
    ).tolist()
    spans: list[list[int]] = []
    for second in at:
        if spans and second - spans[-1][1] <= _JOINED_S:
            spans[-1][1] = second
        else:
            spans.append([second, second])
    return [(measured.trace.first_s + a, measured.trace.first_s + b) for a, b in spans]


def _overview(measured: Measured) -> str:
    west, south, east, north = measured.extent_m
    trace, demand = measured.trace, measured.demand
    near = trace.counts(trace.in_range(measured.own_unit_xyz_m, measured.range_m))
    speed = trace.speed_mps
    until = "without end" if math.isinf(demand.last_s) else f"to {clock(demand.last_s)}"
    x, y, z = measured.own_unit_xyz_m
    rows = [
        ("extent", f"{east - west:,.0f} m by {north - south:,.0f} m, {measured.road_km:,.1f} km of roads"),
        ("axis", "a street, with positions along it" if measured.has_axis else "none: places in the plane"),
        ("roadside units", f"{len(measured.units_xyz_m)}; the range refers to the one at ({x:g}, {y:g}, {z:g}) m"),
        ("range", f"{measured.range_m:g} m"),
        (
            "demand in the files",
            f"from {clock(demand.first_s)} {until}: {demand.vehicles:,} vehicles, {demand.flows:,} flows, "
            f"{demand.persons:,} persons",
        ),
        ("measured", f"{clock(trace.first_s)} to {clock(trace.last_s)}; {_ENDED[trace.ended]}"),
        ("vehicles", f"{len(trace.types):,} in all; in range {near.mean():.1f} on average, {near.max()} at most"),
        ("persons", f"at most {trace.persons:,} at a time; persons are not vehicles"),
        ("speeds", f"{speed.mean():.1f} m/s on average, {speed.max():.1f} m/s at most, {_standing(trace)} stand"),
        ("teleports", f"{trace.teleports.sum():,} by SUMO, and {trace.collisions.sum():,} vehicles in collisions"),
        ("simulator", trace.version),
    ]
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _standing(trace: Trace) -> str:
    return f"{(trace.speed_mps < 0.1).mean():.0%}"


def _types(measured: Measured) -> str:
    """Returns the table of the vehicle types, the most frequent first."""
    trace, roles = measured.trace, measured.roles
    near = np.unique(trace.vehicle[trace.in_range(measured.own_unit_xyz_m, measured.range_m)])
    in_range = Counter(trace.types[number] for number in near.tolist())
    classes = dict(zip(trace.types, trace.classes, strict=True))
    lines = [
        "## Vehicle types\n\n| type | class | vehicles | in range | client | service |\n|---|---|---|---|---|---|\n"
    ]
    counted = Counter(trace.types)
    for kind, number in counted.most_common(_MOST_TYPES):
        may = ["yes" if types is None or kind in types else "no" for types in (roles.client_types, roles.service_types)]
        lines.append(f"| {kind} | {classes[kind]} | {number:,} | {in_range[kind]:,} | {may[0]} | {may[1]} |\n")
    clients = sum(n for kind, n in in_range.items() if roles.client_types is None or kind in roles.client_types)
    more = f"{len(counted) - _MOST_TYPES} more types are not shown. " if len(counted) > _MOST_TYPES else ""
    return "".join(lines) + f"\n{more}{clients:,} of {in_range.total():,} vehicles that come in range may be clients.\n"


def _hours(measured: Measured) -> str:
    """Returns the table of the traffic by time of day."""
    trace = measured.trace
    step = next((s for s in (60, 300, 900, 1800, 3600) if trace.num_slots / s <= _ROWS), 7200)
    near = trace.in_range(measured.own_unit_xyz_m, measured.range_m)
    count, speed = trace.counts(near), np.bincount(trace.slot[near], trace.speed_mps[near], trace.num_slots)
    lines = [
        "## Time of day\n\n"
        "| from | in range | least | most | mean speed, m/s | teleports |\n|---|---|---|---|---|---|\n"
    ]
    for begin in range(0, max(1, trace.num_slots - step // 2), step):
        part = slice(begin, begin + step)
        vehicles = count[part]
        mean_speed = f"{speed[part].sum() / vehicles.sum():.1f}" if vehicles.any() else "-"
        lines.append(
            f"| {clock(trace.first_s + begin)} | {vehicles.mean():.1f} | {vehicles.min()} | {vehicles.max()} | "
            f"{mean_speed} | {trace.teleports[part].sum()} |\n"
        )
    return "".join(lines)


def _episodes(measured: Measured, needs: Sequence[Need]) -> str:
    """Returns the table of the environments' default episodes."""
    lines = ["## Default episodes\n\n| environment | needs | possible at | from ... to |\n|---|---|---|---|\n"]
    for need in needs:
        shape = need.shape
        wanted = f"{shape.num_client_vehicles} clients"
        wanted += f" and {shape.num_service_vehicles} service vehicles" if shape.num_service_vehicles else ""
        wanted += f", {'at first' if shape.come_and_go else 'throughout'}, {need.episode_s:g} s"
        at = possible(measured.trace, need, measured.roles, measured.own_unit_xyz_m, measured.range_m)
        share = f"{at.mean():.0%} of seconds" if at.size else "never: the simulation is too short"
        lines.append(f"| {need.environment} | {wanted} | {share} | {_spans(measured, need)} |\n")
    if lacking := sorted({need.num_units for need in needs if need.num_units > len(measured.units_xyz_m) > 1}):
        lines.append(f"\nSome environments have {lacking[-1]} units by default; set `num_rsus` to fewer for them.\n")
    lines += _unseen(measured)
    if not any(times_of_episodes(measured, need) for need in needs):
        lines.append(
            "\nNo default episode is possible: ask for fewer vehicles (`num_client_vehicles`, `num_service_vehicles`), "
            "or choose another place or a wider range.\n"
        )
    return "".join(lines)


def _unseen(measured: Measured) -> list[str]:
    """Returns a sentence for each role whose types no vehicle has."""
    seen = sorted(set(measured.trace.types))
    roles = (("client_types", measured.roles.client_types), ("service_types", measured.roles.service_types))
    return [
        f"\nNo vehicle has a type of `{key}` = {', '.join(types)}; list types of the table above.\n"
        for key, types in roles
        if types is not None and not set(types) & set(seen)
    ]


def _spans(measured: Measured, need: Need) -> str:
    spans = times_of_episodes(measured, need)
    shown = ", ".join(f"{clock(a)} to {clock(b)}" for a, b in spans[:4])
    return (shown or "-") + (f" and {len(spans) - 4} more" if len(spans) > 4 else "")
