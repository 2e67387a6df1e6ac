"""The engine that runs jobs on a Ray cluster, each as a task with one CPU that starts a process on its node.

Nodes need the same version of vec-envs as this machine, with its extra `train`. They need no shared files: the files of
a job's training run are sent with the job, and its new files are sent back. During training they are sent back every
few minutes, so that little is lost when this process or a node fails.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.engines.claims import Claims
from benchmarks.engines.process import GRACE_S
from benchmarks.engines.progress import Progress
from benchmarks.engines.ray_task import Returned, Sent, carry_out, sent_from
from benchmarks.jobs.files import Failure, failure_of, is_done, log_of, run_of, write_job, write_result
from benchmarks.jobs.plan import Job
from trainers.runs.directory import replace_file
from vec_envs.validation import missing_extra

WAIT_S = 0.5
CONNECT_S = 10.0
RETURN_S = 15.0
"""The time for a job's files to come back after an interrupt, in addition to the `GRACE_S` to write them."""


class NoRay(ImportError):
    """Ray is not installed."""


class RayEngine:
    """Runs each job as a task of a Ray cluster. Raises `NoRay` where Ray is not installed."""

    def __init__(self, *, workers: int | None, address: str | None) -> None:
        """Sets up the engine.

        Args:
            workers: The largest number of jobs at a time; None for the number of CPUs in the cluster.
            address: The address of the cluster; None for the one that Ray finds, or else a new one on this machine.
        """
        self._workers, self._address = workers, address
        self._ray = _imported()

    def run(self, jobs: Sequence[Job], directory: Path) -> list[Failure]:
        """Runs jobs and returns those that failed.

        When interrupted, jobs write a checkpoint, and the files that arrive in time are kept.

        Raises `ConnectionError` where there is no cluster.
        """
        if not jobs:
            return []
        with connected(self._ray, self._address), Progress(jobs, directory) as progress:
            tasks = ClusterTasks(self._ray, jobs, directory, self._workers)
            try:
                while tasks.unfinished:
                    tasks.send()
                    for job in tasks.collect():
                        progress.ended(job, failures=len(tasks.failures))
                    progress.show(())
            finally:
                tasks.cancel()
            return tasks.failures


