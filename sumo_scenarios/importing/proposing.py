"""What an import proposes: roles, places for units, the speed limit, the warm-up and the hours of demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from sumo_scenarios.importing.gathering import Found, Request
from sumo_scenarios.importing.placing import Places, along, at_junctions
from sumo_scenarios.measuring.needs import Roles, default_needs
from sumo_scenarios.measuring.report import Measured, times_of_episodes
from sumo_scenarios.measuring.trace import SLOT_S, Trace
from sumo_scenarios.sumo_files.network import Network
from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import Source, kind_of

OFF_ROAD = {
    "aircraft",
    "bicycle",
    "cable_car",
    "container",
    "drone",
    "pedestrian",
    "rail",
    "rail_electric",
    "rail_fast",
    "rail_urban",
    "scooter",
    "ship",
    "subway",
    "tram",
    "wheelchair",
}
"""Vehicle classes that are neither clients nor service vehicles where there are others."""
_MOST_TYPES = 1000
_LATER_S = 60.0
"""If the first vehicle departs later than this after the begin, the scenario begins at its departure."""
_JAMMED, _TELEPORTED = 0.6, 0.02
"""The share of vehicles that stand, and of those that SUMO teleports, above which traffic counts as jammed."""
_ROOM = 2.0
"""Simulations begin at random times only if this many of the longest episodes fit into the hours of demand."""


def proposed_roles(trace: Trace, notes: Sequence[str]) -> tuple[Roles, list[str]]:
    """Returns the types that may have roles: those of road vehicles, or all where there are no others."""
    kinds = dict(zip(trace.types, trace.classes, strict=True))
    on_road = sorted(kind for kind, of_class in kinds.items() if of_class not in OFF_ROAD)
    notes = list(notes)
    if len(on_road) in (0, len(kinds)):
        if not on_road:
            notes.append("no vehicle is a road vehicle; all types may be clients")
        return Roles(), notes
    if len(on_road) > _MOST_TYPES:
        notes.append(f"there are {len(on_road)} types of road vehicles, too many to list: all types may be clients")
        return Roles(), notes
    return Roles(client_types=on_road, service_types=on_road), notes


def jam(trace: Trace, *, made: bool) -> list[str]:
    """Returns a note where the traffic is jammed."""
    standing = float((trace.speed_mps < 0.1).mean())
    if standing <= _JAMMED and trace.teleports.sum() <= _TELEPORTED * len(trace.types):
        return []
    hint = "; use a smaller --flow" if made else ""
    return [
        f"the traffic is jammed: {standing:.0%} of vehicles stand, and SUMO teleported {trace.teleports.sum()} of "
        f"{len(trace.types)}{hint}"
    ]


def proposed_places(request: Request, found: Found, trace: Trace) -> Places:
    """Returns units along the street that is followed, or else at junctions."""
    if found.street is not None:
        return along(found.street.line, count=request.num_units, every_m=request.every_m)
    box = None if kind_of(request.source) == "map" else request.box
    west, south, east, north = found.network.extent_m
    if box is not None and not (box[0] < east and box[2] > west and box[1] < north and box[3] > south):
        raise ImportRefusal(
            f"--box must have roads in it, got {' '.join(f'{v:g}' for v in box)}; the network reaches from "
            f"{west:.0f} {south:.0f} to {east:.0f} {north:.0f} m (for a network, a box is in metres)"
        )
    return at_junctions(found.network, trace, count=request.num_units, box=box)


def usual_limit_mps(network: Network, places: Places, range_m: float) -> float:
    """Returns the speed limit that nine tenths of the lanes in range do not exceed."""
    x, y, _ = places.own
    near = [edge for edge in network.edges.values() if any(math.dist((x, y), p) <= range_m for p in edge.line)]
    edges = sorted(near or network.edges.values(), key=lambda edge: edge.speed_limit_mps)
    length_m = list(accumulate(edge.length_m * edge.num_lanes for edge in edges))
    limits = (edge.speed_limit_mps for edge, m in zip(edges, length_m, strict=True) if m >= 0.9 * length_m[-1])
    return next(limits)


def warm_up_s(measured: Measured) -> float:
    """Returns how long an empty network takes to fill: until the range has four fifths of its median traffic.

    At most, it is the time in which nine tenths of the vehicles complete their trips.
    """
    trace = measured.trace
    count = trace.counts(trace.in_range(measured.own_unit_xyz_m, measured.range_m))
    filled = int(np.argmax(count >= 0.8 * np.median(count[count > 0]))) if count.any() else 0
    on_the_way = float(np.quantile(trace.seconds_on_the_way, 0.9))
    return float(min(max(10.0, min(filled, on_the_way)), 1800.0))


def hours(source: Source, measured: Measured) -> tuple[float | None, float | None]:
    """Returns `start_s` and `end_s`. The end is None if the traffic has none, or is too short for random beginnings."""
    trace, needs = measured.trace, default_needs()
    start_s = max(source.begin_s, math.floor(trace.first_s) - SLOT_S)  # vehicles that depart before it never come
    end_s = measured.demand.last_s if source.end_s is None else min(source.end_s, measured.demand.last_s)
    if trace.ended != "measured":
        ends = [span[-1][1] + need.episode_s for need in needs if (span := times_of_episodes(measured, need))]
        end_s = min(trace.last_s, max(ends, default=trace.last_s))
    room_s = end_s - start_s - warm_up_s(measured)
    if math.isinf(end_s) or room_s < _ROOM * max(need.episode_s for need in needs):
        return (start_s if start_s > source.begin_s + _LATER_S else source.begin_s or None), None
    return start_s, float(end_s)
