"""Vehicles that come and go: live SUMO, recordings and the straight road hold the same promises."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from tests.mobility.conftest import assert_seats_hold, needs_sumo, of_seats, same, shape, take
from vec_envs.mobility import (
    Mobility,
    ReplayMobility,
    Scenario,
    StraightMobility,
    SumoMobility,
    TrafficError,
    TrafficWindow,
    make_mobility,
)
from vec_envs.mobility.sumo import FIRST_TAPE
from vec_envs.mobility.sumo_worker.windows import MAX_MISSES

SEATS = shape(15, 3, slots=61, come_and_go=True)
TOP_SPEED_MPS = Scenario.load("two-way-road").top_speed_mps


@pytest.fixture(scope="module")
def two_way() -> Iterator[SumoMobility]:
    mobility = SumoMobility("two-way-road")
    yield mobility
    mobility.close()


def test_seats_on_live_traffic(two_way: SumoMobility) -> None:
    for wanted in (SEATS, shape(20, 5, slots=30, slot_s=0.5, come_and_go=True)):
        for block in take(two_way.blocks(0, wanted), 4):
            assert_seats_hold(two_way, block, top_speed_mps=TOP_SPEED_MPS, slot_s=wanted.slot_s)


@pytest.mark.parametrize("scenario", ["fdr-drive", "motorway"])
def test_seats_on_roads_of_one_way(scenario: str) -> None:
    mobility = SumoMobility(scenario)
    for block in take(mobility.blocks(0, shape(7, 5, slots=61, come_and_go=True)), 3):
        assert_seats_hold(mobility, block, top_speed_mps=Scenario.load(scenario).top_speed_mps)
        assert of_seats(block, "vehicle").max() > 12
        assert (of_seats(block, "speed_mps") >= 0.0).all()
    mobility.close()


@pytest.mark.parametrize("source", [pytest.param("sumo", marks=needs_sumo), "replay"])
def test_seats_on_a_street_with_signals_and_cross_traffic(source: str) -> None:
    mobility, wanted = make_mobility(source, scenario="arterial"), shape(8, 6, 241, 0.5, True)
    try:
        assert mobility.road == Scenario.load("arterial").road
        for block in take(mobility.blocks(0, wanted), 2):
            assert_seats_hold(mobility, block, top_speed_mps=20.9, slot_s=0.5, rounding_m=1 / 16)
            vehicle, speed_mps = of_seats(block, "vehicle"), of_seats(block, "speed_mps")
            assert vehicle.max() > 14  # some leave, and others take their seats
            assert 0.1 < (np.abs(speed_mps) < 0.1).mean() < 0.6  # some wait at signals
            assert np.abs(of_seats(block, "xy_m")[..., 1]).max() < 6.5  # none is from a street that crosses
            assert {-1.0, 1.0} <= set(np.sign(speed_mps).ravel().tolist())
    finally:
        mobility.close()


@pytest.mark.parametrize("wanted", [SEATS, shape(10, 0, slots=2, come_and_go=True), shape(25, 0, 201, 1.0, True)])
def test_seats_on_a_recording(wanted) -> None:
    mobility = ReplayMobility("two-way-road")
    for block in take(mobility.blocks(0, wanted), 10):
        assert_seats_hold(mobility, block, top_speed_mps=TOP_SPEED_MPS, rounding_m=1 / 32)


def test_a_window_holds_the_stays_of_vehicles(two_way: SumoMobility) -> None:
    for window in islice(two_way.windows(3, SEATS), 3):
        present, first = window.present, window.present.argmax(axis=0)
        stop = first + present.sum(axis=0)
        assert (present.sum(axis=0) >= 2).all()
        assert ((np.diff(present.astype(int), axis=0, prepend=0) == 1).sum(axis=0) == 1).all()
        assert (np.diff(first) >= 0).all()
        for quantity in (window.xy_m, window.position_m, window.speed_mps):
            assert (quantity[~present] == 0.0).all()
        vehicle = np.arange(len(first))
        forward_mps = window.position_m[first + 1, vehicle] - window.position_m[first, vehicle]
        assert np.allclose(window.speed_mps[first, vehicle], forward_mps, atol=1e-9)
        backward_mps = window.position_m[stop - 1, vehicle] - window.position_m[stop - 2, vehicle]
        assert np.allclose(window.speed_mps[stop - 1, vehicle], backward_mps, atol=1e-9)
        edge_m = np.abs(window.position_m[first, vehicle])[first > 0]
        assert len(edge_m) > 5
        assert ((edge_m > 970.0) & (edge_m < 1000.0)).all()


def test_traffic_does_not_depend_on_the_requested_roles(two_way: SumoMobility) -> None:
    passing = next(two_way.windows(4, SEATS))
    staying = next(two_way.windows(4, shape(1, 0, slots=61)))
    throughout = passing.present.all(axis=0)
    assert throughout.sum() > 5
    assert np.array_equal(passing.xy_m[:, throughout], staying.xy_m)
    assert np.array_equal(passing.speed_mps[1:, throughout], staying.speed_mps[1:])
    assert np.array_equal(np.sign(passing.speed_mps[0, throughout]), np.sign(staying.speed_mps[0]))
    assert {-1.0, 1.0} == set(np.sign(staying.speed_mps[0]))


@pytest.mark.parametrize("start", [1, FIRST_TAPE, 7])
def test_starting_at_an_episode_equals_skipping_the_earlier_ones(two_way: SumoMobility, start: int) -> None:
    for mobility in (two_way, ReplayMobility("two-way-road"), StraightMobility()):
        skipped = take(mobility.blocks(4, SEATS), start + 2)[start:]
        assert same(skipped, take(mobility.blocks(4, SEATS, start=start), 2))
        assert not same(skipped, take(mobility.blocks(5, SEATS, start=start), 2))


def test_other_workers_and_interleaved_iterators_give_the_same_bits(two_way: SumoMobility) -> None:
    other = SumoMobility("two-way-road", num_workers=2)
    shapes = [SEATS, shape(7, 5, slots=20), shape(15, 3, slots=20, come_and_go=True)]
    iterators = [other.blocks(seed, wanted) for seed, wanted in enumerate(shapes)]
    turns = [[next(iterator) for iterator in iterators] for _ in range(5)]
    for seed, (wanted, blocks) in enumerate(zip(shapes, zip(*turns, strict=True), strict=True)):
        assert same(blocks, take(two_way.blocks(seed, wanted), 5))
    other.close()


@needs_sumo
def test_traci_and_libsumo_give_the_same_bits(two_way: SumoMobility) -> None:
    traci = make_mobility("sumo", scenario="two-way-road", sumo_backend="traci")
    assert same(take(traci.blocks(5, SEATS), FIRST_TAPE + 2), take(two_way.blocks(5, SEATS), FIRST_TAPE + 2))
    traci.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kills by signal")
def test_a_killed_worker_is_replaced_and_gives_the_same(caplog: pytest.LogCaptureFixture) -> None:
    mobility, wanted = SumoMobility("two-way-road"), shape(10, 0, slots=200, come_and_go=True)
    undisturbed = take(mobility.blocks(0, wanted), 8)
    iterator = mobility.blocks(0, wanted)
    disturbed = take(iterator, FIRST_TAPE + 1)
    os.kill(mobility.worker_pids[0], signal.SIGKILL)
    with caplog.at_level(logging.WARNING, logger="vec_envs.mobility"):
        disturbed += take(iterator, 8 - len(disturbed))
    assert same(undisturbed, disturbed)
    assert "died" in caplog.text
    mobility.close()


@pytest.mark.slow
def test_too_few_vehicles_raise_an_error_with_advice(two_way: SumoMobility) -> None:
    with pytest.raises(TrafficError, match=rf"{MAX_MISSES} windows .* in range in the first slot, .* 99 clients"):
        next(two_way.blocks(0, shape(99, 0, slots=3, come_and_go=True)))
    words = r"99 clients and 0 service vehicles \(at most \d\d in all in the first slot\); ask for fewer"
    with pytest.raises(TrafficError, match=words):
        ReplayMobility("two-way-road").blocks(0, shape(99, 0, slots=3, come_and_go=True))


def test_roles_are_limited_to_their_vehicle_types(edited_scenario) -> None:
    roles = 'client_types = ["car"]\nservice_types = ["van"]\n[road]'
    mobility = SumoMobility(edited_scenario("scenario.toml", lambda text: text.replace("[road]", roles)))
    wanted = shape(9, 4, slots=61, come_and_go=True)
    for block, window in zip(take(mobility.blocks(0, wanted), 3), mobility.windows(0, wanted), strict=False):
        assert (window.may_be_client ^ window.may_be_service).all()
        for role, vehicle in (
            (window.may_be_client, block.client_vehicle),
            (window.may_be_service, block.service_vehicle),
        ):
            places = block.client_xy_m if vehicle is block.client_vehicle else block.service_xy_m
            assert vehicle.max() > 13
            assert np.isin(places[vehicle >= 0][:, 0], window.xy_m[:, role][..., 0]).all()
            assert not np.isin(places[vehicle >= 0][:, 0], window.xy_m[:, ~role][..., 0]).any()
    mobility.close()


@pytest.mark.slow
def test_the_two_way_road_is_stationary_and_never_short_of_vehicles(two_way: SumoMobility) -> None:
    wanted = shape(25, 0, slots=201, come_and_go=True)
    windows = [window for seed in range(6) for window in islice(two_way.windows(seed, wanted), 2)]
    windows += islice(two_way.windows(0, wanted, start=30), 32)  # one simulation of 6,400 s
    ahead = np.array([(window.present & (window.speed_mps > 0.0)).sum(axis=1) for window in windows])
    back = np.array([(window.present & (window.speed_mps < 0.0)).sum(axis=1) for window in windows])
    assert (ahead + back).min() >= 25
    assert 44.0 < (ahead + back).mean() < 51.0
    assert abs(ahead.mean() - back.mean()) < 2.0
    for part in (ahead + back)[:12:2], (ahead + back)[1:12:2], (ahead + back)[12:28], (ahead + back)[28:]:
        assert abs(part.mean() - (ahead + back).mean()) < 2.0
    assert 0.85 < _mean_speed_mps(windows) / two_way.road.speed_limit_mps < 1.0


def _mean_speed_mps(windows: list[TrafficWindow]) -> float:
    return float(np.concatenate([np.abs(window.speed_mps[window.present]) for window in windows]).mean())


def test_vehicles_keep_to_their_side_of_the_road(two_way: SumoMobility) -> None:
    for mobility in (two_way, ReplayMobility("two-way-road"), StraightMobility()):
        block = next(mobility.blocks(0, SEATS))
        y_m, speed_mps = block.client_xy_m[..., 1], block.client_speed_mps
        assert (np.sign(y_m) == -np.sign(speed_mps))[np.abs(speed_mps) > 1.0].all()
        assert (speed_mps > 5.0).any()
        assert (speed_mps < -5.0).any()


@pytest.mark.parametrize("source", ["sumo", "replay", "straight"])
def test_a_road_where_all_stay_has_the_same_seats_throughout(source: str, live: SumoMobility) -> None:
    mobility: Mobility = live if source == "sumo" else make_mobility(source)
    block = next(mobility.blocks(0, shape(7, 5, slots=31)))
    assert (of_seats(block, "vehicle") == np.arange(12)).all()
