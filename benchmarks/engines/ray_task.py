"""What is done on a node of a cluster: a job's process in a folder of its own. Needs no Ray, and no shared files."""

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
from trainers.runs import provenance as checkout
from trainers.runs.directory import CHECKPOINT, CONFIG, LEFT_OVER, METRICS, replace_file

POLL_S = 0.2
CHECKPOINTS = 5.0
"""What a training has come to is brought back in the time of so many checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a node is given."""

    job: Job
    run: Mapping[str, bytes]
    """The files of the job's training run so far, by name; none where it is to begin."""
    version: str
    """Of the sender's vec_envs."""
    commit: str | None
    """Of the sender's checkout, where it has one."""
    working_directory: str
    """The sender's. A job runs there where the node has it."""
    path: tuple[str, ...]
    """Where the sender looks for modules beside; a job does so too where the node has them."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What comes back."""

    code: int
    """What the job's process ended with."""
    log: bytes
    result: bytes | None
    run: Mapping[str, bytes]
    """The files of the training run that are new or other than those sent; the checkpoint last."""


def sent_from(directory: Path, job: Job) -> Sent:
    """Returns what a node is given: the job, what the directory has of its run, and where this process stands."""
    kept = {} if job.training is None else files_of(run_of(job, directory), CONFIG, METRICS, CHECKPOINT)
    found = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    path = tuple(os.path.abspath(entry) for entry in ["", *found])
    return Sent(
        job=job,
        run=kept,
        version=vec_envs.__version__,
        commit=checkout.commit(),
        working_directory=os.getcwd(),
        path=path,
    )


def carry_out(sent: Sent, *, node: str, bring: Callable[[Mapping[str, bytes]], None] | None = None) -> Brought:
    """Runs a job to its end, or until `KeyboardInterrupt`: then it writes where it is. Returns what it has left.

    On the way `bring` is called now and then with the files of its training run, all that is needed to go on from.
    """
    own, theirs = (vec_envs.__version__, checkout.commit()), (sent.version, sent.commit)
    if own[0] != theirs[0] or (None not in (own[1], theirs[1]) and own[1] != theirs[1]):
        here, there = (f"{version} (commit {commit or 'unknown'})" for version, commit in (own, theirs))
        words = f"failed: vec-envs {here} is on node {node}, {there} where the suite is run"
        return Brought(code=1, log=f"{words}; install the same\n".encode(), result=None, run={})
    with tempfile.TemporaryDirectory(prefix="vec-envs-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        for name, content in sent.run.items():
            replace_file(run_of(sent.job, directory) / name, content)
        log, result = log_of(sent.job, directory), result_of(sent.job, directory)
        replace_file(log, f"node {node}\n")
        courier = None if bring is None or sent.job.training is None else Courier(sent.job, directory, bring)
        code = _ended(_started(sent, directory), courier)
        left = {} if sent.job.training is None else files_of(run_of(sent.job, directory))
        return Brought(
            code=code,
            log=log.read_bytes(),
            result=result.read_bytes() if result.exists() else None,
            run={name: content for name, content in left.items() if sent.run.get(name) != content},
        )


class Courier:
    """Brings what a training has come to, while it goes on."""

    def __init__(self, job: Job, directory: Path, bring: Callable[[Mapping[str, bytes]], None]) -> None:
        self._run, self._every_s, self._bring = run_of(job, directory), CHECKPOINTS * job.checkpoint_s, bring
        self._last, self._brought = time.monotonic(), self._written()

    def look(self) -> None:
        """Brings the files of the run where it is time, and the checkpoint is another than last time."""
        if time.monotonic() - self._last < self._every_s or self._written() == self._brought:
            return
        self._last, self._brought = time.monotonic(), self._written()
        self._bring(files_of(self._run, CONFIG, METRICS, CHECKPOINT))

    def _written(self) -> int:
        checkpoint = self._run / CHECKPOINT
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0


def files_of(run: Path, *names: str) -> dict[str, bytes]:
    """Returns the files of a training run, or those of these names.

    The checkpoint is read first, so that nothing else lags behind it, and is last: written in this order, each
    beginning can be resumed. A run without one is begun anew by whoever finds it, so none of its files are returned.
    """
    if not (run / CHECKPOINT).exists():
        return {}
    checkpoint = (run / CHECKPOINT).read_bytes()
    found = [path for path in run.iterdir() if path.is_file() and path.suffix != LEFT_OVER and path.name != CHECKPOINT]
    files = {path.name: path.read_bytes() for path in found if not names or path.name in names}
    return {**files, CHECKPOINT: checkpoint}


def _started(sent: Sent, directory: Path) -> subprocess.Popen[bytes]:
    own = os.environ.get("PYTHONPATH", "")
    path = [*(entry for entry in sent.path if Path(entry).exists()), *([own] if own else [])]
    there = Path(sent.working_directory)
    return start(
        sent.job,
        directory,
        working_directory=there if there.is_dir() else None,
        environment={"PYTHONPATH": os.pathsep.join(path)},
    )


def _ended(process: subprocess.Popen[bytes], courier: Courier | None) -> int:
    """Waits for a job's end, asks it to stop when interrupted, and returns its exit code."""
    try:
        with contextlib.suppress(KeyboardInterrupt):  # so Ray says that a task is cancelled
            while process.poll() is None:
                time.sleep(POLL_S)
                if courier is not None:
                    courier.look()
    finally:
        stop([process])
    return process.returncode
