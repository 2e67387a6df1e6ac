"""What is in the directory of a suite's runs, for every engine: results, logs, and what each job was told."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

from benchmarks.jobs.plan import Job
from benchmarks.policies.time_limits import ENDED
from benchmarks.results import result as results
from trainers.runs.directory import free_beside, replace_file


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A job that brought no result."""

    job: Job
    how: str
    log: Path

    def __str__(self) -> str:
        return f"{self.job.name} {self.how}\n    log: {self.log}"


def failure_of(job: Job, code: int, directory: Path) -> Failure:
    """Returns the failure of a job whose process ended with a code, told by what it said last."""
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    log = log_of(job, directory)
    lines = log.read_text(errors="replace").strip().splitlines()
    of_this_try = takewhile(lambda line: not line.startswith("process "), reversed(lines))
    said = next((line for line in of_this_try if line.startswith(ENDED)), None)
    last = lines[-1] if lines else "it said nothing"
    why = last if said is None else f"its time was over, and it could not be stopped otherwise. {said}"
    return Failure(job=job, how=f"{how}: {why}", log=log)


def is_done(job: Job, directory: Path) -> bool:
    """Returns whether a job's result is there. A file that is none is put aside, with a message."""
    path = result_of(job, directory)
    if not path.exists():
        return False
    try:
        results.read(path)
    except (OSError, ValueError) as error:
        aside = free_beside(path)
        with contextlib.suppress(FileNotFoundError):  # somebody else has done it
            path.replace(aside)
        print(f"{error}; it is put aside as {aside.name}, and its job run anew", file=sys.stderr)
        return False
    return True


def write_job(job: Job, directory: Path) -> Path:
    """Writes what a job is told, and returns the file."""
    file = directory / "jobs" / f"{job.name}.json"
    replace_file(file, json.dumps(asdict(job), indent=1) + "\n")
    return file


def result_of(job: Job, directory: Path) -> Path:
    """Returns the file of a job's result."""
    return directory / "results" / f"{job.name}.json"


def log_of(job: Job, directory: Path) -> Path:
    """Returns the file of what a job prints."""
    return directory / "logs" / f"{job.name}.log"


def run_of(job: Job, directory: Path) -> Path:
    """Returns the folder of a job's training run."""
    return directory / "runs" / job.run_name


def lock_of(job: Job, directory: Path) -> Path:
    """Returns the file that `benchmarks.jobs.execute` locks while it is at a job, or at another with the same run."""
    return directory / "runs" / f"{job.run_name if job.training else job.name}.lock"
