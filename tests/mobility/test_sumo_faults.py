"""Workers that hang, cannot be started, are killed for memory, or meet a stranger on their port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.mobility.conftest import alive, children, needs_sumo, same, shape, take
from vec_envs.mobility import Scenario, SumoMobility, TrafficError, make_mobility, worker_deaths
from vec_envs.mobility.sumo import SumoBackend
from vec_envs.mobility.sumo_worker import simulators
from vec_envs.mobility.sumo_worker.simulators import SumoRefusal, Traci, WorkerError

linux = pytest.mark.skipif(sys.platform != "linux", reason="stops processes and looks into /proc")
BOTH = ["libsumo", pytest.param("traci", marks=needs_sumo)]
LONG = shape(slots=100, slot_s=0.1)
"""Episodes that take so long to simulate that a worker is in the middle of a tape when the first one is here."""


def stop_worker(mobility: SumoMobility) -> list[int]:
    """Stops a worker and its programs, as a full disk or a debugger may, and returns their ids."""
    pids = [pid for worker in mobility.worker_pids for pid in (worker, *children(worker))]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


@pytest.mark.slow
@linux
@pytest.mark.parametrize("backend", BOTH)
def test_a_worker_that_hangs_is_replaced_and_gives_the_same(backend: SumoBackend) -> None:
    mobility = SumoMobility(sumo_backend=backend, answer_timeout_s=8.0)
    undisturbed = take(mobility.blocks(0, LONG), 12)
    stream = mobility.blocks(0, LONG)
    disturbed = take(stream, 1)
    stopped = stop_worker(mobility)
    with pytest.warns(RuntimeWarning, match=r"killed after no answer within answer_timeout_s=8; .* repeated") as given:
        disturbed += take(stream, 11)
    assert len(given) == 1
    assert same(undisturbed, disturbed)
    assert not any(map(alive, stopped))
    mobility.close()


@linux
def test_workers_that_all_hang_are_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 1000\n")
    silent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    mobility = SumoMobility(answer_timeout_s=0.05)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        with pytest.raises(
            TrafficError, match=r"died 3 times in a row \(killed after no .*; set answer_timeout_s higher"
        ):
            next(mobility.blocks(0, shape()))
    assert [warning.category for warning in given] == [RuntimeWarning] * 2
    assert mobility.worker_pids == []
    mobility.close()


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), "10", None])
def test_the_time_limit_is_checked(wrong: Any) -> None:
    with pytest.raises(ValueError, match="answer_timeout_s must be a finite number above 0"):
        make_mobility("sumo", answer_timeout_s=wrong)


def test_a_process_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    threads, mobility = threading.active_count(), SumoMobility(num_workers=2)
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        with pytest.raises(TrafficError, match=r"cannot be started: .*unavailable; use fewer workers.*ulimit -u"):
            next(mobility.blocks(0, shape()))
    assert mobility.worker_pids == []
    assert len(take(mobility.blocks(0, shape()), 1)) == 1
    mobility.close()
    assert threading.active_count() == threads


@pytest.mark.parametrize("startable", [0, 1])
def test_a_thread_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch, startable: int) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def refuse(thread: threading.Thread) -> None:
        if len(started) == startable:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    mobility = SumoMobility(num_workers=2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TrafficError, match=r"num_workers=2 SUMO workers cannot be started: can't start new thread"):
            next(mobility.blocks(0, shape()))
    assert not any(thread.is_alive() for thread in started)
    assert len(take(mobility.blocks(0, shape()), 1)) == 1
    mobility.close()


@pytest.mark.parametrize(
    ("status", "before", "after", "said"),
    [
        (-9, 3, 4, "exit status -9: the system ended it for lack of memory"),
        (-9, 3, 3, "exit status -9: the system probably ended it for lack of memory"),
        (-9, None, None, "exit status -9: the system probably ended it for lack of memory"),
        (128 + 9, 3, 4, "exit status 137: the system ended it for lack of memory"),
        (-11, 3, 4, "exit status -11"),
        (1, 3, 4, "exit status 1"),
        (None, None, None, "exit status None"),
    ],
)
def test_a_death_for_memory_is_said(
    monkeypatch: pytest.MonkeyPatch, status: int | None, before: int | None, after: int | None, said: str
) -> None:
    monkeypatch.setattr(worker_deaths, "out_of_memory_kills", lambda: after)
    death = worker_deaths.death_of(status, before)
    assert death.reason == said
    assert ("fewer workers" in death.advice) == ("memory" in said)
    assert ("damaged" in death.advice) == (status == -11)


@pytest.mark.slow
@linux
@pytest.mark.parametrize("backend", BOTH)
def test_a_worker_killed_by_the_system_is_said_to_be_that(
    backend: SumoBackend, caplog: pytest.LogCaptureFixture
) -> None:
    mobility = SumoMobility(sumo_backend=backend)
    stream = mobility.blocks(0, LONG)
    next(stream)
    (worker,) = mobility.worker_pids
    os.kill((children(worker) or [worker])[0], signal.SIGKILL)
    take(stream, 11)
    assert "probably ended it for lack of memory" in caplog.text
    mobility.close()


def test_kills_for_memory_are_read_where_linux_counts_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    events = tmp_path / "vmstat"
    monkeypatch.setattr(worker_deaths, "EVENTS", events)
    assert worker_deaths.out_of_memory_kills() is None
    events.write_text("nr_free_pages 12\n")
    assert worker_deaths.out_of_memory_kills() is None
    events.write_text("nr_free_pages 12\noom_kill 5\n")
    assert worker_deaths.out_of_memory_kills() == 5


@pytest.mark.slow
@needs_sumo
@pytest.mark.parametrize("name", ["LIBSUMO_AS_TRACI", "LIBTRACI_AS_TRACI"])
@pytest.mark.parametrize("backend", ["libsumo", "traci"])
def test_variables_that_exchange_traci_do_no_harm(
    live: SumoMobility, monkeypatch: pytest.MonkeyPatch, name: str, backend: SumoBackend
) -> None:
    monkeypatch.setenv(name, "1")
    mobility = SumoMobility(sumo_backend=backend)
    assert same(take(mobility.blocks(0, shape()), 2), take(live.blocks(0, shape()), 2))
    if backend == "traci" and sys.platform == "linux":
        assert children(mobility.worker_pids[0])
    mobility.close()


class Held:
    """Stands for a socket that holds a port, which another program has all the same."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None: ...

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


