"""The exact optimum of a slot of `DNNPartition`: proven against all decisions of small ones."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.problems.dnn_partition.slots import OBJECTIVES, TINY, blank, cost, least_cost, profile, random_view
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.policies import AllLocal, BestResponse, ExactSlot
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.policies import exact_search, partial_assignments
from vec_envs.problems.dnn_partition.policies.exact_costs import slot_costs
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.records import map_arrays

SAME_TYPE = DNNPartition(dnns=("alexnet",), num_client_vehicles=3, num_service_vehicles=1)
REAL_TYPES = DNNPartition(dnns=("alexnet", "vgg16"), num_client_vehicles=2, num_service_vehicles=2)
NO_SERVICE = DNNPartition(num_client_vehicles=3, num_service_vehicles=0)
FREE = DNNPartition(dnns=(profile("free", (1.0, 0.0), (2.0, 1.0, 0.1)),), num_client_vehicles=3, num_service_vehicles=1)
SMALL = {"tiny": TINY, "same type": SAME_TYPE, "real": REAL_TYPES, "no service": NO_SERVICE, "no work": FREE}


def loaded(view: View, times: float) -> View:
    """Returns the slot with other backlogs."""
    return replace(view, state=map_arrays(lambda a: times * a, view.state))


@OBJECTIVES
@pytest.mark.parametrize("allocation", ["exact", "capped", "eq46"])
@pytest.mark.parametrize(
    "times",
    [
        pytest.param(0.0, marks=pytest.mark.slow),
        pytest.param(1.0, marks=pytest.mark.slow),
        pytest.param(20.0, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("problem", SMALL.values(), ids=SMALL)
def test_optimum_costs_the_least_of_all_decisions(
    problem: DNNPartition, times: float, allocation: str, objective: Any
) -> None:
    view = loaded(random_view(replace(problem, allocation=allocation), 8, seed=3), times)
    found = ExactSlot(view.problem, objective=objective).solve(view)
    least = least_cost(view, 8, objective)
    np.testing.assert_allclose(found.value, least, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.value, cost(view, found.action, objective), rtol=1e-12)
    assert (found.gap == 0.0).all()


@OBJECTIVES
def test_optimum_costs_the_least_from_a_bad_start_too(objective: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients with the same DNN have partial assignments of equal work; from best response, the search would already
    start at the optimum."""
    monkeypatch.setattr(BestResponse, "act", lambda self, observation, view: AllLocal(view.problem).act(observation))
    for times in (0.0, 1.0):
        view = loaded(random_view(SAME_TYPE, 8, seed=3), times)
        found, least = ExactSlot(view.problem, objective=objective).solve(view), least_cost(view, 8, objective)
        np.testing.assert_allclose(found.value, least, rtol=1e-9, atol=1e-9)


