"""Converts a trace of vehicles into a recording, for `mobility="trace"`. Needs no SUMO.

`python -m sumo_scenarios.convert city.csv --id taxi --time date --time-unit date --lon longitude --lat latitude` reads
a CSV file by the names of its columns; `python -m sumo_scenarios.convert fcd.xml.gz` reads SUMO's FCD. Samples are
resampled to slots, and cut at gaps and at impossible speeds. The file that is written, `city.npz`, plays as
`--env.mobility trace --env.scenario city.npz`.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from sumo_scenarios.record import output_problem
from sumo_scenarios.traces.conversion import Conversion, convert
from sumo_scenarios.traces.motion import Cutting
from sumo_scenarios.traces.report import report
from sumo_scenarios.traces.table import DATE, LENGTHS_M, TIMES_S, Columns
from vec_envs.command_parser import CommandParser
from vec_envs.mobility.origin import TRACE
from vec_envs.mobility.recording import check_size, write_recording
from vec_envs.mobility.traffic import EpisodeShape
from vec_envs.validation import MOST_SLOTS, check_at_most, check_integer, check_not_negative, check_positive


def main(arguments: list[str] | None = None) -> int:
    """Converts a trace, and returns the exit status: 1 if it cannot be converted."""
    parser = _parser()
    given = parser.parse_args(arguments)
    trace: Path = given.trace
    output: Path = given.output or Path(f"{trace.name.partition('.')[0]}.npz")
    try:
        options, shape = _conversion(given), _shape(given)
    except ValueError as error:
        parser.error(str(error))
    if problem := output_problem(output, overwrite=given.overwrite):
        parser.error(problem)
    try:
        made = convert(trace, options)
        check_size(made.windows)
        write_recording(output, made.road, options.cutting.slot_s, made.windows, origin={TRACE: trace.name})
    except (OSError, ValueError) as error:
        print(f"sumo_scenarios.convert: {_said(error)}", file=sys.stderr)
        return 1
    print(report(trace, output, made, shape))
    return 0


def _said(error: OSError | ValueError) -> str:
    """Returns the message of an error, with the file of an error of the operating system."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be read or written: {error.strerror}"
    return str(error)


def _conversion(given: argparse.Namespace) -> Conversion:
    """Returns the conversion that a command line describes. Raises `ValueError` for options that are out of bounds."""
    check_positive(**{
        f"--{name.replace('_', '-')}": getattr(given, name)
        for name in ("slot_s", "max_gap_s", "top_speed_mps", "range_m", "frame_rate", "speed_limit_mps")
        if getattr(given, name) is not None
    })  # fmt: skip
    check_not_negative(**{"--height-m": given.height_m})
    check_integer(2, **{"--slots": given.slots})
    check_at_most(MOST_SLOTS, **{"--slots": given.slots})
    if given.height_m >= given.range_m:
        raise ValueError(f"--range-m must be above --height-m, {given.height_m:g}, got {given.range_m:g}")
    if given.unit is not None and not (all(map(math.isfinite, given.unit))):
        raise ValueError(f"--unit must be two finite numbers, got {given.unit}")
    if given.scenario is not None and given.unit is not None:
        raise ValueError("--scenario has a unit of its own: give only one of --scenario and --unit")
    if not given.begin_s < given.end_s:
        raise ValueError(f"--begin-s must be below --end-s, got {given.begin_s:g} and {given.end_s:g}")
    columns = _columns(given)
    return Conversion(
        cutting=Cutting(slot_s=given.slot_s, max_gap_s=given.max_gap_s, top_speed_mps=given.top_speed_mps),
        slots=given.slots,
        columns=columns,
        degrees=given.geo if columns is None else columns.degrees,
        begin_s=given.begin_s,
        end_s=given.end_s,
        range_m=given.range_m,
        unit=given.unit and (given.unit[0], given.unit[1]),
        height_m=given.height_m,
        axis=not given.area,
        scenario=given.scenario,
        speed_limit_mps=given.speed_limit_mps,
        client_types=given.client_types,
        service_types=given.service_types,
    )


def _columns(given: argparse.Namespace) -> Columns | None:
    """Returns the columns of a table; None for FCD."""
    trace: Path = given.trace
    suffixes = [suffix.lower() for suffix in trace.suffixes if suffix.lower() != ".gz"]
    of_columns = ("id", "time", "x", "y", "lon", "lat", "type", "delimiter", "encoding")
    of_table = (*of_columns, "time_unit", "time_format", "frame_rate", "length_unit")
    if (given.format or ("fcd" if suffixes[-1:] == [".xml"] else "csv")) == "fcd":
        if named := [f"--{name.replace('_', '-')}" for name in of_table if getattr(given, name) is not None]:
            raise ValueError(
                f"FCD has its own columns and units, so leave out {', '.join(named)}; or give --format csv for {trace}"
            )
        return None
    if (given.lon is None) != (given.lat is None) or (given.lon and (given.x or given.y)):
        raise ValueError("give either --x and --y (metres), or both --lon and --lat (degrees)")
    if given.geo:
        raise ValueError("--geo is an option of FCD: name the columns of degrees by --lon and --lat")
    if given.frame_rate is not None and given.time_unit is not None:
        raise ValueError("--frame-rate means that times are numbers of frames: leave --time-unit out")
    if given.time_format is not None and (given.time_unit not in (None, DATE) or given.frame_rate is not None):
        raise ValueError("--time-format is of dates: leave --time-unit and --frame-rate out")
    if given.delimiter is not None and len(given.delimiter) != 1:
        raise ValueError(f"--delimiter must be a single character, got {given.delimiter!r}")
    if given.lon is not None and given.length_unit is not None:
        raise ValueError("--length-unit is of --x and --y: leave it out with --lon and --lat")
    return Columns(
        vehicle=given.id or "id",
        time=given.time or "time",
        x=given.lon or given.x or "x",
        y=given.lat or given.y or "y",
        kind=given.type,
        header=not given.no_header,
        delimiter=given.delimiter,
        encoding=given.encoding,
        time_unit=DATE if given.time_format is not None else given.time_unit,
        time_format=given.time_format,
        frame_rate=given.frame_rate,
        length_unit=given.length_unit,
        degrees=given.lon is not None,
    )


