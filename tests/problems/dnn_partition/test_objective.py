"""The objective of `DNNPartition` has one home: rewards, searches and the exact policy follow it, or refuse it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.made_up import LONG, SHORT
from tests.problems.dnn_partition.slots import blank, random_view
from vec_envs.policies import BestResponse, ExactSlot, ExhaustiveSearch, Genetic
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.dnn_partition.objective import DriftPlusPenalty, SlotTerms
from vec_envs.problems.dnn_partition.policies import exact

PROBLEM = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=2)


def with_energy(terms: SlotTerms) -> dict[str, Any]:
    """Drift plus V times the delays, and a price for the energy that clients spend on computing and sending."""
    energy_j = 40.0 * terms.local_gcycles * terms.client_ghz**2 + 200.0 * terms.transmit_s
    return {"drift": terms.drift, "delay": 10.0 * terms.delay_s.sum(axis=-1), "energy": energy_j.sum(axis=-1)}


def energy_view(num_slots: int, seed: int = 5) -> View:
    return random_view(replace(PROBLEM, reward=with_energy), num_slots, seed=seed)


def test_the_reward_is_minus_the_sum_of_the_objective_s_costs() -> None:
    view = energy_view(8)
    action = np.random.default_rng(0).integers(0, PROBLEM.action_counts, (8, 3))
    outcome = view.problem.transition(view.state, action, view.exogenous)[1]
    costs = with_energy(view.problem.slot_terms(view.state, action, view.exogenous))
    assert list(outcome.reward_terms) == ["drift", "delay", "energy"]
    assert (outcome.reward_terms["energy"] < 0.0).any()
    np.testing.assert_allclose(outcome.reward, -sum(costs.values()))
    assert list(view.problem.metrics(view.state, outcome)["reward_terms"]) == ["drift", "delay", "energy"]


def test_best_response_and_enumeration_solve_an_objective_with_energy() -> None:
    view = energy_view(12)
    best = ExhaustiveSearch(view.problem).act(blank(view.problem, 12), view)
    found = BestResponse(view.problem).act(blank(view.problem, 12), view)
    least, reached = (view.problem.cost(view, action) for action in (best, found))
    assert (np.isclose(reached, least, rtol=1e-9)).mean() > 0.7  # elsewhere it is a local minimum, near the least
    tried = np.random.default_rng(1).integers(0, PROBLEM.action_counts, (12, 200, 3))
    assert (reached - least < 0.02 * (view.problem.cost(view, tried).mean(axis=1) - least)).all()
    blind = ExhaustiveSearch(view.problem, objective="drift").act(blank(view.problem, 12), view)
    assert (view.problem.cost(view, blind) > least * (1.0 + 1e-6)).any()  # energy changes the answer


def test_the_genetic_algorithm_takes_the_problem_s_own_objective() -> None:
    pytest.importorskip("pymoo")
    view = energy_view(4)
    policy = Genetic(view.problem, population=60, generations=30)
    policy.reset(0)
    least = view.problem.cost(view, ExhaustiveSearch(view.problem).act(blank(view.problem, 4), view))
    np.testing.assert_allclose(view.problem.cost(view, policy.act(blank(view.problem, 4), view)), least, rtol=0.05)


def test_the_exact_policy_refuses_an_objective_by_name_and_says_why() -> None:
    with pytest.raises(ValueError, match=r"exact for the objectives 'drift' and 'drift_bound' only, got 'with_energy'.*"
                                         r"BestResponse, Genetic or ExhaustiveSearch"):  # fmt: skip
        ExactSlot(replace(PROBLEM, reward=with_energy))
    ExactSlot(replace(PROBLEM, reward=with_energy), objective="drift")  # what is asked for by name is solved


@pytest.mark.parametrize("name", exact.EXACT_FOR)
def test_the_exact_policy_agrees_with_enumeration(name: str) -> None:
    view = random_view(PROBLEM, 10, seed=2)
    solution = ExactSlot(PROBLEM, objective=name).solve(view)
    least = view.problem.cost(view, ExhaustiveSearch(PROBLEM, objective=name).act(blank(PROBLEM, 10), view), name)
    np.testing.assert_allclose(solution.value, least, rtol=1e-9)


def test_a_changed_objective_is_noticed_by_the_exact_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts that the exact search adds up are compared with the objective itself."""
    original = DriftPlusPenalty.__call__
    monkeypatch.setattr(
        DriftPlusPenalty, "__call__",
        lambda self, terms: {**original(self, terms), "energy": with_energy(terms)["energy"]},
    )  # fmt: skip
    view = random_view(PROBLEM, 4, seed=3)
    with pytest.raises(RuntimeError, match="does not describe this objective"):
        ExactSlot(PROBLEM, objective="drift").solve(view)


def test_enumeration_refuses_too_many_joint_actions() -> None:
    with pytest.raises(ValueError, match="joint actions; ExhaustiveSearch takes at most 1000000"):
        ExhaustiveSearch(DNNPartition())


def test_an_unknown_reward_is_refused() -> None:
    with pytest.raises(ValueError, match="reward"):
        DNNPartition(reward="energy")
    with pytest.raises(ValueError, match="reward"):
        DNNPartition(reward=3)  # type: ignore[arg-type]
