"""Streets by name, units beside them, and the times of demand; nothing here needs SUMO's programs."""

from __future__ import annotations

import gzip
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sumo_scenarios.importing.placing import along, at_junctions, proposed_range
from sumo_scenarios.importing.streets import find_street, opposite, streets_of
from sumo_scenarios.measuring.needs import Need, Roles, possible
from sumo_scenarios.measuring.trace import Trace
from sumo_scenarios.sumo_files.demand import demand_of
from sumo_scenarios.sumo_files.network import Network, NetworkEdge, length_of, point_on
from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import kind_of, seconds
from vec_envs.mobility import EpisodeShape


def edge(name: str, street: str, *line: tuple[float, float], after: tuple[str, ...] = ()) -> NetworkEdge:
    return NetworkEdge(
        name=name, street=street, line=line, length_m=length_of(line), speed_limit_mps=14.0, num_lanes=2, after=after
    )


def network(*edges: NetworkEdge, signals: tuple[tuple[float, float], ...] = ()) -> Network:
    places = np.array(signals, np.float64).reshape(-1, 2)
    return Network(edges={e.name: e for e in edges}, junctions_xy_m=places, signals_xy_m=places)


TOWN = network(
    edge("a", "Main", (0.0, 0.0), (500.0, 0.0), after=("b", "ramp")),
    edge("b", "Main", (500.0, 0.0), (900.0, 50.0), after=("-b",)),
    edge("-b", "Main", (900.0, 60.0), (500.0, 10.0), after=("-a",)),
    edge("-a", "Main", (500.0, 10.0), (0.0, 10.0), after=("a",)),
    edge("ramp", "Side", (500.0, 0.0), (500.0, -200.0)),
    edge("nameless", "", (0.0, 0.0), (0.0, 5000.0)),
)


def test_a_street_is_followed_in_each_direction_and_does_not_turn_back() -> None:
    titles = {s.title: [e.name for e in s.edges] for s in streets_of(TOWN)}
    assert titles == {"Main Eastbound": ["a", "b"], "Main Westbound": ["-b", "-a"], "Side Southbound": ["ramp"]}
    east = find_street(TOWN, " main  eastbound")
    assert east.line == ((0.0, 0.0), (500.0, 0.0), (900.0, 50.0))
    back = opposite(TOWN, east)
    assert back is not None
    assert back.title == "Main Westbound"
    assert opposite(TOWN, find_street(TOWN, "Side")) is None


@pytest.mark.parametrize(("wanted", "said"), [("Mian", "'Main Eastbound': 903 m"), ("Elsewhere", "'Side Southbound'")])
def test_an_unknown_street_lists_the_candidates(wanted: str, said: str) -> None:
    with pytest.raises(ImportRefusal, match=said):
        find_street(TOWN, wanted)


def test_units_stand_right_of_a_street_in_its_order() -> None:
    places = along(((0.0, 0.0), (600.0, 0.0), (1000.0, 0.0)), count=4, every_m=None)
    assert places.units == ((125.0, -10.0, 8.0), (375.0, -10.0, 8.0), (625.0, -10.0, 8.0), (875.0, -10.0, 8.0))
    assert places.own == places.units[1]
    assert len(along(((0.0, 0.0), (1000.0, 0.0)), count=4, every_m=150.0).units) == 7


def still(*places: tuple[float, float], seconds: int = 40, types: tuple[str, ...] = ()) -> Trace:
    """Vehicles that stand; each is there for `seconds`."""
    count = len(places)
    return Trace(
        first_s=100.0,
        last_s=100.0 + seconds,
        ended="measured",
        version="",
        persons=0,
        types=types or ("car",) * count,
        classes=("passenger",) * count,
        teleports=np.zeros(seconds, np.int64),
        collisions=np.zeros(seconds, np.int64),
        vehicle=np.tile(np.arange(count), seconds),
        slot=np.repeat(np.arange(seconds), count),
        xy_m=np.tile(np.array(places, np.float32), (seconds, 1)),
        speed_mps=np.zeros(count * seconds, np.float32),
    )


def test_units_stand_where_the_traffic_is() -> None:
    signals = ((0.0, 0.0), (2000.0, 0.0), (1000.0, 0.0))
    trace = still((2000.0, 20.0), (2000.0, 40.0), (1000.0, 10.0))
    places = at_junctions(network(*TOWN.edges.values(), signals=signals), trace, count=2, box=None)
    assert [unit[:2] for unit in places.units] == [(2000.0, 0.0), (1000.0, 0.0)]
    boxed = at_junctions(network(*TOWN.edges.values(), signals=signals), trace, count=1, box=(-10.0, -9.0, 10.0, 9.0))
    assert boxed.own[:2] == (0.0, 0.0)
    with pytest.raises(ImportRefusal, match="--box"):
        at_junctions(TOWN, trace, count=1, box=(1e6, 1e6, 2e6, 2e6))


