"""The three faces: their APIs, and that they are one environment."""

from __future__ import annotations

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from pettingzoo.test import api_test, parallel_api_test

import vec_envs
from tests.interfaces.comparing import MODES, QUIET, WITHOUT_SUMO, assert_same, first_of
from tests.interfaces.reference_lanes import ENV_ID, SMALL, by_agent, door, observations, play, random_actions
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.vector_env import BatchVectorEnv

# The APIs -------------------------------------------------------------------------------------------------------------


@QUIET
@WITHOUT_SUMO
@pytest.mark.parametrize("observation", ["paper", "extended"])
def test_gymnasium_checks_the_joint_env(mobility: str, observation: str) -> None:
    env = gymnasium.make(ENV_ID, mobility=mobility, observation=observation)
    check_env(env.unwrapped)


@QUIET
def test_gymnasium_checks_the_joint_env_with_pictures() -> None:
    env = gymnasium.make(ENV_ID, render_mode="rgb_array", **SMALL)
    check_env(env.unwrapped)


@QUIET
@WITHOUT_SUMO
@pytest.mark.parametrize("padded", [False, True])
def test_pettingzoo_checks_both_kinds(mobility: str, padded: bool, capsys: pytest.CaptureFixture[str]) -> None:
    parallel_api_test(door.parallel_env(mobility=mobility, padded=padded), num_cycles=70)
    api_test(door.env(mobility=mobility, padded=padded), num_cycles=70)


def test_gymnasium_makes_the_env_by_both_spellings() -> None:
    for env_id in (ENV_ID, f"vec_envs:{ENV_ID}"):
        env = gymnasium.make(env_id, **SMALL)
        assert isinstance(env.unwrapped, JointEnv)
        assert env.unwrapped.problem.episode_slots == 5
        assert env.reset(seed=0)[0].shape == (3, env.unwrapped.problem.observation_size)


def test_gymnasium_makes_the_batched_env() -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=4, **SMALL)
    assert isinstance(envs.unwrapped, BatchVectorEnv)
    assert envs.num_envs == 4
    assert envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    observation, _ = envs.reset(seed=0)
    assert observation in envs.observation_space
    assert envs.step(envs.action_space.sample())[0] in envs.observation_space


def test_pettingzoo_makes_both_kinds() -> None:
    parallel = pettingzoo.make("parallel", ENV_ID, **SMALL)
    assert parallel.reset(seed=0)[0].keys() == set(parallel.possible_agents)
    turns = pettingzoo.make("aec", ENV_ID, **SMALL)
    turns.reset(seed=0)
    assert turns.agent_selection == "client_0"


def test_the_aec_env_plays_the_parallel_episode_turn_by_turn() -> None:
    parallel, turns, actions = door.parallel_env(**SMALL), door.env(**SMALL), random_actions(5)
    parallel.reset(seed=3)
    turns.reset(seed=3)
    for action in actions[:, 0]:
        observations, rewards, *_ = parallel.step(by_agent(action))
        for agent in turns.possible_agents:
            assert turns.agent_selection == agent
            turns.step(by_agent(action)[agent])
        for agent in turns.possible_agents:
            assert_same(turns.observe(agent), observations[agent])
            assert turns.rewards[agent] == rewards[agent]
    assert all(turns.truncations.values())


def test_registering_twice_is_harmless() -> None:
    vec_envs.register_all()
    assert ENV_ID in gymnasium.registry


@pytest.mark.parametrize("mode", [m.name for m in MODES] + [m.value for m in MODES] + MODES)
def test_autoreset_mode_is_declared(mode: str | AutoresetMode) -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=2, autoreset_mode=mode, **SMALL)
    declared = envs.metadata["autoreset_mode"]
    assert mode in (declared, declared.name, declared.value)


def test_padded_agents_share_a_space_and_are_masked() -> None:
    env = door.parallel_env(padded=True, **SMALL)
    counts = np.array(env.problem.action_counts)
    observations, _ = env.reset(seed=0)
    assert {env.action_space(a).n for a in env.agents} == {counts.max()}
    for agent, count in zip(env.agents, counts, strict=True):
        assert observations[agent] in env.observation_space(agent)
        assert observations[agent]["action_mask"].dtype == np.int8
        assert observations[agent]["action_mask"].tolist() == [1] * count + [0] * (counts.max() - count)
    plain, _ = door.parallel_env(**SMALL).reset(seed=0)
    assert_same({a: o["observation"] for a, o in observations.items()}, plain)


def test_state_is_all_observations_in_a_row() -> None:
    env = door.parallel_env(**SMALL)
    observations, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.state(), np.concatenate([observations[a] for a in env.agents]))
    assert env.state() in env.state_space


# One environment, three faces -----------------------------------------------------------------------------------------


@WITHOUT_SUMO
def test_three_faces_agree_bit_for_bit_over_episodes(mobility: str) -> None:
    options = SMALL | {"mobility": mobility}
    joint, parallel, batched = door.joint_env(**options), door.parallel_env(**options), door.vector_env(**options)
    for episode, seed in enumerate([5, None, None, 6, None]):
        seen, _ = joint.reset(seed=seed)
        by_name, _ = parallel.reset(seed=seed)
        batch, _ = batched.reset(seed=seed)
        assert_same([*seen], [*by_name.values()])
        assert_same(seen, batch[0])
        for action in random_actions(5, seed=episode):
            seen, reward, terminated, truncated, info = joint.step(action[0])
            by_name, rewards, terminations, truncations, infos = parallel.step(by_agent(action[0]))
            batch, *of_batch, batch_info = batched.step(action)
            assert_same([*seen], [*by_name.values()])
            assert_same(seen, batch[0])
            assert set(rewards.values()) == {reward} == {of_batch[0][0]}
            assert set(terminations.values()) == {terminated} == {of_batch[1][0]} == {False}
            assert set(truncations.values()) == {truncated} == {of_batch[2][0]}
            assert all(i == info for i in infos.values())
            assert_same(info, first_of(batch_info))
        assert truncated
        assert parallel.agents == []


