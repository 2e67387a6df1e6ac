"""Records the traffic of a scenario, for `mobility="replay"`.

`python -m sumo_scenarios.record fdr-drive --episodes 100` simulates 100 windows of traffic and writes them to an `.npz`
file for `ReplayMobility`. A window holds the vehicles that are in range throughout or, with `--come-and-go`, those that
are in range for two slots or more.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_file
from vec_envs.mobility import EpisodeShape, SumoMobility, TrafficError, TrafficWindow
from vec_envs.mobility.origin import SUMO, sumo_version
from vec_envs.mobility.recording import check_size, write_recording


def main(arguments: list[str] | None = None) -> int:
    """Records a scenario, and returns the exit status: 1 if SUMO fails or the road has too few vehicles."""
    parser = CommandParser(prog="python -m sumo_scenarios.record", description="Records the traffic of a scenario.")
    parser.add_argument("scenario", metavar="SCENARIO", help="the name of a shipped scenario, or a folder")
    parser.add_argument(
        "--output", type=Path, metavar="FILE.npz", help="default: SCENARIO.npz in the working directory"
    )
    parser.add_argument("--episodes", type=int, default=100, help="number of windows (default: %(default)s)")
    parser.add_argument(
        "--slots",
        type=int,
        default=31,
        help="slots of a window (default: %(default)s, for 30 decisions and the observation after the last)",
    )
    parser.add_argument("--slot-s", type=float, default=1.0, help="length of a slot in seconds (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=7, help="clients that a window must have (default: %(default)s)")
    parser.add_argument(
        "--services", type=int, default=5, help="service vehicles that a window must have (default: %(default)s)"
    )
    parser.add_argument(
        "--come-and-go",
        action="store_true",
        help="vehicles may enter and leave; a window must have the clients and service vehicles in its first slot",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulations (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    options = parser.parse_args(arguments)
    if options.episodes < 1 or options.slots < 1:
        parser.error(f"--episodes and --slots must be at least 1, got {options.episodes} and {options.slots}")
    try:
        shape = EpisodeShape(
            num_client_vehicles=options.clients,
            num_service_vehicles=options.services,
            num_slots=options.slots,
            slot_s=options.slot_s,
            come_and_go=options.come_and_go,
        )
        mobility = SumoMobility(options.scenario)
    except ValueError as error:
        parser.error(str(error))
    output: Path = options.output or Path(f"{mobility.road.name}.npz")
    if problem := output_problem(output, overwrite=options.overwrite):
        mobility.close()
        parser.error(problem)
    windows: list[TrafficWindow] = []
    try:
        for window in islice(mobility.windows(options.seed, shape), options.episodes):
            windows.append(with_roles(window))
            check_size(windows)
            print(f"\r{len(windows)} of {options.episodes} windows", end="", file=sys.stderr, flush=True)
    except (TrafficError, ValueError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        mobility.close()
    made_by = sumo_version()
    origin = {SUMO: made_by} if made_by else {}
    write_recording(output, mobility.road, options.slot_s, windows, origin=origin)
    vehicles = [int(number) for window in windows for number in window.present.sum(axis=1)]
    average = sum(vehicles) / len(vehicles)
    print(f"\n{output}: {min(vehicles)} to {max(vehicles)} vehicles at a time, {average:.1f} on average")
    return 0


def with_roles(window: TrafficWindow) -> TrafficWindow:
    """Returns the window without the vehicles that may neither be clients nor service vehicles."""
    may = window.may_be_client | window.may_be_service
    return TrafficWindow(
        xy_m=window.xy_m[:, may],
        position_m=window.position_m[:, may],
        speed_mps=window.speed_mps[:, may],
        present=window.present[:, may],
        may_be_client=window.may_be_client[may],
        may_be_service=window.may_be_service[may],
    )


def output_problem(output: Path, *, overwrite: bool) -> str:
    """Returns why a recording cannot be written to a file, or "" if it can; checked before the simulation."""
    if output.suffix != ".npz":
        return f"--output must end in .npz, got {output}"
    try:
        check_output_file(output, makes_folder=False)
    except OSError as error:
        return str(error)
    if output.exists() and not overwrite:
        return f"{output} exists; choose another --output, or add --overwrite"
    return ""


if __name__ == "__main__":
    sys.exit(main())
