"""Jobs on a Ray cluster: each is a task that asks for one CPU, and runs in a process of its own on whichever node.

Nodes need the same version of vec-envs as this machine, with its extra `train`, and no files in common with it: what a
job has done so far travels with it, and what it leaves comes back: of a training also on the way, every few minutes, so
that little is lost where this process or a node is.
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
from benchmarks.engines.ray_task import Brought, Sent, carry_out, sent_from
from benchmarks.jobs.files import Failure, failure_of, is_done, log_of, result_of, run_of, write_job
from benchmarks.jobs.plan import Job
from trainers.runs.directory import replace_file

WAIT_S = 0.5
CONNECT_S = 10.0
RETURN_S = 15.0
"""How long what a job has left may take to come back, beyond the grace that the job has to write it."""


class NoRay(ImportError):
    """Ray is not installed."""


class RayEngine:
    """Runs each job as a task of a Ray cluster. Raises `NoRay` where Ray is not installed."""

    def __init__(self, *, workers: int | None, address: str | None) -> None:
        """Takes the jobs at a time at most, and the cluster's address.

        None is for all CPUs of the cluster, and for the cluster that Ray finds itself, or a new one on this machine.
        """
        self._workers, self._address = workers, address
        self._ray = _imported()

    def run(self, jobs: Sequence[Job], directory: Path) -> list[Failure]:
        """Runs jobs and returns those that failed.

        Raises `ConnectionError` where there is no cluster. When interrupted, jobs write where they are, and what that
        is comes back as far as it does so in time.
        """
        if not jobs:
            return []
        with connected(self._ray, self._address), Progress(jobs, directory) as progress:
            travels = Travels(self._ray, jobs, directory, self._workers)
            try:
                while travels.unfinished:
                    travels.send()
                    for job in travels.take_in():
                        progress.ended(job, failures=len(travels.failures))
                    progress.show(())
            finally:
                travels.call_back()
            return travels.failures


class Travels:
    """The jobs that wait, and those that are on the cluster."""

    def __init__(self, ray: Any, jobs: Sequence[Job], directory: Path, workers: int | None) -> None:
        self.failures: list[Failure] = []
        self._ray, self._directory, self._workers = ray, directory, workers
        self._waiting, self._away = list(jobs), dict[Any, Job]()
        self._claims = Claims(directory)
        self._task: Any = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(on_node)
        self._post: Any = ray.remote(num_cpus=0)(Post).remote()

    @property
    def unfinished(self) -> bool:
        """Whether there are jobs that have not ended."""
        return bool(self._waiting or self._away)

    def send(self) -> None:
        """Sends as many jobs as there is room for, but none whose run somebody else is training, or that is done."""
        self._waiting = [job for job in self._waiting if not result_of(job, self._directory).exists()]
        room = (self._workers or self._cpus()) - len(self._away)
        staying: list[Job] = []
        for job in self._waiting:
            if room > 0 and self._claims.take(job):
                write_job(job, self._directory)
                self._away[self._task.remote(sent_from(self._directory, job), self._post)] = job
                room -= 1
            else:
                staying.append(job)
        self._waiting = staying

    def take_in(self) -> list[Job]:
        """Waits a moment, and returns the jobs that have ended, with their files in the directory."""
        if not self._away:
            time.sleep(WAIT_S)
            return []
        away = list(self._away)
        ready, _ = self._ray.wait(away, timeout=WAIT_S)
        self._take_post()
        return [self._take(task) for task in ready]

    def call_back(self) -> None:
        """Asks the jobs that are away to stop, and takes in what they have by then, within a time."""
        for task in self._away:
            self._ray.cancel(task)
        deadline = time.monotonic() + GRACE_S + RETURN_S
        while self._away and time.monotonic() < deadline:
            self.take_in()

    def _take_post(self) -> None:
        """Writes what trainings have come to that are still away."""
        try:
            brought: Mapping[str, Mapping[str, bytes]] = self._ray.get(self._post.taken.remote())
        except self._ray.exceptions.RayError:  # its node is lost: another is put up for who comes next
            self._post = self._ray.remote(num_cpus=0)(Post).remote()
            return
        for job in self._away.values():
            write_run(brought.get(job.name, {}), job, self._directory)

    def _take(self, task: Any) -> Job:
        job = self._away[task]
        try:
            failure = self._failure(job, self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            failure = Failure(job=job, how=f"was lost: {reason_of(error)}", log=log_of(job, self._directory))
        if failure is not None:
            self.failures.append(failure)
        self._claims.give_back(job, succeeded=failure is None)
        return self._away.pop(task)

    def _failure(self, job: Job, brought: Brought) -> Failure | None:
        write(brought, job, self._directory)
        if brought.code or not is_done(job, self._directory):
            return failure_of(job, brought.code, self._directory)
        return None

    def _cpus(self) -> int:
        """Returns the CPUs of the nodes that there are now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 0)))


class Post:
    """An actor: keeps what trainings have come to until it is taken in, of each the last."""

    def __init__(self) -> None:
        self._brought: dict[str, Mapping[str, bytes]] = {}

    def put(self, name: str, run: Mapping[str, bytes]) -> None:
        """Keeps the files of a job's run."""
        self._brought[name] = run

    def taken(self) -> dict[str, Mapping[str, bytes]]:
        """Returns the files of runs by job, and keeps them no longer."""
        brought, self._brought = self._brought, {}
        return brought


def on_node(sent: Sent, post: Any) -> Brought:
    """Runs a job where Ray has put this task; see `carry_out`."""
    import ray
    from ray.exceptions import RayError

    def bring(run: Mapping[str, bytes]) -> None:
        with contextlib.suppress(RayError):  # then it comes back at the end
            ray.get(post.put.remote(sent.job.name, run))

    return carry_out(sent, node=ray.get_runtime_context().get_node_id(), bring=bring)


def write(brought: Brought, job: Job, directory: Path) -> None:
    """Writes what a job has brought, so that a kill on the way leaves what can be gone on with."""
    log = log_of(job, directory)
    replace_file(log, (log.read_bytes() if log.exists() else b"") + brought.log)
    write_run(brought.run, job, directory)
    if brought.result is not None:
        replace_file(result_of(job, directory), brought.result)


def write_run(run: Mapping[str, bytes], job: Job, directory: Path) -> None:
    """Writes files of a job's training run."""
    for name, content in run.items():
        replace_file(run_of(job, directory) / name, content)


def reason_of(error: Exception) -> str:
    """Returns what Ray says of a task that brought nothing, in a line: the exception's own, where it raised one."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return f"{type(cause).__name__}: {cause}"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


@contextlib.contextmanager
def connected(ray: Any, address: str | None) -> Generator[None, None, None]:
    """Connects to a cluster, or starts one, and ends what it has begun. A connection that there is already is kept.

    Raises `ConnectionError` where there is no such cluster, or one that does not fit.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        _try(address or os.environ.get("RAY_ADDRESS") or "")
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConnectionError(f"no Ray cluster at {address or 'the address that Ray finds'}: {error}") from error
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own there
    try:
        yield
    finally:
        ray.shutdown()


def _try(address: str) -> None:
    """Raises `OSError` or `ValueError` where nobody answers at HOST:PORT, which Ray itself finds out in minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.port is not None:  # it is none of Ray's words, such as auto
        socket.create_connection((place.hostname or "", place.port), timeout=CONNECT_S).close()


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise NoRay('the Ray engine needs ray: pip install "vec-envs[ray]"') from error
    return ray
