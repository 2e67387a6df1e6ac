"""The engine that runs jobs as processes of this machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engines.process import start, stop
from benchmarks.engines.progress import Progress
from benchmarks.jobs.files import Failure, failure_of, is_done, lock_of
from benchmarks.jobs.plan import Job


@dataclass(frozen=True, kw_only=True)
class LocalEngine:
    """Runs each job in a process of its own, several at a time."""

    workers: int
    """The number of processes at a time."""

    def run(self, jobs: Sequence[Job], directory: Path) -> list[Failure]:
        """Runs jobs and returns those that failed. When interrupted, jobs write a checkpoint."""
        waiting, failures = list(jobs), list[Failure]()
        running: dict[subprocess.Popen[bytes], Job] = {}
        try:
            with Progress(jobs, directory) as progress:
                while waiting or running:
                    while len(running) < self.workers and (job := next_of(waiting, running.values(), directory)):
                        waiting.remove(job)
                        running[start(job, directory)] = job
                    for process in [process for process in running if process.poll() is not None]:
                        job = running.pop(process)
                        process.communicate()  # closes its pipe
                        if process.returncode or not is_done(job, directory):
                            failures.append(failure_of(job, process.returncode, directory))
                        progress.ended(job, failures=len(failures))
                    progress.show(running.values())
                    time.sleep(0.1)
        finally:
            stop(list(running))
        return failures


def next_of(waiting: Sequence[Job], running: Iterable[Job], directory: Path) -> Job | None:
    """Returns the first waiting job that shares no training run with a running job; None where there is none."""
    locked = {lock_of(job, directory) for job in running}
    return next((job for job in waiting if lock_of(job, directory) not in locked), None)
