"""What every registered environment does through every interface, whatever its problem is."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields
from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.test import api_test, parallel_api_test

from tests.interfaces.comparing import MODES, QUIET, assert_same, info_of, visible
from vec_envs.field_docs import field_docs
from vec_envs.interfaces.factories import TRAFFIC_DOCS
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import DiscreteActions
from vec_envs.registration import ENVIRONMENTS, factory_of

EVERY_ID = pytest.mark.parametrize("env_id", ENVIRONMENTS)
EVERY_MOBILITY = pytest.mark.parametrize(
    "mobility", ["straight", "still", pytest.param("replay", marks=pytest.mark.slow)]
)
SMALL = {"episode_slots": 4, "num_client_vehicles": 3, "num_service_vehicles": 2}
"""Cheap values of fields, for the problems that have them."""
SIMULTANEOUS = [env_id for env_id in ENVIRONMENTS if not factory_of(env_id).problem().one_at_a_time]
REFERENCES = [
    (env_id, name)
    for env_id in ENVIRONMENTS
    for name, reference in factory_of(env_id).references.policies.items()
    if not reference.slow
]


def small(env_id: str, **more: Any) -> dict[str, Any]:
    """Returns options for a short episode of few vehicles, without SUMO."""
    known = {field.name for field in fields(factory_of(env_id).problem_type)}
    return {"mobility": "straight"} | {name: value for name, value in SMALL.items() if name in known} | more


def samples(space: gymnasium.Space[Any], number: int, seed: int = 3) -> list[Any]:
    """Returns random actions of a space."""
    space.seed(seed)
    return [space.sample() for _ in range(number)]


def play(env: JointEnv, seed: int | None) -> list[Any]:
    """Plays random actions to the end of an episode; returns everything that the environment returned."""
    trace: list[Any] = [env.reset(seed=seed)]
    env.action_space.seed(11)
    while not (len(trace) > 1 and (trace[-1][2] or trace[-1][3])):
        trace.append(env.step(env.action_space.sample()))
    return trace


def play_agents(env: Any, seed: int | None) -> list[Any]:
    """Plays random actions of all agents to the end of an episode; returns everything that was returned."""
    trace: list[Any] = [env.reset(seed=seed)]
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    while env.agents:
        trace.append(env.step({agent: env.action_space(agent).sample() for agent in env.agents}))
    return trace


def features(observation: Any) -> np.ndarray:
    """Returns an agent's features, which stand beside its mask where it has one."""
    return observation["observation"] if isinstance(observation, Mapping) else observation


# The APIs -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@QUIET
@EVERY_ID
@EVERY_MOBILITY
def test_gymnasium_checks_the_joint_env(env_id: str, mobility: str) -> None:
    with closing(gymnasium.make(env_id, **small(env_id, mobility=mobility))) as env:
        check_env(env.unwrapped)


@pytest.mark.slow
@QUIET
@EVERY_ID
def test_gymnasium_checks_the_joint_env_with_pictures(env_id: str) -> None:
    pytest.importorskip("matplotlib")
    check_env(gymnasium.make(env_id, **small(env_id, render_mode="rgb_array")).unwrapped)


@QUIET
@EVERY_ID
@EVERY_MOBILITY
def test_pettingzoo_checks_the_parallel_and_the_aec_env(
    env_id: str, mobility: str, capsys: pytest.CaptureFixture[str]
) -> None:
    factory, options = factory_of(env_id), small(env_id, mobility=mobility)
    parallel_api_test(factory.parallel_env(**options), num_cycles=20)
    api_test(factory.env(**options), num_cycles=40)