def test_infos_are_the_contracts() -> None:
    env = door.joint_env(**SMALL)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(random_actions(1)[0, 0])
    parts = {"client_backlog_gcycles", "rsu_backlog_gcycles", "service_backlog_gcycles"}
    assert info.keys() == parts | {"completion_time_s", "backlog_gcycles", "drift", "drift_bound", "reward_terms"}
    assert info["backlog_gcycles"] == pytest.approx(sum(info[name] for name in parts))
    assert reward == pytest.approx(sum(info["reward_terms"].values()))
    assert info["reward_terms"]["delay"] == pytest.approx(-10.0 * info["completion_time_s"])
    assert info["backlog_gcycles"] == pytest.approx(sum(queue.sum() for queue in vars(env.view.state).values()))


@WITHOUT_SUMO
def test_the_same_seed_gives_the_same_three_episodes(mobility: str) -> None:
    envs = [door.joint_env(**(SMALL | {"mobility": mobility})) for _ in range(2)]
    for episode, seed in enumerate([3, None, None]):
        actions = random_actions(5, seed=episode)
        assert_same(play(envs[0], actions, seed), play(envs[1], actions, seed))


def test_seeding_again_repeats_all_that_follows() -> None:
    env, actions = door.joint_env(**SMALL), random_actions(5)
    first = [play(env, actions, seed) for seed in (3, None, None)]
    assert_same(first, [play(env, actions, seed) for seed in (3, None, None)])
    assert not np.array_equal(first[0][0], first[1][0])


@WITHOUT_SUMO
def test_different_seeds_differ_from_the_first_slot_on_and_later(mobility: str) -> None:
    env, actions = door.joint_env(**(SMALL | {"mobility": mobility})), random_actions(5)
    one, other = play(env, actions, 1), play(env, actions, 2)
    for a, b in zip(observations(one), observations(other), strict=True):
        assert not np.array_equal(a, b)
    for a, b in zip(one[2::5], other[2::5], strict=True):
        assert a != b


def test_every_slot_of_an_episode_has_its_own_channel() -> None:
    trace = play(door.joint_env(**SMALL), random_actions(5), 1)
    rates = [observation[:, 7] for observation in observations(trace)]
    assert len({tuple(r) for r in rates}) == 6


def test_an_unseeded_first_reset_works_and_differs() -> None:
    for make in (door.joint_env, door.parallel_env, door.vector_env):
        one, other = make(**SMALL), make(**SMALL)
        one.reset()
        other.reset()
        assert not np.array_equal(one.view.exogenous.v2i_mbps, other.view.exogenous.v2i_mbps)


@WITHOUT_SUMO
def test_lane_b_is_the_single_env_of_seed_s_plus_b(mobility: str) -> None:
    options, actions = SMALL | {"mobility": mobility}, random_actions(5, lanes=3)
    batched, singles = door.vector_env(num_envs=3, **options), [door.joint_env(**options) for _ in range(3)]
    for seed in (40, None):
        seen, _ = batched.reset(seed=seed)
        assert_same([*seen], [e.reset(seed=None if seed is None else seed + b)[0] for b, e in enumerate(singles)])
        for action in actions:
            seen, rewards, *_ = batched.step(action)
            alone = [env.step(a) for env, a in zip(singles, action, strict=True)]
            assert_same([*seen], [a[0] for a in alone])
            assert rewards.tolist() == [a[1] for a in alone]


def test_a_seed_for_each_lane() -> None:
    batched = door.vector_env(num_envs=3, **SMALL)
    seen, _ = batched.reset(seed=[9, 4, 9])
    assert_same(seen[0], seen[2])
    assert_same(seen[1], door.joint_env(**SMALL).reset(seed=4)[0])
    batched.step(random_actions(1, lanes=3)[0])
    before = batched.view.exogenous.v2i_mbps
    seen, _ = batched.reset(seed=[None, 4, None], options={"reset_mask": np.array([False, True, False])})
    assert_same(seen[1], door.joint_env(**SMALL).reset(seed=4)[0])
    assert_same(batched.view.exogenous.v2i_mbps[[0, 2]], before[[0, 2]])


def test_a_wrong_turn_is_refused_as_it_is_given_and_can_be_mended() -> None:
    turns, right, slot = door.env(**SMALL), door.env(**SMALL), [int(a) for a in random_actions(1)[0, 0]]
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
    env = door.joint_env(**SMALL)
    first = env.reset(seed=seed)[0]
    assert_same(env.reset(seed=env.np_random_seed)[0], first)
    env = door.joint_env(**SMALL)
    env.np_random = np.random.default_rng(5)
    mine = env.reset()[0]
    other = door.joint_env(**SMALL)
    other.np_random = np.random.default_rng(5)
    assert_same(other.reset()[0], mine)


def test_a_seed_seeds_the_batched_environments_generator_too() -> None:
    envs = door.vector_env(num_envs=2, **SMALL)
    drawn = []
    for _ in range(2):
        envs.reset(seed=5)
        drawn.append(envs.np_random.random())
    assert envs.np_random_seed == 5
    assert drawn[0] == drawn[1]
