"""Which vehicles a worker lets into a window, on a simulator that misbehaves on purpose."""

from __future__ import annotations

import gzip
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vec_envs.mobility.sumo_worker import windows
from vec_envs.mobility.sumo_worker.departures import first_departure_s, seconds_of
from vec_envs.mobility.sumo_worker.simulators import WorkerError
from vec_envs.mobility.sumo_worker.survey import Place, Survey, Vehicle
from vec_envs.mobility.sumo_worker.windows import Server, Tape, Window

SETTINGS: dict[str, Any] = {
    "backend": "libsumo",
    "folder": None,
    "net_file": "net.xml",
    "route_files": ["rou.xml"],
    "additional_files": [],
    "sumo": [],
    "warm_up_s": 0.0,
    "start_s": None,
    "end_s": None,
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

PASSING: dict[str, list[Place | None]] = {
    "comes": [None, (-100.0, 0.0), (-80.0, 0.0), (-60.0, 0.0)],
    "enters": [(-130.0, 0.0), (-110.0, 0.0), (-90.0, 0.0), (-70.0, 0.0)],
    "goes": [(60.0, 0.0), (80.0, 0.0), (100.0, 0.0), (121.0, 0.0)],
    "is seen once": [(110.0, 0.0), None, None, None],
    "comes last": [None, None, None, (-110.0, 0.0)],
    "returns": [(100.0, 0.0), (119.0, 0.0), (125.0, 0.0), (118.0, 0.0)],
    "stays": [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)],
    "teleports": [(-50.0, 0.0), (-19.0, 0.0), (0.0, 0.0), (5.0, 0.0)],
}


class Script:
    """Replays routes, again and again."""

    def __init__(self, routes: dict[str, list[Place | None]]) -> None:
        self.routes = routes
        self.loads = self.steps = 0

    def load(self, arguments: list[str]) -> None:
        self.loads += 1
        self.steps = 0

    def step(self) -> None:
        self.steps += 1

    def now(self, vehicle: str) -> Place | None:
        route = self.routes[vehicle]
        return route[(self.steps - 1) % len(route)]

    def vehicle_ids(self) -> list[str]:
        return [vehicle for vehicle in self.routes if self.now(vehicle)]

    def vehicle_type(self, vehicle: str) -> str:
        assert self.now(vehicle), "SUMO raises for a vehicle that left"
        return vehicle

    def places(self, vehicles: list[str]) -> list[Place | None]:
        return [self.now(vehicle) for vehicle in vehicles]

    def speeds(self, vehicles: list[str]) -> list[float]:
        return [20.0] * len(vehicles)

    def survey(self) -> Survey:
        vehicles = [
            Vehicle(type=name, vehicle_class="passenger", place=place)
            for name in self.routes
            if (place := self.now(name)) is not None
        ]
        return Survey(
            time_s=float(self.steps), vehicles=tuple(vehicles), expected=len(self.routes), corners=((0, 0), (1, 1))
        )

    def close(self) -> None: ...


def tape(clients: int = 1, services: int = 1, slots: int = 3, come_and_go: bool = False) -> Tape:
    return Tape(
        seed=0,
        num_slots=slots,
        slot_ms=1000,
        num_clients=clients,
        num_services=services,
        come_and_go=come_and_go,
    )


@pytest.fixture
def script() -> Script:
    return Script(ROUTES)


