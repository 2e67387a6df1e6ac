"""The work of a cluster's node: runs a job's process in a temporary folder. Needs neither Ray nor shared files."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import vec_envs
from benchmarks.engines.process import start, stop
from benchmarks.jobs.files import log_of, result_of, run_of
from benchmarks.jobs.plan import Job
from trainers.runs.directory import CHECKPOINT, CONFIG, METRICS, PARTIAL, replace_file
from trainers.runs.provenance import commit

POLL_S = 0.2
CHECKPOINTS = 5.0
"""The interval at which a running training sends its files back, in checkpoint intervals."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A job, and all that a node needs to run it."""

    job: Job
    run: Mapping[str, bytes]
    """The files of the job's training run so far, by name; empty where the training is to begin."""
    version: str
    """The sender's version of vec_envs."""
    commit: str | None
    """The commit of the sender's checkout; None without one."""
    working_directory: str
    """The sender's working directory. The job runs there where the node has it."""
    path: tuple[str, ...]
    """Further folders in which the sender looks for modules. The job uses those that the node has."""


@dataclass(frozen=True, kw_only=True)
class Returned:
    """The exit code and files of a job that has ended."""

    code: int
    """The exit code of the job's process."""
    log: bytes
    result: bytes | None
    run: Mapping[str, bytes]
    """The new and changed files of the training run; the checkpoint is the last."""


def sent_from(directory: Path, job: Job) -> Sent:
    """Returns a job with the files of its run in the directory, and with the code and folders of this process."""
    run = {} if job.training is None else files_of(run_of(job, directory), CONFIG, METRICS, CHECKPOINT)
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    path = tuple(os.path.abspath(entry) for entry in ["", *entries])
    return Sent(
        job=job,
        run=run,
        version=vec_envs.__version__,
        commit=commit(),
        working_directory=os.getcwd(),
        path=path,
    )


def carry_out(sent: Sent, *, node: str, send_back: Callable[[Mapping[str, bytes]], None] | None = None) -> Returned:
    """Runs a job to its end, or until `KeyboardInterrupt`, at which it writes a checkpoint.

    Args:
        sent: The job.
        node: The id of this node, for the log.
        send_back: Called every few minutes with the files of the training run, from which it can continue.
    """
    own, theirs = (vec_envs.__version__, commit()), (sent.version, sent.commit)
    if own[0] != theirs[0] or (None not in (own[1], theirs[1]) and own[1] != theirs[1]):
        here, there = (f"{version} (commit {hash_ or 'unknown'})" for version, hash_ in (own, theirs))
        message = (
            f"failed: node {node} has vec-envs {here}, the machine that runs the suite has {there}; "
            "install the same version on both\n"
        )
        return Returned(code=1, log=message.encode(), result=None, run={})
    with tempfile.TemporaryDirectory(prefix="vec-envs-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        for name, content in sent.run.items():
            replace_file(run_of(sent.job, directory) / name, content)
        log, result = log_of(sent.job, directory), result_of(sent.job, directory)
        replace_file(log, f"node {node}\n")
        courier = None if send_back is None or sent.job.training is None else Courier(sent.job, directory, send_back)
        code = _ended(_started(sent, directory), courier)
        run = {} if sent.job.training is None else files_of(run_of(sent.job, directory))
        return Returned(
            code=code,
            log=log.read_bytes(),
            result=result.read_bytes() if result.exists() else None,
            run={name: content for name, content in run.items() if sent.run.get(name) != content},
        )


class Courier:
    """Sends back the files of a training while it runs."""

    def __init__(self, job: Job, directory: Path, send_back: Callable[[Mapping[str, bytes]], None]) -> None:
        self._run, self._interval_s, self._send_back = run_of(job, directory), CHECKPOINTS * job.checkpoint_s, send_back
        self._last, self._sent = time.monotonic(), self._written()

    def send_if_due(self) -> None:
        """Sends the files of the run where the interval is over and there is a new checkpoint."""
        if time.monotonic() - self._last < self._interval_s or self._written() == self._sent:
            return
        self._last, self._sent = time.monotonic(), self._written()
        self._send_back(files_of(self._run, CONFIG, METRICS, CHECKPOINT))

    def _written(self) -> int:
        """Returns the time of the checkpoint in nanoseconds; 0 where there is none."""
        checkpoint = self._run / CHECKPOINT
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0


def files_of(run: Path, *names: str) -> dict[str, bytes]:
    """Returns the files of a training run, all or those with the given names; none without a checkpoint.

    The checkpoint is read first, so that no other file is older than it. It is the last in the dictionary: if writing
    the files in this order is interrupted, the run can still be resumed. A run without a checkpoint starts from the
    beginning anyway.
    """
    if not (run / CHECKPOINT).exists():
        return {}
    checkpoint = (run / CHECKPOINT).read_bytes()
    others = [path for path in run.iterdir() if path.is_file() and path.suffix != PARTIAL and path.name != CHECKPOINT]
    files = {path.name: path.read_bytes() for path in others if not names or path.name in names}
    return {**files, CHECKPOINT: checkpoint}


def _started(sent: Sent, directory: Path) -> subprocess.Popen[bytes]:
    own = os.environ.get("PYTHONPATH", "")
    path = [*(entry for entry in sent.path if Path(entry).exists()), *([own] if own else [])]
    working_directory = Path(sent.working_directory)
    return start(
        sent.job,
        directory,
        working_directory=working_directory if working_directory.is_dir() else None,
        environment={"PYTHONPATH": os.pathsep.join(path)},
    )


def _ended(process: subprocess.Popen[bytes], courier: Courier | None) -> int:
    """Waits for a job's end, asks it to stop when interrupted, and returns its exit code."""
    try:
        with contextlib.suppress(KeyboardInterrupt):  # Ray's way to cancel a task
            while process.poll() is None:
                time.sleep(POLL_S)
                if courier is not None:
                    courier.send_if_due()
    finally:
        stop([process])
    return process.returncode
