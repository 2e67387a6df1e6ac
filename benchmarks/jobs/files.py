"""The files of a suite's output directory: results, logs, and the definitions of jobs."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from benchmarks.jobs.plan import Job
from benchmarks.policies.time_limits import ENDED
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from trainers.runs.directory import CHECKPOINT, free_beside, replace_file

OUTPUT = Path("runs/benchmarks")
"""The default output directory of a suite."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A job that ended without a result."""

    job: Job
    how: str
    log: Path

    def __str__(self) -> str:
        return f"{self.job.name} {self.how}\n    log: {self.log}"


def failure_of(job: Job, code: int, directory: Path) -> Failure:
    """Returns the failure of a job whose process ended with an exit code, with the last line of its log."""
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    log = log_of(job, directory)
    lines = log.read_text(errors="replace").strip().splitlines()
    of_this_try = takewhile(lambda line: not line.startswith("process "), reversed(lines))
    timeout = next((line for line in of_this_try if line.startswith(ENDED)), None)
    last = lines[-1] if lines else "its log is empty"
    why = last if timeout is None else f"it exceeded its time limit, and its process had to be ended. {timeout}"
    return Failure(job=job, how=f"{how}: {why}", log=log)


def is_done(job: Job, directory: Path) -> bool:
    """Returns whether a job needs no run: its result has all metrics, or its trained run is missing.

    A result whose trained run is missing keeps its metrics, because a new training would give another result. A file
    that is not a result is put aside, with a message.
    """
    path = result_of(job, directory)
    if not path.exists():
        return False
    try:
        kept = results.read(path).kept
    except (OSError, ValueError) as error:
        aside = free_beside(path)
        with contextlib.suppress(FileNotFoundError):  # another process has put it aside
            path.replace(aside)
        print(f"{error}; it is put aside as {aside.name}, and its job runs again", file=sys.stderr)
        return False
    return not kept.lacking(job.kept) or not _can_replay(job, directory)


def _can_replay(job: Job, directory: Path) -> bool:
    """Returns whether the episodes of a job can be played without a new training."""
    return job.training is None or (run_of(job, directory) / CHECKPOINT).exists()


def write_result(job: Job, directory: Path, text: bytes) -> None:
    """Writes the text of a job's result that another machine returned. `is_done` reports an invalid text."""
    path = result_of(job, directory)
    try:
        results.put(path.parent, results.result_of(text.decode(), path, name=job.name).content)
    except ValueError:
        replace_file(path, text)


def write_job(job: Job, directory: Path) -> Path:
    """Writes a job's file, and returns its path."""
    file = directory / "jobs" / f"{job.name}.json"
    replace_file(file, json.dumps(asdict(job), indent=1) + "\n")
    return file


def read_job(file: Path) -> Job:
    """Returns the job in a file of `write_job`."""
    fields: dict[str, Any] = json.loads(file.read_text())
    kept = Kept.of(fields.pop("kept"))
    return Job(kept=kept, **fields)


def result_of(job: Job, directory: Path) -> Path:
    """Returns the path of a job's result."""
    return directory / "results" / f"{job.name}.json"


def log_of(job: Job, directory: Path) -> Path:
    """Returns the path of a job's log."""
    return directory / "logs" / f"{job.name}.log"


def run_of(job: Job, directory: Path) -> Path:
    """Returns the folder of a job's training run."""
    return directory / "runs" / job.run_name


def lock_of(job: Job, directory: Path) -> Path:
    """Returns the file that a process locks while it executes a job, or another job of the same training run."""
    return directory / "runs" / f"{job.run_name if job.training else job.name}.lock"