@EVERY_ID
def test_every_registry_makes_the_environment(env_id: str) -> None:
    options, factory = small(env_id), factory_of(env_id)
    for spelling in (env_id, f"vec_envs:{env_id}"):
        env = gymnasium.make(spelling, **options)
        assert isinstance(env.unwrapped, JointEnv)
        assert env.reset(seed=0)[0] in env.observation_space
    envs = gymnasium.make_vec(env_id, num_envs=4, **options)
    assert isinstance(envs.unwrapped, BatchVectorEnv)
    assert envs.num_envs == 4
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.reset(seed=0)[0] in envs.observation_space
    assert envs.step(envs.action_space.sample())[0] in envs.observation_space
    if not hasattr(pettingzoo, "make"):
        return  # PettingZoo before 1.27 has no registry.
    parallel, turns = (pettingzoo.make(kind, env_id, **options) for kind in ("parallel", "aec"))
    assert parallel.metadata["name"] == env_id
    assert parallel.possible_agents == turns.possible_agents == list(factory.problem(**fields_in(options)).agent_names)
    assert parallel.reset(seed=0)[0].keys() == set(parallel.possible_agents)
    turns.reset(seed=0)
    assert turns.agent_selection == turns.possible_agents[0]


def fields_in(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "mobility"}


@EVERY_ID
def test_help_lists_every_option_with_its_default_and_meaning(env_id: str) -> None:
    module = importlib.import_module(ENVIRONMENTS[env_id])
    shown = " ".join((module.__doc__ or "").split("**Options**")[1].split())
    kind = factory_of(env_id).problem_type
    docs = field_docs(kind)
    assert [field.name for field in fields(kind) if not docs.get(field.name)] == []
    for field in fields(kind):
        assert f"{field.name} = {getattr(field.default, '__name__', repr(field.default))}: {docs[field.name]}" in shown
    page = pydoc.plain(pydoc.render_doc(module))
    assert [name for name in (*TRAFFIC_DOCS, *docs) if f"{name} = " not in page] == []


# Episodes -------------------------------------------------------------------------------------------------------------


@EVERY_ID
@EVERY_MOBILITY
def test_a_seed_repeats_all_episodes_that_follow_it(env_id: str, mobility: str) -> None:
    factory, options = factory_of(env_id), small(env_id, mobility=mobility)
    one, other = factory.joint_env(**options), factory.joint_env(**options)
    traces = [play(one, seed) for seed in (3, None, 3, None, 4)]
    assert_same(traces, [play(other, seed) for seed in (3, None, 3, None, 4)])
    assert_same(traces[:2], traces[2:4])
    rewards = [[step[1] for step in trace[1:]] for trace in traces]
    assert rewards[0] != rewards[1]
    assert rewards[0] != rewards[4]


@EVERY_ID
def test_a_seed_repeats_the_episodes_of_the_agents(env_id: str) -> None:
    one, other = (factory_of(env_id).parallel_env(**small(env_id)) for _ in range(2))
    for seed in (3, None, 3):
        assert_same(play_agents(one, seed), play_agents(other, seed))
    states = [(one.reset(seed=seed), one.state())[1] for seed in (3, None, 4)]
    assert len({state.tobytes() for state in states}) == 3


@pytest.mark.slow
@EVERY_ID
@EVERY_MOBILITY
def test_a_batch_of_three_is_three_environments_with_seeds_that_follow_one_another(env_id: str, mobility: str) -> None:
    factory, options = factory_of(env_id), small(env_id, mobility=mobility)
    envs, singles = factory.vector_env(num_envs=3, **options), [factory.joint_env(**options) for _ in range(3)]
    observations, _ = envs.reset(seed=40)
    assert_same([*observations], [env.reset(seed=40 + b)[0] for b, env in enumerate(singles)])
    ended, episodes = np.zeros(3, dtype=bool), np.zeros(3, dtype=int)
    for actions in samples(envs.action_space, 16):
        if ended.any():
            observations, _ = envs.reset(options={"reset_mask": ended.copy()})
            for b in np.flatnonzero(ended):
                assert_same(observations[b], singles[b].reset()[0])
        observations, rewards, terminated, ended, infos = envs.step(actions)
        steps = [env.step(action) for env, action in zip(singles, actions, strict=True)]
        assert_same([*observations], [step[0] for step in steps])
        assert rewards.tolist() == [step[1] for step in steps]
        assert terminated.tolist() == [step[2] for step in steps]
        assert ended.tolist() == [step[3] for step in steps]
        assert_same([info_of(infos, b) for b in range(3)], [step[4] for step in steps])
        episodes += ended
    assert episodes.min() >= 1


