"""The steps of an import: a source, its demand, its traffic, places for units, and the folder with all of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from sumo_scenarios.importing.copying import copy_source
from sumo_scenarios.importing.gathering import Found, Request, gathered, with_demand
from sumo_scenarios.importing.placing import Places, proposed_range
from sumo_scenarios.importing.proposing import (
    hours,
    jam,
    proposed_places,
    proposed_roles,
    usual_limit_mps,
    warm_up_s,
)
from sumo_scenarios.importing.writing import Description, scenario_text
from sumo_scenarios.measuring.needs import default_needs
from sumo_scenarios.measuring.picture import can_draw, draw
from sumo_scenarios.measuring.report import Measured, report
from sumo_scenarios.measuring.trace import Trace, measure
from sumo_scenarios.sumo_files.demand import demand_of
from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import Source
from vec_envs.mobility import Scenario
from vec_envs.mobility.sumo_refusals import undefined_in

_MEASURE_SEED = 0


def make_scenario(request: Request, work: Path, staged: Path, name: str, say: Callable[[str], None]) -> str:
    """Fills a folder with a scenario, and returns its report.

    Args:
        request: What to import, and how.
        work: A folder for files that are not kept.
        staged: The folder of the scenario.
        name: The name of the scenario, for its report.
        say: Is told what happens.

    Raises:
        ImportRefusal: The source cannot become a scenario.
    """
    given = gathered(request, work)
    found = with_demand(request, given, work, say)
    source = copy_source(found.source, staged)
    say(f"simulating {source.title}")
    try:
        trace = measure_source(source, measure_s=request.measure_s)
    except ImportRefusal as error:
        raise ImportRefusal(f"{error}{_advice(str(error))}") from error
    places = proposed_places(request, found, trace)
    jammed = jam(trace, made=not given.source.route_files)
    measured = _measured(request, found, source, places, trace, name, jammed)
    _write(staged, source, found, places, measured)
    text = report(measured, default_needs())
    (staged / "report.md").write_text(text, encoding="utf-8")
    if can_draw():
        draw(staged / "picture.png", measured, found.network, found.street.line if found.street else None)
    return text


def _measured(
    request: Request, found: Found, source: Source, places: Places, trace: Trace, name: str, jammed: list[str]
) -> Measured:
    """Returns what the report says: with roles, and with a range if the request has none."""
    roles, notes = proposed_roles(trace, source.notes)
    west, south, east, north = found.network.extent_m
    most_m = math.hypot(east - west, north - south)
    return Measured(
        name=name,
        extent_m=found.network.extent_m,
        road_km=found.network.road_km,
        units_xyz_m=places.units,
        own_unit_xyz_m=places.own,
        range_m=request.range_m or proposed_range(trace, default_needs(), roles, places.own, most_m),
        has_axis=found.street is not None,
        roles=roles,
        demand=demand_of((*source.route_files, *source.additional_files)),
        trace=trace,
        notes=[*notes, *jammed],
    )


def measure_source(source: Source, *, measure_s: float) -> Trace:
    """Returns the measured traffic of a source. Raises `ImportRefusal` if SUMO cannot run it, or it has none."""
    folder = source.route_files[0].resolve().parent
    return measure(
        _arguments(source, folder), folder=folder, end_s=source.end_s, measure_s=measure_s, name=source.title
    )


def _arguments(source: Source, folder: Path) -> list[str]:
    """Returns the arguments of SUMO's command line that simulate a source, with names of files relative to a folder.

    SUMO splits lists of files at commas and replaces `${...}`, and the path of the folder may have these.
    """

    def names(paths: Sequence[Path]) -> str:
        return ",".join(os.path.relpath(path.resolve(), folder) for path in paths)

    arguments = ["--net-file", names([source.net_file]), "--route-files", names(source.route_files)]
    if source.additional_files:
        arguments += ["--additional-files", names(source.additional_files)]
    arguments += ["--begin", f"{source.begin_s:g}", "--seed", str(_MEASURE_SEED), "--xml-validation", "never"]
    return [*arguments, *(part for name, value in source.options.items() for part in (f"--{name}", value))]


def _advice(said: str) -> str:
    """Returns what to do about a message of SUMO; "" where nothing special is known."""
    advices = {
        "network": "; give the network that these routes were made for",
        "files": "; name the file that defines it with --additional, or in the configuration",
    }
    return advices.get(undefined_in(said), "")


def _write(staged: Path, source: Source, found: Found, places: Places, measured: Measured) -> None:
    """Writes `scenario.toml`, and reads it as environments do."""
    trace = measured.trace
    limit = found.street.speed_limit_mps if found.street else usual_limit_mps(found.network, places, measured.range_m)
    start_s, end_s = hours(source, measured)
    description = Description(
        title=f"Imported from {source.title}",
        files=source,
        places=places,
        axis=found.street.line if found.street else None,
        range_m=measured.range_m,
        speed_limit_mps=round(limit, 2),
        top_speed_mps=max(1.5 * limit, 1.2 * float(trace.speed_mps.max())),
        warm_up_s=warm_up_s(measured),
        start_s=start_s,
        end_s=end_s,
        role_types=None if measured.roles.client_types is None else tuple(measured.roles.client_types),
    )
    (staged / "scenario.toml").write_text(scenario_text(description), encoding="utf-8")
    try:
        Scenario.load(staged)
    except ValueError as error:
        raise ImportRefusal(f"the import gave no valid scenario: {error}") from error
