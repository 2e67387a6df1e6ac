"""Where a suite's jobs run: as processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.engines.local import LocalEngine
from benchmarks.jobs.files import Failure
from benchmarks.jobs.plan import Job

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Runs jobs."""

    def run(self, jobs: Sequence[Job], directory: Path) -> list[Failure]:
        """Runs jobs, several at a time, and returns those that failed. Results and runs are then in the directory.

        When interrupted, jobs write where they are, and the exception goes on.
        """
        ...


def engine_of(name: str, workers: int | None, address: str | None) -> Engine:
    """Returns an engine that runs `workers` jobs at a time; None is as many as there are cores for us.

    `address` is of the Ray cluster; None is the one that Ray finds itself, or else a new one on this machine. Raises
    `ValueError` for another engine, or an address without Ray, and `NoRay` where that is not installed.
    """
    if name == "ray":
        from benchmarks.engines.ray_cluster import RayEngine

        return RayEngine(workers=workers, address=address)
    if name != "local":
        raise ValueError(f"the engine {name!r} is unknown; there are {', '.join(ENGINES)}")
    if address is not None:
        raise ValueError(f"the address {address!r} of a Ray cluster is for the engine ray")
    return LocalEngine(workers=workers or len(os.sched_getaffinity(0)))