@pytest.fixture
def server(script: Script, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(windows, "simulator", lambda settings: script)
    return Server(SETTINGS)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(windows, "simulator", lambda settings: Script(PASSING))
    return Server(SETTINGS | {"service_types": ["goes"]})


def columns(window: Window) -> dict[str, list[Place]]:
    return {stay.vehicle: stay.places for stay in window.stays}


def test_a_window_holds_vehicles_that_stay_in_range_without_teleports(server: Server) -> None:
    window = server.window(tape(), 0)
    assert list(columns(window)) == ["stays", "just in", "bus"]
    assert columns(window)["bus"] == ROUTES["bus"]
    assert window.head() == {
        "first_slot": [0, 0, 0],
        "num_slots": [3, 3, 3],
        "may_be_client": [True, True, True],
        "may_be_service": [False, False, True],
    }
    assert len(window.numbers()) == 8 * 3 * (1 + 2 * 3)


def test_a_window_of_coming_and_going_holds_every_stay_of_two_slots(passing: Server) -> None:
    window = passing.window(tape(slots=4, come_and_go=True), 0)
    assert [(stay.vehicle, stay.first_slot) for stay in window.stays] == [
        ("goes", 0),
        ("returns", 0),
        ("stays", 0),
        ("comes", 1),
        ("enters", 1),
    ]
    assert columns(window)["goes"] == PASSING["goes"][:3]
    assert columns(window)["returns"] == PASSING["returns"][:2]
    assert columns(window)["comes"] == PASSING["comes"][1:]
    assert window.head()["num_slots"] == [3, 2, 4, 3, 3]
    assert window.head()["may_be_service"] == [True, False, False, False, False]
    assert len(window.numbers()) == 8 * 2 * (3 + 2 + 4 + 3 + 3)


def test_a_vehicle_that_returns_begins_a_new_stay(passing: Server) -> None:
    window = passing.window(tape(slots=6, come_and_go=True), 0)
    stays = [stay for stay in window.stays if stay.vehicle == "returns"]
    assert [(stay.first_slot, stay.places) for stay in stays] == [
        (0, PASSING["returns"][:2]),
        (3, [PASSING["returns"][3], *PASSING["returns"][:2]]),
    ]


def test_only_the_first_slot_must_have_enough(passing: Server) -> None:
    assert passing.window(tape(3, 0, 4, True), 0).stays
    words = (
        r"at most 3 vehicles in range in the first slot, but an episode needs 4 clients and 0 .*; ask for fewer, or use"
    )
    with pytest.raises(WorkerError, match=words):
        passing.window(tape(4, 0, 4, True), 0)


@pytest.mark.parametrize(("clients", "services", "enough"), [(2, 1, True), (3, 0, True), (3, 1, False), (1, 2, False)])
def test_roles_are_counted_without_overlap(server: Server, clients: int, services: int, enough: bool) -> None:
    assert (server.window(tape(), 0).share(tape(clients, services)) >= 1.0) is enough


def test_a_road_with_too_few_vehicles_raises_an_error(server: Server) -> None:
    with pytest.raises(
        WorkerError, match=r"at most 3 vehicles in range throughout, but an episode needs 3 clients and 1 "
    ):
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


class Ending(Script):
    """Replays a bus route, and notes with which options each simulation began."""

    def __init__(self) -> None:
        super().__init__({"bus": [(0.0, 0.0)] * 7 + [None] * 40})
        self.options: list[dict[str, str]] = []

    def load(self, arguments: list[str]) -> None:
        super().load(arguments)
        self.options.append(dict(pairwise(arguments)))

    def survey(self) -> Survey:
        return replace(super().survey(), expected=len(self.vehicle_ids()))


def test_demand_that_ends_begins_again_with_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Ending()
    monkeypatch.setattr(windows, "simulator", lambda settings: script)
    server = Server(SETTINGS)
    assert [len(server.window(tape(0, 1), index).stays) for index in range(5)] == [1] * 5
    assert len(script.options) == 3
    seeds = [options["--seed"] for options in script.options]
    assert seeds[0] == "0"
    assert len(set(seeds)) == 3
    server.window(tape(0, 1), 3)
    assert [options["--seed"] for options in script.options[3:]] == seeds[:2]
    assert not any("--begin" in options for options in script.options)


class Chancy(Ending):
    """Has a bus, and one car in some simulations only: in those that `full` lists."""

    def __init__(self, full: set[int]) -> None:
        super().__init__()
        self._bus, self._full = dict(self.routes), full

    def load(self, arguments: list[str]) -> None:
        super().load(arguments)
        car = {"car": self._bus["bus"]} if self.loads in self._full else {}
        self.routes = {**self._bus, **car}


@pytest.mark.parametrize(
    ("full", "continues", "plays", "loads"),
    [
        ({4}, False, 2, 4),  # a first window is looked for in some simulations, where vehicles are nearly enough
        ({30}, False, 0, windows.NEAR_FRESH),
        ({1, 40}, False, 4, 40),  # later ones are looked for in many
        ({30}, True, 1, 30),
    ],
)
def test_a_stream_survives_poor_simulations(
    full: set[int], continues: bool, plays: int, loads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Chancy(full)
    monkeypatch.setattr(windows, "simulator", lambda settings: script)
    server, of = Server(SETTINGS), replace(tape(1, 1), continues=continues)
    for index in range(plays):
        assert len(server.window(of, index).stays) == 2
    if plays == 0:
        with pytest.raises(WorkerError, match="at most 1 vehicles in range"):
            server.window(of, 0)
    assert script.loads == loads


def test_a_road_far_from_enough_traffic_is_refused_by_one_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Ending()
    monkeypatch.setattr(windows, "simulator", lambda settings: script)
    with pytest.raises(WorkerError, match="at most 1 vehicles in range"):
        Server(SETTINGS).window(tape(2, 1), 0)
    assert script.loads == 1


def test_windows_stay_within_the_hours_of_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Ending()
    monkeypatch.setattr(windows, "simulator", lambda settings: script)
    server = Server(SETTINGS | {"start_s": 100.0, "end_s": 200.0, "warm_up_s": 2.0})
    for index in range(40):
        server.window(tape(0, 1), index)
        now_s = float(script.options[-1]["--begin"]) + script.steps
        assert 105.0 <= now_s <= 200.0
    assert len({options["--begin"] for options in script.options}) > 10
    with pytest.raises(WorkerError, match=r"an episode of 99 slots of 1 s must fit .*start_s - warm_up_s = 98 s"):
        server.window(tape(0, 1, slots=99), 0)


def test_hours_without_any_traffic_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script({"far": [(900.0, 0.0)]})
    monkeypatch.setattr(windows, "simulator", lambda settings: script)
    with pytest.raises(WorkerError, match=r"up to 1 vehicles were on the road, but none in range"):
        Server(SETTINGS | {"end_s": 200.0}).window(tape(), 0)
    assert script.loads == windows.MAX_FRESH


def test_times_of_departure_are_read_as_sumo_writes_them(tmp_path: Path) -> None:
    assert [seconds_of(said) for said in ("27000", "7:30:00", "1:00:00:00")] == [27e3, 27e3, 86400.0]
    assert [seconds_of(said) for said in ("triggered", "7:30", "1:1:1:1:1", "")] == [None] * 4
    plain, packed, none = (tmp_path / name for name in ("a.rou.xml", "b.rou.xml.gz", "c.rou.xml"))
    plain.write_text('<routes><flow id="f" begin="90"/><trip id="t" depart="70"/></routes>', encoding="utf-8")
    packed.write_bytes(gzip.compress(b'<routes><vehicle id="v" depart="80"/></routes>'))
    none.write_text("<routes><vType id='car'/></routes>", encoding="utf-8")
    assert first_departure_s([str(plain), str(packed), str(none)]) == 70.0
    assert first_departure_s([str(packed)]) == 80.0
    assert first_departure_s([str(none), str(tmp_path / "missing.xml")]) is None
