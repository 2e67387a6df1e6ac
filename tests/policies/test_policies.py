"""The reference policies: one interface, and each does what it says."""

from __future__ import annotations

import builtins
import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from vec_envs import dnn_partition_v0
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.faces.vector_env import LanesVectorEnv
from vec_envs.policies import (
    AllLocal,
    AllRSU,
    BestResponse,
    ExactSlot,
    Genetic,
    LeastDelay,
    PaperGreedy,
    Policy,
    Random,
    genetic,
    partition_search,
    partition_ways,
    references,
)
from vec_envs.policies.partition_costs import cost_of_slot, slot_costs
from vec_envs.problems.dnn_partition import DNNPartition, Exogenous, State
from vec_envs.problems.problem import View
from vec_envs.records import map_arrays

LANES = 5
POLICIES: dict[str, Callable[[Any], Policy]] = {
    **{name: reference.make for name, reference in references(DNNPartition).policies.items()},
    "genetic-paper": partial(Genetic, objective="drift_bound", population=8, generations=3),
    "genetic-drift": partial(Genetic, population=8, generations=3),
}
ALL = pytest.mark.parametrize("name", POLICIES)
BLIND = ("random", "all-local", "all-rsu")
NEEDS_VIEW = [name for name in POLICIES if name not in BLIND]
OBJECTIVES = pytest.mark.parametrize("objective", ["drift", "drift_bound"])


def make_env(**options: object) -> LanesVectorEnv:
    sizes = {"num_client_vehicles": 4, "num_service_vehicles": 2, "episode_slots": 6}
    return dnn_partition_v0.vector_env(num_envs=LANES, mobility="straight", **(sizes | options))


def profile(name: str, gflops: tuple[float, ...], mbit: tuple[float, ...]) -> DNNProfile:
    layers = tuple(
        Layer(name=f"layer{n}", gflops=work, gmacs=work / 2, output_mbit=size, parameter_mbyte=0.0)
        for n, (work, size) in enumerate(zip(gflops, mbit[1:], strict=True), start=1)
    )
    return DNNProfile(name=name, input_mbit=mbit[0], layers=layers)


# The interface --------------------------------------------------------------------------------------------------------


@ALL
def test_policy_acts_for_all_agents_of_all_lanes(name: str) -> None:
    envs = make_env()
    policy = POLICIES[name](envs.problem)
    assert isinstance(policy, Policy)
    observation, _ = envs.reset(seed=0)
    policy.reset(0)
    for _ in range(6):
        action = policy.act(observation, envs.view)
        assert action.shape == (LANES, 4)
        assert action.dtype.kind == "i"
        assert action in envs.action_space
        observation, *_ = envs.step(action)


@ALL
def test_policy_repeats_itself_from_a_seed(name: str) -> None:
    envs = make_env()
    observation, _ = envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    one, other = POLICIES[name](envs.problem), POLICIES[name](envs.problem)
    one.reset(3)
    other.reset(3)
    first = [one.act(observation, envs.view) for _ in range(3)]
    assert all(np.array_equal(a, other.act(observation, envs.view)) for a in first)
    one.reset(3)
    assert all(np.array_equal(a, one.act(observation, envs.view)) for a in first)


@ALL
def test_policy_writes_to_nothing_it_is_shown(name: str) -> None:
    envs = make_env()
    observation, _ = envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    view = envs.view
    shown = [observation, *vars(view.state).values(), *vars(view.exogenous).values()]
    before = [array.copy() for array in shown]
    action = POLICIES[name](envs.problem).act(observation, view)
    action[...] = 0
    assert all(np.array_equal(a, b) for a, b in zip(before, shown, strict=True))


@pytest.mark.parametrize("name", NEEDS_VIEW)
def test_policy_that_looks_at_the_slot_says_so(name: str) -> None:
    envs = make_env()
    observation, _ = envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"pass act\(observation, view=env.view\)"):
        POLICIES[name](envs.problem).act(observation)


