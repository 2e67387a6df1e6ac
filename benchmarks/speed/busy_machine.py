"""How a training slows down on a busy machine, compared with the share of the machine that is left to it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

LOOPS = 12
NUM_ENVS = 4
"""A quarter of the default, so that a round beside busy processes takes seconds."""


def measure(*, repeats: int = 2, threads: int = 2) -> dict[str, float]:
    """Returns seconds of a round (`NUM_ENVS` episodes) of MAD2RL on replay, quiet and beside `LOOPS` busy processes.

    Quiet and busy rounds alternate in one process. `share_left` is the part of a core that one busy process gets,
    divided by the part that a thread of the training gets without them: other work of the machine counts in both.
    """
    with _training(threads) as training:
        while training.experience.updates == 0:
            training.play_round()
        rows = [(_round(training, threads), _busy_round(training)) for _ in range(repeats)]
    quiet_s, busy_s = (min(row[kind][0] for row in rows) for kind in (0, 1))
    share = sum(row[1][1] for row in rows) / sum(row[0][1] for row in rows)
    slowdown = busy_s / quiet_s
    return {"quiet_s": quiet_s, "busy_s": busy_s, "slowdown": slowdown, "share_left": share, "ratio": slowdown * share}


def _round(training: Any, threads: int) -> tuple[float, float]:
    """Plays a round. Returns its seconds, and the part of a core that each thread had."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    training.play_round()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return wall_s, cpu_s / wall_s / threads


def _busy_round(training: Any) -> tuple[float, float]:
    """Plays a round beside busy processes. Returns its seconds, and the part of a core that each of them had."""
    with _busy_processes() as pids:
        wall_s, before_s = time.perf_counter(), sum(map(_cpu_s, pids))
        training.play_round()
        wall_s = time.perf_counter() - wall_s
        return wall_s, (sum(map(_cpu_s, pids)) - before_s) / wall_s / LOOPS


@contextlib.contextmanager
def _busy_processes() -> Generator[list[int]]:
    with contextlib.ExitStack() as stack:
        pids: list[int] = []
        for _ in range(LOOPS):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]))
            stack.callback(process.kill)
            pids.append(process.pid)
        time.sleep(1.0)
        yield pids


@contextlib.contextmanager
def _training(threads: int) -> Generator[Any]:
    """Yields a training of the default run on replay."""
    from trainers.loop.training import Training
    from trainers.qmix_diffusion import LEARNER
    from trainers.runs.compute import set_up_torch
    from trainers.runs.directory import RunDirectory
    from trainers.runs.options import preset_run
    from vec_envs import dnn_partition_v0

    run = preset_run(LEARNER, "tuned", dnn_partition_v0.factory.env_id)
    run = replace(run, threads=threads, num_envs=NUM_ENVS, device="cpu")
    set_up_torch(run.threads)
    options: dict[str, Any] = {**vars(run.env), "mobility": "replay"}
    with tempfile.TemporaryDirectory() as folder:
        env = dnn_partition_v0.vector_env(num_envs=run.num_envs, **options)
        yield Training(LEARNER, run, RunDirectory(Path(folder)), env)
        env.close()


def _cpu_s(pid: int) -> float:
    """Returns the CPU seconds of a process, from Linux's scheduler."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
