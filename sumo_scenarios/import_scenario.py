"""Makes a scenario of your own road and traffic.

`python -m sumo_scenarios.import_scenario SOURCE` reads a SUMO configuration, a network with its routes, or an
OpenStreetMap extract. It simulates the traffic, proposes places and a range for roadside units, and writes a folder for
`mobility="sumo"` with a report and a picture.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import NoReturn

from sumo_scenarios.importing.assemble import make_scenario
from sumo_scenarios.importing.gathering import Request, street_candidates
from sumo_scenarios.importing.writing import check_target, write_folder
from sumo_scenarios.sumo_files.programs import ImportRefusal
from vec_envs.command_parser import CommandParser

_EPILOG = """examples:
  python -m sumo_scenarios.import_scenario city.sumocfg
  python -m sumo_scenarios.import_scenario city.net.xml --routes cars.rou.xml --additional stops.add.xml
  python -m sumo_scenarios.import_scenario extract.osm --street
  python -m sumo_scenarios.import_scenario extract.osm --street "FDR Drive Southbound" --output fdr
  python -m sumo_scenarios.import_scenario extract.osm --box -74.00 40.75 -73.98 40.76 --flow 2000
"""


def main(arguments: list[str] | None = None) -> int:
    """Imports a scenario, and returns the exit status: 1 if the source cannot become one."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name in ("flow", "duration", "every", "range", "measure", "units"):
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            parser.error(f"--{name.replace('_', '-')} must be above 0, got {value:g}")
    if options.seed < 0:
        parser.error(f"--seed must be at least 0, got {options.seed}")
    box = options.box
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        parser.error(f"--box must be WEST SOUTH EAST NORTH with WEST < EAST and SOUTH < NORTH, got {box}")
    if options.every is not None and options.street is None:
        parser.error("--every needs --street; without a street, units are at junctions")
    target: Path = options.output or Path(options.source.name.partition(".")[0])
    request = Request(
        source=options.source,
        routes=tuple(options.routes),
        additional=tuple(options.additional),
        street=options.street or None,
        box=None if box is None else (box[0], box[1], box[2], box[3]),
        demand=options.demand,
        flow_per_h=options.flow,
        duration_s=options.duration,
        seed=options.seed,
        num_units=options.units,
        every_m=options.every,
        range_m=options.range,
        measure_s=options.measure,
    )
    signal.signal(signal.SIGTERM, _stop)
    try:
        if options.street == "":
            with tempfile.TemporaryDirectory() as work:
                print(street_candidates(request, Path(work)))
            return 0
        check_target(target, overwrite=options.overwrite)
        print(import_to(target, request))
    except ImportRefusal as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{target}: written; use it with --env.mobility sumo --env.scenario {target}")
    return 0


def _stop(number: int, _: object) -> NoReturn:
    """Ends the command by an exception, so that nothing half-written stays."""
    sys.exit(128 + number)


def import_to(target: Path, request: Request) -> str:
    """Writes a scenario's folder, and returns its report. Raises `ImportRefusal` and then leaves nothing behind."""
    report = ""

    def fill(staged: Path) -> None:
        nonlocal report
        with tempfile.TemporaryDirectory() as work:
            report = make_scenario(request, Path(work), staged, target.resolve().name, partial(print, file=sys.stderr))

    write_folder(target, fill)
    return report


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="python -m sumo_scenarios.import_scenario",
        description="Makes a scenario of your own road and traffic.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="FILE.sumocfg, FILE.net.xml or FILE.osm, also packed (.gz)")
    add("--output", type=Path, metavar="FOLDER", help="the scenario's folder (default: the name of SOURCE)")
    add("--overwrite", action="store_true", help="replace the scenario if it exists")
    add("--routes", type=Path, nargs="+", default=[], metavar="FILE", help="route files of a network")
    add("--additional", type=Path, nargs="+", default=[], metavar="FILE", help="additional files of a network")
    add("--street", nargs="?", const="", metavar="NAME", help="follow a street; without NAME, list the candidates")
    add(
        "--box",
        type=float,
        nargs=4,
        metavar=("WEST", "SOUTH", "EAST", "NORTH"),
        help="part of an extract, in degrees; for a network, where units may be, in metres",
    )
    add("--demand", choices=("street", "random"), help="traffic along the street, or trips all over (randomTrips)")
    add("--flow", type=float, metavar="PER_H", help="vehicles an hour, of each direction of a street or in all")
    add("--duration", type=float, default=3600.0, metavar="S", help="time with random trips (default: %(default)g s)")
    add("--seed", type=int, default=0, help="seed of the random trips (default: %(default)s)")
    add("--units", type=int, default=4, metavar="N", help="number of roadside units (default: %(default)s)")
    add("--every", type=float, metavar="M", help="put units along the street, one every M metres")
    add("--range", type=float, metavar="M", help="range of a unit; by default one is proposed")
    add("--measure", type=float, default=3600.0, metavar="S", help="time that is simulated (default: %(default)g s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