@pytest.mark.parametrize("name", BLIND)
def test_blind_policy_needs_no_view(name: str) -> None:
    envs = make_env()
    observation, _ = envs.reset(seed=0)
    assert POLICIES[name](envs.problem).act(observation) in envs.action_space


# Rules ----------------------------------------------------------------------------------------------------------------

A = profile("a", (1.0, 1.0, 1.0), (4.0, 2.0, 3.0, 0.1))
B = profile("b", (1.0, 1.0), (5.0, 9.0, 0.2))
C = profile("c", (1.0, 1.0, 1.0), (7.0, 2.0, 2.0, 0.1))
RULES = DNNPartition(dnns=(A, B, C), num_client_vehicles=4, num_service_vehicles=2)


def view_of(problem: DNNPartition, rsu: list[list[float]], service: list[list[float]]) -> View:
    """Returns a slot in which only the backlogs of the edge matter."""
    lanes = len(rsu)
    state = replace(
        problem.initial_state((lanes,)), rsu_backlog_gcycles=np.array(rsu), service_backlog_gcycles=np.array(service)
    )
    return View(problem=problem, state=state, exogenous=None)


def blank(problem: DNNPartition, lanes: int) -> np.ndarray:
    return np.zeros((lanes, problem.num_client_vehicles, problem.observation_size), dtype=np.float32)


