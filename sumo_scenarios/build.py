"""Builds the shipped roads from the blueprints in this file.

`python -m sumo_scenarios.build [NAME ...]` writes the files of the named roads, or of all roads. With `--check` it
compares them with the files on disk instead. It needs netconvert, from the `eclipse-sumo` package.

The geometry of a road is a list of pieces (length, radius), as in road design: a positive radius bends to the left, and
an infinite radius is straight. A road has one carriageway, or two that share their centre line. The origin of the plane
is the middle of the centre line, next to the roadside unit.
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent
STRAIGHT = math.inf


@dataclass(frozen=True, kw_only=True)
class VehicleType:
    """A SUMO vehicle type and its share of the traffic. `attributes` are copied into the `vType` element."""

    name: str
    share: float
    attributes: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """The definition of a shipped road. The numbers of lanes and vehicles and the headway apply to each carriageway."""

    title: str
    pieces: tuple[tuple[float, float], ...]
    lanes: int
    lane_width_m: float
    speed_limit_mps: float
    rsu_offset_m: float
    rsu_height_m: float
    range_m: float
    prefill_vehicles: int
    headway_s: float
    types: tuple[VehicleType, ...]
    two_way: bool = False
    warm_up_s: float = 5.0
    chord_m: float = 60.0


# Published data of FDR Drive southbound in New York: three lanes in one direction, a limit of 40 mph (17.9 m/s), cars
# only. The bends are our own: gentle, and in both directions, as is usual for a riverside parkway.
_FDR_DRIVE = Blueprint(
    title="FDR Drive southbound, New York: three lanes one way, 40 mph, gentle bends (authored geometry)",
    pieces=(
        (260.0, STRAIGHT),
        (330.0, 900.0),
        (180.0, STRAIGHT),
        (420.0, -1100.0),
        (150.0, STRAIGHT),
        (300.0, -700.0),
        (140.0, STRAIGHT),
        (420.0, 1200.0),
    ),
    lanes=3,
    lane_width_m=3.35,
    speed_limit_mps=17.9,
    rsu_offset_m=15.0,
    rsu_height_m=8.0,
    range_m=750.0,
    prefill_vehicles=54,
    headway_s=2.5,
    types=(
        VehicleType(name="car", share=0.75, attributes={"length": "4.6", "speedFactor": "normc(1,0.08,0.8,1.2)"}),
        VehicleType(name="van", share=0.25, attributes={"length": "5.4", "speedFactor": "normc(0.95,0.06,0.8,1.1)"}),
    ),
)
BLUEPRINTS = {
    "fdr-drive": _FDR_DRIVE,
    "fdr-drive-dense": replace(
        _FDR_DRIVE,
        title="FDR Drive southbound with twice the traffic of fdr-drive (authored geometry)",
        prefill_vehicles=108,
        headway_s=1.25,
    ),
    "motorway": Blueprint(
        title="A three-lane motorway carriageway at 31 m/s (112 km/h) with wide bends",
        pieces=((700.0, STRAIGHT), (800.0, 2400.0), (500.0, STRAIGHT), (700.0, -3000.0), (500.0, STRAIGHT)),
        lanes=3,
        lane_width_m=3.75,
        speed_limit_mps=31.0,
        rsu_offset_m=25.0,
        rsu_height_m=10.0,
        range_m=1200.0,
        prefill_vehicles=54,
        headway_s=2.0,
        types=(
            VehicleType(name="car", share=0.85, attributes={"length": "4.6", "speedFactor": "normc(1,0.1,0.75,1.25)"}),
            VehicleType(name="truck", share=0.15, attributes={"length": "12", "maxSpeed": "25", "vClass": "truck"}),
        ),
    ),
    "two-way-road": Blueprint(
        title="A straight two-way road, three 3.5 m lanes each way, 60 km/h",
        pieces=((2400.0, STRAIGHT),),
        lanes=3,
        lane_width_m=3.5,
        speed_limit_mps=16.7,
        rsu_offset_m=15.0,
        rsu_height_m=4.0,
        range_m=1000.0,
        prefill_vehicles=28,
        headway_s=5.4,
        types=(
            VehicleType(name="car", share=0.75, attributes={"length": "4.6", "speedFactor": "normc(1,0.08,0.8,1.2)"}),
            VehicleType(
                name="van", share=0.25, attributes={"length": "5.4", "speedFactor": "normc(0.95,0.06,0.8,1.1)"}
            ),
        ),
        two_way=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Carriageway:
    """One direction of a road: the name of its edge in SUMO, the suffix of its routes, and its first and last node."""

    edge: str
    suffix: str
    nodes: tuple[str, str]
    points: list[tuple[float, float]]


def carriageways(blueprint: Blueprint) -> list[Carriageway]:
    """Returns the carriageways of a road: along the axis and, on a two-way road, in the other direction."""
    points = axis(blueprint)
    forward = Carriageway(edge="road", suffix="", nodes=("in", "out"), points=points)
    back = Carriageway(edge="road-back", suffix="-back", nodes=("out", "in"), points=points[::-1])
    return [forward, back] if blueprint.two_way else [forward]


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


def network(blueprint: Blueprint) -> str:
    """Returns the text of `net.xml`, made by netconvert. Raises `SystemExit` if netconvert is missing or fails."""
    points = axis(blueprint)
    nodes = "".join(f'<node id="{i}" x="{x}" y="{y}"/>' for i, (x, y) in (("in", points[0]), ("out", points[-1])))
    edges = "".join(
        f'<edge id="{way.edge}" from="{way.nodes[0]}" to="{way.nodes[1]}" numLanes="{blueprint.lanes}" '
        f'width="{blueprint.lane_width_m}" speed="{blueprint.speed_limit_mps}" '
        f'spreadType="{"right" if blueprint.two_way else "center"}" '
        f'shape="{" ".join(f"{x},{y}" for x, y in way.points)}"/>'
        for way in carriageways(blueprint)
    )
    with tempfile.TemporaryDirectory() as folder:
        node_file, edge_file, net_file = (Path(folder, name) for name in ("nod.xml", "edg.xml", "net.xml"))
        node_file.write_text(f"<nodes>{nodes}</nodes>", encoding="utf-8")
        edge_file.write_text(f"<edges>{edges}</edges>", encoding="utf-8")
        arguments = ["--node-files", node_file, "--edge-files", edge_file, "--output-file", net_file]
        run = subprocess.run(
            [_netconvert(), *arguments, "--offset.disable-normalization", "--no-turnarounds"],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise SystemExit(f"netconvert failed on the geometry of the road: {run.stderr.strip()}")
        return _without_header(net_file.read_text(encoding="utf-8"))


def routes(blueprint: Blueprint) -> str:
    """Returns the text of `rou.xml`: a road full of traffic at time 0, and an inflow that keeps it full.

    Vehicles enter at equal intervals, in random lanes at random speeds. Random intervals would at times empty the road.
    """
    types = "".join(
        f'        <vType id="{kind.name}" probability="{kind.share}"'
        + "".join(f' {name}="{value}"' for name, value in kind.attributes.items())
        + "/>\n"
        for kind in blueprint.types
    )
    ways, vehicles = carriageways(blueprint), blueprint.prefill_vehicles
    through = "".join(f'    <route id="through{way.suffix}" edges="{way.edge}"/>\n' for way in ways)
    # SUMO needs flows in order of time, and ignores those that are out of order.
    initial = "".join(
        _flow("there", way, f'begin="0" end="1" number="{vehicles}" departPos="random_free"') for way in ways
    )
    new = "".join(
        _flow("new", way, f'begin="1" end="1000000" period="{blueprint.headway_s}" departPos="base"') for way in ways
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<routes>\n"
        f'    <vTypeDistribution id="traffic">\n{types}    </vTypeDistribution>\n'
        f"{through}{initial}{new}"
        "</routes>\n"
    )


def _flow(name: str, way: Carriageway, when_and_where: str) -> str:
    """Returns the element of one flow of vehicles."""
    common = f'type="traffic" route="through{way.suffix}" departLane="random" departSpeed="desired"'
    return f'    <flow id="{name}{way.suffix}" {when_and_where} {common}/>\n'


def description(blueprint: Blueprint) -> str:
    """Returns the text of `scenario.toml`."""
    x, y, height = rsu(blueprint)
    points = "".join(f"    [{px}, {py}],\n" for px, py in axis(blueprint))
    return (
        f"# {blueprint.title}.\n"
        "# Written by sumo_scenarios/build.py. Every position is in metres, in the plane of net.xml.\n"
        'net_file = "net.xml"\n'
        'route_files = ["rou.xml"]\n'
        f"warm_up_s = {blueprint.warm_up_s}\n"
        "# A vehicle that seems faster than this was teleported by SUMO.\n"
        f"top_speed_mps = {round(1.5 * blueprint.speed_limit_mps, 1)}\n"
        "# SUMO vehicle types that may be clients or service vehicles. By default every vehicle may be either.\n"
        '# client_types = ["car"]\n'
        '# service_types = ["van"]\n'
        "\n[road]\n"
        f"speed_limit_mps = {blueprint.speed_limit_mps}\n"
        f"range_m = {blueprint.range_m}\n"
        f"rsu_xyz_m = [{x}, {y}, {height}]\n"
        "# The centre line; positions along the road grow in its direction.\n"
        f"axis_xy_m = [\n{points}]\n"
    )


def files(name: str) -> dict[str, str]:
    """Returns the texts of the files of a shipped road, by file name."""
    blueprint = BLUEPRINTS[name]
    return {"net.xml": network(blueprint), "rou.xml": routes(blueprint), "scenario.toml": description(blueprint)}


def main(arguments: list[str] | None = None) -> int:
    """Builds or checks the roads, and returns the exit status: the number of files that differ."""
    parser = argparse.ArgumentParser(prog="python -m sumo_scenarios.build", description="Builds the shipped roads.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BLUEPRINTS)} (default: all)")
    parser.add_argument("--check", action="store_true", help="compare with the files on disk instead of writing them")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BLUEPRINTS))
    if unknown:
        parser.error(f"NAME must be one of {', '.join(BLUEPRINTS)}, got {', '.join(unknown)}")
    different = 0
    for name in options.names or BLUEPRINTS:
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
    left = sum(math.dist(a, b) for a, b in pairwise(points)) / 2.0
    for (ax, ay), (bx, by) in pairwise(points):
        length = math.dist((ax, ay), (bx, by))
        if left <= length:
            part = left / length
            return ax + part * (bx - ax), ay + part * (by - ay), math.atan2(by - ay, bx - ax)
        left -= length
    raise ValueError(f"a road needs at least two points, got {len(points)}")


def _netconvert() -> str:
    """Returns the path of netconvert. Raises `SystemExit` if it is missing."""
    spec = find_spec("sumo")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    paths = [path for folder in folders for path in Path(folder, "bin").glob("netconvert*")]
    if not paths:
        raise SystemExit('netconvert is missing; install it with: pip install "vec-envs[sumo]"')
    return str(paths[0])


def _without_header(text: str) -> str:
    """Returns the text without netconvert's comment, which holds a date and file paths."""
    return re.sub(r"<!-- generated on .*?-->\s*", "", text, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
