"""The files of a grid of streets. The origin of its plane is the middle of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from sumo_scenarios.blueprints import HOURS, GridBlueprint, distribution

Place = tuple[float, float]
_SIDES = ("west", "south", "east", "north")


def grid_nodes(grid: GridBlueprint) -> dict[str, Place]:
    """Returns the places [m] of the crossings, `crossing<column>.<row>`, and of the ends of the arms, `<side><k>`."""
    count, first = grid.crossings, -(grid.crossings - 1) / 2.0 * grid.block_m
    lines = [first + k * grid.block_m for k in range(count)]
    far = -first + grid.arm_m
    nodes = {f"crossing{i}.{j}": (lines[i], lines[j]) for i, j in product(range(count), repeat=2)}
    for k, line in enumerate(lines):
        nodes |= {f"west{k}": (-far, line), f"east{k}": (far, line)}
        nodes |= {f"south{k}": (line, -far), f"north{k}": (line, far)}
    return nodes


def grid_streets(grid: GridBlueprint) -> Iterator[tuple[str, str]]:
    """Yields the two nodes of each stretch of street, once for each direction."""
    last = grid.crossings - 1
    for i, j in product(range(grid.crossings), repeat=2):
        if i < last:
            yield from _both(f"crossing{i}.{j}", f"crossing{i + 1}.{j}")
        if j < last:
            yield from _both(f"crossing{i}.{j}", f"crossing{i}.{j + 1}")
    for k in range(grid.crossings):
        ends = (f"crossing0.{k}", f"crossing{k}.0", f"crossing{last}.{k}", f"crossing{k}.{last}")
        for side, crossing in zip(_SIDES, ends, strict=True):
            yield from _both(f"{side}{k}", crossing)


def grid_node_elements(grid: GridBlueprint) -> Iterator[str]:
    """Yields the elements of netconvert's nodes; all crossings have signals."""
    for name, (x, y) in grid_nodes(grid).items():
        kind = ' type="traffic_light"' if name.startswith("crossing") else ""
        yield f'<node id="{name}" x="{x}" y="{y}"{kind}/>'


def grid_edge_elements(grid: GridBlueprint) -> Iterator[str]:
    """Yields the elements of netconvert's edges."""
    for begin, end in grid_streets(grid):
        yield (
            f'<edge id="{_edge(begin, end)}" from="{begin}" to="{end}" numLanes="{grid.lanes}" '
            f'width="{grid.lane_width_m}" speed="{grid.speed_limit_mps}"/>'
        )


def grid_routes(grid: GridBlueprint) -> str:
    """Returns the text of `rou.xml`: from each arm straight across, and to two arms of each other side."""
    trips = list(_trips(grid))
    rate = 1.0 / grid.headway_s / (len(trips) / (4 * grid.crossings))
    flows = [
        f'    <flow id="{name}" begin="0" end="1000000" period="exp({rate:.5f})" type="traffic" from="{begin}" '
        f'to="{end}" departLane="best" departSpeed="max"/>\n'
        for name, begin, end in trips
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<routes>\n{distribution(grid.types)}{"".join(flows)}</routes>\n'


def grid_description(grid: GridBlueprint) -> str:
    """Returns the text of `scenario.toml`: a unit at each of the four inner crossings, and no axis."""
    inner = ((grid.crossings - 1) // 2, grid.crossings // 2)
    offset, nodes = grid.unit_offset_m, grid_nodes(grid)
    units = [
        [nodes[f"crossing{i}.{j}"][0] + offset, nodes[f"crossing{i}.{j}"][1] - offset, grid.unit_height_m]
        for i, j in product(dict.fromkeys(inner), repeat=2)
    ]
    return (
        f"# {grid.title}.\n"
        "# Written by sumo_scenarios/build.py. Every position is in metres, in the plane of net.xml.\n"
        'net_file = "net.xml"\nroute_files = ["rou.xml"]\n'
        f"warm_up_s = {grid.warm_up_s}\n{HOURS}"
        "# A vehicle that seems faster than this was teleported by SUMO.\n"
        f"top_speed_mps = {round(1.5 * grid.speed_limit_mps, 1)}\n"
        "\n[road]\n"
        f"speed_limit_mps = {grid.speed_limit_mps}\nrange_m = {grid.range_m}\nrsu_xyz_m = {units[0]}\n"
        "units_xyz_m = [\n" + "".join(f"    {unit},\n" for unit in units) + "]\n"
    )


def _both(one: str, other: str) -> Iterator[tuple[str, str]]:
    yield one, other
    yield other, one


def _edge(begin: str, end: str) -> str:
    return f"{begin}_{end}"


def _trips(grid: GridBlueprint) -> Iterator[tuple[str, str, str]]:
    """Yields the trips: a name, the first edge and the last one."""
    into = {end: begin for begin, end in grid_streets(grid) if begin.startswith("crossing")}
    for number, side in enumerate(_SIDES):
        opposite, *others = (_SIDES[(number + turn) % 4] for turn in (2, 1, 3))
        for k in range(grid.crossings):
            ends = [f"{opposite}{k}"]
            ends += [f"{other}{(k + shift) % grid.crossings}" for other in others for shift in (0, 2)]
            for place, end in enumerate(ends):
                name = f"{side}{k}-{'across' if place == 0 else end}"
                yield name, _edge(f"{side}{k}", into[f"{side}{k}"]), _edge(into[end], end)