def test_greedy_cuts_where_data_is_least_and_sends_to_the_shortest_queue() -> None:
    view = view_of(
        RULES,
        rsu=[[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [9.0, 0.0, 0.0]],
        service=[[0.0, 0.0], [7.0, 6.5], [5.0, 2.9], [4.0, 4.0]],
    )
    action = PaperGreedy(RULES).act(blank(RULES, 4), view)
    cut, node = np.divmod(action, RULES.num_nodes)
    assert cut.tolist() == [[1, 0, 1, 1]] * 4  # of equals the first, and never cut L, which sends nothing
    assert node[:, 0].tolist() == [0, 0, 2, 1]  # of equals the first; the RSU's queue is the sum over types
    assert (node == node[:, :1]).all()


def test_all_local_sends_nothing_and_all_rsu_everything() -> None:
    counts = np.array(RULES.action_counts)
    local, rsu = AllLocal(RULES).act(blank(RULES, 2)), AllRSU(RULES).act(blank(RULES, 2))
    assert np.divmod(local, RULES.num_nodes)[0].tolist() == [[3, 2, 3, 3]] * 2
    assert (local < counts).all()
    assert (rsu == 0).all()


def test_random_takes_every_action_of_every_client_and_no_other() -> None:
    policy = Random(RULES)
    policy.reset(1)
    drawn = policy.act(blank(RULES, 5000))
    for client, count in enumerate(RULES.action_counts):
        seen, times = np.unique(drawn[:, client], return_counts=True)
        assert seen.tolist() == list(range(count))
        assert times.min() > 0.7 * 5000 / count
    assert not np.array_equal(drawn, policy.act(blank(RULES, 5000)))


def test_least_delay_is_what_a_client_would_take_alone() -> None:
    view = random_view(RULES, 30, seed=5)
    action = LeastDelay(RULES).act(blank(RULES, 30), view)
    local = RULES.num_layers * RULES.num_nodes
    for lane in range(30):
        state, exogenous = (map_arrays(lambda a, i=lane: a[i], r) for r in (view.state, view.exogenous))
        for client, count in enumerate(RULES.action_counts):
            alone = np.tile(local, (count, 1))
            alone[:, client] = np.arange(count)
            delay_s = RULES.transition(state, alone, exogenous)[1].delay_s[:, client]
            assert delay_s[action[lane, client]] == delay_s.min()


# Best response --------------------------------------------------------------------------------------------------------

TINY = DNNPartition(
    dnns=(profile("x", (2.0, 4.0), (4.0, 1.0, 0.1)), profile("y", (1.0, 5.0, 9.0), (8.0, 6.0, 2.0, 0.1))),
    num_client_vehicles=2,
    num_service_vehicles=1,
)


def random_view(problem: DNNPartition, lanes: int, seed: int) -> View:
    rng = np.random.default_rng(seed)
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles

    def backlog(queues: int) -> np.ndarray:
        return rng.exponential(10.0, (lanes, queues)) * (rng.random((lanes, queues)) > 0.4)

    state = State(
        client_backlog_gcycles=backlog(clients),
        rsu_backlog_gcycles=backlog(len(problem.dnns)),
        service_backlog_gcycles=backlog(services),
    )
    exogenous = Exogenous(
        client_position_m=np.zeros((lanes, clients)),
        service_position_m=np.zeros((lanes, services)),
        v2i_mbps=rng.uniform(1.0, 150.0, (lanes, clients)),
        v2v_mbps=rng.uniform(1.0, 150.0, (lanes, clients, services)),
        client_ghz=rng.uniform(4.0, 6.0, (lanes, clients)),
        service_ghz=rng.uniform(6.0, 8.0, (lanes, services)),
    )
    return View(problem=problem, state=state, exogenous=exogenous)


def cost(view: View, action: np.ndarray, objective: str) -> np.ndarray:
    """Returns what the policy minimises, of actions `[lanes, clients]` or `[lanes, choices, clients]`."""
    state, exogenous = view.state, view.exogenous
    if action.ndim == 3:
        state, exogenous = (map_arrays(lambda a: a[:, None], record) for record in (state, exogenous))
    outcome = view.problem.transition(state, action, exogenous)[1]
    return getattr(outcome, objective) + view.problem.lyapunov_v * outcome.delay_s.sum(axis=-1)


def least_cost(view: View, lanes: int, objective: str) -> np.ndarray:
    """Returns the least cost over all joint actions."""
    every = np.array(list(itertools.product(*map(range, view.problem.action_counts))))
    return cost(view, np.tile(every, (lanes, 1, 1)), objective).min(axis=1)


def chosen_cost(view: View, lanes: int, objective: str) -> np.ndarray:
    policy = BestResponse(view.problem, objective=objective)  # type: ignore[arg-type]
    policy.reset(0)
    return cost(view, policy.act(blank(view.problem, lanes), view), objective)


@OBJECTIVES
def test_best_response_is_nearly_always_the_optimum_of_a_tiny_slot(objective: str) -> None:
    view = random_view(TINY, 200, seed=0)
    found, least = chosen_cost(view, 200, objective), least_cost(view, 200, objective)
    assert (found >= least - 1e-9 * np.abs(least)).all()
    assert np.isclose(found, least, rtol=1e-9, atol=1e-9).mean() > 0.98


@OBJECTIVES
def test_nobody_gains_by_leaving_the_best_response_alone(objective: str) -> None:
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


def test_best_response_never_overloads_what_a_rule_overloads() -> None:
    def backlog_after(policy: Policy) -> float:
        envs = make_env(episode_slots=30)
        observation, _ = envs.reset(seed=0)
        for _ in range(30):
            observation, *_, infos = envs.step(policy.act(observation, envs.view))
        return float(infos["backlog_gcycles"].mean())

    problem = make_env(episode_slots=30).problem
    assert backlog_after(BestResponse(problem)) < 0.2 * backlog_after(AllRSU(problem))


# The exact optimum ----------------------------------------------------------------------------------------------------

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
@pytest.mark.parametrize("times", [0.0, 1.0, 20.0])
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
    """Clients of one DNN can cut in ways of equal work: a best response would have found the optimum beforehand."""
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
    monkeypatch.setattr(partition_search, "PRICES", 3)
    monkeypatch.setattr(partition_search, "ROWS_AT_ONCE", 50)
    np.testing.assert_allclose(ExactSlot(view.problem, objective=objective).solve(view).value, value, rtol=1e-9)


@OBJECTIVES
def test_optimum_of_a_full_slot_is_below_whatever_else_is_tried(objective: Any) -> None:
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
    with pytest.warns(UserWarning, match=r"of 4 slots have too many decisions .* or hit the time limit of 1e-09 s"):
        hasty.act(blank(view.problem, 4), view)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ExactSlot(view.problem, objective=objective, time_limit_s=60.0).act(blank(view.problem, 4), view)


@pytest.mark.parametrize("most", [300, 5])
def test_a_slot_with_too_many_decisions_is_marked_and_bounded(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few would do for a set of clients, or not even for two of them."""
    view = random_view(DNNPartition(dnns=("alexnet",), num_client_vehicles=5, num_service_vehicles=1), 4, seed=7)
    exact = ExactSlot(view.problem).solve(view)
    assert (exact.gap == 0.0).all()
    monkeypatch.setattr(partition_ways, "MOST_WAYS", most)
    found = ExactSlot(view.problem).solve(view)
    assert (found.gap > 0.0).any()
    assert (found.bound <= exact.value + 1e-9 * np.abs(exact.value)).all()
    with pytest.warns(UserWarning, match=r"of 4 slots have too many decisions to look at: what they cost may be"):
        ExactSlot(view.problem).act(blank(view.problem, 4), view)


@OBJECTIVES
def test_what_a_price_says_is_at_most_what_any_speed_costs(objective: Any) -> None:
    view = random_view(DNNPartition(allocation="capped"), 6, seed=8)  # which gives any speed up to all
    price, work = np.geomspace(1e-2, 1e4, 30), np.array([0.0, 1.0, 12.0, 60.0])
    speed = np.linspace(0.01, 30.0, 4000)[:, None, None]
    for costs in slot_costs(view.problem, view, objective):
        for kind, num_tasks in ((0, 0), (0, 1), (1, 2), (2, 3)):
            done = 0.0 * work if num_tasks == 0 else work
            backlog = costs.rsu_backlog[kind]
            gamma = 10.0 * (num_tasks * backlog + 0.5 * (num_tasks + 1.0) * done[:, None])
            if objective == "drift":
                drift = 0.5 * (np.maximum(backlog + done[:, None] - speed, 0.0) ** 2 - backlog**2)
            else:
                drift = backlog * (done[:, None] - speed)
            least = (gamma / speed + drift + price * speed).min(axis=0)
            bound = costs.least_at_rsu(kind, num_tasks, done, price)
            assert (bound <= least + 1e-9 * np.abs(least)).all()
            assert (bound >= least - 0.02 * np.abs(least) - price * 0.02 - 0.5).all()  # and not much less


def test_optimum_says_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="num_client_vehicles=13: the exact optimum is for at most 12"):
        ExactSlot(DNNPartition(num_client_vehicles=13))
    with pytest.raises(ValueError, match="objective"):
        ExactSlot(TINY, objective="delay")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time_limit_s"):
        ExactSlot(TINY, time_limit_s=0.0)


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
        policy = Genetic(view.problem, population=20, generations=generations)
        policy.reset(1)
        return cost(view, policy.act(blank(view.problem, 3), view), "drift")

    few, many = least(2), least(20)
    assert (many <= few).all()
    assert (many < few).any()


def test_genes_mutate_to_what_no_parent_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chromosomes have two values of a gene at most; children that only mixed them would never have a third."""
    view, tried = random_view(DNNPartition(), 1, seed=11), list[np.ndarray]()

    def kept(view: View, action: np.ndarray, objective: Any) -> np.ndarray:
        tried.append(action)
        return cost_of_slot(view, action, objective)

    monkeypatch.setattr(genetic, "cost_of_slot", kept)
    Genetic(view.problem, population=2, generations=40).act(blank(view.problem, 1), view)
    cuts = np.concatenate(tried, axis=1)[0] // view.problem.num_nodes
    assert len(tried) == 40
    assert sum(len(np.unique(of_client)) > 2 for of_client in cuts.T) >= 4


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
