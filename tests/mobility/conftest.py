"""What the tests of mobility share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vec_envs.mobility import EpisodeShape, Mobility, Scenario, SumoMobility, TrafficBlock

ROOT = Path(__file__).parents[2]
needs_sumo = pytest.mark.skipif(find_spec("sumo") is None, reason="needs eclipse-sumo")


def shape(clients: int = 7, services: int = 5, slots: int = 6, slot_s: float = 1.0) -> EpisodeShape:
    return EpisodeShape(num_client_vehicles=clients, num_service_vehicles=services, num_slots=slots, slot_s=slot_s)


def take(blocks: Iterable[TrafficBlock], number: int) -> list[TrafficBlock]:
    return list(islice(blocks, number))


def same(left: Iterable[TrafficBlock], right: Iterable[TrafficBlock]) -> bool:
    """Whether two lists of blocks agree bit for bit."""
    pairs = zip(left, right, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(astuple(x), astuple(y), strict=True))


def assert_in_range(mobility: Mobility, block: TrafficBlock) -> None:
    x, y, z = mobility.road.rsu_xyz_m
    for xy_m in (block.client_xy_m, block.service_xy_m):
        distance_m = np.sqrt(((xy_m - (x, y)) ** 2).sum(axis=-1) + z**2)
        assert (distance_m <= mobility.road.range_m + 0.1).all()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def wait_until(condition: Callable[[], bool], *, limit_s: float = 20.0) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def start_script(path: Path, text: str) -> subprocess.Popen[str]:
    """Runs a script as a user would, in a session of its own."""
    path.write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.fixture
def edited_scenario(tmp_path: Path) -> Callable[..., Path]:
    """Copies a shipped scenario and edits one of its files."""

    def edit(file_name: str, change: Callable[[str], str]) -> Path:
        source = Scenario.load("fdr-drive").net_file.parent
        folder = tmp_path / "mine"
        folder.mkdir()
        for path in source.glob("*.*ml"):
            text = path.read_text(encoding="utf-8")
            (folder / path.name).write_text(change(text) if path.name == file_name else text, encoding="utf-8")
        return folder

    return edit


@pytest.fixture(scope="module")
def live() -> Iterator[SumoMobility]:
    """One worker for all tests of a module."""
    mobility = SumoMobility()
    yield mobility
    mobility.close()
