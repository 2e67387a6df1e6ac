"""Compares the CPU time of a slot of live traffic with that of a step of the `sumo` program."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from statistics import median

from vec_envs.mobility import EpisodeShape, Scenario, SumoMobility
from vec_envs.validation import missing_extra

SHAPE = EpisodeShape(num_client_vehicles=7, num_service_vehicles=5, num_slots=31, slot_s=1.0)
SHORT_EPISODES, LONG_EPISODES = 62, 222


def raw_sumo_cpu_s(scenario: Scenario) -> float:
    """Returns the CPU seconds of a step of the `sumo` program, as the difference of two runs to exclude the start."""
    spec = find_spec("sumo")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(missing_extra("the measurement", "the program sumo", "sumo"))
    command = [str(Path(spec.submodule_search_locations[0], "bin", "sumo")), "--net-file", str(scenario.net_file)]
    command += ["--route-files", ",".join(map(str, scenario.route_files))]
    command += ["--xml-validation", "never", "--no-step-log", "--no-warnings", "--duration-log.disable"]

    def cost(steps: int) -> float:
        before = _cpu_s()
        subprocess.run([*command, "--end", str(steps)], check=True, stdout=subprocess.DEVNULL)
        return _cpu_s() - before

    short, long = SHORT_EPISODES * SHAPE.num_slots, LONG_EPISODES * SHAPE.num_slots
    return (cost(long) - cost(short)) / (long - short)


def stream_s(scenario: str) -> tuple[float, float]:
    """Returns the CPU seconds (of this process and its worker) and wall-clock seconds of a slot, without the start."""

    def cost(episodes: int) -> tuple[float, float]:
        before, wall = _cpu_s(), time.perf_counter()
        mobility = SumoMobility(scenario)
        for _ in islice(mobility.blocks(0, SHAPE), episodes):
            pass
        wall = time.perf_counter() - wall
        mobility.close()
        return _cpu_s() - before, wall

    (long_cpu, long_wall), (short_cpu, short_wall) = cost(LONG_EPISODES), cost(SHORT_EPISODES)
    slots = (LONG_EPISODES - SHORT_EPISODES) * SHAPE.num_slots
    return (long_cpu - short_cpu) / slots, (long_wall - short_wall) / slots


def measure(scenario: str = "fdr-drive", *, repeats: int = 7) -> dict[str, float]:
    """Returns medians over interleaved rounds: microseconds of a step or slot, and the ratio of the CPU times."""
    rounds = [(raw_sumo_cpu_s(Scenario.load(scenario)), *stream_s(scenario)) for _ in range(repeats)]
    return {
        "raw_sumo_cpu_us_per_step": 1e6 * median(raw for raw, _, _ in rounds),
        "mobility_cpu_us_per_slot": 1e6 * median(cpu for _, cpu, _ in rounds),
        "mobility_wall_us_per_slot": 1e6 * median(wall for _, _, wall in rounds),
        "cpu_ratio": median(cpu / raw for raw, cpu, _ in rounds),
    }


def _cpu_s() -> float:
    """Returns the CPU seconds of this process and of its ended children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:2])))
