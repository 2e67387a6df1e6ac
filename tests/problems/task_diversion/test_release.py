"""Which vehicles release tasks, when, and what the exogenous record of a task holds."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made_up import profile
from vec_envs.mobility.straight import StraightMobility
from vec_envs.mobility.traffic import Road, TrafficBlock, entry_slot
from vec_envs.physics.channel import v2i_rate_mbps
from vec_envs.problems.task_diversion.links import nearest_two
from vec_envs.problems.task_diversion.problem import Draws, Exogenous, TaskDiversion
from vec_envs.problems.task_diversion.release import leave_slot, releases
from vec_envs.records import stack

INF = np.inf
ROAD = Road(
    name="test",
    rsu_xyz_m=(0.0, -3.0, 4.0),
    range_m=2000.0,
    speed_limit_mps=20.0,
    axis_xy_m=((-1000.0, 0.0), (1000.0, 0.0)),
)
DNNS = tuple(profile(f"dnn{k}", (3.0 * (k + 1),), (1.0, 1.0)) for k in range(4))
HOLDERS = np.array([[0, 1, 2], [0, 3, 2], [-1, 3, 4], [5, 3, -1], [5, -1, -1]])


def problem_of(**options: Any) -> TaskDiversion:
    return TaskDiversion(**({"dnns": DNNS, "num_client_vehicles": 3, "episode_slots": 4} | options))


def traffic_of(holder: np.ndarray = HOLDERS, x_m: float = 100.0) -> TrafficBlock:
    slots = len(holder)
    held = holder >= 0
    return TrafficBlock(
        client_xy_m=np.where(held[..., None], [x_m, 0.0], 0.0),
        client_position_m=np.where(held, x_m, 0.0),
        client_speed_mps=np.where(held, 9.0, 0.0),
        client_vehicle=holder,
        service_xy_m=np.zeros((slots, 0, 2)),
        service_position_m=np.zeros((slots, 0)),
        service_speed_mps=np.zeros((slots, 0)),
        service_vehicle=np.zeros((slots, 0), dtype=int),
    )


def draws_of(problem: TaskDiversion, seed: int = 0, **other: Any) -> Draws:
    drawn = problem.sample(np.random.default_rng(seed))
    wide = {name: np.broadcast_to(value, getattr(drawn, name).shape).astype(float) for name, value in other.items()}
    return replace(drawn, **wide)


def released(exogenous: Exogenous) -> list[tuple[int, int, int]]:
    """Returns slot, seat and vehicle of the tasks that are released, in their order."""
    there = np.isfinite(exogenous.release_s[:-1])
    return [
        tuple(row)
        for row in np.stack([exogenous.slot, exogenous.seat, exogenous.vehicle], axis=-1)[:-1][there].tolist()
    ]


# Who releases when ----------------------------------------------------------------------------------------------------


def test_everyone_who_is_there_releases_a_task_a_slot_at_full_rate_in_the_order_drawn() -> None:
    problem = problem_of(release_rate_hz=1.0)
    exogenous = problem.exogenous(draws_of(problem, order=[0.5, 0.9, 0.1]), traffic_of(), ROAD)
    assert released(exogenous) == [
        (0, 2, 2), (0, 0, 0), (0, 1, 1), (1, 2, 2), (1, 0, 0), (1, 1, 3), (2, 2, 4), (2, 1, 3), (3, 0, 5), (3, 1, 3)
    ]  # fmt: skip


def test_tasks_are_released_where_the_draw_is_below_the_rate() -> None:
    problem = problem_of(release_rate_hz=0.8, slot_s=0.5)
    grid = np.full((5, 3), 0.4)
    grid[[1, 2, 3, 3], [1, 2, 0, 2]] = 0.399  # seat 2 is empty in slot 3
    exogenous = problem.exogenous(draws_of(problem, release=grid, order=[0.2, 0.1, 0.3]), traffic_of(), ROAD)
    assert released(exogenous) == [(0, 1, 1), (1, 1, 3), (2, 2, 4), (3, 0, 5)]  # an episode begins with a task
    assert exogenous.release_s[:4].tolist() == [0.0, 0.5, 1.0, 1.5]


def test_the_first_to_take_a_turn_in_the_first_slot_releases_a_task_in_any_case() -> None:
    problem = problem_of()
    order = np.array([[0.9, 0.2, 0.4]] + [[0.5, 0.6, 0.7]] * 4)
    exogenous = problem.exogenous(draws_of(problem, release=0.999, order=order), traffic_of(), ROAD)
    assert released(exogenous) == [(0, 1, 1)]


def test_the_epoch_after_the_last_is_a_vehicle_of_the_following_slot() -> None:
    problem = problem_of()
    exogenous = problem.exogenous(draws_of(problem, order=[0.1, 0.0, 0.2]), traffic_of(), ROAD)
    assert exogenous.slot.shape == (problem.episode_epochs + 1,) == (13,)
    assert (exogenous.slot[-1], exogenous.seat[-1], exogenous.vehicle[-1], exogenous.release_s[-1]) == (4, 0, 5, 4.0)
    gone = HOLDERS.copy()
    gone[4] = -1
    empty = problem.exogenous(draws_of(problem), traffic_of(gone), ROAD)
    assert (empty.slot[-1], empty.vehicle[-1], empty.release_s[-1]) == (4, -1, INF)
    last = (np.array([0]), np.array([12]))
    batch = problem.exogenous(stack([draws_of(problem)]), stack([traffic_of(gone)]), ROAD)
    exogenous = Exogenous(**{f.name: getattr(batch, f.name)[last] for f in fields(batch)})
    assert np.isfinite(problem.observe(problem.initial_state((1,)), exogenous)).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0))
def test_releases_are_a_row_of_places_in_the_order_of_time(seed: int, probability: float) -> None:
    rng = np.random.default_rng(seed)
    holder = rng.integers(-1, 2, (2, 7, 4))
    holder[:, 0] = 0
    problem = problem_of(num_client_vehicles=4, episode_slots=6)
    draws = stack([problem.sample(rng) for _ in range(2)])
    traffic = stack([traffic_of(h) for h in holder])
    tasks = releases(draws, traffic, probability=probability)
    for episode in range(2):
        places = tasks.place[episode, :-1]
        assert sorted(places.tolist()) == list(range(24))
        slot, seat = np.divmod(places[tasks.exists[episode, :-1]], 4)
        assert slot[0] == 0
        wanted = (holder[episode, :6] >= 0) & (draws.release[episode, :6] < probability)
        first = draws.order[episode, 0].argmin()
        wanted[0, first] = True
        assert set(zip(slot.tolist(), seat.tolist(), strict=True)) == set(map(tuple, np.argwhere(wanted).tolist()))
        assert (np.diff(slot + draws.order[episode, slot, seat]) > 0).all()


def test_an_idle_vehicle_releases_as_many_tasks_as_its_rate_says() -> None:
    problem = problem_of(num_client_vehicles=40, episode_slots=500, release_rate_hz=0.6, slot_s=0.5)
    traffic = traffic_of(np.tile(np.arange(40), (501, 1)))
    exogenous = problem.exogenous(problem.sample(np.random.default_rng(0)), traffic, ROAD)
    tasks, slots = len(released(exogenous)), 40 * 500
    assert tasks / slots == pytest.approx(0.3, abs=4.0 * np.sqrt(0.3 * 0.7 / slots))


# Seats ----------------------------------------------------------------------------------------------------------------


def test_a_seat_has_its_holder_since_and_until() -> None:
    assert entry_slot(HOLDERS).T.tolist() == [[0, 0, 2, 3, 3], [0, 1, 1, 1, 4], [0, 0, 2, 3, 3]]
    leaves = leave_slot(HOLDERS).T
    assert leaves[0].tolist() == [2, 2, 3, INF, INF]
    assert leaves[1].tolist() == [1, 4, 4, 4, INF]
    assert leaves[2].tolist() == [2, 2, 3, INF, INF]
    batch = np.stack([HOLDERS, HOLDERS[::-1]])
    np.testing.assert_array_equal(entry_slot(batch)[0], entry_slot(HOLDERS))
    np.testing.assert_array_equal(leave_slot(batch)[1], leave_slot(HOLDERS[::-1]))


def test_a_vehicle_has_one_battery_level_and_one_time_to_leave() -> None:
    problem = problem_of(release_rate_hz=1.0, battery=(0.2, 0.6), slot_s=0.5)
    draws = draws_of(problem)
    exogenous = problem.exogenous(draws, traffic_of(), ROAD)
    brought = {0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (1, 1), 4: (2, 2), 5: (3, 0)}
    leaves = {0: 1.0, 1: 0.5, 2: 1.0, 3: 2.0, 4: 1.5, 5: INF}
    for k, (_, _, vehicle) in enumerate(released(exogenous)):
        assert exogenous.battery[k] == pytest.approx(0.2 + 0.4 * draws.battery[brought[vehicle]])
        assert exogenous.leave_s[k] == leaves[vehicle]


# Links ----------------------------------------------------------------------------------------------------------------


def test_the_two_nearest_units_the_nearest_first() -> None:
    units = np.array([[-500.0, 3.0, 4.0], [0.0, 3.0, 4.0], [500.0, 3.0, 4.0]])
    unit, distance_m = nearest_two(np.array([[240.0, 3.0], [260.0, 3.0], [-900.0, 3.0], [0.0, 0.0]]), units)
    assert unit.tolist() == [[1, 2], [2, 1], [0, 1], [1, 0]]
    assert distance_m[3, 0] == 5.0
    assert distance_m[0].tolist() == pytest.approx([np.hypot(240.0, 4.0), np.hypot(260.0, 4.0)])
    lone, twice_m = nearest_two(np.array([[3.0, 3.0]]), units[1:2])
    assert lone.tolist() == [[0, 0]]
    assert twice_m.tolist() == [[5.0, 5.0]]


@pytest.mark.parametrize(
    ("num_rsus", "x_m", "unit", "heard"),
    [
        (4, 100.0, [2, 1], [True, True]),  # units at -750, -250, 250 and 750 m
        (4, 1000.0, [3, 2], [True, False]),
        (4, 5000.0, [3, 2], [False, False]),
        (2, 251.0, [1, 0], [True, False]),
        (1, 100.0, [0, 0], [True, False]),
        (1, 501.0, [0, 0], [False, False]),
    ],
)
def test_rates_are_the_channels_and_none_out_of_range(
    num_rsus: int, x_m: float, unit: list[int], heard: list[bool]
) -> None:
    problem = problem_of(num_rsus=num_rsus, release_rate_hz=1.0, transmit_power_w=0.2, noise_w=3e-13, bandwidth_mhz=20)
    draws = draws_of(problem)
    exogenous = problem.exogenous(draws, traffic_of(x_m=x_m), ROAD)
    slot, seat, _ = released(exogenous)[3]
    assert exogenous.unit[3].tolist() == unit
    assert (exogenous.rate_mbps[3] > 0.0).tolist() == heard
    for k in np.flatnonzero(heard):
        unit_x_m = (unit[k] - (num_rsus - 1) / 2) * 500.0
        distance_m = np.sqrt((x_m - unit_x_m) ** 2 + 3.0**2 + 4.0**2)
        in_dbm = {"transmit_power_dbm": 10 * np.log10(200.0), "noise_dbm": 10 * np.log10(3e-10)}
        fading = draws.fading_power[slot, seat, unit[k]]
        expected = v2i_rate_mbps(distance_m, fading, bandwidth_mhz=20.0, **in_dbm)
        assert exogenous.rate_mbps[3, k] == pytest.approx(float(expected))


def test_a_custom_channel_is_used() -> None:
    def by_distance(distance_m: Any, fading_power: Any, **_: float) -> Any:
        return 1000.0 / distance_m + 0.0 * fading_power

    problem = problem_of(v2i_rate=by_distance)
    exogenous = problem.exogenous(draws_of(problem), traffic_of(), ROAD)
    assert exogenous.rate_mbps[0] == pytest.approx(1000.0 / np.sqrt(np.array([150.0, 350.0]) ** 2 + 25.0))


# Draws ----------------------------------------------------------------------------------------------------------------


def test_types_are_even_and_deadlines_and_levels_uniform_in_their_ranges() -> None:
    problem = problem_of(num_client_vehicles=200, episode_slots=50, release_rate_hz=1.0, deadline_factor=(2.0, 4.0))
    traffic = traffic_of(np.arange(51 * 200).reshape(51, 200))
    exogenous = problem.exogenous(problem.sample(np.random.default_rng(0)), traffic, ROAD)
    assert len(released(exogenous)) == 10_000
    assert np.bincount(exogenous.dnn[:-1]) / 10_000 == pytest.approx([0.25] * 4, abs=0.02)
    factor = exogenous.deadline_s / (3.0 * (exogenous.dnn + 1) / problem.vehicle_ghz)
    for uniform, (low, high) in (
        (factor, (2.0, 4.0)),
        (exogenous.battery, (0.1, 1.0)),
        (exogenous.diversion_draw, (0.0, 1.0)),
    ):
        assert low <= uniform.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < uniform.max() <= high
        assert uniform.mean() == pytest.approx((low + high) / 2, abs=0.01 * (high - low))


def test_an_episode_is_a_pure_function_of_its_draws_and_draw_is_both() -> None:
    problem = problem_of()
    drawn = problem.draw(np.random.default_rng(3), traffic_of(), ROAD)
    again = problem.exogenous(problem.sample(np.random.default_rng(3)), traffic_of(), ROAD)
    other = problem.draw(np.random.default_rng(4), traffic_of(), ROAD)
    assert all(np.array_equal(getattr(drawn, f.name), getattr(again, f.name)) for f in fields(drawn))
    assert not np.array_equal(drawn.diversion_draw, other.diversion_draw)


def test_episodes_are_drawn_one_by_one() -> None:
    problem = problem_of()
    draws, traffic = [draws_of(problem, seed) for seed in (1, 2)], [traffic_of(), traffic_of(HOLDERS[:, ::-1], -400.0)]
    together = problem.exogenous(stack(draws), stack(traffic), ROAD)
    for episode in range(2):
        alone = problem.exogenous(draws[episode], traffic[episode], ROAD)
        for f in fields(alone):
            np.testing.assert_array_equal(getattr(together, f.name)[episode], getattr(alone, f.name), err_msg=f.name)


def test_draws_are_uniform_and_fading_is_exponential() -> None:
    draws = TaskDiversion(episode_slots=200).sample(np.random.default_rng(0))
    for name in ("release", "order", "dnn", "deadline", "battery", "diversion"):
        uniform = getattr(draws, name)
        assert uniform.shape == (201, 15)
        assert 0.0 <= uniform.min() < uniform.max() < 1.0
        assert uniform.mean() == pytest.approx(0.5, abs=0.03)
    assert draws.fading_power.shape == (201, 15, 4)
    assert draws.fading_power.mean() == pytest.approx(1.0, abs=0.04)
    assert draws.fading_power.var() == pytest.approx(1.0, abs=0.15)


def test_the_traffic_that_is_asked_for_comes_and_goes_a_slot_longer() -> None:
    problem = problem_of(slot_s=0.5)
    shape = problem.traffic_shape
    assert (shape.num_client_vehicles, shape.num_service_vehicles, shape.num_slots, shape.slot_s) == (3, 0, 5, 0.5)
    assert shape.come_and_go
    mobility = StraightMobility()
    exogenous = problem.draw(np.random.default_rng(0), next(mobility.blocks(0, shape)), mobility.road)
    assert exogenous.slot.shape == (13,)


# The next epoch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holder", "free_s", "overlap", "found"),
    [
        ([-1, -1, -1], [9.0, 9.0, 9.0], False, [0, 1, 2, 3]),  # nobody has had a task
        ([0, 1, 2], [0.0, 0.0, 0.0], False, [0, 1, 2, 3]),
        ([0, 1, 2], [9.0, 0.0, 0.0], False, [1, 1, 2, 4]),  # seat 0 runs: orders are 0, 1, 2 in slot 0 and 0, 1 in 1
        ([0, 1, 2], [9.0, 9.0, 9.0], False, [4, 4, 4, 4]),  # the seat 1 has a new holder in slot 1
        ([0, 1, 2], [9.0, 9.0, 9.0], True, [0, 1, 2, 3]),
        ([0, 1, 2], [1.0, 1.0, 1.0], False, [3, 3, 3, 3]),  # just done in slot 1
    ],
)
def test_tasks_of_vehicles_that_still_run_one_are_passed_over(
    holder: list[int], free_s: list[float], overlap: bool, found: list[int]
) -> None:
    problem = problem_of(overlap=overlap, release_rate_hz=1.0)
    draws = draws_of(problem, order=[0.1, 0.2, 0.3])
    exogenous = problem.exogenous(stack([draws] * 4), stack([traffic_of()] * 4), ROAD)
    state = replace(problem.initial_state((4,)), holder=np.tile(holder, (4, 1)), vehicle_free_s=np.tile(free_s, (4, 1)))
    epoch = np.arange(4)
    assert problem.next_epoch(state, exogenous, epoch).tolist() == found
    assert epoch.tolist() == [0, 1, 2, 3]


def test_where_no_task_is_left_the_episode_is_over() -> None:
    problem = problem_of(release_rate_hz=0.5)
    exogenous = problem.exogenous(stack([draws_of(problem, release=0.9)]), stack([traffic_of()]), ROAD)
    state = problem.initial_state((1,))
    for epoch, found in ((0, 0), (1, 12), (5, 12), (11, 12), (12, 12)):
        assert problem.next_epoch(state, exogenous, np.array([epoch])) == [found]
