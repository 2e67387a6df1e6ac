"""What an import begins with: the files, the network, the street that is followed, and traffic where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sumo_scenarios.importing.openstreetmap import (
    Box,
    cut_to_edges,
    network_of_map,
    random_demand,
    street_demand,
)
from sumo_scenarios.importing.streets import NO_NAMES, Street, candidates, find_street, opposite, streets_of
from sumo_scenarios.sumo_files.demand import demand_of
from sumo_scenarios.sumo_files.network import Network, read_network
from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import Source, from_configuration, from_files, kind_of
from vec_envs.mobility.scenario import SUMO_OPTIONS


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for. `street` is the name of a street to follow, with its direction or without."""

    source: Path
    routes: tuple[Path, ...] = ()
    additional: tuple[Path, ...] = ()
    street: str | None = None
    box: Box | None = None
    demand: Literal["street", "random"] | None = None
    flow_per_h: float | None = None
    duration_s: float = 3600.0
    seed: int = 0
    num_units: int = 4
    every_m: float | None = None
    range_m: float | None = None
    measure_s: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """A source with its network, and the street that is followed."""

    source: Source
    network: Network
    street: Street | None


def street_candidates(request: Request, work: Path) -> str:
    """Returns the streets of a source that `--street` takes, a line each. Raises `ImportRefusal` if it has no names."""
    streets = streets_of(gathered(request, work).network)
    if not streets:
        raise ImportRefusal(NO_NAMES)
    return candidates(streets)


def gathered(request: Request, work: Path) -> Found:
    """Returns the source, its network and its street."""
    kind = kind_of(request.source)
    if kind == "configuration":
        if request.routes or request.additional:
            raise ImportRefusal("--routes and --additional need a network, and a configuration names its own files")
        source = _accepted(from_configuration(request.source, work))
    elif kind == "network":
        source = from_files(request.source, request.routes, request.additional)
    else:
        net_file = network_of_map(request.source, work, box=request.box)
        source = replace(from_files(net_file, request.routes, request.additional), title=request.source.name)
    network = read_network(source.net_file)
    street = None if request.street is None else find_street(network, request.street)
    return Found(source=source, network=network, street=street)


def _accepted(source: Source) -> Source:
    """Returns a source with the options that a scenario may set; the others become notes."""
    kept = {name: value for name, value in source.options.items() if name in SUMO_OPTIONS}
    notes = [f"the option {name} of the configuration is left out" for name in source.options if name not in kept]
    return replace(source, options=kept, notes=(*source.notes, *notes))


def with_demand(request: Request, found: Found, work: Path, say: Callable[[str], None]) -> Found:
    """Returns the source with route files; makes traffic where it has none."""
    source = found.source
    if not source.route_files and demand_of(source.additional_files).last_s > 0.0:
        (work / "none.rou.xml").write_text("<routes/>\n", encoding="utf-8")  # scenarios have route files
        source = replace(source, route_files=(work / "none.rou.xml",))
    if source.route_files:
        if request.demand is not None or request.flow_per_h is not None:
            raise ImportRefusal("--demand and --flow make traffic for a source without routes, and this one has some")
        return replace(found, source=source)
    if found.street is not None and request.demand != "random":
        return _with_street_demand(request, found, found.street, work)
    if request.demand == "street":
        raise ImportRefusal("--demand street needs --street NAME")
    flow = request.flow_per_h or _default_flow_per_h(found.network)
    say(f"making trips of {flow:g} vehicles an hour by randomTrips")
    end_s = source.begin_s + request.duration_s
    routes = random_demand(
        source.net_file, work, flow_per_h=flow, seed=request.seed, begin_s=source.begin_s, end_s=end_s
    )
    return replace(found, source=replace(source, route_files=(routes,)))


def _with_street_demand(request: Request, found: Found, street: Street, work: Path) -> Found:
    """Returns the street alone, with its other direction beside it, and steady traffic along both."""
    back = opposite(found.network, street)
    ways = [street] if back is None else [street, back]
    edges = [[edge.name for edge in way.edges] for way in ways]
    cut = cut_to_edges(found.source.net_file, [name for names in edges for name in names], work)
    routes = street_demand(
        [(names, way.length_m) for names, way in zip(edges, ways, strict=True)],
        work,
        flow_per_h=request.flow_per_h or 1440.0,
        speed_mps=street.speed_limit_mps,
    )
    source = replace(found.source, net_file=cut, route_files=(routes,))
    network = read_network(cut)
    followed = replace(street, edges=tuple(network.edges[name] for name in edges[0]))
    return Found(source=source, network=network, street=followed)


def _default_flow_per_h(network: Network) -> float:
    """Returns a flow with about four vehicles on each kilometre of road, from 100 to 10,000 an hour.

    A vehicle crosses three fifths of the extent, at 9 m/s or, with signals, at 5 m/s.
    """
    west, south, east, north = network.extent_m
    on_the_way_s = 0.6 * math.hypot(east - west, north - south) / (5.0 if len(network.signals_xy_m) else 9.0)
    flow_per_h = 3600.0 * 4.0 * network.road_km / max(on_the_way_s, 30.0)
    return round(min(max(flow_per_h, 100.0), 10_000.0), -1)
