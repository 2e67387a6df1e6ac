"""The SUMO workers as seen by the parent: processes that are restarted when they die, each with its own thread."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, cast

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.sumo_refusals import advice
from vec_envs.mobility.traffic import TrafficError
from vec_envs.mobility.worker_answers import Answer, NoAnswerInTime, WorkerDied
from vec_envs.mobility.worker_deaths import Death, death_of, death_of_silence, out_of_memory_kills

LOG = logging.getLogger("vec_envs.mobility")
MAX_DEATHS = 3
_WORKER = Path(__file__).with_name("sumo_worker") / "__main__.py"
GRACE_S = 5.0
"""How long the processes have to end after a request, before they are killed."""


@dataclass(frozen=True, kw_only=True)
class RawWindow:
    """A window as a worker sends it: the stays of vehicles, one after the other.

    `xy_m` holds the places of each stay, slot by slot, from its `first_slot` on. `first_speed_mps` is empty where
    vehicles come and go.
    """

    xy_m: Float[np.ndarray, "places 2"]
    first_slot: Int[np.ndarray, " vehicles"]
    num_slots: Int[np.ndarray, " vehicles"]
    first_speed_mps: Float[np.ndarray, " speeds"]
    may_be_client: Bool[np.ndarray, " vehicles"]
    may_be_service: Bool[np.ndarray, " vehicles"]


class WindowJob:
    """A request for consecutive windows of one simulation. A thread of the pool fills it in order."""

    def __init__(self, tape: dict[str, int], first: int, stop: int) -> None:
        self.tape = tape
        self.indices = range(first, stop)
        self.cancelled = False
        self._results: SimpleQueue[RawWindow | TrafficError | RuntimeWarning] = SimpleQueue()

    def put(self, result: RawWindow | TrafficError | RuntimeWarning) -> None:
        """Adds the next window, the error that ends the job, or a warning about the windows that follow."""
        self._results.put(result)

    def get(self) -> RawWindow:
        """Waits for the next window and returns it. Raises `TrafficError` if the job failed."""
        # Warnings are issued here, in the thread of the user, whose filters and handlers are meant for them.
        while isinstance(result := self._results.get(), RuntimeWarning):
            warnings.warn(result, stacklevel=2)
        if isinstance(result, TrafficError):
            raise result
        return result


class WorkerPool:
    """Worker processes, `num_workers` of them, that serve jobs in order of arrival."""

    def __init__(self, settings: dict[str, Any], num_workers: int, answer_timeout_s: float) -> None:
        self._jobs: SimpleQueue[WindowJob | None] = SimpleQueue()
        self._workers = [_Worker(settings, self._jobs, answer_timeout_s) for _ in range(num_workers)]
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that are alive."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def submit(self, job: WindowJob) -> None:
        """Adds a job to the queue. Raises `TrafficError` after `close`, and where no thread can be started."""
        with self._lock:
            if self._closed:
                raise TrafficError("this mobility is closed; make a new one")
            if not self._threads:
                self._threads = self._started_threads()
            self._jobs.put(job)

    def _started_threads(self) -> list[threading.Thread]:
        """Starts a thread for each worker. Where one cannot be started, ends the others and raises `TrafficError`."""
        started: list[threading.Thread] = []
        try:
            for worker in self._workers:
                thread = threading.Thread(target=worker.run, daemon=True)
                thread.start()
                started.append(thread)
        except RuntimeError as error:
            for _ in started:
                self._jobs.put(None)
            for thread in started:
                thread.join()
            raise TrafficError(
                f"the threads of num_workers={len(self._workers)} SUMO workers cannot be started: {error}; use fewer "
                "workers, end other programs, or raise the limit of the system (ulimit -u)"
            ) from error
        return started

    def close(self) -> None:
        """Stops the processes; waiting jobs fail. Kills a process that does not end. May be called again."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.close()
                self._jobs.put(None)
        deadline, own = time.monotonic() + GRACE_S, threading.current_thread()
        for worker, thread in zip(self._workers, self._threads, strict=False):
            if thread is not own:
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    worker.kill()
                thread.join()


def worker_command(*arguments: str) -> list[str]:
    """Returns the command line that starts a worker process, with further arguments."""
    return [sys.executable, "-P", str(_WORKER), str(os.getpid()), *arguments]


