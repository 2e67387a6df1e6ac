"""Which vehicles a worker lets into a window, on a simulator that misbehaves on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from vec_envs.mobility import sumo_worker
from vec_envs.mobility.sumo_worker import Place, Server, Tape, WorkerError

SETTINGS: dict[str, Any] = {
    "backend": "libsumo",
    "net_file": "net.xml",
    "route_files": ["rou.xml"],
    "warm_up_s": 0.0,
    "top_speed_mps": 30.0,
    "client_types": None,
    "service_types": ["bus"],
    "rsu_xyz_m": (0.0, 30.0, 40.0),
    "range_m": 130.0,
}
"""In range are the points of the axis y = 0 with |x| <= 120."""

ROUTES: dict[str, list[Place | None]] = {
    "stays": [(-100.0, 0.0), (-80.0, 0.0), (-60.0, 0.0)],
    "just in": [(-120.0, 0.0), (0.0 - 100.0, 0.0), (-90.0, 0.0)],
    "enters late": [(-121.0, 0.0), (-100.0, 0.0), (-80.0, 0.0)],
    "leaves range": [(80.0, 0.0), (100.0, 0.0), (121.0, 0.0)],
    "leaves road": [(80.0, 0.0), (100.0, 0.0), None],
    "teleports": [(-50.0, 0.0), (-19.0, 0.0), (0.0, 0.0)],
    "bus": [(0.0, 0.0), (30.0, 0.0), (60.0, 0.0)],
}


class Script:
    """Replays `ROUTES`, again and again."""

    def __init__(self) -> None:
        self.loads = self.steps = 0

    def load(self, arguments: list[str]) -> None:
        self.loads += 1
        self.steps = 0

    def step(self) -> None:
        self.steps += 1

    def vehicle_ids(self) -> list[str]:
        return list(ROUTES)

    def vehicle_type(self, vehicle: str) -> str:
        return vehicle

    def places(self, vehicles: list[str]) -> list[Place | None]:
        return [ROUTES[vehicle][(self.steps - 1) % 3] for vehicle in vehicles]

    def speeds(self, vehicles: list[str]) -> list[float]:
        return [20.0] * len(vehicles)

    def close(self) -> None: ...


def tape(clients: int = 1, services: int = 1, slots: int = 3) -> Tape:
    return Tape(seed=0, num_slots=slots, slot_ms=1000, num_clients=clients, num_services=services)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def server(script: Script, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(sumo_worker, "_simulator", lambda settings: script)
    return Server(SETTINGS)


def test_a_window_holds_who_is_there_in_range_without_teleports(server: Server) -> None:
    window = server.window(tape(), 0)
    assert list(window.places) == ["stays", "just in", "bus"]
    assert window.places["bus"] == ROUTES["bus"]
    assert window.may_be_client == [True, True, True]
    assert window.may_be_service == [False, False, True]
    assert len(window.numbers()) == 8 * 3 * (1 + 2 * 3)


@pytest.mark.parametrize(("clients", "services", "enough"), [(2, 1, True), (3, 0, True), (3, 1, False), (1, 2, False)])
def test_roles_are_counted_without_overlap(server: Server, clients: int, services: int, enough: bool) -> None:
    assert server.window(tape(), 0).suffices(tape(clients, services)) is enough


def test_a_road_that_never_has_enough_is_given_up(server: Server) -> None:
    with pytest.raises(WorkerError, match=r"at most 3 vehicles in range throughout, asked for are 3 clients and 1 "):
        server.window(tape(3, 1), 0)


def test_only_an_earlier_window_needs_a_new_simulation(server: Server, script: Script) -> None:
    first, second = (server.window(tape(slots=2), index) for index in range(2))
    assert script.loads == 1
    assert server.window(tape(slots=2), 0) == first
    assert script.loads == 2
    assert server.window(tape(slots=2), 1) == second
    assert script.loads == 2
    server.window(tape(slots=3), 1)
    assert script.loads == 3
