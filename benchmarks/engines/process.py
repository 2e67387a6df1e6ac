"""Starts and stops the process of a job, on any machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.jobs.files import log_of, write_job
from benchmarks.jobs.plan import Job

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
GRACE_S = 60.0
"""The time that a job has to end its round and write a checkpoint when it is asked to stop."""


def start(
    job: Job, directory: Path, *, working_directory: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a job's process.

    The job has a session of its own, so that Ctrl-C reaches this process alone. Its standard input is a pipe that
    closes when this process ends, which stops the job (`--stop-with-parent`).
    """
    log = log_of(job, directory)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.jobs.execute", str(write_job(job, directory)), "--stop-with-parent"]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=working_directory,
            env={**os.environ, **(environment or {}), **ONE_THREAD},
            start_new_session=True,
        )


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Asks processes to stop, waits up to `GRACE_S`, and kills those that still run."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE_S
    try:
        for process in processes:
            process.wait(max(0.0, deadline - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for process in processes:
            process.kill()
    for process in processes:
        process.communicate()