class ClusterTasks:
    """The jobs of a suite that wait, and the tasks of those that run on the cluster."""

    def __init__(self, ray: Any, jobs: Sequence[Job], directory: Path, workers: int | None) -> None:
        self.failures: list[Failure] = []
        self._ray, self._directory, self._workers = ray, directory, workers
        self._waiting, self._running = list(jobs), dict[Any, Job]()
        self._claims = Claims(directory)
        self._task: Any = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(on_node)
        self._mailbox: Any = ray.remote(num_cpus=0)(Mailbox).remote()

    @property
    def unfinished(self) -> bool:
        """Whether any job is still running or waiting."""
        return bool(self._waiting or self._running)

    def send(self) -> None:
        """Submits waiting jobs to free workers, except finished jobs and jobs whose run another job is training."""
        self._waiting = [job for job in self._waiting if not is_done(job, self._directory)]
        free = (self._workers or self._cpus()) - len(self._running)
        still_waiting: list[Job] = []
        for job in self._waiting:
            if free > 0 and self._claims.take(job):
                write_job(job, self._directory)
                self._running[self._task.remote(sent_from(self._directory, job), self._mailbox)] = job
                free -= 1
            else:
                still_waiting.append(job)
        self._waiting = still_waiting

    def collect(self) -> list[Job]:
        """Waits up to `WAIT_S`, writes files that came back, and returns the jobs that have ended."""
        if not self._running:
            time.sleep(WAIT_S)
            return []
        ready, _ = self._ray.wait(list(self._running), timeout=WAIT_S)
        self._empty_mailbox()
        return [self._end(task) for task in ready]

    def cancel(self) -> None:
        """Asks the running jobs to stop, and writes the files that come back within a time limit."""
        for task in self._running:
            self._ray.cancel(task)
        deadline = time.monotonic() + GRACE_S + RETURN_S
        while self._running and time.monotonic() < deadline:
            self.collect()

    def _empty_mailbox(self) -> None:
        """Writes the files that running trainings have sent."""
        try:
            runs: Mapping[str, Mapping[str, bytes]] = self._ray.get(self._mailbox.emptied.remote())
        except self._ray.exceptions.RayError:  # its node is lost; the next message needs a new one
            self._mailbox = self._ray.remote(num_cpus=0)(Mailbox).remote()
            return
        for job in self._running.values():
            write_run(runs.get(job.name, {}), job, self._directory)

    def _end(self, task: Any) -> Job:
        """Writes the files of a task that has ended, records its failure, and returns its job."""
        job = self._running[task]
        try:
            failure = self._failure(job, self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            failure = Failure(job=job, how=f"was lost: {reason_of(error)}", log=log_of(job, self._directory))
        if failure is not None:
            self.failures.append(failure)
        self._claims.give_back(job, succeeded=failure is None)
        return self._running.pop(task)

    def _failure(self, job: Job, returned: Returned) -> Failure | None:
        write(returned, job, self._directory)
        if returned.code or not is_done(job, self._directory):
            return failure_of(job, returned.code, self._directory)
        return None

    def _cpus(self) -> int:
        """Returns the number of CPUs in the cluster at present."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 0)))


class Mailbox:
    """A Ray actor that keeps the latest files of each running training until they are fetched."""

    def __init__(self) -> None:
        self._runs: dict[str, Mapping[str, bytes]] = {}

    def put(self, name: str, run: Mapping[str, bytes]) -> None:
        """Keeps the files of a job's run."""
        self._runs[name] = run

    def emptied(self) -> dict[str, Mapping[str, bytes]]:
        """Returns the files of runs by job, and forgets them."""
        runs, self._runs = self._runs, {}
        return runs


def on_node(sent: Sent, mailbox: Any) -> Returned:
    """Runs a job on the node of this task; see `carry_out`."""
    import ray
    from ray.exceptions import RayError

    def send_back(run: Mapping[str, bytes]) -> None:
        with contextlib.suppress(RayError):  # the files then come back when the job ends
            ray.get(mailbox.put.remote(sent.job.name, run))

    return carry_out(sent, node=ray.get_runtime_context().get_node_id(), send_back=send_back)


def write(returned: Returned, job: Job, directory: Path) -> None:
    """Writes the files of a job that has ended. A kill in between leaves a state from which the job can continue."""
    log = log_of(job, directory)
    replace_file(log, (log.read_bytes() if log.exists() else b"") + returned.log)
    write_run(returned.run, job, directory)
    if returned.result is not None:
        write_result(job, directory, returned.result)


def write_run(run: Mapping[str, bytes], job: Job, directory: Path) -> None:
    """Writes files of a job's training run."""
    for name, content in run.items():
        replace_file(run_of(job, directory) / name, content)


def reason_of(error: Exception) -> str:
    """Returns one line on why a task failed: the message of its exception, or Ray's message where it raised none."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {cause}"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


@contextlib.contextmanager
def connected(ray: Any, address: str | None) -> Generator[None, None, None]:
    """Connects to a cluster, or starts one, and disconnects in the end. An existing connection is used and kept.

    Raises `ConnectionError` where there is no such cluster, or where its version of Ray or Python differs.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        _check_address(address or os.environ.get("RAY_ADDRESS") or "")
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConnectionError(f"no Ray cluster at {address or 'the address that Ray finds'}: {error}") from error
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has replaced the handler
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raises `OSError` or `ValueError` where no server answers at HOST:PORT: Ray itself would wait for minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.port is not None:  # otherwise the address is a keyword of Ray, such as auto
        socket.create_connection((parts.hostname or "", parts.port), timeout=CONNECT_S).close()


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise NoRay(missing_extra("the Ray engine", "ray", "ray")) from error
    return ray
