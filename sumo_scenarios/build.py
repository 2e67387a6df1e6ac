"""Builds the shipped roads from their blueprints.

`python -m sumo_scenarios.build [NAME ...]` writes the files of the named roads, or of all roads. With `--check` it
compares them with the files on disk instead. It needs netconvert, from the `eclipse-sumo` package.

A road has one carriageway, or two that share their centre line, and streets may cross it. The origin of the plane is
the middle of the centre line, next to the roadside unit.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sumo_scenarios.blueprints import BLUEPRINTS, BORROWED, GRIDS, Blueprint, distribution
from sumo_scenarios.borrowed import borrowed_description, borrowed_routes
from sumo_scenarios.grid import grid_description, grid_edge_elements, grid_node_elements, grid_routes
from sumo_scenarios.sumo_files.network import length_of, point_on
from sumo_scenarios.sumo_files.programs import ImportRefusal, run_program
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_file
from vec_envs.validation import near_misses

FOLDER = Path(__file__).parent
FILES = ("net.xml", "rou.xml", "scenario.toml")
"""The files of a road; a road on a network of SUMO's own has no net.xml."""
Points = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A stretch of a way: its name in SUMO, its first and last node, and the points of its line."""

    name: str
    nodes: tuple[str, str]
    points: Points


@dataclass(frozen=True, kw_only=True)
class Way:
    """One direction of a road, or of a street that crosses it: the suffix of its routes, and its edges in order."""

    suffix: str
    edges: list[Edge]


def carriageways(blueprint: Blueprint) -> list[Way]:
    """Returns the carriageways of a road: along the axis and, on a two-way road, in the other direction."""
    points = axis(blueprint)
    if blueprint.crossings is None:
        forward = [Edge(name="road", nodes=("in", "out"), points=points)]
    else:
        nodes = ["in", *(f"crossing{k}" for k in range(len(points) - 2)), "out"]
        pairs = zip(pairwise(nodes), pairwise(points), strict=True)
        forward = [Edge(name=f"road{k}", nodes=ends, points=list(piece)) for k, (ends, piece) in enumerate(pairs)]
    ways = [Way(suffix="", edges=forward), Way(suffix="-back", edges=_reversed(forward))]
    return ways if blueprint.two_way else ways[:1]


def side_streets(blueprint: Blueprint) -> list[Way]:
    """Returns both directions of the streets that cross a road: to the left of the axis, and to the right."""
    ways: list[Way] = []
    points = axis(blueprint)[1:-1] if blueprint.crossings is not None else []
    for k, (x, y) in enumerate(points):
        arm_m = blueprint.crossings.arm_m if blueprint.crossings is not None else 0.0
        right, left = (x, y - arm_m), (x, y + arm_m)
        there = [
            Edge(name=f"side{k}-right", nodes=(f"right{k}", f"crossing{k}"), points=[right, (x, y)]),
            Edge(name=f"side{k}-left", nodes=(f"crossing{k}", f"left{k}"), points=[(x, y), left]),
        ]
        ways += [Way(suffix=f"-side{k}", edges=there), Way(suffix=f"-side{k}-back", edges=_reversed(there))]
    return ways


def _reversed(edges: list[Edge]) -> list[Edge]:
    return [
        Edge(name=f"{edge.name}-back", nodes=(edge.nodes[1], edge.nodes[0]), points=edge.points[::-1])
        for edge in reversed(edges)
    ]


def axis(blueprint: Blueprint) -> list[tuple[float, float]]:
    """Returns the points of the centre line [m]. Its middle is the origin; bends are chords of at most `chord_m`."""
    points, heading = [(0.0, 0.0)], 0.0
    for length, radius in blueprint.pieces:
        chords = 1 if math.isinf(radius) else math.ceil(length / blueprint.chord_m)
        turn = length / radius / chords
        chord = length / chords if math.isinf(radius) else 2.0 * radius * math.sin(turn / 2.0)
        for _ in range(chords):
            x, y = points[-1]
            direction = heading + turn / 2.0
            points.append((x + chord * math.cos(direction), y + chord * math.sin(direction)))
            heading += turn
    middle_x, middle_y, _ = _middle(points)
    return [(round(x - middle_x, 2), round(y - middle_y, 2)) for x, y in points]


def rsu(blueprint: Blueprint) -> tuple[float, float, float]:
    """Returns the place of the roadside unit [m]: beside the middle of the road, right of the direction of travel."""
    x, y, heading = _middle(axis(blueprint))
    offset = blueprint.rsu_offset_m
    return (round(x + offset * math.sin(heading), 2), round(y - offset * math.cos(heading), 2), blueprint.rsu_height_m)


def units(blueprint: Blueprint) -> list[tuple[float, float, float]]:
    """Returns the places of all roadside units [m], at regular spacing along a straight road."""
    x, y, height = rsu(blueprint)
    first = (1 - blueprint.num_units) / 2.0
    return [(round(x + (first + k) * blueprint.unit_spacing_m, 2), y, height) for k in range(blueprint.num_units)]


def network(blueprint: Blueprint) -> str:
    """Returns the text of `net.xml`, made by netconvert. Raises `SystemExit` if netconvert is missing or fails."""
    cycle = [] if blueprint.crossings is None else ["--tls.cycle.time", str(blueprint.crossings.cycle_s)]
    return _converted("".join(_nodes(blueprint)), "".join(_edges(blueprint)), cycle)


def _converted(nodes: str, edges: str, options: list[str]) -> str:
    """Returns the text of the network of some nodes and edges."""
    with tempfile.TemporaryDirectory() as folder:
        node_file, edge_file, net_file = (Path(folder, name) for name in ("nod.xml", "edg.xml", "net.xml"))
        node_file.write_text(f"<nodes>{nodes}</nodes>", encoding="utf-8")
        edge_file.write_text(f"<edges>{edges}</edges>", encoding="utf-8")
        arguments = ["--node-files", node_file, "--edge-files", edge_file, "--output-file", net_file, *options]
        try:
            run_program(
                "netconvert",
                [*arguments, "--offset.disable-normalization", "--no-turnarounds"],
                folder=Path(folder),
            )
        except ImportRefusal as error:
            raise SystemExit(str(error)) from error
        return _without_header(net_file.read_text(encoding="utf-8"))


def _nodes(blueprint: Blueprint) -> Iterator[str]:
    """Yields the elements of the nodes; all crossings have signals."""
    ends = [end for way in (*carriageways(blueprint), *side_streets(blueprint)) for end in _ends(way)]
    for name, (x, y) in dict(ends).items():
        kind = ' type="traffic_light"' if name.startswith("crossing") else ""
        yield f'<node id="{name}" x="{x}" y="{y}"{kind}/>'


def _ends(way: Way) -> Iterator[tuple[str, tuple[float, float]]]:
    for edge in way.edges:
        yield edge.nodes[0], edge.points[0]
        yield edge.nodes[1], edge.points[-1]


def _edges(blueprint: Blueprint) -> Iterator[str]:
    """Yields the elements of the edges."""
    spread = "right" if blueprint.two_way else "center"
    for ways, lanes in ((carriageways(blueprint), blueprint.lanes), (side_streets(blueprint), 1)):
        for edge in (edge for way in ways for edge in way.edges):
            yield (
                f'<edge id="{edge.name}" from="{edge.nodes[0]}" to="{edge.nodes[1]}" numLanes="{lanes}" '
                f'width="{blueprint.lane_width_m}" speed="{blueprint.speed_limit_mps}" spreadType="{spread}" '
                f'shape="{" ".join(f"{x},{y}" for x, y in edge.points)}"/>'
            )


def routes(blueprint: Blueprint) -> str:
    """Returns the text of `rou.xml`: a road full of traffic at time 0, and an inflow that keeps it full.

    Vehicles enter at equal intervals, in random lanes at random speeds. Random intervals would at times empty the road.
    """
    through = "".join(
        f'    <route id="through{way.suffix}" edges="{" ".join(edge.name for edge in way.edges)}"/>\n'
        for way in (*carriageways(blueprint), *side_streets(blueprint))
    )
    crossing = '    <vType id="crossing" length="4.6"/>\n' if blueprint.crossings is not None else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<routes>\n"
        f"{distribution(blueprint.types)}{crossing}{through}{_flows(blueprint)}"
        "</routes>\n"
    )


def _flows(blueprint: Blueprint) -> str:
    """Returns the flows in order of time, since SUMO ignores those that are out of order."""
    ways, vehicles = carriageways(blueprint), blueprint.prefill_vehicles
    anywhere = 'departEdge="random" ' if blueprint.crossings is not None else ""
    prefill = f'begin="0" end="1" number="{vehicles}" {anywhere}departPos="random_free"'
    inflow = 'begin="{begin}" end="1000000" period="{period}" departPos="base"'
    flows = [_flow("there", way, prefill) for way in ways]
    if blueprint.crossings is not None:
        across = inflow.format(begin=0, period=blueprint.crossings.headway_s)
        flows += [_flow("new", way, across, kind="crossing") for way in side_streets(blueprint)]
    flows += [_flow("new", way, inflow.format(begin=1, period=blueprint.headway_s)) for way in ways]
    return "".join(flows)


def _flow(name: str, way: Way, when_and_where: str, kind: str = "traffic") -> str:
    """Returns the element of one flow of vehicles."""
    common = f'type="{kind}" route="through{way.suffix}" departLane="random" departSpeed="desired"'
    return f'    <flow id="{name}{way.suffix}" {when_and_where} {common}/>\n'


def description(blueprint: Blueprint) -> str:
    """Returns the text of `scenario.toml`."""
    x, y, height = rsu(blueprint)
    points = "".join(f"    [{px}, {py}],\n" for px, py in axis(blueprint))
    roles = '# client_types = ["car"]\n# service_types = ["van"]\n'
    if blueprint.crossings is not None:
        names = ", ".join(f'"{kind.name}"' for kind in blueprint.types)
        roles = f"client_types = [{names}]\nservice_types = [{names}]\n"
    places = "".join(f"    [{ux}, {uy}, {uz}],\n" for ux, uy, uz in units(blueprint))
    listed = f"# All units in the order of the road.\nunits_xyz_m = [\n{places}]\n" if blueprint.num_units > 1 else ""
    return (
        f"# {blueprint.title}.\n"
        "# Written by sumo_scenarios/build.py. Every position is in metres, in the plane of net.xml.\n"
        'net_file = "net.xml"\n'
        'route_files = ["rou.xml"]\n'
        f"warm_up_s = {blueprint.warm_up_s}\n"
        "# A vehicle that seems faster than this was teleported by SUMO.\n"
        f"top_speed_mps = {round(1.5 * blueprint.speed_limit_mps, 1)}\n"
        "# SUMO vehicle types that may be clients or service vehicles. By default every vehicle may be either.\n"
        f"{roles}"
        "\n[road]\n"
        f"speed_limit_mps = {blueprint.speed_limit_mps}\n"
        f"range_m = {blueprint.range_m}\n"
        f"rsu_xyz_m = [{x}, {y}, {height}]\n"
        f"{listed}"
        "# The centre line; positions along the road grow in its direction.\n"
        f"axis_xy_m = [\n{points}]\n"
    )


def files(name: str) -> dict[str, str]:
    """Returns the texts of the files of a shipped road, by file name."""
    if name in GRIDS:
        grid = GRIDS[name]
        nodes, edges = "".join(grid_node_elements(grid)), "".join(grid_edge_elements(grid))
        net = _converted(nodes, edges, ["--tls.cycle.time", str(grid.cycle_s)])
        return {"net.xml": net, "rou.xml": grid_routes(grid), "scenario.toml": grid_description(grid)}
    if name in BORROWED:
        return {"rou.xml": borrowed_routes(BORROWED[name]), "scenario.toml": borrowed_description(BORROWED[name])}
    blueprint = BLUEPRINTS[name]
    return {"net.xml": network(blueprint), "rou.xml": routes(blueprint), "scenario.toml": description(blueprint)}


def main(arguments: list[str] | None = None) -> int:
    """Builds or checks the roads, and returns the exit status: the number of files that differ."""
    known = [*BLUEPRINTS, *GRIDS, *BORROWED]
    parser = CommandParser(prog="python -m sumo_scenarios.build", description="Builds the shipped roads.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)} (default: all)")
    parser.add_argument("--check", action="store_true", help="compare with the files on disk instead of writing them")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        near = near_misses(unknown, known)
        parser.error(f"NAME must be one of {', '.join(known)}, got {', '.join(unknown)}{near}")
    different, names = 0, options.names or known
    try:
        for path in () if options.check else (FOLDER / name / of for name in names for of in FILES):
            check_output_file(path, "the file")
    except OSError as error:
        sys.exit(f"sumo_scenarios.build: {error}")
    for name in names:
        for file_name, text in files(name).items():
            path = FOLDER / name / file_name
            if options.check:
                same = path.is_file() and _without_header(path.read_text(encoding="utf-8")) == text
                different += not same
                print(f"{name}/{file_name}: {'as built' if same else 'DIFFERS'}")
            else:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
                print(f"{name}/{file_name}: written")
    return different


def _middle(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Returns the point and the heading at half the length of a polyline."""
    (x, y), (ahead_x, ahead_y) = point_on(points, length_of(points) / 2.0)
    return x, y, math.atan2(ahead_y, ahead_x)


def _without_header(text: str) -> str:
    """Returns the text without netconvert's comment, which holds a date and file paths."""
    return re.sub(r"<!-- generated on .*?-->\s*", "", text, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
