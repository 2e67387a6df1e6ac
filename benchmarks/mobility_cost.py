"""What live traffic costs beside the bare simulator: the CPU time of a slot against that of a step of `sumo`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

from vec_envs.mobility import EpisodeShape, Scenario, SumoMobility

SHAPE = EpisodeShape(num_client_vehicles=7, num_service_vehicles=5, num_slots=30, slot_s=1.0)
SHORT_STEPS, LONG_STEPS = 960, 9600


def raw_sumo_cpu_s_per_step(scenario: Scenario) -> float:
    """CPU time of a step of the `sumo` program; start-up is taken out by running it for two lengths."""
    import sumo

    command = [str(Path(sumo.SUMO_HOME, "bin", "sumo")), "--net-file", str(scenario.net_file), "--no-step-log"]
    command += ["--route-files", ",".join(map(str, scenario.route_files)), "--no-warnings", "--duration-log.disable"]

    def cost(steps: int) -> float:
        before = _children_cpu_s()
        subprocess.run([*command, "--end", str(steps)], check=True, stdout=subprocess.DEVNULL)
        return _children_cpu_s() - before

    return (cost(LONG_STEPS) - cost(SHORT_STEPS)) / (LONG_STEPS - SHORT_STEPS)


def stream_s_per_slot(scenario: str) -> tuple[float, float]:
    """CPU time (this process and its worker) and wall time of a slot of one stream, start-up taken out likewise."""

    def cost(steps: int) -> tuple[float, float]:
        before, wall = time.process_time() + _children_cpu_s(), time.perf_counter()
        mobility = SumoMobility(scenario)
        for _ in islice(mobility.blocks(0, SHAPE), steps // SHAPE.num_slots):
            pass
        wall = time.perf_counter() - wall
        mobility.close()
        return time.process_time() + _children_cpu_s() - before, wall

    (long_cpu, long_wall), (short_cpu, short_wall) = cost(LONG_STEPS), cost(SHORT_STEPS)
    slots = LONG_STEPS - SHORT_STEPS
    return (long_cpu - short_cpu) / slots, (long_wall - short_wall) / slots


def measure(scenario: str = "fdr-drive", repeats: int = 3) -> dict[str, float]:
    """The medians of several interleaved measurements, in microseconds, and the ratio of the two CPU times."""
    raw, cpu, wall = [], [], []
    for _ in range(repeats):
        raw.append(raw_sumo_cpu_s_per_step(Scenario.load(scenario)))
        slot_cpu, slot_wall = stream_s_per_slot(scenario)
        cpu.append(slot_cpu)
        wall.append(slot_wall)
    raw_s, cpu_s, wall_s = (sorted(values)[repeats // 2] for values in (raw, cpu, wall))
    return {
        "raw_sumo_cpu_us_per_step": raw_s * 1e6,
        "mobility_cpu_us_per_slot": cpu_s * 1e6,
        "mobility_wall_us_per_slot": wall_s * 1e6,
        "cpu_ratio": cpu_s / raw_s,
    }


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:2])))