def test_units_along_roads_stay_on_them_whatever_length_sumo_gives_an_edge() -> None:
    """A network may state another length of an edge than that of its line, and repeat a point of the line."""
    road = replace(edge("a", "", (0.0, 0.0), (300.0, 0.0), (300.0, 0.0)), length_m=900.0)
    places = at_junctions(network(road), still((150.0, 0.0)), count=3, box=None)
    assert {unit[:2] for unit in places.units} == {(0.0, 0.0), (100.0, -10.0), (200.0, -10.0)}


def test_a_line_goes_on_straight_beyond_its_end_and_needs_two_points() -> None:
    corner = ((0.0, 0.0), (10.0, 0.0), (10.0, 20.0))
    assert point_on(corner, 10.0) == ((10.0, 0.0), (1.0, 0.0))
    assert point_on(corner, 35.0) == ((10.0, 25.0), (0.0, 1.0))
    with pytest.raises(ValueError, match="two different points"):
        point_on(((1.0, 1.0), (1.0, 1.0)), 0.0)


def need(clients: int, services: int, slots: int = 10, come_and_go: bool = False) -> Need:
    shape = EpisodeShape(
        num_client_vehicles=clients,
        num_service_vehicles=services,
        num_slots=slots,
        slot_s=1.0,
        come_and_go=come_and_go,
    )
    return Need(environment="X", shape=shape, num_units=1)


def test_an_episode_needs_vehicles_that_stay_and_have_the_roles() -> None:
    trace = still((100.0, 0.0), (250.0, 0.0), (900.0, 0.0), types=("car", "van", "car"))
    roles = Roles(client_types=("car",), service_types=("van",))
    assert possible(trace, need(1, 1), roles, (0.0, 0.0, 8.0), 300.0).sum() == 31
    assert not possible(trace, need(2, 0), roles, (0.0, 0.0, 8.0), 300.0).any()
    assert possible(trace, need(2, 0), Roles(), (0.0, 0.0, 8.0), 300.0).all()
    gone = still((100.0, 0.0), (250.0, 0.0), seconds=40)
    kept = gone.slot < np.where(gone.vehicle == 0, 40, 15)
    short = Trace(**{**vars(gone), **{k: getattr(gone, k)[kept] for k in ("vehicle", "slot", "xy_m", "speed_mps")}})
    assert possible(short, need(2, 0), Roles(), (0.0, 0.0, 8.0), 300.0).tolist() == [True] * 6 + [False] * 25
    assert possible(short, need(2, 0, 10, True), Roles(), (0.0, 0.0, 8.0), 300.0).sum() == 14


def test_the_range_is_the_smallest_that_suffices() -> None:
    trace = still((100.0, 0.0), (450.0, 0.0), (900.0, 0.0))
    unit = (0.0, 0.0, 8.0)
    assert proposed_range(trace, [need(1, 1)], Roles(), unit, 2000.0) == 500.0
    assert proposed_range(trace, [need(1, 0)], Roles(), unit, 2000.0) == 200.0
    assert proposed_range(trace, [need(9, 0)], Roles(), unit, 900.0) == 750.0


def test_the_times_of_demand(tmp_path: Path) -> None:
    routes = tmp_path / "rou.xml.gz"
    routes.write_bytes(
        gzip.compress(
            b'<routes><trip id="0" depart="6:30:00"/><flow id="1" begin="25200" end="1:00:00:00"/>'
            b'<person id="p" depart="5"/><vehicle id="2" depart="triggered"/></routes>'
        )
    )
    demand = demand_of([routes])
    assert (demand.first_s, demand.last_s, demand.vehicles, demand.flows, demand.persons) == (0.0, 86400.0, 2, 1, 1)
    routes.write_bytes(b'<routes><flow id="1" begin="25200" end="1000000"/></routes>')
    assert demand_of([routes]).last_s == math.inf
    assert seconds("1:00:00:30.5") == 86430.5
    with pytest.raises(ImportRefusal, match="got 'noon'"):
        seconds("noon")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<routes/>", "give the network first, and this file with --routes"),
        ("<additional/>", "with --additional"),
        ("<fcd-export/>", r"sumo_scenarios\.convert"),
        ("<html/>", "root element <html>"),
        ("no xml", "is not XML"),
        ("", "is not XML"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_what_it_is(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file.xml").write_text(text)
    with pytest.raises(ImportRefusal, match=said):
        kind_of(tmp_path / "file.xml")


def test_a_packed_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b'<?xml version="1.0"?><!-- made --><osm version="0.6"/>'))
    assert kind_of(tmp_path / "a.gz") == "map"
    (tmp_path / "a.sumocfg").write_text("<c/>")
    assert kind_of(tmp_path / "a.sumocfg") == "configuration"
