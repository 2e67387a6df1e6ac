"""The PettingZoo faces of an environment whose agents decide one at a time: a step is a slot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.interfaces.comparing import WITHOUT_SUMO, assert_same
from tests.interfaces.small_diversion import IDLE, SMALL, decision, play_slots, turn
from vec_envs import task_diversion_v0 as factory
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.slot_env import SlotEnv


@WITHOUT_SUMO
def test_with_at_most_one_task_a_slot_both_interfaces_play_the_same_episode(mobility: str) -> None:
    options = SMALL | {"mobility": mobility, "num_client_vehicles": 1, "episode_slots": 20, "overlap": True}
    joint, slots = factory.joint_env(**options), factory.parallel_env(**options)
    observation, _ = joint.reset(seed=4)
    of_agent, _ = slots.reset(seed=4)
    tasks = 0
    for slot in range(20):
        due = turn(joint)[0] == slot
        assert of_agent["vehicle_0"]["agent_mask"] == [due]
        assert_same(of_agent["vehicle_0"]["observation"], observation if due else np.zeros_like(observation))
        of_agent, rewards, _, truncated, infos = slots.step({"vehicle_0": decision(slot, 0)} if due else {})
        if due:
            observation, reward, _, ended, info = joint.step(decision(slot, 0))
            assert rewards == {"vehicle_0": reward}
            assert infos == {"vehicle_0": info}
            tasks += 1
        else:
            assert rewards == {"vehicle_0": 0.0}
            assert infos == {"vehicle_0": {}}
        assert truncated == {"vehicle_0": slot == 19}
    assert 3 < tasks < 17
    assert ended


@WITHOUT_SUMO
def test_with_several_tasks_a_slot_equal_decisions_give_equal_results(mobility: str) -> None:
    options = SMALL | {"mobility": mobility, "num_client_vehicles": 6, "release_rate_hz": 0.9, "episode_slots": 8}
    joint, slots = factory.joint_env(**options), factory.parallel_env(**options)
    observation, _ = joint.reset(seed=4)
    of_agents, _ = slots.reset(seed=4)
    wait, length = slots.problem.observation_size - 12, slots.problem.observation_size - 11
    several = 0
    for slot in range(8):
        expected, turns = {}, []
        while turn(joint)[0] == slot:
            turns.append(turn(joint)[1])
            first = of_agents[f"vehicle_{turns[-1]}"]["observation"].copy()
            assert len(turns) > 1 or np.array_equal(first, observation)
            rest = np.ones(len(observation), dtype=bool)
            # What changes with the decisions before it in the slot.
            rest[[wait, length, wait + 2, wait + 3, wait + 4]] = False
            np.testing.assert_array_equal(first[rest], observation[rest])
            observation, reward, _, _, info = joint.step(decision(slot, turns[-1]))
            expected[f"vehicle_{turns[-1]}"] = (reward, info)
        masked = {agent for agent, given in of_agents.items() if given["agent_mask"] == [0]}
        assert masked == set(slots.possible_agents) - set(expected)
        assert all((of_agents[agent]["observation"] == 0.0).all() for agent in masked)
        shuffled = {f"vehicle_{k}": decision(slot, k) for k in reversed(range(6))}
        of_agents, rewards, _, _, infos = slots.step(shuffled)
        assert rewards == {agent: expected.get(agent, (0.0,))[0] for agent in slots.possible_agents}
        assert infos == {agent: expected.get(agent, (0.0, {}))[1] for agent in slots.possible_agents}
        several += len(turns) > 1
    assert several > 3
    assert slots.agents == []
    assert all(given["agent_mask"] == [0] for given in of_agents.values())


def test_spaces_are_equal_for_all_agents_and_contain_the_observations() -> None:
    env = factory.parallel_env(**SMALL)
    for given in play_slots(env, 0):
        assert given[0].keys() == set(env.possible_agents)
        for agent, observation in given[0].items():
            assert observation in env.observation_space(agent)
            assert observation["agent_mask"].dtype == np.int8
    assert env.observation_space("vehicle_0") is env.observation_space("vehicle_0")
    assert env.action_space("vehicle_0") == env.action_space("vehicle_3")


def test_all_agents_live_to_the_end_of_the_last_slot() -> None:
    env = factory.parallel_env(**SMALL)
    trace = play_slots(env, 0)
    assert len(trace) == 1 + 5
    for _, rewards, terminated, truncated, _ in trace[1:-1]:
        assert set(terminated.values()) | set(truncated.values()) == {False}
        assert len(rewards) == 4
    assert set(trace[-1][3].values()) == {True}
    assert set(trace[-1][2].values()) == {False}
    with pytest.raises(RuntimeError, match="reset"):
        env.step({})


def due_of(env: SlotEnv) -> tuple[list[str], list[str]]:
    """Returns the agents that decide in the first slot, and the others; there are two of the first at least."""
    for seed in range(50):
        observation, _ = env.reset(seed=seed)
        due = [agent for agent in env.agents if observation[agent]["agent_mask"] == [1]]
        if 2 <= len(due) < len(env.agents):
            return due, [agent for agent in env.agents if agent not in due]
    raise AssertionError("no such slot")


def test_actions_of_masked_agents_are_ignored() -> None:
    env, other = factory.parallel_env(**SMALL), factory.parallel_env(**SMALL)
    due, masked = due_of(env)
    due_of(other)
    needed = {agent: IDLE for agent in due}
    assert_same(env.step(needed), other.step(needed | {masked[0]: np.full(3, np.nan)} | dict.fromkeys(masked[1:])))


@pytest.mark.parametrize(
    ("action", "got"),
    [
        (np.array([0.0, np.nan, 0.0]), "nan"),
        (np.array([0.0, 0.0, 1.5]), "1.5"),
        (np.zeros(2), r"\[0. 0.\]"),
        (np.zeros((1, 3)), r"\[\[0. 0. 0.\]\]"),
        (np.zeros(3, dtype=bool), "False"),
        (0.5, "0.5"),
        (None, "None"),
    ],
    ids=str,
)
def test_a_wrong_action_of_an_agent_is_refused_and_nothing_happens(action: Any, got: str) -> None:
    env, other = factory.parallel_env(**SMALL), factory.parallel_env(**SMALL)
    due, _ = due_of(env)
    due_of(other)
    fine = {agent: IDLE for agent in due}
    with pytest.raises(ValueError, match=rf"action of {due[1]} must be 3 numbers in \[-1, 1\], got .*{got}"):
        env.step(fine | {due[1]: action})
    assert_same(env.step(fine), other.step(fine))


def test_a_missing_and_an_unknown_agent_are_refused() -> None:
    env = factory.parallel_env(**SMALL)
    due, _ = due_of(env)
    with pytest.raises(ValueError, match=rf"missing \['{due[0]}'\], unknown \[\]"):
        env.step({agent: IDLE for agent in due[1:]})
    with pytest.raises(ValueError, match=r"missing \[\], unknown \['vehicle_9'\]"):
        env.step({agent: IDLE for agent in [*due, "vehicle_9"]})


@pytest.mark.parametrize("make", [factory.joint_env, factory.parallel_env])
def test_arrays_handed_out_are_the_callers_own(make: Any) -> None:
    env, untouched = make(**SMALL), make(**SMALL)
    given, expected = env.reset(seed=2), untouched.reset(seed=2)
    for slot in range(4):
        assert_same(given, expected)
        for array in (
            [given[0]]
            if isinstance(env, JointEnv)
            else [observation["observation"] for observation in given[0].values()]
        ):
            array[...] = 7.0
        action: Any = IDLE if isinstance(env, JointEnv) else {a: decision(slot, 1) for a in env.agents}
        given, expected = env.step(action), untouched.step(action)


def test_a_wrong_action_of_the_deciding_agent_is_refused_in_its_turn() -> None:
    turns, refused = factory.env(**SMALL), 0
    turns.reset(seed=1)
    for agent in turns.agent_iter():
        observation, _, _, ended, _ = turns.last()
        if not ended and observation["agent_mask"][0]:
            with pytest.raises(ValueError, match=f"the action of {agent} must be 3 numbers"):
                turns.step(np.array([0.0, 2.0, 0.0]))
            refused += 1
        turns.step(None if ended else turns.action_space(agent).sample())
    assert refused > 0