@pytest.mark.slow
@EVERY_ID
@pytest.mark.parametrize("mode", MODES)
def test_autoreset_is_that_of_gymnasiums_vector_env(env_id: str, mode: AutoresetMode) -> None:
    factory, options, num_envs = factory_of(env_id), small(env_id), 3
    ours = gymnasium.make_vec(env_id, num_envs=num_envs, autoreset_mode=mode, **options)
    theirs = SyncVectorEnv([lambda: factory.joint_env(**options)] * num_envs, autoreset_mode=mode)
    by_hand = {2: [False, True, False], 13: [True, False, True]}
    assert_same(ours.reset(seed=8), theirs.reset(seed=8))
    ended, episodes = np.zeros(num_envs, dtype=bool), 0
    for step, actions in enumerate(samples(ours.action_space, 20)):
        mask = np.array(by_hand.get(step, [False] * num_envs)) | (ended & (mode is AutoresetMode.DISABLED))
        if mask.any():
            assert_same(*[envs.reset(options={"reset_mask": mask.copy()})[0] for envs in (ours, theirs)])
        (*one, infos), (*other, their_infos) = ours.step(actions), theirs.step(actions)
        assert_same(one, other)
        assert visible(infos, num_envs) == visible(their_infos, num_envs)
        ended = one[3]
        episodes += ended.sum()
    assert episodes > num_envs


@EVERY_ID
def test_same_step_hands_out_the_last_observation_and_info(env_id: str) -> None:
    factory, options = factory_of(env_id), small(env_id)
    envs, single = factory.vector_env(num_envs=1, autoreset_mode="SAME_STEP", **options), factory.joint_env(**options)
    envs.reset(seed=1)
    single.reset(seed=1)
    truncated = np.zeros(1, dtype=bool)
    while not truncated[0]:
        actions = envs.action_space.sample()
        observations, _, _, truncated, infos = envs.step(actions)
        last, _, _, _, info = single.step(actions[0])
    assert infos["_final_obs"].all()
    assert_same(infos["final_obs"][0], last)
    assert_same(info_of(infos["final_info"], 0), info)
    assert_same(observations[0], single.reset()[0])


@pytest.mark.parametrize("env_id", SIMULTANEOUS)
@EVERY_MOBILITY
def test_three_interfaces_are_one_environment(env_id: str, mobility: str) -> None:
    factory, options = factory_of(env_id), small(env_id, mobility=mobility)
    joint, parallel, envs = (make(**options) for make in (factory.joint_env, factory.parallel_env, factory.vector_env))
    for seed in (5, None, None, 6, None):
        observation, _ = joint.reset(seed=seed)
        by_agent, _ = parallel.reset(seed=seed)
        rows, _ = envs.reset(seed=seed)
        ended = False
        while not ended:
            assert_same([*observation], [*by_agent.values()])
            assert_same(observation, rows[0])
            action = joint.action_space.sample()
            observation, reward, terminated, ended, info = joint.step(action)
            of_agents = parallel.step(dict(zip(parallel.agents, action, strict=True)))
            rows, *of_rows, infos = envs.step(action[None])
            by_agent = of_agents[0]
            assert set(of_agents[1].values()) == {reward} == {of_rows[0][0]}
            assert set(of_agents[2].values()) == {terminated} == {of_rows[1][0]} == {False}
            assert set(of_agents[3].values()) == {ended} == {of_rows[2][0]}
            for of_agent in (*of_agents[4].values(), info_of(infos, 0)):
                assert_same(info, of_agent)
        assert_same([*observation], [*by_agent.values()])
        assert_same(observation, rows[0])
        assert parallel.agents == []