def arguments() -> list[str]:
    scenario = Scenario.load("fdr-drive")
    routes = ",".join(map(str, scenario.route_files))
    return ["--net-file", str(scenario.net_file), "--route-files", routes, "--no-step-log"]


@needs_sumo
@pytest.mark.parametrize("always", [False, True])
def test_a_simulation_of_another_run_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch, always: bool) -> None:
    free_port, ports, stranger = simulators._free_port, list[int](), list[subprocess.Popen[bytes]]()

    def taken() -> Any:
        if ports and not always:
            return free_port()
        with free_port() as probe:
            ports.append(probe.getsockname()[1])
        # SUMO itself, which waits for whoever connects first.
        stranger.append(
            subprocess.Popen([simulators.program_path("sumo"), *arguments(), "--remote-port", str(ports[-1])])
        )
        while not simulators._in_use(ports[-1]):
            assert stranger[-1].poll() is None
        return Held(ports[-1])

    monkeypatch.setattr(simulators, "_free_port", taken)
    monkeypatch.setattr(simulators, "MAX_STARTS", 2)
    traci = Traci("sumo", [])
    if always:
        with pytest.raises(WorkerError, match=r"2 starts of SUMO failed, the last one because"):
            traci.load(arguments())
    else:
        traci.load(arguments())
        traci.step()
        assert traci._process is not None
        assert traci._process.poll() is None
    traci.close()
    for process in stranger:
        process.kill()
        process.wait()


@needs_sumo
def test_the_port_is_held_until_sumo_listens() -> None:
    with simulators._free_port() as held:
        port = held.getsockname()[1]
        assert not simulators._in_use(port)
        with simulators._free_port() as other:
            assert other.getsockname()[1] != port
        held.listen()
        assert simulators._in_use(port)


@needs_sumo
def test_a_refused_road_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[list[str]] = []
    run = Traci._run

    def counted(self: Traci, given: list[str]) -> subprocess.Popen[bytes]:
        starts.append(given)
        return run(self, given)

    monkeypatch.setattr(Traci, "_run", counted)
    with pytest.raises(SumoRefusal):
        Traci("sumo", []).load(["--net-file", "missing.xml"])
    assert len(starts) == 1


@needs_sumo
def test_a_program_that_cannot_be_started_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    traci = Traci("sumo", [])
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(WorkerError, match=r"the program .*sumo cannot be started: .*unavailable"):
        traci.load(arguments())
