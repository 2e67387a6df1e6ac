"""The files of scenarios whose networks are read from the `eclipse-sumo` package."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sumo_scenarios.blueprints import HOURS, BorrowedBlueprint, distribution
from sumo_scenarios.importing.openstreetmap import random_flows
from sumo_scenarios.sumo_files.programs import sumo_home

WITHOUT_END_S = 1_000_000
"""The time at which flows end that have no end."""


def borrowed_routes(blueprint: BorrowedBlueprint) -> str:
    """Returns the text of `rou.xml`. Raises `ImportRefusal` if a program of SUMO is missing or fails."""
    pairs = list(blueprint.flows)
    if blueprint.random_flows:
        with tempfile.TemporaryDirectory() as work:
            drawn = random_flows(sumo_home() / blueprint.net, Path(work), count=blueprint.random_flows)
        pairs += [(begin, end, blueprint.random_flow_per_h / len(drawn)) for begin, end in drawn]
    flows = [
        f'    <flow id="{number}" begin="0" end="{WITHOUT_END_S}" period="exp({per_h / 3600.0:.5f})" type="traffic" '
        f'from="{begin}" to="{end}" departLane="best" departSpeed="max"/>\n'
        for number, (begin, end, per_h) in enumerate(pairs)
    ]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<routes>\n{distribution(blueprint.types)}{"".join(flows)}</routes>\n'
    )


def borrowed_description(blueprint: BorrowedBlueprint) -> str:
    """Returns the text of `scenario.toml`, without an axis."""
    own, *others = map(list, blueprint.units_xyz_m)
    places = "".join(f"    {unit},\n" for unit in (own, *others))
    options = '\n[sumo]\n"tls.all-off" = true\n' if blueprint.signals_off else ""
    listed = f"units_xyz_m = [\n{places}]\n" if others else ""
    return (
        f"# {blueprint.title}.\n"
        "# Written by sumo_scenarios/build.py. Every position is in metres, in the plane of the network.\n"
        "# The network is read from the package eclipse-sumo.\n"
        f'net_file = "sumo:{blueprint.net}"\nroute_files = ["rou.xml"]\n'
        f"warm_up_s = {blueprint.warm_up_s}\n{HOURS}"
        "# A vehicle that seems faster than this was teleported by SUMO.\n"
        f"top_speed_mps = {blueprint.top_speed_mps}\n"
        f"{options}\n[road]\n"
        f"speed_limit_mps = {blueprint.speed_limit_mps}\nrange_m = {blueprint.range_m}\nrsu_xyz_m = {own}\n{listed}"
    )
