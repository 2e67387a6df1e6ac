"""The worker processes: deaths, ends, and everything that can be missing or broken."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mobility.conftest import alive, children, needs_sumo, same, shape, start_script, take
from tests.waiting import LIMIT_S, wait_until
from vec_envs.mobility import SumoMobility, TrafficError, sumo_pool
from vec_envs.mobility.sumo import FIRST_TAPE, SumoBackend

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
LONG = shape(slots=100, slot_s=0.1)
"""Episodes that take so long to simulate that a worker is in the middle of a tape when the first one is here."""
BOTH = ["libsumo", pytest.param("traci", marks=needs_sumo)]


@pytest.mark.slow
@linux
@pytest.mark.parametrize("backend", BOTH)
def test_a_killed_worker_is_replaced_and_gives_the_same(backend: SumoBackend, caplog: pytest.LogCaptureFixture) -> None:
    mobility = SumoMobility(sumo_backend=backend)
    undisturbed = take(mobility.blocks(0, LONG), 12)
    iterator = mobility.blocks(0, LONG)
    disturbed = take(iterator, FIRST_TAPE + 1)
    (pid,) = mobility.worker_pids
    programs = children(pid)
    os.kill(pid, signal.SIGKILL)
    with caplog.at_level(logging.WARNING, logger="vec_envs.mobility"):
        disturbed += take(iterator, 12 - len(disturbed))
    assert same(undisturbed, disturbed)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert mobility.worker_pids != [pid]
    mobility.close()
    wait_until(lambda: not any(map(alive, programs)), "the end of the programs")


@pytest.mark.slow
@linux
@needs_sumo
def test_a_killed_sumo_program_is_replaced_too(caplog: pytest.LogCaptureFixture) -> None:
    mobility = SumoMobility(sumo_backend="traci")
    undisturbed = take(mobility.blocks(0, LONG), 12)
    iterator = mobility.blocks(0, LONG)
    disturbed = take(iterator, FIRST_TAPE + 1)
    (program,) = children(mobility.worker_pids[0])
    os.kill(program, signal.SIGKILL)
    with caplog.at_level(logging.WARNING, logger="vec_envs.mobility"):
        disturbed += take(iterator, 12 - len(disturbed))
    assert same(undisturbed, disturbed)
    assert "died" in caplog.text
    mobility.close()


def test_a_worker_that_always_dies_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    mobility = SumoMobility()
    with pytest.raises(TrafficError, match=r"died 3 times in a row \(exit status 1\) with .*net\.xml"):
        next(mobility.blocks(0, shape()))
    mobility.close()


@linux
@pytest.mark.parametrize("backend", BOTH)
def test_close_ends_every_process(backend: SumoBackend) -> None:
    mobility = SumoMobility(sumo_backend=backend, num_workers=2)
    iterators = [mobility.blocks(seed, shape()) for seed in range(2)]
    for iterator in iterators:
        next(iterator)
    pids = [pid for worker in mobility.worker_pids for pid in (worker, *children(worker))]
    assert all(map(alive, pids))
    mobility.close()
    mobility.close()
    assert not any(map(alive, pids))
    with pytest.raises(TrafficError, match="closed"):
        take(iterators[0], 100)
    with pytest.raises(TrafficError, match="closed"):
        next(mobility.blocks(0, shape()))


@pytest.mark.slow
@linux
def test_close_kills_a_worker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sumo_pool, "GRACE_S", 0.2)
    mobility = SumoMobility()
    next(mobility.blocks(0, shape()))
    (pid,) = mobility.worker_pids
    os.kill(pid, signal.SIGSTOP)
    mobility.close()
    assert not alive(pid)


@linux
def test_a_forgotten_mobility_ends_its_worker() -> None:
    mobility = SumoMobility()
    next(mobility.blocks(0, shape()))
    (pid,) = mobility.worker_pids
    del mobility
    gc.collect()
    assert not alive(pid)


def test_close_frees_a_thread_that_waits() -> None:
    mobility = SumoMobility()
    iterator = mobility.blocks(0, shape(slots=500))
    errors: list[Exception] = []

    def wait() -> None:
        try:
            take(iterator, 10_000)
        except TrafficError as error:
            errors.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    wait_until(lambda: bool(mobility.worker_pids), "the start of a worker")
    mobility.close()
    thread.join(timeout=LIMIT_S)
    assert len(errors) == 1


SETUP = """
from itertools import islice
from vec_envs.mobility import EpisodeShape, SumoMobility
shape = EpisodeShape(num_client_vehicles=7, num_service_vehicles=5, num_slots=6, slot_s=1.0)
mobility = SumoMobility(sumo_backend={backend!r})
iterator = mobility.blocks(0, shape)
"""


def test_an_unguarded_script_works_and_ends(tmp_path: Path) -> None:
    process = start_script(
        tmp_path / "script.py", SETUP.format(backend="libsumo") + "print(len(list(islice(iterator, 3))))"
    )
    assert process.communicate(timeout=LIMIT_S) == ("3\n", "")


@pytest.mark.slow
@linux
@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_when_their_parent_is_killed(backend: str, blow: signal.Signals, tmp_path: Path) -> None:
    process = start_script(
        tmp_path / "script.py",
        SETUP.format(backend=backend)
        + "next(iterator)\nprint(*mobility.worker_pids, flush=True)\nfor _ in iterator: pass",
    )
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    pids = [worker, *children(worker)]
    assert all(map(alive, pids))
    # As Ctrl-C does it: to every process of the terminal's group.
    os.killpg(process.pid, blow)
    _, errors = process.communicate(timeout=LIMIT_S)
    wait_until(lambda: not any(map(alive, pids)), "the end of the processes")
    assert errors.count("Traceback") == (1 if blow == signal.SIGINT else 0)


@pytest.mark.slow
@linux
def test_a_forked_process_continues_independently(tmp_path: Path) -> None:
    script = SETUP.format(backend="libsumo") + (
        "import os\n"
        "first = next(iterator)\n"
        "child = os.fork()\n"
        "places = [float(block.client_xy_m.sum()) for block in islice(iterator, 8)]\n"
        "print(places, flush=True)\n"
        "mobility.close()\n"
        "if child: print(os.waitpid(child, 0)[1])\n"
    )
    process = start_script(tmp_path / "script.py", script)
    output, _ = process.communicate(timeout=LIMIT_S)
    one, other, status = output.splitlines()
    assert one == other
    assert status == "0"


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize(
    ("file_name", "change", "words"),
    [
        ("net.xml", lambda text: text[:900], "net.xml' |  At line"),
        ("rou.xml", lambda text: text.replace('edges="road"', 'edges="away"'), "'away'"),
        (
            "rou.xml",
            lambda text: text.replace("</routes>", '<trip id="late" depart="9" from="away"/></routes>'),
            "'away'",
        ),
    ],
)
def test_a_broken_scenario_is_explained_by_sumo(
    edited_scenario: Callable[..., Path], backend: SumoBackend, file_name: str, change: Callable[[str], str], words: str
) -> None:
    mobility = SumoMobility(edited_scenario(file_name, change), sumo_backend=backend)
    with pytest.raises(TrafficError, match=r"SUMO cannot run .*net\.xml with .*rou\.xml") as raised:
        take(mobility.blocks(0, shape()), 3)
    assert words in str(raised.value)
    assert mobility.worker_pids == []
    mobility.close()


def _fake_package(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("raise ModuleNotFoundError('No module named libsumo')", "pip install libsumo"),
        ("raise ImportError('libatomic.so.1: cannot open shared object file')", "apt-get install libatomic1"),
    ],
)
def test_a_missing_libsumo_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, advice: str
) -> None:
    _fake_package(tmp_path, "libsumo", text, monkeypatch)
    mobility = SumoMobility()
    with pytest.raises(TrafficError, match=advice):
        next(mobility.blocks(0, shape()))
    mobility.close()


def test_a_missing_sumo_program_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_package(tmp_path, "sumo", "", monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    mobility = SumoMobility(sumo_backend="traci")
    with pytest.raises(TrafficError, match=r"pip install \"vec-envs\[sumo\]\""):
        next(mobility.blocks(0, shape()))
    mobility.close()


@linux
def test_a_system_library_that_sumo_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_package(tmp_path, "sumo", "", monkeypatch)
    program = tmp_path / "sumo" / "bin" / "sumo"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho error while loading shared libraries: libGL.so.1 >&2\nexit 127\n")
    program.chmod(0o755)
    mobility = SumoMobility(sumo_backend="traci")
    with pytest.raises(TrafficError, match=r"apt-get install libatomic1 .* libgl1.*: error .* libGL\.so\.1"):
        next(mobility.blocks(0, shape()))
    mobility.close()


@linux
def test_the_gui_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    mobility = SumoMobility(sumo_backend="traci-gui")
    with pytest.raises(TrafficError, match="DISPLAY"):
        next(mobility.blocks(0, shape()))
    mobility.close()
