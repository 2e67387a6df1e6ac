"""Whole episodes of `TaskDiversion`: against a slow simulator of single numbers, and what must hold in all of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.problems.task_diversion.task_playing import (
    ACTORS,
    all_to_slow_units,
    at_random,
    drawn,
    each_in_its_own_way,
    played,
    problem_of,
)
from tests.problems.task_diversion.task_simulator import Simulator
from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.problems.task_diversion.problem import Outcome, State, TaskDiversion

OPTIONS: dict[str, dict[str, Any]] = {
    "as in the paper": {},
    "the library's DNNs": {"dnns": ("alexnet", "vgg16", "nin", "tinyyolov2"), "battery_capacity_kj": 10.0},
    "busy": {"release_rate_hz": 1.0, "num_client_vehicles": 9},
    "overlap": {"release_rate_hz": 1.0, "overlap": True},
    "stale broadcasts": {"broadcast_slots": 3, "release_rate_hz": 1.0},
    "one broadcast": {"broadcast_slots": 50, "diversion": "shortest"},
    "lost tasks": {"on_leaving": "fail", "deadline_penalty": 7.0},
    "shortest": {"diversion": "shortest"},
    "nearest": {"diversion": "nearest"},
    "chosen": {"diversion": "chosen"},
    "chosen, paper": {"diversion": "chosen", "observation": "paper", "rsu_range_m": 300.0},
    "one unit": {"num_rsus": 1, "rsu_range_m": 1e4, "release_rate_hz": 1.0, "num_client_vehicles": 9},
    "one unit, chosen": {"num_rsus": 1, "diversion": "chosen", "release_rate_hz": 1.0},
    "seldom in range": {"num_rsus": 2, "rsu_range_m": 200.0, "observation": "paper"},
    "never in range": {"rsu_range_m": 1.0},
    "short slots": {"slot_s": 0.25, "broadcast_slots": 4, "release_rate_hz": 3.0},
    "small batteries": {"battery_capacity_kj": 0.05, "battery": (0.005, 0.5), "battery_floor": 0.01},
    "no battery factor": {"battery_factor": False, "beta": 0.02, "reward": "excess"},
    "excess": {"reward": "excess", "beta": 3e-3},
    "energy is free": {"beta": 0.0},
    "one vehicle": {"num_client_vehicles": 1, "release_rate_hz": 1.0},
    "one slot": {"episode_slots": 1},
    "other numbers": {"vehicle_ghz": 2.0, "rsu_ghz": 11.0, "min_ghz": 1.5, "deadline_factor": (0.5, 0.9),
                      "bandwidth_mhz": 5.0, "transmit_power_w": 1.0, "noise_w": 1e-12, "rsu_spacing_m": 300.0},
}  # fmt: skip
FAST = ("as in the paper", "chosen", "lost tasks", "overlap", "short slots")


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in OPTIONS]
)
def test_an_episode_is_that_of_the_simulator(name: str) -> None:
    problem = problem_of(**OPTIONS[name])
    draws, traffic, exogenous = drawn(problem, list(OPTIONS).index(name), num_envs=len(ACTORS))
    simulators = [Simulator(problem, *of_row) for of_row in zip(draws, traffic, strict=True)]
    for step in played(problem, exogenous, each_in_its_own_way, seed=1):
        assert step.goes_on == [row for row, simulator in enumerate(simulators) if simulator.task]
        observation = problem.observe(step.view.state, step.view.exogenous)
        for row in step.goes_on:
            np.testing.assert_allclose(observation[row, 0], simulators[row].observation(), rtol=1e-6, atol=1e-6)
            assert_is(step.outcome, row, simulators[row].decide(step.action[row, 0]))
            assert_state_is(step.next_state, row, simulators[row], traffic[row])
    assert not any(simulator.task for simulator in simulators)


def assert_is(outcome: Outcome, row: int, expected: dict[str, float]) -> None:
    of_task = {f.name for f in fields(outcome.task)}
    for name, value in expected.items():
        found = getattr(outcome.task if name in of_task else outcome, name)[row]
        assert found == pytest.approx(value, rel=1e-9, abs=1e-9), name


def assert_state_is(state: State, row: int, simulator: Simulator, traffic: TrafficBlock) -> None:
    np.testing.assert_allclose(state.rsu_free_s[row], simulator.free, rtol=1e-9)
    for seat, vehicle in enumerate(state.holder[row].tolist()):
        if vehicle >= 0:
            assert vehicle in traffic.client_vehicle[:, seat]
            assert state.battery[row, seat] == pytest.approx(simulator.level[vehicle], rel=1e-9)
            assert state.vehicle_free_s[row, seat] == pytest.approx(simulator.ready[vehicle], rel=1e-9)


# What holds in every episode ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, repr=False)
class Episode:
    """An episode of one row: the numbers of its tasks, in the order of their decision."""

    problem: TaskDiversion
    traffic: TrafficBlock
    tasks: list[dict[str, Any]]
    last: State

    def __repr__(self) -> str:
        return f"{len(self.tasks)} tasks of {self.problem}"


def episode(seed: int) -> Episode:
    """Returns a random episode of a random problem, with random decisions."""
    rng = np.random.default_rng(seed)
    problem = problem_of(
        overlap=bool(rng.random() < 0.3),
        diversion=str(rng.choice(["probability", "shortest", "nearest", "chosen"])),
        broadcast_slots=int(rng.integers(1, 4)),
        num_rsus=int(rng.integers(1, 6)),
        rsu_range_m=float(rng.uniform(100.0, 900.0)),
        release_rate_hz=float(rng.uniform(0.1, 1.0)),
        battery_capacity_kj=float(10.0 ** rng.uniform(-1.0, 2.0)),
        battery_factor=bool(rng.random() < 0.8),
    )
    _, traffic, exogenous = drawn(problem, seed, num_envs=1)
    tasks, last = [], problem.initial_state((1,))
    for step in played(problem, exogenous, ACTORS[int(rng.integers(3))], seed):
        records = (step.view.exogenous, step.outcome.task, step.outcome)
        numbers = {f.name: getattr(record, f.name) for record in records for f in fields(record) if f.name != "task"}
        nearest, state = step.view.exogenous.unit[0], step.view.state
        tasks.append({name: value[0] for name, value in numbers.items()} | {"nearest": nearest, "state": state})
        last = step.next_state
    return Episode(problem=problem, traffic=traffic[0], tasks=tasks, last=last)


EPISODES = st.integers(0, 2**32 - 1).map(episode)
common = settings(max_examples=8)


def by(key: str, tasks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Returns the tasks with the same entry, in their order."""
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for task in tasks:
        groups[int(task[key])].append(task)
    return list(groups.values())