def _shape(given: argparse.Namespace) -> EpisodeShape:
    """Returns the episode whose beginnings the report counts."""
    check_integer(1, **{"--clients": given.clients, "--episode-slots": given.episode_slots})
    check_integer(0, **{"--services": given.services})
    return EpisodeShape(
        num_client_vehicles=given.clients,
        num_service_vehicles=given.services,
        num_slots=given.episode_slots + 1,  # and the observation after the last decision
        slot_s=given.slot_s,
    )


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="python -m sumo_scenarios.convert",
        description="Converts a trace of vehicles into a recording, for --env.mobility trace.",
    )
    add = parser.add_argument
    add("trace", metavar="TRACE", type=Path, help="a CSV file, or the XML of SUMO's --fcd-output; .gz too")
    add("--output", type=Path, metavar="FILE.npz", help="default: the name of the trace, in the working directory")
    add("--overwrite", action="store_true", help="replace the file if it exists")
    add("--format", choices=("csv", "fcd"), help="default: fcd for .xml, else csv")
    columns = parser.add_argument_group("columns of a CSV file, named as in its first line").add_argument
    columns("--id", metavar="COLUMN", help="the vehicle (default: id)")
    columns("--time", metavar="COLUMN", help="the time (default: time)")
    columns("--x", metavar="COLUMN", help="the place to the east, in a plane (default: x)")
    columns("--y", metavar="COLUMN", help="the place to the north, in a plane (default: y)")
    columns("--lon", metavar="COLUMN", help="the longitude in degrees of WGS 84, in place of --x")
    columns("--lat", metavar="COLUMN", help="the latitude, in place of --y")
    columns("--type", metavar="COLUMN", help="the type of the vehicle, for --client-types and --service-types")
    columns("--no-header", action="store_true", help="the file begins with data: columns are named 1, 2, 3, ...")
    columns("--delimiter", metavar="CHARACTER", help="default: the most frequent of , ; | and tab, or else blanks")
    columns("--encoding", help="default: UTF-8, or that of the byte order mark")
    units = parser.add_argument_group("units").add_argument
    units("--time-unit", choices=(*TIMES_S, DATE), help=f"unit of --time (default: s); {DATE}: 2008-02-02 15:36:08")
    units("--time-format", metavar="FORMAT", help="how dates are written, as Python's strptime takes it: "
          "'%%d.%%m.%%Y %%H:%%M:%%S' (default: ISO 8601, or a time of day); implies --time-unit date")  # fmt: skip
    units("--frame-rate", type=float, metavar="HZ", help="times are numbers of frames, so many in a second")
    units("--length-unit", choices=LENGTHS_M, help="unit of --x and --y (default: m)")
    units("--geo", action="store_true", help="x and y of FCD are degrees (sumo --fcd-output.geo)")
    cut = parser.add_argument_group("slots and cuts").add_argument
    cut("--slot-s", type=float, default=1.0, help="length of a slot in seconds (default: %(default)s)")
    cut("--slots", type=int, default=301, help="slots of a window, the longest episode (default: %(default)s)")
    cut("--begin-s", type=float, default=0.0, help="where to begin, in seconds after the first sample")
    cut("--end-s", type=float, default=math.inf, help="where to stop, such as to keep the rest for evaluation")
    cut("--max-gap-s", type=float, default=10.0, help="longest gap that is bridged (default: %(default)s)")
    cut("--top-speed-mps", type=float, default=60.0, help="faster steps are cut as errors (default: %(default)s)")
    road = parser.add_argument_group("road").add_argument
    road("--unit", type=float, nargs=2, metavar=("X", "Y"), help="place of the roadside unit in the coordinates of the "
         "trace, or longitude and latitude (default: where traffic is densest)")  # fmt: skip
    road("--height-m", type=float, default=8.0, help="height of the unit (default: %(default)s)")
    road("--range-m", type=float, default=750.0, help="range of the unit (default: %(default)s)")
    road("--area", action="store_true", help="look for no axis, though vehicles follow one road")
    road("--scenario", metavar="NAME", help="take unit, range and axis from a scenario, for FCD of its network")
    road("--speed-limit-mps", type=float, help="default: the 95th percentile of the speeds")
    roles = parser.add_argument_group("roles").add_argument
    roles("--client-types", nargs="+", metavar="TYPE", help="types that may be clients (default: all)")
    roles("--service-types", nargs="+", metavar="TYPE", help="types that may be service vehicles (default: all)")
    roles("--clients", type=int, default=7, help="clients of the episodes in the report (default: %(default)s)")
    roles("--services", type=int, default=5, help="service vehicles of these episodes (default: %(default)s)")
    roles("--episode-slots", type=int, default=30, help="decisions of these episodes (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
