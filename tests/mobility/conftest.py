"""What the tests of mobility share."""

from __future__ import annotations

import os
import subprocess
import sys
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


def shape(
    clients: int = 7, services: int = 5, slots: int = 6, slot_s: float = 1.0, come_and_go: bool = False
) -> EpisodeShape:
    return EpisodeShape(
        num_client_vehicles=clients,
        num_service_vehicles=services,
        num_slots=slots,
        slot_s=slot_s,
        come_and_go=come_and_go,
    )


def take(blocks: Iterable[TrafficBlock], number: int) -> list[TrafficBlock]:
    return list(islice(blocks, number))


def same(left: Iterable[TrafficBlock], right: Iterable[TrafficBlock]) -> bool:
    """Whether two lists of blocks agree bit for bit."""
    pairs = zip(left, right, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(astuple(x), astuple(y), strict=True))


def assert_in_range(mobility: Mobility, block: TrafficBlock) -> None:
    x, y, z = mobility.road.rsu_xyz_m
    for xy_m, vehicle in ((block.client_xy_m, block.client_vehicle), (block.service_xy_m, block.service_vehicle)):
        distance_m = np.sqrt(((xy_m - (x, y)) ** 2).sum(axis=-1) + z**2)
        assert (distance_m[vehicle >= 0] <= mobility.road.range_m + 0.1).all()


def of_seats(block: TrafficBlock, name: str) -> np.ndarray:
    """A quantity of all seats, the clients' first."""
    return np.concatenate((getattr(block, f"client_{name}"), getattr(block, f"service_{name}")), axis=1)


def assert_seats_hold(
    mobility: Mobility, block: TrafficBlock, *, top_speed_mps: float, slot_s: float = 1.0, rounding_m: float = 1e-9
) -> None:
    """What is true of every episode of vehicles that come and go, wherever its traffic is from."""
    assert_in_range(mobility, block)
    vehicle, xy_m, position_m, speed_mps = (
        of_seats(block, name) for name in ("vehicle", "xy_m", "position_m", "speed_mps")
    )
    held = vehicle >= 0
    assert held[0].all()
    assert (vehicle[~held] == -1).all()
    for quantity in (xy_m, position_m, speed_mps):
        assert (quantity[~held] == 0.0).all()
    _assert_a_number_is_one_stay(vehicle)
    stays = held[1:] & (vehicle[1:] == vehicle[:-1])
    assert np.hypot(*(xy_m[1:] - xy_m[:-1])[stays].T).max() <= top_speed_mps * slot_s + rounding_m
    moved_mps = (position_m[1:] - position_m[:-1]) / slot_s
    assert np.abs(moved_mps - speed_mps[1:])[stays].max() <= rounding_m / slot_s
    assert np.abs(moved_mps[0] - speed_mps[0])[stays[0]].max() <= rounding_m / slot_s


def _assert_a_number_is_one_stay(vehicle: np.ndarray) -> None:
    """Vehicles are numbered in order of first holding a seat; each holds one seat, in consecutive slots."""
    last_slot_and_seat: dict[int, tuple[int, int]] = {}
    for (slot, seat), number in np.ndenumerate(vehicle):
        if number in last_slot_and_seat:
            assert last_slot_and_seat[number] == (slot - 1, seat)
        elif number >= 0:
            assert number == len(last_slot_and_seat)
        if number >= 0:
            last_slot_and_seat[number] = (slot, seat)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


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