@common
@given(EPISODES)
def test_a_unit_serves_one_task_at_a_time_in_the_order_of_decision_and_idles_for_none(played_out: Episode) -> None:
    free_s = [0.0] * played_out.problem.num_rsus
    for task in played_out.tasks:
        if not task["offloaded"]:
            continue
        starts_s, unit = task["release_s"] + task["start_s"], task["unit"]
        arrives_s = task["release_s"] + task["local_s"] + task["transmit_s"]
        assert starts_s == pytest.approx(max(free_s[unit], arrives_s), rel=1e-9, abs=1e-9)
        free_s[unit] = starts_s + task["rsu_service_s"]
    np.testing.assert_allclose(played_out.last.rsu_free_s[0], free_s, rtol=1e-9)


@common
@given(EPISODES)
def test_a_unit_is_asked_only_in_range_and_serves_only_what_is_sent(played_out: Episode) -> None:
    for task in played_out.tasks:
        asked = task["unit"] >= 0
        assert asked == (task["rate_mbps"] > 0.0).any()
        assert not asked or task["unit"] in task["nearest"]
        assert task["offloaded"] <= asked
        assert (task["rsu_service_s"] > 0.0) <= task["offloaded"]
        assert (task["transmit_s"] > 0.0) <= task["offloaded"]


@common
@given(EPISODES)
def test_a_battery_loses_exactly_what_its_vehicle_spends_down_to_the_floor(played_out: Episode) -> None:
    problem, last = played_out.problem, played_out.last
    for tasks in by("vehicle", played_out.tasks):
        level = first = tasks[0]["battery"]
        for task in tasks:
            assert task["battery"] == pytest.approx(level, rel=1e-12)
            level -= task["vehicle_energy_j"] / (1000.0 * problem.battery_capacity_kj)
            level = max(level, min(problem.battery_floor, task["battery"]))
        seat, spent_j = tasks[0]["seat"], sum(task["vehicle_energy_j"] for task in tasks)
        if last.holder[0, seat] == tasks[0]["vehicle"]:
            assert last.battery[0, seat] == pytest.approx(level, rel=1e-12)
        if level > problem.battery_floor:
            assert first - level == pytest.approx(spent_j / (1000.0 * problem.battery_capacity_kj), abs=1e-9)


