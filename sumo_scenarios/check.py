"""Reports on a scenario's traffic: `python -m sumo_scenarios.check NAME`.

The report says when there is traffic, which vehicles may be clients, and at which times the environments' default
episodes can begin.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sumo_scenarios.importing.assemble import measure_source
from sumo_scenarios.measuring.axis_fit import axis_fit
from sumo_scenarios.measuring.needs import Roles, default_needs
from sumo_scenarios.measuring.picture import can_draw, draw
from sumo_scenarios.measuring.report import Measured, report
from sumo_scenarios.sumo_files.demand import demand_of
from sumo_scenarios.sumo_files.network import read_network
from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import Source
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_file
from vec_envs.mobility import Scenario
from vec_envs.mobility.sumo_refusals import advice
from vec_envs.validation import missing_extra


def main(arguments: list[str] | None = None) -> int:
    """Reports on a scenario, and returns the exit status: 1 if the scenario cannot be used."""
    parser = CommandParser(prog="python -m sumo_scenarios.check", description="Reports on a scenario's traffic.")
    parser.add_argument("scenario", metavar="NAME", help="the name of a shipped scenario, or a folder")
    parser.add_argument("--measure", type=float, default=3600.0, metavar="S", help="time that is simulated")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="also draw the scenario into a file")
    options = parser.parse_args(arguments)
    if not 0.0 < options.measure < float("inf"):
        parser.error(f"--measure must be above 0, got {options.measure:g}")
    if options.picture is not None and options.picture.suffix != ".png":
        parser.error(f"--picture must be a .png file in a folder that exists, got {options.picture}")
    if options.picture is not None and not can_draw():
        parser.error(missing_extra("--picture", "matplotlib", "render"))
    try:
        if options.picture is not None:
            check_output_file(options.picture, "--picture", makes_folder=False)
        scenario = Scenario.load(options.scenario)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        print(check(scenario, measure_s=options.measure, picture=options.picture))
    except ImportRefusal as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(scenario: Scenario, *, measure_s: float, picture: Path | None) -> str:
    """Returns the report of a scenario, and draws it if `picture` is given.

    Raises `ImportRefusal` if SUMO cannot run the scenario, it has no traffic, or its axis is not that of the road.
    """
    source = source_of(scenario)
    network = read_network(source.net_file)
    try:
        trace = measure_source(source, measure_s=measure_s)
    except ImportRefusal as error:
        raise ImportRefusal(f"{error}{_advice(str(error), source)}") from error
    fit = axis_fit(scenario, trace)
    if fit.fault:
        raise ImportRefusal(fit.fault)
    if fit.warning:
        print(f"warning: {fit.warning}", file=sys.stderr)
    measured = Measured(
        name=scenario.road.name,
        extent_m=network.extent_m,
        road_km=network.road_km,
        units_xyz_m=scenario.road.units_xyz_m or (scenario.road.rsu_xyz_m,),
        own_unit_xyz_m=scenario.road.rsu_xyz_m,
        range_m=scenario.road.range_m,
        has_axis=bool(scenario.road.axis_xy_m),
        roles=Roles(client_types=scenario.client_types, service_types=scenario.service_types),
        demand=demand_of((*source.route_files, *source.additional_files)),
        trace=trace,
    )
    if picture is not None:
        draw(picture, measured, network, scenario.road.axis_xy_m or None)
    return report(measured, default_needs())


def _advice(said: str, source: Source) -> str:
    """Returns what to do about a message of SUMO; "" where nothing special is known."""
    files = {"route_files": source.route_files, "additional_files": source.additional_files}
    return advice(said, {**files, "folder": None, "net_file": source.net_file})


def source_of(scenario: Scenario) -> Source:
    """Returns the files, times and options of a scenario."""
    return Source(
        title=scenario.road.name,
        net_file=scenario.net_file.resolve(),
        route_files=tuple(path.resolve() for path in scenario.route_files),
        additional_files=tuple(path.resolve() for path in scenario.additional_files),
        begin_s=scenario.start_s or 0.0,
        end_s=scenario.end_s,
        options=dict(scenario.sumo),
    )


if __name__ == "__main__":
    sys.exit(main())
