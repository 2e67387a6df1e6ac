"""The reference policies: one interface, and each does what it says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from vec_envs import dnn_partition_v0
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.faces.vector_env import LanesVectorEnv
from vec_envs.policies import AllLocal, AllRSU, BestResponse, PaperGreedy, Policy, Random, references
from vec_envs.problems.dnn_partition import DNNPartition, Exogenous, State
from vec_envs.problems.problem import View
from vec_envs.records import map_arrays

LANES = 5
POLICIES = {name: reference.make for name, reference in references(DNNPartition).policies.items()}
ALL = pytest.mark.parametrize("name", POLICIES)
NEEDS_VIEW = ("paper-greedy", "best-response-bound", "best-response-drift")


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


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in NEEDS_VIEW])
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


@pytest.mark.parametrize("objective", ["drift", "drift_bound"])
def test_best_response_is_nearly_always_the_optimum_of_a_tiny_slot(objective: str) -> None:
    view = random_view(TINY, 200, seed=0)
    found, least = chosen_cost(view, 200, objective), least_cost(view, 200, objective)
    assert (found >= least - 1e-9 * np.abs(least)).all()
    assert np.isclose(found, least, rtol=1e-9, atol=1e-9).mean() > 0.98


@pytest.mark.parametrize("objective", ["drift", "drift_bound"])
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


@pytest.mark.parametrize("objective", ["drift", "drift_bound"])
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
