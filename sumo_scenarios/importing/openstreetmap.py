"""Networks of OpenStreetMap extracts, and demand for networks that have none."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

from sumo_scenarios.blueprints import CARS_AND_VANS, distribution
from sumo_scenarios.sumo_files.programs import ImportRefusal, linked, run_program, sumo_home
from sumo_scenarios.sumo_files.source import open_xml

Box = tuple[float, float, float, float]


def network_of_map(path: Path, work: Path, *, box: Box | None) -> Path:
    """Returns a network of the roads for cars in an OpenStreetMap extract, or in a box of it.

    The box is west, south, east and north in degrees.

    Raises `ImportRefusal` if netconvert fails, or there is no road.
    """
    net_file = work / "map.net.xml"
    arguments: list[str | Path] = ["--osm-files", linked(path, work), "--output-file", net_file]
    typemap = sumo_home() / "data" / "typemap"
    types = (typemap / "osmNetconvert.typ.xml", typemap / "osmNetconvertUrbanDe.typ.xml")  # then limits of cities
    arguments += ["--type-files", ",".join(map(str, types))]
    arguments += ["--output.street-names", "--geometry.remove", "--ramps.guess", "--junctions.join"]
    arguments += ["--tls.guess-signals", "--tls.discard-simple", "--tls.join", "--no-turnarounds"]
    arguments += ["--keep-edges.by-vclass", "passenger", "--remove-edges.isolated"]
    if box is not None:
        arguments += ["--keep-edges.in-geo-boundary", ",".join(map(str, box))]
    try:
        run_program("netconvert", arguments, folder=work)
    except ImportRefusal as error:
        if re.search("No (nodes|edges) loaded", str(error)) is None:
            raise
    if not net_file.is_file() or not _has_roads(net_file):
        part = "" if box is None else f"the box {' '.join(f'{v:g}' for v in box)} of "
        raise ImportRefusal(
            f"there is no road for cars in {part}{path}{_bounds(path)}; use a larger extract or box (in degrees of "
            "longitude, latitude, longitude, latitude)"
        )
    return net_file


def _has_roads(net_file: Path) -> bool:
    """Returns whether a network has an edge on which vehicles can depart."""
    with net_file.open("rb") as file:
        return any(b"<edge " in line and b"internal" not in line for line in file)


def _bounds(path: Path) -> str:
    """Returns where an extract lies, if it says so."""
    with open_xml(path) as file:
        for _, element in ElementTree.iterparse(file, events=("start",)):
            if element.tag == "bounds":
                west, south, east, north = (element.get(side, "?") for side in ("minlon", "minlat", "maxlon", "maxlat"))
                return f", which reaches from {west} {south} to {east} {north}"
            if element.tag in ("node", "way"):
                break
    return ""


def cut_to_edges(net_file: Path, edges: list[str], work: Path) -> Path:
    """Returns a network that holds only the given edges of another one."""
    cut, listed = work / "street.net.xml", work / "kept.txt"
    listed.write_text("".join(f"edge:{edge}\n" for edge in edges), encoding="utf-8")
    arguments: list[str | Path] = [
        "--sumo-net-file",
        linked(net_file, work),
        "--output-file",
        cut,
        "--output.street-names",
    ]
    run_program("netconvert", [*arguments, "--keep-edges.input-file", listed], folder=work)
    return cut


def random_demand(net_file: Path, work: Path, *, flow_per_h: float, seed: int, begin_s: float, end_s: float) -> Path:
    """Returns a route file with random trips of cars, made by SUMO's `randomTrips`.

    Trips that leave or enter the network are more frequent than those inside it. Raises `ImportRefusal` if it fails,
    or no trip can be driven.
    """
    routes, types = work / "random.rou.xml", work / "types.add.xml"
    types.write_text(f"<additional>\n{distribution(CARS_AND_VANS)}</additional>\n", encoding="utf-8")
    run_program(
        "randomTrips.py",
        _options(
            {
                "net-file": linked(net_file, work),
                "output-trip-file": work / "trips.xml",
                "route-file": routes,
                "additional-files": types,
                "trip-attributes": 'type="traffic" departLane="best" departSpeed="max"',
                "begin": begin_s,
                "end": end_s,
                "insertion-rate": flow_per_h,
                "seed": seed,
                "edge-permission": "passenger",
                "fringe-factor": 5,
                "min-distance": 200,
            },
            "--lanes",
            "--validate",
        ),
        folder=work,
    )
    text = routes.read_text(encoding="utf-8") if routes.is_file() else ""
    if "<vehicle " not in text:
        raise ImportRefusal(
            "randomTrips found no trip that a car can drive in this network; use a larger extract or box"
        )
    return routes


def random_flows(net_file: Path, work: Path, *, count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Returns the first and the last edge of random flows of cars (SUMO's `randomTrips`) that have a route."""
    flows, routes = work / "flows.xml", work / "flows.rou.xml"
    run_program(
        "randomTrips.py",
        _options(
            {
                "net-file": linked(net_file, work),
                "output-trip-file": flows,
                "route-file": routes,
                "vehicle-class": "passenger",
                "flows": count,
                "begin": 0,
                "end": 3600,
                "seed": seed,
                "edge-permission": "passenger",
                "fringe-factor": 10,
                "min-distance": 600,
            },
            "--lanes",
        ),
        folder=work,
    )
    valid = {flow.get("id") for flow in ElementTree.parse(routes).iter("flow")}
    found = [flow for flow in ElementTree.parse(flows).iter("flow") if flow.get("id") in valid]
    return [(flow.get("from", ""), flow.get("to", "")) for flow in found]


def street_demand(
    carriageways: list[tuple[list[str], float]], work: Path, *, flow_per_h: float, speed_mps: float
) -> Path:
    """Returns a route file with steady traffic along a street that is full at time 0.

    Args:
        carriageways: The edges of each direction in order, and its length [m].
        work: The folder of the file.
        flow_per_h: Vehicles of a direction that enter in an hour.
        speed_mps: The speed that the first vehicles are expected to have.
    """
    period_s = 3600.0 / flow_per_h
    lines = ["<routes>\n", distribution(CARS_AND_VANS)]
    lines += [f'    <route id="along{k}" edges="{" ".join(edges)}"/>\n' for k, (edges, _) in enumerate(carriageways)]
    common = 'type="traffic" departLane="random"'
    for k, (_, length_m) in enumerate(carriageways):
        number = math.ceil(length_m / speed_mps / period_s)
        when = f'begin="0" end="1" number="{number}" departEdge="random" departPos="random_free" departSpeed="desired"'
        lines.append(f'    <flow id="there{k}" {when} route="along{k}" {common}/>\n')
    for k in range(len(carriageways)):
        when = f'begin="1" end="1000000" period="{period_s:g}" departPos="base" departSpeed="max"'
        lines.append(f'    <flow id="new{k}" {when} route="along{k}" {common}/>\n')
    routes = work / "street.rou.xml"
    routes.write_text("".join([*lines, "</routes>\n"]), encoding="utf-8")
    return routes


def _options(values: dict[str, object], *flags: str) -> list[str]:
    """Returns the arguments of a command line: options with values, then flags without values."""
    return [text for name, value in values.items() for text in (f"--{name}", str(value))] + list(flags)