@OBJECTIVES
def test_optimum_does_not_depend_on_where_the_search_starts(objective: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    view = random_view(DNNPartition(num_client_vehicles=4, num_service_vehicles=2), 5, seed=4)
    value = ExactSlot(view.problem, objective=objective).solve(view).value
    monkeypatch.setattr(BestResponse, "act", lambda self, observation, view: AllLocal(view.problem).act(observation))
    monkeypatch.setattr(exact_search, "PRICES", 3)
    monkeypatch.setattr(exact_search, "ROWS_AT_ONCE", 50)
    np.testing.assert_allclose(ExactSlot(view.problem, objective=objective).solve(view).value, value, rtol=1e-9)


@pytest.mark.slow
@OBJECTIVES
def test_optimum_of_a_full_slot_is_at_most_any_other_decision(objective: Any) -> None:
    problem = DNNPartition()
    view = random_view(problem, 4, seed=6)
    least = ExactSlot(problem, objective=objective).solve(view).value
    rng = np.random.default_rng(0)
    tried = rng.integers(0, problem.action_counts, (4, 3000, 7))
    assert (cost(view, tried, objective).min(axis=1) > least).all()
    for seed in range(3):
        policy = BestResponse(problem, objective=objective)
        policy.reset(seed)
        assert (cost(view, policy.act(blank(problem, 4), view), objective) >= least - 1e-9 * np.abs(least)).all()


@pytest.mark.slow
@OBJECTIVES
def test_a_slot_that_runs_out_of_time_is_marked_and_bounded(objective: Any) -> None:
    view = random_view(DNNPartition(num_client_vehicles=5, num_service_vehicles=2), 4, seed=7)
    exact = ExactSlot(view.problem, objective=objective).solve(view)
    hasty = ExactSlot(view.problem, objective=objective, time_limit_s=1e-9)
    found = hasty.solve(view)
    assert (found.bound <= exact.value + 1e-9 * np.abs(exact.value)).all()
    assert (found.value >= exact.value - 1e-9 * np.abs(exact.value)).all()
    np.testing.assert_allclose(found.value, cost(view, found.action, objective), rtol=1e-12)
    assert (found.gap > 0.0).any()
    with pytest.warns(UserWarning, match=r"of 4 slots have too many joint actions .* or hit the time limit of 1e-09 s"):
        hasty.act(blank(view.problem, 4), view)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ExactSlot(view.problem, objective=objective, time_limit_s=60.0).act(blank(view.problem, 4), view)


@pytest.mark.parametrize("most", [300, 5])
def test_a_slot_with_too_many_joint_actions_is_marked_and_bounded(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is reached by a set of several clients (300), or by two clients (5)."""
    view = random_view(DNNPartition(dnns=("alexnet",), num_client_vehicles=5, num_service_vehicles=1), 4, seed=7)
    exact = ExactSlot(view.problem, objective="drift").solve(view)
    assert (exact.gap == 0.0).all()
    monkeypatch.setattr(partial_assignments, "MAX_PARTIAL_ASSIGNMENTS", most)
    found = ExactSlot(view.problem, objective="drift").solve(view)
    assert (found.gap > 0.0).any()
    assert (found.bound <= exact.value + 1e-9 * np.abs(exact.value)).all()
    with pytest.warns(UserWarning, match=r"of 4 slots have too many joint actions to examine: their cost may"):
        ExactSlot(view.problem, objective="drift").act(blank(view.problem, 4), view)


@OBJECTIVES
def test_bound_at_a_price_is_at_most_the_cost_at_any_speed(objective: Any) -> None:
    view = random_view(DNNPartition(allocation="capped"), 6, seed=8)  # which gives any speed up to all
    price, work = np.geomspace(1e-2, 1e4, 30), np.array([0.0, 1.0, 12.0, 60.0])
    speed = np.linspace(0.01, 30.0, 4000)[:, None, None]
    for costs in slot_costs(view.problem, view, view.problem.objective(objective)):
        for kind, num_tasks in ((0, 0), (0, 1), (1, 2), (2, 3)):
            done = 0.0 * work if num_tasks == 0 else work
            backlog = costs.rsu_backlog[kind]
            gamma = 10.0 * (num_tasks * backlog + 0.5 * (num_tasks + 1.0) * done[:, None])
            if objective == "drift":
                drift = 0.5 * (np.maximum(backlog + done[:, None] - speed, 0.0) ** 2 - backlog**2)
            else:
                drift = backlog * (done[:, None] - speed)
            least = (gamma / speed + drift + price * speed).min(axis=0)
            bound = costs.rsu_lower_bound(kind, num_tasks, done, price)
            assert (bound <= least + 1e-9 * np.abs(least)).all()
            assert (bound >= least - 0.02 * np.abs(least) - price * 0.02 - 0.5).all()  # and not much less


def test_unsupported_options_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 12 clients, got num_client_vehicles=13"):
        ExactSlot(DNNPartition(num_client_vehicles=13))
    with pytest.raises(ValueError, match="exact for the objectives 'drift' and 'drift_bound' only, got 'delay'"):
        ExactSlot(TINY, objective="delay")
    with pytest.raises(ValueError, match="time_limit_s"):
        ExactSlot(TINY, time_limit_s=0.0)


def test_a_slot_of_a_deep_network_is_left_before_its_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three clients of 336 layers leave 6.4 million totals of work: their search took 5 s, to be given up."""
    layers = [
        Layer(name="l", gflops=0.1 + i / 3360, gmacs=0.0, output_mbit=0.5, parameter_mbyte=0.0) for i in range(336)
    ]
    deep = DNNProfile(name="deep", input_mbit=0.5, layers=tuple(layers))
    view = random_view(DNNPartition(dnns=(deep,), num_client_vehicles=3, num_service_vehicles=1), 1, seed=7)
    monkeypatch.setattr(partial_assignments.PartialAssignments, "combine", None)  # the search would call it
    found = ExactSlot(view.problem, objective="drift").solve(view)
    assert (found.gap > 0.0).all()
    np.testing.assert_allclose(found.value, cost(view, found.action, "drift"))
    with pytest.warns(UserWarning, match="1 of 1 slots have too many joint actions to examine"):
        ExactSlot(view.problem, objective="drift").act(blank(view.problem, 1), view)
