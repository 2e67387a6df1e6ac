"""The reference policies: one interface, and each does what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.problems.dnn_partition.slots import BATCH_SIZE, RULES, blank, make_env, random_view
from vec_envs.policies import AllLocal, AllRSU, Genetic, LeastDelay, PaperGreedy, Policy, Random, references
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import batch_size_of
from vec_envs.records import map_arrays

POLICIES: dict[str, Callable[[Any], Policy]] = {
    **{name: reference.make for name, reference in references(DNNPartition).policies.items()},
    "genetic-paper": partial(Genetic, objective="drift_bound", population=8, generations=3),
    "genetic-drift": partial(Genetic, population=8, generations=3),
}
ALL = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("optimum")) for name in POLICIES]
)
BLIND = ("random", "all-local", "all-rsu")
NEEDS_VIEW = [name for name in POLICIES if name not in BLIND]


# The interface --------------------------------------------------------------------------------------------------------


@ALL
def test_policy_acts_for_all_agents_of_the_batch(name: str) -> None:
    envs = make_env()
    policy = POLICIES[name](envs.problem)
    assert isinstance(policy, Policy)
    observation, _ = envs.reset(seed=0)
    policy.reset(0)
    for _ in range(6):
        action = policy.act(observation, envs.view)
        assert action.shape == (BATCH_SIZE, 4)
        assert action.dtype.kind == "i"
        assert action in envs.action_space
        observation, *_ = envs.step(action)


@ALL
def test_policy_is_repeatable_by_seed(name: str) -> None:
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
def test_policy_does_not_modify_its_inputs(name: str) -> None:
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
def test_policy_that_needs_the_view_raises_without_it(name: str) -> None:
    envs = make_env()
    observation, _ = envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"policy.act\(observation, env.unwrapped.view\)"):
        POLICIES[name](envs.problem).act(observation)


def test_an_observation_of_one_environment_lacks_an_axis() -> None:
    observation = make_env().reset(seed=0)[0]
    assert batch_size_of(observation) == BATCH_SIZE
    with pytest.raises(ValueError, match=r"got shape \(4, \d+\); for a single environment"):
        batch_size_of(observation[0])


@pytest.mark.parametrize("name", BLIND)
def test_policy_without_a_view_needs_none(name: str) -> None:
    envs = make_env()
    observation, _ = envs.reset(seed=0)
    assert POLICIES[name](envs.problem).act(observation) in envs.action_space


# Rules ----------------------------------------------------------------------------------------------------------------


def view_of(problem: DNNPartition, rsu: list[list[float]], service: list[list[float]]) -> View:
    """Returns a slot in which only the backlogs of the edge matter."""
    batch_size = len(rsu)
    state = replace(
        problem.initial_state((batch_size,)),
        rsu_backlog_gcycles=np.array(rsu),
        service_backlog_gcycles=np.array(service),
    )
    return View(problem=problem, state=state, exogenous=None)


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
        observation, times = np.unique(drawn[:, client], return_counts=True)
        assert observation.tolist() == list(range(count))
        assert times.min() > 0.7 * 5000 / count
    assert not np.array_equal(drawn, policy.act(blank(RULES, 5000)))


def test_least_delay_is_what_a_client_would_take_alone() -> None:
    view = random_view(RULES, 30, seed=5)
    action = LeastDelay(RULES).act(blank(RULES, 30), view)
    local = RULES.num_layers * RULES.num_nodes
    for row in range(30):
        state, exogenous = (map_arrays(lambda a, i=row: a[i], r) for r in (view.state, view.exogenous))
        for client, count in enumerate(RULES.action_counts):
            alone = np.tile(local, (count, 1))
            alone[:, client] = np.arange(count)
            delay_s = RULES.transition(state, alone, exogenous)[1].delay_s[:, client]
            assert delay_s[action[row, client]] == delay_s.min()
