"""Whom a task asks, and what its decision does to unit, vehicle and battery."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made_up import assert_same, profile
from tests.problems.task_diversion.one_task import INF, PROBLEM, random_epoch, task, with_queues
from vec_envs.problems.task_diversion.problem import Outcome, TaskDiversion
from vec_envs.records import map_arrays

common = settings(max_examples=40)


# Whom it asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("diversion", "rates", "wait_s", "first"),
    [
        ("probability", [8.0, 4.0], [9.0, 0.0, 0.0, 9.0], 1.0 / 1.5),
        ("probability", [8.0, 4.0], [9.0, 3.5, 1.0, 9.0], 2.0 / 6.0),
        ("probability", [8.0, 0.0], [0.0, 50.0, 0.0, 0.0], 1.0),
        ("probability", [0.0, 4.0], [0.0, 0.0, 50.0, 0.0], 0.0),
        ("shortest", [8.0, 4.0], [9.0, 0.6, 0.0, 9.0], 0.0),
        ("shortest", [8.0, 4.0], [9.0, 0.4, 0.0, 9.0], 1.0),
        ("nearest", [8.0, 4.0], [9.0, 50.0, 0.0, 9.0], 1.0),
    ],
)
def test_the_diversion_selects_the_unit(diversion: str, rates: list[float], wait_s: list[float], first: float) -> None:
    problem, num_envs = replace(PROBLEM, diversion=diversion), 1000
    draws = (np.arange(num_envs) + 0.5) / num_envs
    request = problem.request(
        with_queues(problem, wait_s, num_envs), task(num_envs, rate_mbps=rates, diversion_draw=draws)
    )
    assert (request.unit == 1).mean() == pytest.approx(first, abs=1e-3)
    assert set(request.unit.tolist()) <= {1, 2}
    np.testing.assert_array_equal(request.rate_mbps, np.where(request.unit == 1, *rates))
    np.testing.assert_allclose(request.queue_s, np.where(request.unit == 1, *wait_s[1:3]), atol=1e-12)


def test_random_draws_ask_the_first_unit_as_often_as_the_papers_probability() -> None:
    num_envs = 20_000
    draws = np.random.default_rng(0).random(num_envs)
    request = PROBLEM.request(
        with_queues(PROBLEM, [0.0, 3.5, 1.0, 0.0], num_envs), task(num_envs, diversion_draw=draws)
    )
    expected = float(PROBLEM.request_probabilities(np.array([4.0 / 8.0 + 3.5, 4.0 / 4.0 + 1.0]))[0])
    assert expected == pytest.approx(1.0 / 3.0)
    assert (request.asked == 0).mean() == pytest.approx(
        expected, abs=4.0 * np.sqrt(expected * (1 - expected) / num_envs)
    )


def test_the_largest_tensor_counts_the_raw_input_and_not_the_result() -> None:
    result = profile("result", (1.0, 1.0), (6.0, 2.0, 99.0))
    problem = TaskDiversion(dnns=(result,), diversion="shortest", num_rsus=4)
    for queue_s, unit in ((0.74, 1), (0.76, 2)):  # 6 Mbit take 0.75 s longer to unit 2
        assert problem.request(with_queues(problem, [0.0, queue_s, 0.0, 0.0]), task()).unit == [unit]


def test_out_of_range_there_is_no_unit_no_queue_and_all_is_local() -> None:
    for diversion in ("probability", "shortest", "nearest", "chosen"):
        problem = replace(PROBLEM, diversion=diversion)
        state, exogenous = with_queues(problem, [5.0] * 4), task(rate_mbps=[0.0, 0.0])
        request = problem.request(state, exogenous)
        assert [getattr(request, f.name).tolist() for f in fields(request)] == [[-1], [-1], [0.0], [0.0], [0], [0.5]]
        next_state, outcome = problem.transition(state, -np.ones((1, 1, problem.actions.size)), exogenous)
        assert (outcome.cut.tolist(), outcome.unit.tolist(), outcome.offloaded.tolist()) == ([2], [-1], [False])
        assert outcome.task.time_s == [4.0 / 0.5]
        np.testing.assert_array_equal(next_state.rsu_free_s, state.rsu_free_s)


def test_the_request_probabilities_are_those_of_the_diversion() -> None:
    waits = np.array([[1.0, 3.0], [INF, 2.0], [INF, INF]])
    assert PROBLEM.request_probabilities(waits).tolist() == [[0.75, 0.25], [0.0, 1.0], [0.0, 0.0]]
    assert PROBLEM.request_probabilities(np.array([1, 3])).tolist() == [0.75, 0.25]
    with pytest.raises(ValueError, match="at least 0"):
        PROBLEM.request_probabilities(-waits)


@pytest.mark.parametrize(("wish", "unit"), [(-1.0, 1), (-1e-9, 1), (0.0, 2), (1.0, 2)])
def test_a_chosen_unit_is_the_one_the_action_names(wish: float, unit: int) -> None:
    problem = replace(PROBLEM, diversion="chosen")
    action = np.array([[[-1.0, 1.0, 1.0, wish]]])
    state = with_queues(problem, [0.0, 1.0, 2.0, 0.0])
    assert problem.transition(state, action, task())[1].unit == [unit]
    for rates, only in (([8.0, 0.0], 1), ([0.0, 4.0], 2)):
        assert problem.transition(state, action, task(rate_mbps=rates))[1].unit == [only]


# A transition ---------------------------------------------------------------------------------------------------------


def test_leaving_before_the_result_fails_only_what_is_offloaded_and_only_where_said() -> None:
    offloads, local = PROBLEM.action.encode(dnn=0, cut=np.array([0, 2]), vehicle_ghz=1.0, rsu_ghz=1.0)[:, None, None]
    for on_leaving in ("finish", "fail"):
        problem = replace(PROBLEM, on_leaving=on_leaving, diversion="nearest", deadline_penalty=3.0)
        for action, leave_s, lost in (
            (offloads, 14.4, True), (offloads, 14.5, False), (offloads, INF, False), (local, 10.1, False)
        ):  # fmt: skip
            state = problem.initial_state((1,))
            next_state, outcome = problem.transition(state, action, task(leave_s=leave_s))
            assert outcome.failed == [lost and on_leaving == "fail"]
            assert outcome.reward == pytest.approx(-outcome.task.cost - 3.0 * outcome.failed)
            stays = problem.transition(state, action, task())[0]
            assert_same(next_state, stays)


def test_a_penalty_is_taken_once_and_is_not_part_of_the_cost() -> None:
    problem = replace(PROBLEM, on_leaving="fail", deadline_penalty=2.5)
    action = problem.action.encode(dnn=np.array([[0]]), cut=0, vehicle_ghz=1.0, rsu_ghz=1.0)
    fine, late = (problem.transition(problem.initial_state((1,)), action, task(deadline_s=d))[1] for d in (99.0, 0.1))
    gone = problem.transition(problem.initial_state((1,)), action, task(deadline_s=0.1, leave_s=11.0))[1]
    assert late.task.missed.all()
    assert gone.failed.all()
    assert fine.reward == -fine.task.cost
    assert fine.task.cost == late.task.cost == gone.task.cost
    assert late.reward == gone.reward == fine.reward - 2.5


@pytest.mark.slow
@common
@given(st.integers(0, 2**32 - 1))
def test_the_excess_and_the_cost_differ_by_what_no_decision_changes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, exogenous, _ = random_epoch(rng, 6)
    excess = replace(PROBLEM, reward="excess")
    for action in rng.uniform(-1.0, 1.0, (3, 6, 1, 3)):
        (next_state, plain), (same, outcome) = (p.transition(state, action, exogenous) for p in (PROBLEM, excess))
        assert_same(next_state, same)
        assert_same(plain.task, outcome.task)
        alone, idle = (
            PROBLEM.task_outcome(
                dnn=exogenous.dnn[:, None], cut=cut, vehicle_ghz=np.linspace(0.5, 3.0, 5001),
                rsu_ghz=np.linspace(0.5, 7.0, 5001), rate_mbps=1e12, queue_s=0.0, battery=exogenous.battery[:, None],
            ).cost.min(axis=1)
            for cut in (PROBLEM.num_layers[exogenous.dnn][:, None], 0)
        )  # fmt: skip
        np.testing.assert_allclose(outcome.reward - plain.reward, np.minimum(alone, idle), rtol=1e-6)


@common
@given(st.integers(0, 2**32 - 1))
def test_environments_do_not_touch_each_other_in_any_number_of_axes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, exogenous, action = random_epoch(rng, 6)
    shaped = [map_arrays(lambda a: a.reshape((2, 3, *a.shape[1:])), record) for record in (state, exogenous)]
    next_state, outcome = PROBLEM.transition(state, action, exogenous)
    deep, deep_outcome = PROBLEM.transition(shaped[0], action.reshape(2, 3, 1, 3), shaped[1])
    np.testing.assert_array_equal(
        PROBLEM.observe(shaped[0], shaped[1]).reshape(6, -1), PROBLEM.observe(state, exogenous)[:, 0]
    )
    assert_same(map_arrays(lambda a: a.reshape((6, *a.shape[2:])), deep), next_state)
    for row in range(6):
        alone = [map_arrays(lambda a, b=row: a[b : b + 1], record) for record in (state, exogenous)]
        own, own_outcome = PROBLEM.transition(alone[0], action[row : row + 1], alone[1])
        assert_same(own, map_arrays(lambda a, b=row: a[b : b + 1], next_state))
        assert own_outcome.reward[0] == outcome.reward[row] == deep_outcome.reward[np.unravel_index(row, (2, 3))]


def test_a_transition_is_pure() -> None:
    state, exogenous, action = random_epoch(np.random.default_rng(0), 6)
    given = [*vars(state).values(), *vars(exogenous).values(), action]
    before = [array.copy() for array in given]
    first, again = (PROBLEM.transition(state, action, exogenous) for _ in range(2))
    PROBLEM.observe(state, exogenous)
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))
    assert_same(first[0], again[0])
    assert_same(first[1], again[1])
    kept = [array for array in vars(first[0]).values() for other in given if np.shares_memory(array, other)]
    assert kept == []


def test_metrics_are_those_of_the_outcome() -> None:
    state, exogenous, action = random_epoch(np.random.default_rng(1), 50)
    exogenous = replace(exogenous, battery=np.linspace(0.1, 0.6, 50))
    next_state, outcome = PROBLEM.transition(state, action, exogenous)
    metrics = PROBLEM.metrics(next_state, outcome)
    assert {metric.name for metric in PROBLEM.reported_metrics} <= metrics.keys() | {"return"}
    for name in ("cost", "time_s", "energy_j", "vehicle_energy_j", "missed"):
        np.testing.assert_array_equal(metrics[name], getattr(outcome.task, name))
    for name in ("failed", "offloaded", "queue_s", "cut", "battery"):
        np.testing.assert_array_equal(metrics[name], getattr(outcome, name))
    low = outcome.battery <= 1.0 / 3.0
    assert 0 < low.sum() < 50
    np.testing.assert_array_equal(metrics["low_battery"], low)
    np.testing.assert_array_equal(metrics["low_battery_energy_j"], outcome.task.vehicle_energy_j * low)


def test_an_outcome_has_what_its_record_says() -> None:
    outcome = PROBLEM.transition(*[random_epoch(np.random.default_rng(2), 3)[k] for k in (0, 2, 1)])[1]
    assert isinstance(outcome, Outcome)
    assert all(getattr(outcome, f.name).shape == (3,) for f in fields(outcome) if f.name != "task")
