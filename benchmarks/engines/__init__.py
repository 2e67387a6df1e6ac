"""Engines run the jobs of a suite: as processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.engines.local import LocalEngine
from benchmarks.jobs.files import Failure
from benchmarks.jobs.plan import Job
from vec_envs.validation import did_you_mean

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Runs jobs."""

    def run(self, jobs: Sequence[Job], directory: Path) -> list[Failure]:
        """Runs jobs, several at a time, writes results and runs into the directory, and returns the failed jobs.

        When interrupted, jobs write a checkpoint, and the exception is raised again.
        """
        ...


def engine_of(name: str, workers: int | None, address: str | None) -> Engine:
    """Returns an engine.

    Args:
        name: One of `ENGINES`.
        workers: The number of jobs at a time; None for the number of available cores.
        address: The address of the Ray cluster; None for the one that Ray finds, or else a new one on this machine.

    Raises `ValueError` for an unknown name, and for an address with another engine than Ray. Raises `NoRay` where Ray
    is not installed.
    """
    if name == "ray":
        from benchmarks.engines.ray_cluster import RayEngine

        return RayEngine(workers=workers, address=address)
    if name != "local":
        raise ValueError(f"the engine {name!r} is unknown; there are {', '.join(ENGINES)}{did_you_mean(name, ENGINES)}")
    if address is not None:
        raise ValueError(f"the address {address!r} of a Ray cluster needs the engine ray: add --engine ray")
    return LocalEngine(workers=workers or len(os.sched_getaffinity(0)))
