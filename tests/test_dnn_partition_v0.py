"""VEC-DNNPartition-v0: padded agents, infos, channels and seeds; the rest is in `interfaces/test_every_environment`."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from pettingzoo.test import api_test, parallel_api_test

import vec_envs
from tests.interfaces.comparing import MODES, QUIET, WITHOUT_SUMO, assert_same
from tests.interfaces.small_partition import ENV_ID, SMALL, factory, observations, play, random_actions

# The APIs -------------------------------------------------------------------------------------------------------------


@QUIET
def test_gymnasium_checks_the_joint_env_with_extended_observations() -> None:
    check_env(gymnasium.make(ENV_ID, **SMALL).unwrapped)


@QUIET
def test_pettingzoo_checks_padded_agents(capsys: pytest.CaptureFixture[str]) -> None:
    parallel_api_test(factory.parallel_env(padded=True, **SMALL), num_cycles=20)
    api_test(factory.env(padded=True, **SMALL), num_cycles=40)


def test_registering_twice_is_harmless() -> None:
    vec_envs.register_all()
    assert ENV_ID in gymnasium.registry


@pytest.mark.parametrize("mode", [m.name for m in MODES] + [m.value for m in MODES] + MODES)
def test_autoreset_mode_is_declared(mode: str | AutoresetMode) -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=2, autoreset_mode=mode, **SMALL)
    declared = envs.metadata["autoreset_mode"]
    assert mode in (declared, declared.name, declared.value)


def test_padded_agents_share_a_space_and_are_masked() -> None:
    env = factory.parallel_env(padded=True, **SMALL)
    counts = np.array(env.problem.action_counts)
    observations, _ = env.reset(seed=0)
    assert {env.action_space(a).n for a in env.agents} == {counts.max()}
    for agent, count in zip(env.agents, counts, strict=True):
        assert observations[agent] in env.observation_space(agent)
        assert observations[agent]["action_mask"].dtype == np.int8
        assert observations[agent]["action_mask"].tolist() == [1] * count + [0] * (counts.max() - count)
    plain, _ = factory.parallel_env(**SMALL).reset(seed=0)
    assert_same({a: o["observation"] for a, o in observations.items()}, plain)


# Episodes -------------------------------------------------------------------------------------------------------------


def test_infos_equal_the_documented_ones() -> None:
    env = factory.joint_env(**SMALL)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(random_actions(1)[0, 0])
    parts = {"client_backlog_gcycles", "rsu_backlog_gcycles", "service_backlog_gcycles"}
    assert info.keys() == parts | {"completion_time_s", "backlog_gcycles", "drift", "drift_bound", "reward_terms"}
    assert info["backlog_gcycles"] == pytest.approx(sum(info[name] for name in parts))
    assert reward == pytest.approx(sum(info["reward_terms"].values()))
    assert info["reward_terms"]["delay"] == pytest.approx(-10.0 * info["completion_time_s"])
    assert info["backlog_gcycles"] == pytest.approx(sum(queue.sum() for queue in vars(env.view.state).values()))


@WITHOUT_SUMO
def test_different_seeds_differ_from_the_first_slot_on_and_later(mobility: str) -> None:
    env, actions = factory.joint_env(**(SMALL | {"mobility": mobility})), random_actions(5)
    one, other = play(env, actions, 1), play(env, actions, 2)
    for a, b in zip(observations(one), observations(other), strict=True):
        assert not np.array_equal(a, b)
    for a, b in zip(one[2::5], other[2::5], strict=True):
        assert a != b


def test_every_slot_of_an_episode_has_its_own_channel() -> None:
    trace = play(factory.joint_env(**SMALL), random_actions(5), 1)
    rates = [observation[:, 7] for observation in observations(trace)]
    assert len({tuple(r) for r in rates}) == 6


def test_an_unseeded_first_reset_works_and_differs() -> None:
    for make in (factory.joint_env, factory.parallel_env, factory.vector_env):
        one, other = make(**SMALL), make(**SMALL)
        one.reset()
        other.reset()
        assert not np.array_equal(one.view.exogenous.v2i_mbps, other.view.exogenous.v2i_mbps)


def test_each_environment_has_its_own_seed() -> None:
    batched = factory.vector_env(num_envs=3, **SMALL)
    observation, _ = batched.reset(seed=[9, 4, 9])
    assert_same(observation[0], observation[2])
    assert_same(observation[1], factory.joint_env(**SMALL).reset(seed=4)[0])
    batched.step(random_actions(1, num_envs=3)[0])
    before = batched.view.exogenous.v2i_mbps
    observation, _ = batched.reset(seed=[None, 4, None], options={"reset_mask": np.array([False, True, False])})
    assert_same(observation[1], factory.joint_env(**SMALL).reset(seed=4)[0])
    assert_same(batched.view.exogenous.v2i_mbps[[0, 2]], before[[0, 2]])


def test_a_wrong_action_is_refused_in_its_turn_and_can_be_corrected() -> None:
    turns, right, slot = factory.env(**SMALL), factory.env(**SMALL), [int(a) for a in random_actions(1)[0, 0]]
    turns.reset(seed=3)
    right.reset(seed=3)
    for agent, action in zip(turns.possible_agents, slot, strict=True):
        for wrong, message in ((999, f"action 999 of {agent} is outside"), (0.5, f"{agent} must be one integer")):
            with pytest.raises(ValueError, match=message):
                turns.step(wrong)
            assert turns.agent_selection == agent
        turns.step(action)
        right.step(action)
    assert turns.rewards == right.rewards
    assert_same(turns.observe("client_0"), right.observe("client_0"))


@pytest.mark.parametrize("seed", [None, 7])
def test_an_episode_is_repeated_by_the_seed_that_gymnasium_names(seed: int | None) -> None:
    env = factory.joint_env(**SMALL)
    first = env.reset(seed=seed)[0]
    assert_same(env.reset(seed=env.np_random_seed)[0], first)
    env = factory.joint_env(**SMALL)
    env.np_random = np.random.default_rng(5)
    mine = env.reset()[0]
    other = factory.joint_env(**SMALL)
    other.np_random = np.random.default_rng(5)
    assert_same(other.reset()[0], mine)


def test_a_seed_seeds_the_batched_environments_generator_too() -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
    drawn = []
    for _ in range(2):
        envs.reset(seed=5)
        drawn.append(envs.np_random.random())
    assert envs.np_random_seed == 5
    assert drawn[0] == drawn[1]
