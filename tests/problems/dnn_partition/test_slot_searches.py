"""Searches in a slot of `DNNPartition`: the best response, and the genetic algorithm."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.problem import Problem
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from tests.problems.dnn_partition.slots import OBJECTIVES, RULES, TINY, blank, cost, least_cost, make_env, random_view
from vec_envs.policies import AllLocal, AllRSU, BestResponse, Genetic, PaperGreedy, Policy
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.records import map_arrays

# Best response --------------------------------------------------------------------------------------------------------


def chosen_cost(view: View, batch_size: int, objective: str) -> np.ndarray:
    policy = BestResponse(view.problem, objective=objective)  # type: ignore[arg-type]
    policy.reset(0)
    return cost(view, policy.act(blank(view.problem, batch_size), view), objective)


@OBJECTIVES
def test_best_response_is_nearly_always_the_optimum_of_a_tiny_slot(objective: str) -> None:
    view = random_view(TINY, 200, seed=0)
    found, least = chosen_cost(view, 200, objective), least_cost(view, 200, objective)
    assert (found >= least - 1e-9 * np.abs(least)).all()
    assert np.isclose(found, least, rtol=1e-9, atol=1e-9).mean() > 0.98


@OBJECTIVES
def test_no_client_gains_by_deviating_alone_from_best_response(objective: str) -> None:
    view = random_view(RULES, 20, seed=1)
    policy = BestResponse(RULES, objective=objective)  # type: ignore[arg-type]
    action = policy.act(blank(RULES, 20), view)
    held = cost(view, action, objective)
    for client, count in enumerate(RULES.action_counts):
        for other in range(count):
            moved = action.copy()
            moved[:, client] = other
            assert (cost(view, moved, objective) >= held - 1e-9 * np.abs(held)).all()


@OBJECTIVES
@pytest.mark.parametrize("rule", [AllLocal, AllRSU, PaperGreedy])
@pytest.mark.parametrize("problem", [TINY, RULES], ids=["tiny", "four clients"])
def test_best_response_is_never_worse_than_a_rule(problem: DNNPartition, rule: type, objective: str) -> None:
    view = random_view(problem, 100, seed=2)
    by_rule = cost(view, rule(problem).act(blank(problem, 100), view), objective)
    assert (chosen_cost(view, 100, objective) <= by_rule + 1e-9 * np.abs(by_rule)).all()


@pytest.mark.slow
def test_best_response_never_overloads_what_a_rule_overloads() -> None:
    def backlog_after(policy: Policy) -> float:
        envs = make_env(episode_slots=30)
        observation, _ = envs.reset(seed=0)
        for _ in range(30):
            observation, *_, infos = envs.step(policy.act(observation, envs.view))
        return float(infos["backlog_gcycles"].mean())

    problem = make_env(episode_slots=30).problem
    assert backlog_after(BestResponse(problem, objective="drift")) < 0.2 * backlog_after(AllRSU(problem))


# The genetic algorithm ------------------------------------------------------------------------------------------------


@OBJECTIVES
def test_genetic_algorithm_finds_the_optimum_of_a_tiny_slot(objective: Any) -> None:
    view = random_view(TINY, 10, seed=9)
    policy = Genetic(TINY, objective=objective, population=40, generations=15)
    found, least = cost(view, policy.act(blank(TINY, 10), view), objective), least_cost(view, 10, objective)
    assert np.isclose(found, least, rtol=1e-9, atol=1e-9).mean() > 0.8


def test_more_generations_never_cost_more() -> None:
    view = random_view(DNNPartition(), 3, seed=10)

    def least(generations: int) -> np.ndarray:
        policy = Genetic(view.problem, objective="drift", population=20, generations=generations)
        policy.reset(1)
        return cost(view, policy.act(blank(view.problem, 3), view), "drift")

    few, many = least(2), least(20)
    assert (many <= few).all()
    assert (many < few).any()


def test_mutation_creates_new_genes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chromosomes have two values of a gene at most; children that only mixed them would never have a third."""
    view, tried = random_view(DNNPartition(), 1, seed=11), list[np.ndarray]()

    def kept(problem: DNNPartition, view: View, action: np.ndarray, objective: Any) -> np.ndarray:
        tried.append(action)
        return cost(problem, view, action, objective)

    cost = DNNPartition.cost
    monkeypatch.setattr(DNNPartition, "cost", kept)
    Genetic(view.problem, objective="drift", population=2, generations=40).act(blank(view.problem, 1), view)
    cuts = np.concatenate(tried, axis=1)[0] // view.problem.num_nodes
    assert len(tried) == 40
    assert sum(len(np.unique(of_client)) > 2 for of_client in cuts.T) >= 4


@pytest.mark.slow
def test_genetic_algorithm_equals_that_of_pymoo() -> None:
    """The same algorithm on other random numbers: over many searches of a slot their means are the same."""
    seeds, population, generations = 60, 12, 30
    view = random_view(DNNPartition(), 1, seed=12)
    state, exogenous = (map_arrays(lambda a: np.repeat(a, seeds, axis=0), of) for of in (view.state, view.exogenous))
    many = View(problem=view.problem, state=state, exogenous=exogenous)
    policy = Genetic(view.problem, objective="drift", population=population, generations=generations)
    found = cost(many, policy.act(blank(view.problem, seeds), many), "drift")
    theirs = np.array([pymoos_own(view, population, generations, seed) for seed in range(seeds)])
    error = np.hypot(found.std(), theirs.std()) / np.sqrt(seeds)
    assert abs(found.mean() - theirs.mean()) < 2.5 * error


def pymoos_own(view: View, population: int, generations: int, seed: int) -> float:
    """Returns the least cost that pymoo's `GA` finds with operators of its own."""
    num_layers, nodes = view.problem.num_layers, view.problem.num_nodes

    class Slot(Problem):
        def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
            cut, node = np.split(x.astype(np.int64), 2, axis=-1)
            out["F"] = view.problem.cost(view, (cut * nodes + node)[None], "drift")[0]

    highest = np.concatenate([num_layers, np.full(len(num_layers), nodes - 1)])
    operators = {
        "sampling": IntegerRandomSampling(),
        "crossover": UniformCrossover(),
        "mutation": PM(eta=3, vtype=float, repair=RoundingRepair()),
    }
    search = GA(pop_size=population, eliminate_duplicates=False, **operators)
    slot = Slot(n_var=len(highest), n_obj=1, xl=0, xu=highest, vtype=int)
    return float(minimize(slot, search, ("n_gen", generations), seed=seed).F[0])


def test_without_pymoo_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("pymoo"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeError, match=r"\[genetic\]"):
        Genetic(TINY)


def test_genetic_algorithm_needs_a_population_and_a_generation() -> None:
    with pytest.raises(ValueError, match="population"):
        Genetic(TINY, population=1)
    with pytest.raises(ValueError, match="generations"):
        Genetic(TINY, generations=0)


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="objective must be one of 'drift_bound', 'drift', 'delay', or a function"):
        BestResponse(DNNPartition(), objective="energy")
