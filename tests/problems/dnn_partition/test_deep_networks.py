"""Networks of hundreds of layers in `DNNPartition`: the best response computes few costs, with the same result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.made_up import profile
from tests.problems.dnn_partition.slots import blank, random_view
from vec_envs.dnn import DNNProfile
from vec_envs.policies import BestResponse, ExactSlot
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import DriftPlusPenalty, SlotTerms
from vec_envs.problems.dnn_partition.policies import best_response, partial_assignments
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.row_generators import RowGenerators

BATCH_SIZE = 4


def deep(num_layers: int, seed: int) -> DNNProfile:
    """A network of which some layers have no work, so that different cuts cost the same."""
    rng = np.random.default_rng(seed)
    work = rng.exponential(8.0 / num_layers, num_layers) * (rng.random(num_layers) > 0.4)
    return profile(f"deep{seed}", tuple(map(float, work)), tuple(map(float, rng.lognormal(0.0, 1.0, num_layers + 1))))


def slots(problem: DNNPartition, seed: int) -> View:
    """Random slots. Where reach is limited, about half of all service vehicles are out of reach."""
    view, rng = random_view(problem, BATCH_SIZE, seed), np.random.default_rng(seed)
    shape = BATCH_SIZE, problem.num_client_vehicles, problem.num_service_vehicles
    reached = rng.random(shape) > 0.5 * problem.radio.limits_reach
    return replace(view, exogenous=replace(view.exogenous, v2v_mbps=view.exogenous.v2v_mbps * reached))


def plain_best_response(view: View, objective: str, seed: int) -> np.ndarray:
    """The same descent, which computes the cost of every action of every client in every sweep."""
    problem: DNNPartition = view.problem
    counts = np.array(problem.action_counts)
    size = BestResponse.num_starts, len(counts)
    actions = RowGenerators(seed).stacked(BATCH_SIZE, lambda rng: rng.integers(0, counts, size))
    value = problem.cost(view, actions, objective)
    for _ in range(BestResponse.max_sweeps):
        before = value
        for client, count in enumerate(counts):
            tried = np.repeat(actions[:, :, None], count, axis=2)
            tried[..., client] = np.arange(count)
            costs = problem.cost(view, tried, objective)
            better = costs.min(axis=2) < value
            actions[..., client] = np.where(better, costs.argmin(axis=2), actions[..., client])
            value = np.where(better, costs.min(axis=2), value)
        if not (value < before).any():
            break
    return problem.as_played(actions[np.arange(BATCH_SIZE), value.argmin(axis=1)], view.exogenous)


def pruned_best_response(view: View, objective: str, seed: int) -> np.ndarray:
    policy = BestResponse(view.problem, objective=objective)
    policy.reset(seed)
    return policy.act(blank(view.problem, BATCH_SIZE), view)


@pytest.mark.parametrize(
    ("options", "objective"),
    [
        ({}, "drift"),
        ({}, "drift_bound"),
        ({}, "delay"),
        ({"allocation": "capped"}, "drift"),
        ({"allocation": "eq46", "lyapunov_v": 1e4}, "drift_bound"),
        ({"v2v_range_m": 100.0}, "drift_bound"),
        ({"shared_band": True}, "drift"),
        ({"num_service_vehicles": 0}, "drift"),
    ],
    ids=str,
)
def test_the_best_response_is_that_of_a_plain_descent(
    options: dict[str, Any], objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_response, "MANY_ACTIONS", 15)
    sizes: dict[str, Any] = {"num_client_vehicles": 3, "num_service_vehicles": 2}
    problem = DNNPartition(dnns=(deep(20, seed=1), deep(9, seed=2)), **(sizes | options))
    view = slots(problem, seed=3)
    np.testing.assert_array_equal(pruned_best_response(view, objective, 4), plain_best_response(view, objective, 4))


def test_an_objective_with_one_more_term_is_still_minimised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of the cost no longer add up, so the cost of every action is computed."""
    plain = DriftPlusPenalty.__call__

    def with_battery(objective: DriftPlusPenalty, terms: SlotTerms) -> dict[str, Any]:
        return {**plain(objective, terms), "battery": -3.0 * (terms.local_gcycles * terms.client_ghz**2).sum(axis=-1)}

    monkeypatch.setattr(best_response, "MANY_ACTIONS", 15)
    view = slots(DNNPartition(dnns=(deep(20, seed=5),), num_client_vehicles=3, num_service_vehicles=2), seed=6)
    without = pruned_best_response(view, "drift", 7)
    monkeypatch.setattr(DriftPlusPenalty, "__call__", with_battery)
    found = pruned_best_response(view, "drift", 7)
    np.testing.assert_array_equal(found, plain_best_response(view, "drift", 7))
    assert (found != without).any()


def test_few_costs_are_computed_for_a_deep_network(monkeypatch: pytest.MonkeyPatch) -> None:
    view = slots(DNNPartition(dnns=(deep(336, seed=8),)), seed=9)
    computed = list[int]()
    cost = DNNPartition.cost

    def counted(problem: DNNPartition, view: View, action: np.ndarray, objective: Any = None) -> np.ndarray:
        computed.append(action.size // action.shape[-1])
        return cost(problem, view, action, objective)

    monkeypatch.setattr(DNNPartition, "cost", counted)
    pruned_best_response(view, "drift_bound", 10)
    one_sweep = BATCH_SIZE * BestResponse.num_starts * sum(view.problem.action_counts)
    assert sum(computed) < 0.02 * one_sweep


def test_the_exact_optimum_of_the_bound_needs_few_assignments_for_a_deep_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partial_assignments, "MAX_PARTIAL_ASSIGNMENTS", 20_000)
    view = slots(DNNPartition(dnns=(deep(336, seed=8),), num_client_vehicles=6), seed=9)
    found = ExactSlot(view.problem, objective="drift_bound").solve(view)
    assert (found.gap == 0.0).all()
    first = view.problem.cost(view, pruned_best_response(view, "drift_bound", 10), "drift_bound")
    assert (found.value <= first).all()


@pytest.mark.parametrize("seed", range(3))
def test_corners_of_the_hull_are_the_least_for_every_price(seed: int) -> None:
    work, cost = np.random.default_rng(seed).exponential(1.0, (2, 60))
    some = partial_assignments.PartialAssignments(work=work, cost=cost, cuts=np.zeros((60, 1), dtype=np.int16))
    corners = some.on_lower_hull()
    prices = np.geomspace(1e-4, 1e4, 400)[:, None]
    np.testing.assert_array_equal((corners.cost + prices * corners.work).min(1), (cost + prices * work).min(1))
    assert len(corners.work) < 20