@common
@given(EPISODES)
def test_local_runs_of_a_vehicle_overlap_only_where_they_may(played_out: Episode) -> None:
    if played_out.problem.overlap:
        return
    for tasks in by("vehicle", played_out.tasks):
        for task, next_state in pairwise(tasks):
            assert next_state["release_s"] >= task["release_s"] + task["local_s"]


@common
@given(EPISODES)
def test_a_new_vehicle_in_a_seat_is_idle_and_brings_its_own_level(played_out: Episode) -> None:
    low, high = played_out.problem.battery
    levels = []
    for tasks in by("vehicle", played_out.tasks):
        slot, seat = int(tasks[0]["slot"]), int(tasks[0]["seat"])
        assert {task["seat"] for task in tasks} == {seat}
        assert all(played_out.traffic.client_vehicle[task["slot"], seat] == task["vehicle"] for task in tasks)
        assert tasks[0]["state"].holder[0, seat] != played_out.traffic.client_vehicle[slot, seat]
        levels.append(tasks[0]["battery"])
        assert low <= levels[-1] <= high
    assert len(set(levels)) == len(levels)


@common
@given(EPISODES)
def test_times_and_energies_are_the_sum_of_their_parts(played_out: Episode) -> None:
    problem = played_out.problem
    for task in played_out.tasks:
        weight = min(1.0 / task["battery"], 3.0) if problem.battery_factor else 1.0
        parts_j = weight * task["vehicle_energy_j"] + task["rsu_energy_j"]
        wait_s = task["start_s"] - task["local_s"] - task["transmit_s"]
        assert wait_s >= -1e-9
        assert wait_s <= task["queue_s"] + 1e-9
        assert task["time_s"] == pytest.approx(task["start_s"] + task["rsu_service_s"], rel=1e-12)
        assert task["energy_j"] == pytest.approx(parts_j, rel=1e-12)
        assert task["cost"] == pytest.approx(task["time_s"] + problem.beta * task["energy_j"], rel=1e-12)


@common
@given(EPISODES)
def test_epochs_are_in_order_of_time_and_begin_with_the_first_slot(played_out: Episode) -> None:
    slots = [int(task["slot"]) for task in played_out.tasks]
    assert slots[0] == 0
    assert slots == sorted(slots)
    assert slots[-1] < played_out.problem.episode_slots
    turns = [(task["slot"], task["seat"]) for task in played_out.tasks]
    assert len(set(turns)) == len(turns)


def test_vehicles_run_tasks_at_once_where_they_may_overlap() -> None:
    problem = problem_of(overlap=True, release_rate_hz=1.0, rsu_range_m=1.0)
    steps = list(played(problem, drawn(problem, 0, num_envs=1)[2], at_random, 0))
    assert len(steps) > 2 * len(
        list(played(problem_of(rsu_range_m=1.0), drawn(problem, 0, num_envs=1)[2], at_random, 0))
    )
    assert any(step.view.state.vehicle_free_s.max() > step.view.exogenous.release_s[0] + 1.0 for step in steps)


def test_an_observed_queue_length_is_clipped_at_the_stored_one() -> None:
    problem = problem_of(num_rsus=1, rsu_range_m=1e4, release_rate_hz=1.0, observation="paper", episode_slots=20)
    views = [step.view for step in played(problem, drawn(problem, 0, num_envs=1)[2], all_to_slow_units, 0)]
    lengths = [int(problem.request(view.state, view.exogenous).length[0]) for view in views]
    assert max(lengths) == lengths[-1] == 32
    assert len(views) > 2 * 32


def test_an_empty_battery_stays_at_the_floor_and_one_below_it_where_it_is() -> None:
    problem = problem_of(battery_capacity_kj=0.01, battery=(0.005, 0.5), battery_floor=0.01)
    brought: dict[int, float] = {}
    for step in played(problem, drawn(problem, 5, num_envs=1)[2], at_random, 5):
        exogenous, seat = step.view.exogenous, step.view.exogenous.seat[0]
        brought[int(exogenous.vehicle[0])] = float(exogenous.battery[0])
        assert step.next_state.battery[0, seat] >= min(brought[int(exogenous.vehicle[0])], 0.01)
    levels = {vehicle: step.next_state.battery[0, seat] for seat, vehicle in enumerate(step.next_state.holder[0])}
    below = [vehicle for vehicle in levels if brought[int(vehicle)] < 0.01]
    assert all(levels[vehicle] == brought[int(vehicle)] for vehicle in below)
    assert list(levels.values()).count(0.01) >= 3
