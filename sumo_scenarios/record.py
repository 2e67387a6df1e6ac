"""Records the traffic of a scenario, for `mobility="replay"`.

`python -m sumo_scenarios.record fdr-drive --episodes 100` simulates so many windows of traffic, each with every vehicle
that is in range throughout (with `--come-and-go`: with everyone who is in range for a while), and writes them to an
`.npz` file that `ReplayMobility` reads.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

from vec_envs.mobility import EpisodeShape, SumoMobility, TrafficError, TrafficWindow
from vec_envs.mobility.recording import write_recording


def main(arguments: list[str] | None = None) -> int:
    """Records; the exit status is 1 where SUMO or the scenario does not allow it."""
    parser = argparse.ArgumentParser(
        prog="python -m sumo_scenarios.record", description="Records the traffic of a scenario."
    )
    parser.add_argument("scenario", metavar="SCENARIO", help="the name of a shipped scenario, or a folder")
    parser.add_argument(
        "--output", type=Path, metavar="FILE.npz", help="default: SCENARIO.npz in the working directory"
    )
    parser.add_argument("--episodes", type=int, default=100, help="how many windows (default: %(default)s)")
    parser.add_argument(
        "--slots",
        type=int,
        default=31,
        help="slots of each (default: %(default)s: 30 decisions and what is seen after the last)",
    )
    parser.add_argument("--slot-s", type=float, default=1.0, help="length of a slot in seconds (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=7, help="clients a window must have (default: %(default)s)")
    parser.add_argument("--services", type=int, default=5, help="service vehicles likewise (default: %(default)s)")
    parser.add_argument(
        "--come-and-go",
        action="store_true",
        help="vehicles may enter and leave; the clients and service vehicles are those a window must begin with",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overwrite", action="store_true", help="where the file exists")
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
    if wrong := _no_place(output, overwrite=options.overwrite):
        mobility.close()
        parser.error(wrong)
    windows: list[TrafficWindow] = []
    try:
        for window in islice(mobility.windows(options.seed, shape), options.episodes):
            windows.append(window)
            print(f"\r{len(windows)} of {options.episodes} windows", end="", file=sys.stderr, flush=True)
    except (TrafficError, ValueError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        mobility.close()
    write_recording(output, mobility.road, options.slot_s, windows)
    vehicles = [int(here) for window in windows for here in window.present.sum(axis=1)]
    average = sum(vehicles) / len(vehicles)
    print(f"\n{output}: {min(vehicles)} to {max(vehicles)} vehicles at a time, {average:.1f} on average")
    return 0


def _no_place(output: Path, *, overwrite: bool) -> str:
    """Returns why a recording cannot be written there, before it is made; "" where it can."""
    if output.suffix != ".npz":
        return f"--output {output} must end in .npz"
    if not output.parent.is_dir():
        return f"{output.parent} is no folder"
    if output.exists() and not overwrite:
        return f"{output} exists: choose another --output, or --overwrite it"
    return ""


if __name__ == "__main__":
    sys.exit(main())
