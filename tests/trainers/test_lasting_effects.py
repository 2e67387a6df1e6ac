"""Decisions whose effects last: joined agent by agent, and what another choice of one agent would have changed."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
import torch
from tianshou.data import Batch

from tests.made_up import LONG, SHORT
from trainers import qmix
from trainers.algorithms.options import QMIXOptions
from trainers.algorithms.qmix import legal_choices
from trainers.imitation.experts import made_shard
from trainers.imitation.fitting import imitation_loss, imitation_metrics
from trainers.imitation.lasting import MOST_TRIES, lasting_changes
from trainers.loop.agent_chains import AgentChains, chains_of
from trainers.loop.episodes import DecisionChains, step
from trainers.networks.agents import MLPAgents
from trainers.networks.shared import SharedAgents
from trainers.registry import learner_named
from vec_envs import dnn_partition_v0, mobile_inference_v0
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.policies import references
from vec_envs.problems.base import View
from vec_envs.problems.mobile_inference import MobileInference
from vec_envs.problems.policy import random_legal
from vec_envs.records import map_arrays, stack

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "dnns": (SHORT, LONG),
    "num_client_vehicles": 3,
    "num_service_vehicles": 1,
    "deadline_s": 1.5,
    "arrival_rate_hz": 0.5,
    "episode_slots": 12,
}


def small_env(num_envs: int = 2, **fields: Any) -> BatchVectorEnv:
    return mobile_inference_v0.vector_env(num_envs=num_envs, **{**SMALL, **fields})


def test_a_decision_is_joined_to_the_next_one_of_its_agent() -> None:
    with closing(small_env()) as env:
        observation, _ = env.reset(seed=1)
        chains, rng = chains_of(env.batch), np.random.default_rng(0)
        assert isinstance(chains, AgentChains)
        waits: dict[tuple[int, int], tuple[Any, ...]] = {}
        joined = slots = 0
        while not env.batch.ended.all():
            legal = env.problem.action_mask(env.view.state, env.view.exogenous)
            choice, action = legal.sum(axis=-1) > 1, random_legal(rng, legal)
            result = step(env.batch, action)
            for place in zip(*np.nonzero(choice), strict=True):
                waits[place] = (observation[place[0]], action[place[0]], 0.0)
            waits = {p: (o, a, total + result.reward[p[0]]) for p, (o, a, total) in waits.items()}
            legal = env.problem.action_mask(env.view.state, env.view.exogenous)
            again = [place for place in zip(*np.nonzero(legal.sum(axis=-1) > 1), strict=True) if place in waits]
            found = chains.join(observation, action, result)
            assert len(found.reward) == len(again)
            for n, place in enumerate(again):
                first, taken, total = waits.pop(place)
                np.testing.assert_array_equal(found.observation[n], first)
                np.testing.assert_array_equal(found.action[n], taken)
                np.testing.assert_allclose(found.reward[n], total)
                np.testing.assert_array_equal(found.next_observation[n], result.next_observation[place[0]])
            observation, joined, slots = result.next_observation, joined + len(again), slots + 2
    assert 0 < joined < 3 * slots, "every agent decides in every slot: nothing is shown"


def test_where_every_agent_has_a_choice_slots_are_joined_as_before() -> None:
    env = dnn_partition_v0.vector_env(num_envs=2, mobility="straight", num_client_vehicles=2, episode_slots=3)
    with closing(env):
        env.reset(seed=0)
        assert isinstance(chains_of(env.batch), DecisionChains)


def test_a_change_is_what_follows_if_one_agent_alone_chooses_otherwise() -> None:
    with closing(small_env()) as env:
        observation, _ = env.reset(seed=2)
        problem: Any = env.problem
        expert = references(problem).named("least-estimate").make(problem)
        episodes = stack([env.batch.episode(row) for row in range(2)])
        checked = 0
        for epoch in range(12):
            view = env.view
            action = expert.act(observation, view)
            changes = lasting_changes(view, episodes, epoch, expert, action, np.random.default_rng(0))
            known = np.isfinite(changes).any(axis=-1)
            if epoch + problem.effect_epochs > 12:
                assert not known.any()  # the end of the episode would hide effects
            else:
                np.testing.assert_array_equal(known, problem.deciders(view.state, view.exogenous))
                for row, agent in zip(*np.nonzero(known), strict=True):
                    tried = np.flatnonzero(np.isfinite(changes[row, agent]))
                    assert 1 < len(tried) <= MOST_TRIES + 1
                    assert changes[row, agent, action[row, agent]] == 0.0
                    assert 0 not in tried  # the idle action
                    other = int(tried[-1])
                    expected = _played(problem, view.state, episodes, epoch, row, action[row], agent, other, expert)
                    expected -= _played(
                        problem, view.state, episodes, epoch, row, action[row], agent, int(action[row, agent]), expert
                    )
                    np.testing.assert_allclose(changes[row, agent, other], expected, rtol=1e-4, atol=1e-4)
                    checked += 1
            observation, *_ = env.step(action)
    assert checked > 5


def _played(
    problem: Any,
    states: Any,
    episodes: Any,
    epoch: int,
    row: int,
    action: np.ndarray,
    agent: int,
    choice: int,
    expert: Any,
) -> float:
    """Returns the rewards of one environment, played alone from an epoch on."""
    state, total = map_arrays(lambda a: a[row][None], states), 0.0
    taken = action[None].copy()
    taken[0, agent] = choice
    for now in range(epoch, epoch + problem.effect_epochs):
        exogenous = map_arrays(lambda a, now=now: a[row, now][None], episodes)
        if now > epoch:
            view = View(problem=problem, state=state, exogenous=exogenous)
            taken = expert.act(problem.observe(state, exogenous), view)
        state, outcome = problem.transition(state, taken, exogenous)
        total += float(outcome.reward[0])
    return total


@pytest.mark.slow
def test_a_shard_holds_epochs_with_a_choice_and_agents_learn_from_it() -> None:
    with closing(small_env()) as env:
        expert = references(env.problem).named("least-estimate").make(env.problem)
        shard = made_shard(env, expert, exploration=0.3, seed=(0, 0))
        assert 0 < len(shard.action) < 2 * 12
        assert np.isfinite(shard.advantage).any(axis=(1, 2)).all()
        assert np.isnan(shard.advantage).any()
        options = qmix.QMIXLearner(qmix=QMIXOptions(hidden=8, hidden_layers=1, share_weights=True))
        algorithm = qmix.build(env.problem, options, seed=0)
    before = imitation_loss(algorithm, shard.observation, shard.action, shard.advantage)
    other = np.where(np.isnan(shard.advantage), np.float32(np.nan), np.float32(0.0))
    assert torch.isfinite(before)
    assert imitation_loss(algorithm, shard.observation, shard.action, other) != before
    assert all(np.isfinite(value) for value in imitation_metrics(algorithm, shard).values())


def test_agents_with_mixed_advantages_learn_only_differences() -> None:
    problem = MobileInference(num_client_vehicles=2)
    options = qmix.QMIXLearner(qmix=QMIXOptions(hidden=8, hidden_layers=1, share_weights=True, mix_advantages=True))
    algorithm = qmix.build(problem, options, seed=0)
    rng = np.random.default_rng(0)
    observation = rng.random((6, 1, problem.observation_size), dtype=np.float32)
    action, target = rng.integers(0, 5, (6, 1)), rng.random((6, 1, problem.actions.counts[0]), dtype=np.float32)
    before = imitation_loss(algorithm, observation, action, target)
    head = algorithm.policy.network.network.values.head
    with torch.no_grad():
        head.own.bias += 7.0
    torch.testing.assert_close(imitation_loss(algorithm, observation, action, target), before)
    with torch.no_grad():
        head.own.bias[..., 0] += 7.0
    assert imitation_loss(algorithm, observation, action, target) > before


def test_agents_that_share_weights_value_actions_alike() -> None:
    torch.manual_seed(0)
    single = MLPAgents(num_agents=1, observation_size=5, num_actions=4, hidden=8, hidden_layers=2)
    network, generator = SharedAgents(single), torch.Generator()
    observation, target = torch.randn(6, 3, 5), torch.randn(6, 3, 4)
    values = network(observation, generator)
    assert values.shape == (6, 3, 4)
    torch.testing.assert_close(network(observation.flip(1), generator), values.flip(1))
    torch.testing.assert_close(network.fit(observation, target, generator)[1], target)


@pytest.mark.parametrize("learner", ["qmix", "qmix_diffusion"])
def test_agents_with_the_same_actions_share_one_network(learner: str) -> None:
    known = learner_named(learner)
    options = type(known.presets["tuned"].learner)(qmix=QMIXOptions(hidden=8, hidden_layers=1, share_weights=True))
    algorithm = known.build(MobileInference(num_client_vehicles=2), options, seed=0)
    assert isinstance(algorithm.policy.network, SharedAgents)


def test_a_mixer_of_advantages_gets_nothing_of_the_level_of_values() -> None:
    options = QMIXOptions(hidden=8, hidden_layers=1, share_weights=True, mix_advantages=True)
    with closing(small_env()) as env:
        env.reset(seed=0)
        observation = env.batch.observe()
        algorithm = qmix.build(env.problem, qmix.QMIXLearner(qmix=options), seed=0)
    encoded = algorithm.policy.encode(observation)
    values = algorithm.policy.values(algorithm.policy.network, encoded, algorithm.policy.barred(observation))
    best = values.max(-1).values
    assert (algorithm._mixed(best, values) == 0.0).all()
    torch.testing.assert_close(algorithm._mixed(best - 1.0, values + 5.0), torch.full_like(best, -6.0))
    plain = qmix.build(env.problem, qmix.QMIXLearner(qmix=QMIXOptions(hidden=8, hidden_layers=1)), seed=0)
    assert plain._mixed(best, values) is best


def test_the_mask_of_a_problem_is_left_as_it_is() -> None:
    problem: Any = MobileInference(num_client_vehicles=2)
    mask = np.ones((1, 2, problem.actions.counts[0]), np.bool_)
    mask.flags.writeable = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MobileInference, "action_mask_from_observation", lambda self, observation: mask)
        choices = legal_choices(problem)
        assert choices is not None
        legal = choices(np.zeros((1, 2, problem.observation_size), np.float32))
    assert not legal[..., problem.idle].any()
    assert mask.all()


def test_an_agent_with_a_choice_does_not_idle() -> None:
    with closing(small_env()) as env:
        observation, _ = env.reset(seed=0)
        algorithm = qmix.build(env.problem, qmix.QMIXLearner(qmix=QMIXOptions(hidden=8, hidden_layers=1)), seed=0)
        policy, chose = algorithm.policy, 0
        policy.exploration = 0.5
        for _ in range(12):
            choice = env.problem.deciders(env.view.state, env.view.exogenous)
            batch = Batch(obs=observation, info={})
            action = policy.add_exploration_noise(policy(batch).act.numpy(), batch)
            np.testing.assert_array_equal(action != env.problem.idle, choice)
            chose += int(choice.sum())
            observation, *_ = env.step(action)
    assert chose > 0