class _Worker:
    """A process, restarted when it dies, with the thread that talks to it."""

    def __init__(self, settings: dict[str, Any], jobs: SimpleQueue[WindowJob | None], answer_timeout_s: float) -> None:
        self._settings = settings
        self._jobs = jobs
        self._answer_timeout_s = answer_timeout_s
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: BinaryIO | None = None
        self._memory_kills: int | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None where it is not running."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def run(self) -> None:
        """Serves jobs until it takes `None` from the queue."""
        while (job := self._jobs.get()) is not None:
            try:
                for index in job.indices:
                    if job.cancelled:
                        break
                    job.put(self._ask_with_restarts(job, job.tape | {"index": index}))
            except TrafficError as error:
                job.put(error)
            except Exception as error:
                LOG.exception("the thread that talks to SUMO failed")
                job.put(TrafficError(f"talking to the SUMO worker failed: {error!r}"))
        self._end()
        if self._errors is not None:
            self._errors.close()

    def close(self) -> None:
        """Asks the process to end. Its thread notices when it does."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.terminate()

    def kill(self) -> None:
        """Kills the process. One that is stuck inside SUMO does not react to `close`."""
        process = self._process
        if process is not None:
            process.kill()

    def _ask_with_restarts(self, job: WindowJob, request: dict[str, int]) -> RawWindow:
        """Returns the answer to a request of a job, from a new process if the first ones die or do not answer."""
        deaths = 0
        while True:
            notice: RuntimeWarning | None = None
            try:
                return self._ask(request)
            except NoAnswerInTime:
                self.kill()
                self._end()
                death = death_of_silence(self._answer_timeout_s)
                notice = RuntimeWarning(f"a SUMO worker was {death.reason}; its work is repeated by a new one")
            except WorkerDied:
                death = death_of(self._end(), self._memory_kills)
            deaths += 1
            if self._closed:
                raise TrafficError("this mobility was closed before the episode was ready")
            if deaths == MAX_DEATHS:
                raise TrafficError(self._explain(death))
            if notice is not None:
                job.put(notice)
            else:
                LOG.warning("a SUMO worker died (%s) and is restarted; its work is repeated", death.reason)

    def _explain(self, death: Death) -> str:
        """Returns the message of an error after `MAX_DEATHS` deaths, of which this is the last one."""
        files = ", ".join([self._settings["net_file"], *self._settings["route_files"]])
        return (
            f"the SUMO worker died {MAX_DEATHS} times in a row ({death.reason}) with {files}{death.advice}; its last "
            f"messages: {self._error_tail() or 'none'}"
        )

    def _ask(self, request: dict[str, int]) -> RawWindow:
        """Sends a request to the process, which it starts if needed, and reads the answer."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = Answer(cast(BinaryIO, process.stdout), self._answer_timeout_s)
            head = json.loads(answer.line())
            if "error" in head:
                self._end()
                said = head["error"] + (f": {tail}" if (tail := self._error_tail()) else "")
                raise TrafficError(said + advice(said, self._settings))
            coordinates = 2 * sum(head["num_slots"])
            size = 8 * (coordinates + (0 if request["come_and_go"] else len(head["num_slots"])))
            numbers = np.frombuffer(answer.numbers(size))
        except (OSError, ValueError) as error:
            raise WorkerDied from error
        return RawWindow(
            xy_m=numbers[:coordinates].reshape(-1, 2),
            first_slot=np.array(head["first_slot"], dtype=np.int64),
            num_slots=np.array(head["num_slots"], dtype=np.int64),
            first_speed_mps=numbers[coordinates:],
            may_be_client=np.array(head["may_be_client"], dtype=np.bool_),
            may_be_service=np.array(head["may_be_service"], dtype=np.bool_),
        )

    def _start(self) -> subprocess.Popen[bytes]:
        """Starts the process and sends it its settings. Raises `TrafficError` where it cannot be started."""
        try:
            process = self._new_process()
        except OSError as error:
            raise TrafficError(
                f"the process of a SUMO worker cannot be started: {error}; use fewer workers, end other programs, or "
                "raise the limits of the system (ulimit -u for processes, ulimit -n for files)"
            ) from error
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(self._settings).encode() + b"\n")
        except OSError as error:
            raise WorkerDied from error
        return process

    def _new_process(self) -> subprocess.Popen[bytes]:
        # Errors go to a file, since a pipe that is not read would fill up. It can be read after the process has ended.
        self._errors = self._errors or cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        self._errors.seek(0)
        self._errors.truncate()
        self._memory_kills = out_of_memory_kills()
        with self._lock:
            if self._closed:
                raise TrafficError("this mobility is closed; make a new one")
            # A session of its own, so that Ctrl-C in the terminal reaches the parent only.
            process = subprocess.Popen(
                worker_command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
            self._process = process
        return process

    def _end(self) -> int | None:
        """Closes the input of the process, waits for its end and returns the exit status."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return None
        try:
            process.communicate(timeout=2.0)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            process.kill()
            process.wait()
        return process.returncode

    def _error_tail(self) -> str:
        """Returns the last lines that the process and SUMO wrote to the standard error."""
        if self._errors is None:
            return ""
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 1500))
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-6:])