@EVERY_ID
def test_the_aec_env_plays_the_parallel_episode_turn_by_turn(env_id: str) -> None:
    parallel, turns = (make(**small(env_id)) for make in (factory_of(env_id).parallel_env, factory_of(env_id).env))
    parallel.reset(seed=3)
    turns.reset(seed=3)
    while parallel.agents:
        actions = {agent: parallel.action_space(agent).sample() for agent in parallel.agents}
        observations, rewards, *_ = parallel.step(actions)
        for agent in turns.possible_agents:
            assert turns.agent_selection == agent
            turns.step(actions[agent])
        for agent in turns.possible_agents:
            assert_same(turns.observe(agent), observations[agent])
            assert turns.rewards[agent] == rewards[agent]
    assert all(turns.truncations.values())


@EVERY_ID
def test_the_global_state_is_in_its_space_and_changes_at_every_step(env_id: str) -> None:
    env = factory_of(env_id).parallel_env(**small(env_id))
    env.reset(seed=1)
    states = [env.state()]
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        states.append(env.state())
    assert all(state in env.state_space for state in states)
    assert all(not np.array_equal(one, other) for one, other in pairwise(states))


@EVERY_ID
def test_closing_twice_is_harmless(env_id: str) -> None:
    factory = factory_of(env_id)
    for make in (factory.joint_env, factory.parallel_env, factory.vector_env):
        env = make(**small(env_id))
        env.reset(seed=0)
        env.close()
        env.close()


# Pictures -------------------------------------------------------------------------------------------------------------


@EVERY_ID
def test_every_interface_draws_the_same_picture(env_id: str) -> None:
    pytest.importorskip("matplotlib")
    factory, options = factory_of(env_id), small(env_id, render_mode="rgb_array")
    made = [make(**options) for make in (factory.joint_env, factory.parallel_env)]
    made.append(factory.vector_env(num_envs=2, **options))
    for env in made:
        env.reset(seed=4)
    joint, parallel, of_batch = (env.render() for env in made)
    assert len(of_batch) == 2
    for picture in (joint, parallel, *of_batch):
        assert isinstance(picture, np.ndarray)
        assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, 3)
        assert len(np.unique(picture @ np.array([65536, 256, 1]))) > 50, "a picture has many colours"
    np.testing.assert_array_equal(joint, of_batch[0])
    np.testing.assert_array_equal(parallel, of_batch[0])
    assert not np.array_equal(*of_batch)


@EVERY_ID
def test_without_a_render_mode_there_is_no_picture(env_id: str) -> None:
    factory = factory_of(env_id)
    for make in (factory.joint_env, factory.parallel_env, factory.vector_env):
        env = make(**small(env_id))
        env.reset(seed=0)
        assert env.render() is None


@EVERY_ID
def test_a_picture_needs_a_reset_and_the_extra(env_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    factory = factory_of(env_id)
    env = factory.joint_env(**small(env_id, render_mode="rgb_array"))
    with pytest.raises(RuntimeError, match="reset"):
        env.render()
    env.reset(seed=0)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"vec-envs\[render\]"):
        env.render()


# References -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("env_id", "name"), REFERENCES)
def test_a_reference_policy_plays_two_epochs(env_id: str, name: str) -> None:
    factory = factory_of(env_id)
    reference = factory.references.named(name)
    batch = factory.vector_env(num_envs=3, **small(env_id, **reference.env)).batch
    policy = reference.make(batch.problem)
    takes_mask = "action_mask" in inspect.signature(policy.act).parameters
    policy.reset(7)
    batch.reset(range(3), [0, 1, 2])
    for _ in range(2):
        view = batch.view
        given = {"action_mask": batch.problem.action_mask(view.state, view.exogenous)} if takes_mask else {}
        action = policy.act(batch.observe(), view, **given)
        if isinstance(batch.problem.actions, DiscreteActions):
            mask = batch.problem.action_mask(view.state, view.exogenous)
            assert np.take_along_axis(mask, action[..., None], axis=-1).all(), "the policy takes legal actions only"
        outcome = batch.step(action)
        assert outcome.reward.shape == (3,)
        assert np.isfinite(outcome.reward).all()


@EVERY_ID
def test_the_reference_to_beat_is_one_of_the_references(env_id: str) -> None:
    references = factory_of(env_id).references
    assert references.to_beat in references.policies
