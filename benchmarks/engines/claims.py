"""Locks of training runs that jobs share, in this process and in others with the same directory."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.jobs.files import lock_of
from benchmarks.jobs.plan import Job


@dataclass(kw_only=True)
class _Claim:
    file: IO[str]
    users: int = 1


class Claims:
    """The locks of `benchmarks.jobs.execute`, held by this process for jobs that run on other machines.

    Until a run is trained, only one job at a time may use it; then all jobs may. The locks end with this process.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[Path, _Claim] = {}
        self._trained: set[Path] = set()

    def take(self, job: Job) -> bool:
        """Returns whether a job may run now; if so, holds its lock until `give_back`."""
        path = lock_of(job, self._directory)
        if path in self._held:
            if path not in self._trained:
                return False
            self._held[path].users += 1
            return True
        file = _locked(path)
        if file is None:
            return False
        self._held[path] = _Claim(file=file)
        return True

    def give_back(self, job: Job, *, succeeded: bool) -> None:
        """Ends a job's claim. If the job has succeeded, its run counts as trained."""
        path = lock_of(job, self._directory)
        if succeeded:
            self._trained.add(path)
        claim = self._held[path]
        claim.users -= 1
        if claim.users == 0:
            self._held.pop(path).file.close()


def _locked(path: Path) -> IO[str] | None:
    """Returns a file that stays locked until it is closed; None where another process holds the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
