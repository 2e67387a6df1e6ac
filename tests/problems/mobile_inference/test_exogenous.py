"""The street: how links evolve, who comes and goes, and what arrives."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.made_up import assert_same
from vec_envs.mobility import EpisodeShape, Road, StillMobility, StraightMobility, TrafficBlock, TrafficError
from vec_envs.physics.channel import line_of_sight_probability, shannon_efficiency, street_efficiency
from vec_envs.problems.mobile_inference import Exogenous, MobileInference
from vec_envs.problems.mobile_inference.links import headings, link_states
from vec_envs.records import map_arrays, row_of, stack

SMALL = MobileInference(num_client_vehicles=3, num_service_vehicles=2, episode_slots=60)
ROAD = StraightMobility(range_m=300.0, speed_mps=14.0)


def block(seats: np.ndarray, step_m: float, clients: int) -> TrafficBlock:
    """Returns traffic along a line in which all vehicles drive alike; `seats` has the holder of each seat."""
    slots, count = seats.shape
    place = np.arange(slots)[:, None] * step_m + np.arange(count) * 10.0
    xy = np.stack([place, np.zeros_like(place)], axis=-1)
    speed = np.full(place.shape, 2.0 * step_m)
    return TrafficBlock(
        client_xy_m=xy[:, :clients],
        service_xy_m=xy[:, clients:],
        client_position_m=place[:, :clients],
        service_position_m=place[:, clients:],
        client_speed_mps=speed[:, :clients],
        service_speed_mps=speed[:, clients:],
        client_vehicle=seats[:, :clients],
        service_vehicle=seats[:, clients:],
    )


def episodes(problem: MobileInference, count: int) -> tuple[Exogenous, TrafficBlock]:
    """Returns the first episodes on a straight road, one seed each."""
    blocks = [next(ROAD.blocks(seed, problem.traffic_shape)) for seed in range(count)]
    draws = [problem.sample(np.random.default_rng(seed)) for seed in range(count)]
    return problem.exogenous(stack(draws), stack(blocks), ROAD.road), stack(blocks)


def test_links_decorrelate_with_the_metres_that_both_ends_drive() -> None:
    seats, step_m = np.broadcast_to(np.arange(21), (400, 21)), 5.0
    noise = np.random.default_rng(1).standard_normal((400, 20, 3, 2))
    states = link_states(noise, block(seats, step_m, clients=20))  # two units and one service vehicle
    np.testing.assert_allclose(states.std(axis=(0, 1)), 1.0, atol=0.12)
    now, later = states[:-1], states[1:]
    found = (now * later).mean(axis=(0, 1)) / (now**2).mean(axis=(0, 1))
    moved_m = np.array([[step_m], [step_m], [2.0 * step_m]])
    np.testing.assert_allclose(found, np.exp(-moved_m / np.array([50.0, 10.0])), atol=0.04)


def test_links_of_vehicles_that_stand_stay_and_those_of_new_vehicles_begin_anew() -> None:
    seats = np.array([[0, 1, 2], [0, 1, 2], [3, 1, 2], [3, 1, 4]])
    noise = np.random.default_rng(1).standard_normal((4, 2, 2, 2))  # one unit, one service vehicle
    states = link_states(noise, block(seats, 0.0, clients=2))
    np.testing.assert_array_equal(states[1], states[0])
    np.testing.assert_array_equal(states[2, 0], noise[2, 0])
    np.testing.assert_array_equal(states[2:, 1, 0], states[:2, 1, 0])
    np.testing.assert_array_equal(states[3, :, 1], noise[3, :, 1])


def test_an_empty_seat_hears_nothing_and_gets_no_tasks() -> None:
    problem = MobileInference(
        num_client_vehicles=2, num_service_vehicles=1, num_rsus=1, episode_slots=3, arrival_rate_hz=2.0
    )
    seats = np.array([[0, 1, 2], [0, -1, 2], [0, -1, -1], [0, 3, -1]])
    draws, road = problem.sample(np.random.default_rng(0)), StillMobility().road
    found = problem.exogenous(draws, block(seats, 1.0, clients=2), road)
    assert (found.v2i_efficiency[:, 0] > 0.0).all()
    assert (found.v2i_efficiency[1:3, 1] == 0.0).all()
    assert (found.v2v_efficiency[2:] == 0.0).all()
    np.testing.assert_array_equal(found.client_leaves, [[False, True], *[[False, False]] * 3])
    np.testing.assert_array_equal(found.service_leaves[:, 0], [False, True, False, False])
    np.testing.assert_array_equal(found.service_present[:, 0], [True, True, False, False])
    np.testing.assert_array_equal(found.arrives, [[True, False], [True, False], [True, False], [True, True]])
    assert found.client_ghz[0, 0] == found.client_ghz[3, 0]
    assert found.client_ghz[0, 1] != found.client_ghz[3, 1]


def test_episodes_do_not_depend_on_the_batch() -> None:
    found, blocks = episodes(SMALL, 3)
    for seed in range(3):
        draws = SMALL.sample(np.random.default_rng(seed))
        assert_same(row_of(found, seed), SMALL.exogenous(draws, row_of(blocks, seed), ROAD.road))


def test_the_slot_before_is_that_of_the_same_vehicles() -> None:
    found, blocks = episodes(SMALL, 2)
    same = (blocks.client_vehicle[:, 1:] == blocks.client_vehicle[:, :-1])[..., None]
    now, before = found.v2i_efficiency[:, 1:], found.v2i_efficiency_before[:, 1:]
    assert not same.all()
    np.testing.assert_array_equal(before, np.where(same, found.v2i_efficiency[:, :-1], now))
    np.testing.assert_array_equal(found.v2i_efficiency_before[:, 0], found.v2i_efficiency[:, 0])


def test_efficiencies_are_those_of_the_distances() -> None:
    plain = MobileInference(num_client_vehicles=3, num_service_vehicles=2, episode_slots=20, shadowing=False)
    found, blocks = episodes(plain, 1)
    sees = line_of_sight_probability(found.v2v_distance_m, link="v2v")
    clear, blocked = (
        street_efficiency(found.v2v_distance_m, z1, 0.0, link="v2v", bandwidth_mhz=10.0) for z1 in (-np.inf, np.inf)
    )
    np.testing.assert_allclose(found.v2v_efficiency, sees * clear + (1.0 - sees) * blocked, rtol=1e-12)
    between = blocks.client_xy_m[:, :, :, None] - blocks.service_xy_m[:, :, None]
    np.testing.assert_allclose(found.v2v_distance_m, np.hypot(between[..., 0], between[..., 1]), rtol=1e-12)


def test_units_stand_along_the_road() -> None:
    road = Road(name="x", rsu_xyz_m=(0.0, -9.0, 12.0), range_m=900.0, speed_limit_mps=14.0,
                axis_xy_m=((-900.0, 0.0), (900.0, 0.0)))  # fmt: skip
    problem = MobileInference(num_client_vehicles=1, num_service_vehicles=0, num_rsus=3, episode_slots=1)
    found = problem.exogenous(
        problem.sample(np.random.default_rng(0)), block(np.zeros((2, 1), dtype=int), 0.0, clients=1), road
    )
    np.testing.assert_array_equal(found.unit_position_m[0], [-600.0, 0.0, 600.0])
    np.testing.assert_allclose(found.v2i_distance_m[0, 0], [np.hypot(600.0, 15.0), 15.0, np.hypot(600.0, 15.0)])


LISTED = Road(name="listed", rsu_xyz_m=(100.0, -9.0, 12.0), range_m=900.0, speed_limit_mps=14.0,
              axis_xy_m=((-900.0, 0.0), (900.0, 0.0)),
              units_xyz_m=((-250.0, 9.0, 5.0), (100.0, -9.0, 12.0), (500.0, -9.0, 5.0)))  # fmt: skip


@pytest.mark.parametrize(("num_rsus", "at_m"), [(1, [0.0]), (2, [-350.0, 0.0]), (3, [-350.0, 0.0, 400.0])])
def test_the_units_that_a_road_lists_are_used(num_rsus: int, at_m: list[float]) -> None:
    problem = MobileInference(num_client_vehicles=2, num_service_vehicles=1, num_rsus=num_rsus, episode_slots=3)
    traffic = block(np.tile(np.arange(3), (4, 1)), 5.0, clients=2)  # client 0 drives from x = 0 m to x = 15 m
    found = problem.exogenous(problem.sample(np.random.default_rng(0)), traffic, LISTED)
    np.testing.assert_allclose(found.unit_position_m, np.tile(at_m, (4, 1)))
    places_m = np.array([place for place in LISTED.units_xyz_m if place[0] - 100.0 in at_m])
    expected = np.linalg.norm(places_m - np.array([15.0, 0.0, 0.0]), axis=-1)
    np.testing.assert_allclose(found.v2i_distance_m[3, 0], expected)
    ahead = problem.observe(problem.initial_state((1,)), map_arrays(lambda a: a[3:4], found))
    features = ahead[0, 0, problem.features.columns["unit_ahead"]] * 500.0
    np.testing.assert_allclose(features, np.array(at_m) - traffic.client_position_m[3, 0], rtol=1e-5)


def test_a_road_with_fewer_units_is_refused() -> None:
    problem = MobileInference(num_client_vehicles=2, num_service_vehicles=1, num_rsus=4, episode_slots=3)
    traffic = block(np.tile(np.arange(3), (4, 1)), 5.0, clients=2)
    words = "num_rsus must be at most 3, the number of roadside units on the road 'listed', got 4"
    with pytest.raises(TrafficError, match=words):
        problem.exogenous(problem.sample(np.random.default_rng(0)), traffic, LISTED)


def test_a_vehicle_that_stands_keeps_its_heading() -> None:
    speed = np.array([[0.0, 0.0], [-3.0, 0.0], [0.0, 0.0], [0.0, 5.0], [2.0, 0.0]])
    vehicle = np.array([[0, 1], [0, 1], [0, 1], [2, 3], [2, 3]])
    np.testing.assert_array_equal(headings(speed, vehicle).T, [[-1, -1, -1, 1, 1], [1, 1, 1, 1, 1]])


@pytest.mark.parametrize("link", ["v2i", "v2v"])
def test_efficiency_falls_with_distance_and_is_bounded(link: str) -> None:
    distance_m = np.geomspace(0.1, 2000.0, 300)
    sees = line_of_sight_probability(distance_m, link=link)
    assert (np.diff(sees) <= 0.0).all()
    assert sees[0] == 1.0
    for z1 in (-np.inf, np.inf):
        found = street_efficiency(distance_m, z1, 0.0, link=link)
        assert (np.diff(found) <= 0.0).all()
        assert found.max() == shannon_efficiency(22.0)
    assert street_efficiency(np.array([400.0, 400.1]), -np.inf, 0.0, link="v2v")[1] == 0.0
    np.testing.assert_array_equal(
        shannon_efficiency(np.array([-10.1, 22.0, 40.0]))[[0, 2]], [0.0, shannon_efficiency(22.0)]
    )


def test_an_unknown_link_is_refused() -> None:
    with pytest.raises(ValueError, match="link must be one of 'v2i', 'v2v', got 'x'"):
        street_efficiency(1.0, 0.0, 0.0, link="x")


@pytest.mark.parametrize(
    ("returned", "words"),
    [(np.zeros(3), "efficiency must return values of the shape"), (-1.0, "at least 0 bit/s/Hz, got -1.0")],
)
def test_a_wrong_channel_model_is_refused(returned: object, words: str) -> None:
    problem = MobileInference(
        num_client_vehicles=3, num_service_vehicles=2, episode_slots=4, efficiency=lambda *a, **k: returned
    )
    with pytest.raises(ValueError, match=words):
        episodes(problem, 1)


def test_a_channel_model_of_ones_own_is_used() -> None:
    def by_link(distance_m: np.ndarray, z1: np.ndarray, z2: np.ndarray, *, link: str, **_: float) -> np.ndarray:
        return np.full(distance_m.shape, 1.0 if link == "v2i" else 2.0)

    problem = MobileInference(num_client_vehicles=3, num_service_vehicles=2, episode_slots=4, efficiency=by_link)
    found, _ = episodes(problem, 1)
    assert (found.v2i_efficiency == 1.0).all()
    assert (found.v2v_efficiency == 2.0).all()


def test_the_traffic_comes_and_goes() -> None:
    shape = SMALL.traffic_shape
    assert shape == EpisodeShape(
        num_client_vehicles=3, num_service_vehicles=2, num_slots=61, slot_s=0.5, come_and_go=True
    )
    found, _ = episodes(SMALL, 2)
    assert found.client_leaves.any()
    assert found.service_leaves.any()
    for one, other in itertools.pairwise(range(2)):
        assert (found.v2i_efficiency[one] != found.v2i_efficiency[other]).any()


def test_on_a_road_without_an_axis_things_are_ahead_along_the_heading() -> None:
    area = replace(LISTED, axis_xy_m=(), rsu_xyz_m=(100.0, 40.0, 12.0), units_xyz_m=())
    problem = MobileInference(num_client_vehicles=1, num_service_vehicles=1, num_rsus=1, episode_slots=3)
    traffic = block(np.tile(np.arange(2), (4, 1)), 5.0, clients=1)
    turned = replace(traffic, client_xy_m=traffic.client_xy_m[..., ::-1], client_speed_mps=np.full((4, 1), 5.0))
    found = problem.exogenous(problem.sample(np.random.default_rng(0)), turned, area)
    assert found.in_plane.all()
    np.testing.assert_allclose(found.unit_ahead_m[:, 0, 0], 40.0 - turned.client_xy_m[:, 0, 1])
    between_m = turned.service_xy_m[:, 0] - turned.client_xy_m[:, 0]
    np.testing.assert_allclose(found.service_ahead_m[:, 0, 0], between_m[:, 1])
    np.testing.assert_allclose(found.service_faster_mps[:, 0, 0], -5.0, atol=1e-9)
    on_road = problem.exogenous(problem.sample(np.random.default_rng(0)), traffic, replace(LISTED, units_xyz_m=()))
    assert not on_road.in_plane.any()
    np.testing.assert_array_equal(
        on_road.unit_ahead_m[:, 0], on_road.client_heading * (on_road.unit_position_m - on_road.client_position_m)
    )
