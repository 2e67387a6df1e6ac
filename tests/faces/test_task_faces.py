"""The faces of an environment whose agents decide one at a time: a step is a task, or a slot."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.test import api_test, parallel_api_test

from tests.faces.comparing import MODES, QUIET, WITHOUT_SUMO, assert_same, makers, visible
from vec_envs import task_diversion_v0 as door
from vec_envs.faces.joint_env import JointEnv
from vec_envs.faces.slot_env import SlotEnv
from vec_envs.faces.vector_env import LanesVectorEnv
from vec_envs.mobility.straight import StraightMobility

ENV_ID = "VEC-TaskDiversion-v0"
SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 4,
    "episode_slots": 5,
    "release_rate_hz": 0.6,
    "observation": "extended",
}
INFOS = {
    "cost", "time_s", "energy_j", "vehicle_energy_j", "missed", "failed", "offloaded", "queue_s", "cut", "battery",
    "low_battery", "low_battery_energy_j",
}  # fmt: skip
IDLE = np.zeros(3)


def decision(slot: int, seat: int, size: int = 3) -> np.ndarray:
    """Returns the action of a seat in a slot, the same through every face."""
    return np.random.default_rng([slot, seat]).uniform(-1.0, 1.0, size).astype(np.float32)


def random_actions(steps: int, lanes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (steps, lanes, 3)).astype(np.float32)


def turn(env: Any) -> tuple[int, int]:
    """Returns slot and seat of the present task."""
    exogenous = env.view.exogenous
    return int(exogenous.slot[0]), int(exogenous.seat[0])


def play(env: JointEnv, seed: int | None) -> list[Any]:
    """Plays one episode to its end; returns all it gave, step by step."""
    trace: list[Any] = [env.reset(seed=seed)]
    while not (len(trace) > 1 and trace[-1][3]):
        trace.append(env.step(decision(*turn(env))))
    return trace


def play_slots(env: SlotEnv, seed: int | None) -> list[Any]:
    trace: list[Any] = [env.reset(seed=seed)]
    slot = 0
    while env.agents:
        trace.append(env.step({agent: decision(slot, k) for k, agent in enumerate(env.agents)}))
        slot += 1
    return trace


# The APIs -------------------------------------------------------------------------------------------------------------


@QUIET
@WITHOUT_SUMO
@pytest.mark.parametrize("options", [{}, {"diversion": "chosen", "observation": "extended"}], ids=str)
def test_gymnasium_checks_the_joint_env(mobility: str, options: dict[str, Any]) -> None:
    check_env(gymnasium.make(ENV_ID, mobility=mobility, **options).unwrapped)


@QUIET
@WITHOUT_SUMO
def test_pettingzoo_checks_both_kinds(mobility: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"mobility": mobility, "episode_slots": 20, "num_client_vehicles": 6}
    parallel_api_test(door.parallel_env(**options), num_cycles=50)
    api_test(door.env(**options), num_cycles=200)


def test_every_registry_makes_it() -> None:
    for env_id in (ENV_ID, f"vec_envs:{ENV_ID}"):
        env = gymnasium.make(env_id, **SMALL)
        assert isinstance(env.unwrapped, JointEnv)
        assert env.action_space == gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
        assert env.reset(seed=0)[0] in env.observation_space
    envs = gymnasium.make_vec(ENV_ID, num_envs=4, **SMALL)
    assert isinstance(envs.unwrapped, LanesVectorEnv)
    assert envs.reset(seed=0)[0] in envs.observation_space
    assert envs.step(envs.action_space.sample())[0] in envs.observation_space
    parallel = pettingzoo.make("parallel", ENV_ID, **SMALL)
    assert parallel.metadata["name"] == ENV_ID
    assert parallel.reset(seed=0)[0].keys() == {f"vehicle_{k}" for k in range(4)}
    turns = pettingzoo.make("aec", ENV_ID, **SMALL)
    turns.reset(seed=0)
    assert turns.agent_selection == "vehicle_0"


@pytest.mark.skipif(find_spec("libsumo") is None, reason="needs libsumo")
def test_it_runs_on_live_sumo_by_default() -> None:
    env = gymnasium.make(ENV_ID, num_client_vehicles=3, episode_slots=3, release_rate_hz=1.0)
    try:
        env.reset(seed=0)
        assert env.unwrapped.view.problem.traffic_shape.come_and_go
        steps = [env.step(env.action_space.sample())]
        while not steps[-1][3]:
            steps.append(env.step(env.action_space.sample()))
        assert all(np.isfinite(step[0]).all() and step[1] < 0.0 for step in steps)
    finally:
        env.close()


@pytest.mark.parametrize("make", [door.parallel_env, door.env], ids=["parallel", "aec"])
def test_padding_means_nothing_here(make: Any) -> None:
    with pytest.raises(ValueError, match=f"padded=True means nothing to {ENV_ID}"):
        make(padded=True, **SMALL)


MAKERS = makers(door, ENV_ID)


@MAKERS
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"num_client_vehicles": 0}, ValueError, "num_client_vehicles=0 must be an integer of at least 1"),
        ({"release_rate_hz": 2.0}, ValueError, "release_rate_hz=2.0 must be at most 1 / slot_s"),
        ({"diversion": "guess"}, ValueError, "'probability', 'shortest', 'nearest', 'chosen'"),
        ({"mobility": "replay", "scenario": "nowhere"}, ValueError, "two-way-road"),
        ({"num_service_vehicles": 2}, TypeError, "has no option num_service_vehicles; there are .*num_rsus.*diversion"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_at_every_door(
    make: Any, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make(**(SMALL | options))


# An episode, task by task ---------------------------------------------------------------------------------------------


@WITHOUT_SUMO
def test_an_episode_is_its_tasks_in_the_order_of_release(mobility: str) -> None:
    env = door.joint_env(**(SMALL | {"mobility": mobility}))
    lengths = set()
    for seed in range(8):
        env.reset(seed=seed)
        turns, truncated = [], False
        assert turn(env)[0] == 0
        while not truncated:
            turns.append(turn(env))
            seen, reward, terminated, truncated, info = env.step(decision(*turns[-1]))
            assert seen in env.observation_space
            assert np.isfinite(seen).all()
            assert not terminated
            assert info.keys() == INFOS
            assert reward == pytest.approx(-info["cost"] - (info["missed"] or info["failed"]))
        assert turn(env)[0] == 5  # what is seen at the end is a vehicle of the slot after the last
        assert len(set(turns)) == len(turns)
        assert [slot for slot, _ in turns] == sorted(slot for slot, _ in turns)
        assert turns[-1][0] < 5
        lengths.add(len(turns))
    assert len(lengths) > 3


def test_infos_are_plain_numbers() -> None:
    env = door.joint_env(**SMALL)
    info = play(env, 0)[1][4]
    assert all(type(value) in (float, int) for value in info.values())
    assert info["battery"] == pytest.approx(play(env, 0)[0][0][7])


def test_the_chosen_unit_is_a_fourth_number() -> None:
    env = door.joint_env(**SMALL, diversion="chosen")
    assert env.action_space.shape == (4,)
    env.reset(seed=0)
    env.step(decision(0, 0, size=4))
    with pytest.raises(ValueError, match=r"an action is 4 numbers in \[-1, 1\]; needed is shape \(4,\), got \(3,\)"):
        env.step(IDLE)


@WITHOUT_SUMO
def test_the_same_seed_gives_the_same_episodes_and_another_seed_others(mobility: str) -> None:
    one, other = (door.joint_env(**(SMALL | {"mobility": mobility})) for _ in range(2))
    for seed in (3, None, None, 3, None):
        assert_same(play(one, seed), play(other, seed))
    assert not np.array_equal(play(one, 3)[0][0], play(one, None)[0][0])
    assert not np.array_equal(play(one, 3)[0][0], play(one, 4)[0][0])


def test_a_step_without_an_episode_is_refused() -> None:
    env = door.joint_env(**SMALL)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(IDLE)
    play(env, 0)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(IDLE)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0.0, 0.0], r"an action is 3 numbers in \[-1, 1\]; needed is shape \(.*3,?\), got \(.*2,?\)"),
        ([[0.0, 0.0, 0.0]], "an action is 3 numbers"),
        (0.0, "an action is 3 numbers"),
        ([0.0, np.nan, 0.0], "number 1 of the action, nan, is outside"),
        ([0.0, 0.0, 1.0000001], "number 2 of the action, 1.0000001, is outside"),
        ([np.inf, 0.0, 0.0], "number 0 of the action, inf, is outside"),
        ([True, False, True], "actions are numbers, got dtype bool"),
        (["a", "b", "c"], "actions are numbers, got dtype <U1"),
        ([None, 0.0, 0.0], "actions are numbers, got dtype object"),
    ],
    ids=str,
)
def test_a_wrong_action_is_refused_and_nothing_happens(action: Any, message: str) -> None:
    joint, batched = door.joint_env(**SMALL), door.vector_env(**SMALL)
    joint.reset(seed=0)
    batched.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        joint.step(action)
    with pytest.raises(ValueError, match=message):
        batched.step([action])
    expected = door.joint_env(**SMALL)
    expected.reset(seed=0)
    assert_same(joint.step(IDLE), expected.step(IDLE))


def test_whole_numbers_and_lists_are_actions() -> None:
    env, other = door.joint_env(**SMALL), door.joint_env(**SMALL)
    env.reset(seed=0)
    other.reset(seed=0)
    assert_same(env.step([-1, 1, 0]), other.step(np.array([-1.0, 1.0, 0.0], dtype=np.float32)))


# Many lanes -----------------------------------------------------------------------------------------------------------


@WITHOUT_SUMO
def test_lane_b_is_the_single_env_of_seed_s_plus_b_through_episodes_of_any_length(mobility: str) -> None:
    lanes, options = 4, SMALL | {"mobility": mobility}
    batched, singles = door.vector_env(num_envs=lanes, **options), [door.joint_env(**options) for _ in range(lanes)]
    seen, _ = batched.reset(seed=40)
    assert_same([*seen], [env.reset(seed=40 + b)[0] for b, env in enumerate(singles)])
    ended, times_ended = np.zeros(lanes, dtype=bool), np.zeros(lanes, dtype=int)
    for actions in random_actions(40, lanes):
        if ended.any():
            seen, _ = batched.reset(options={"reset_mask": ended.copy()})
            for b in np.flatnonzero(ended):
                assert_same(seen[b], singles[b].reset()[0])
        seen, rewards, terminated, ended, infos = batched.step(actions)
        alone = [env.step(action) for env, action in zip(singles, actions, strict=True)]
        assert_same([*seen], [step[0] for step in alone])
        assert rewards.tolist() == [step[1] for step in alone]
        assert ended.tolist() == [step[3] for step in alone]
        assert not terminated.any()
        assert_same([{n: infos[n][b].item() for n in INFOS} for b in range(lanes)], [step[4] for step in alone])
        times_ended += ended
    assert len(set(times_ended.tolist())) > 1
    assert times_ended.min() >= 1


@pytest.mark.parametrize("mode", MODES)
def test_autoreset_is_that_of_gymnasiums_vector_env(mode: AutoresetMode) -> None:
    lanes, resets = 3, {2: [False, True, False], 13: [True, False, True]}
    ours = door.vector_env(num_envs=lanes, autoreset_mode=mode, **SMALL)
    theirs = SyncVectorEnv([lambda: door.joint_env(**SMALL)] * lanes, autoreset_mode=mode)
    assert_same(ours.reset(seed=8), theirs.reset(seed=8))
    ended, times_ended = np.zeros(lanes, dtype=bool), 0
    for step, actions in enumerate(random_actions(40, lanes)):
        mask = np.array(resets.get(step, [False] * lanes)) | (ended & (mode is AutoresetMode.DISABLED))
        if mask.any():
            assert_same(*[envs.reset(options={"reset_mask": mask.copy()})[0] for envs in (ours, theirs)])
        (*one, infos), (*other, their_infos) = ours.step(actions), theirs.step(actions)
        assert_same(one, other)
        assert visible(infos, lanes) == visible(their_infos, lanes)
        ended = one[3]
        times_ended += ended.sum()
    assert times_ended > lanes


def test_same_step_hands_out_the_last_observation() -> None:
    envs, single = door.vector_env(num_envs=2, autoreset_mode="SAME_STEP", **SMALL), door.joint_env(**SMALL)
    seen, _ = envs.reset(seed=1)
    single.reset(seed=1)
    truncated = np.zeros(2, dtype=bool)
    for actions in random_actions(40, 2):
        if truncated[0]:
            break
        seen, _, _, truncated, infos = envs.step(actions)
        last = single.step(actions[0])
    assert truncated[0]
    assert_same(infos["final_obs"][0], last[0])
    assert infos["final_info"]["cost"][0] == last[4]["cost"]
    assert_same(seen[0], single.reset()[0])


def test_what_a_lane_that_has_ended_is_given_does_not_matter() -> None:
    ours, plain = (door.vector_env(num_envs=2, autoreset_mode="NEXT_STEP", **SMALL) for _ in range(2))
    ours.reset(seed=1)
    plain.reset(seed=1)
    ended = np.zeros(2, dtype=bool)
    for actions in random_actions(40, 2):
        spoilt = actions.copy()
        spoilt[ended] = np.nan
        one, other = ours.step(spoilt), plain.step(actions)
        assert_same(one[:4], other[:4])
        assert (one[1][ended] == 0.0).all()
        ended = one[3]


def test_a_partial_reset_touches_only_its_lanes() -> None:
    envs = door.vector_env(num_envs=4, **SMALL)
    envs.reset(seed=0)
    seen = envs.step(random_actions(1, 4)[0])[0]
    mask = np.array([True, False, False, True])
    after, _ = envs.reset(seed=7, options={"reset_mask": mask})
    assert_same(after[~mask], seen[~mask])
    for b in (0, 3):
        assert_same(after[b], door.joint_env(**SMALL).reset(seed=7 + b)[0])


# An episode, slot by slot ---------------------------------------------------------------------------------------------


@WITHOUT_SUMO
def test_with_a_task_a_slot_at_most_both_faces_are_the_same_episode(mobility: str) -> None:
    options = SMALL | {"mobility": mobility, "num_client_vehicles": 1, "episode_slots": 20, "overlap": True}
    joint, slots = door.joint_env(**options), door.parallel_env(**options)
    seen, _ = joint.reset(seed=4)
    of_agent, _ = slots.reset(seed=4)
    tasks = 0
    for slot in range(20):
        due = turn(joint)[0] == slot
        assert of_agent["vehicle_0"]["agent_mask"] == [due]
        assert_same(of_agent["vehicle_0"]["observation"], seen if due else np.zeros_like(seen))
        of_agent, rewards, _, truncated, infos = slots.step({"vehicle_0": decision(slot, 0)} if due else {})
        if due:
            seen, reward, _, ended, info = joint.step(decision(slot, 0))
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
def test_with_several_tasks_a_slot_the_same_decisions_bring_the_same(mobility: str) -> None:
    options = SMALL | {"mobility": mobility, "num_client_vehicles": 6, "release_rate_hz": 0.9, "episode_slots": 8}
    joint, slots = door.joint_env(**options), door.parallel_env(**options)
    seen, _ = joint.reset(seed=4)
    of_agents, _ = slots.reset(seed=4)
    wait, length = slots.problem.observation_size - 12, slots.problem.observation_size - 11
    several = 0
    for slot in range(8):
        expected, turns = {}, []
        while turn(joint)[0] == slot:
            turns.append(turn(joint)[1])
            first = of_agents[f"vehicle_{turns[-1]}"]["observation"].copy()
            assert len(turns) > 1 or np.array_equal(first, seen)
            rest = np.ones(len(seen), dtype=bool)
            # What changes with the decisions before it in the slot.
            rest[[wait, length, wait + 2, wait + 3, wait + 4]] = False
            np.testing.assert_array_equal(first[rest], seen[rest])
            seen, reward, _, _, info = joint.step(decision(slot, turns[-1]))
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


def test_spaces_are_the_same_for_all_and_hold_what_is_seen() -> None:
    env = door.parallel_env(**SMALL)
    for given in play_slots(env, 0):
        assert given[0].keys() == set(env.possible_agents)
        for agent, seen in given[0].items():
            assert seen in env.observation_space(agent)
            assert seen["agent_mask"].dtype == np.int8
    assert env.observation_space("vehicle_0") is env.observation_space("vehicle_0")
    assert env.action_space("vehicle_0") == env.action_space("vehicle_3")


def test_all_agents_live_to_the_end_of_the_last_slot() -> None:
    env = door.parallel_env(**SMALL)
    trace = play_slots(env, 0)
    assert len(trace) == 1 + 5
    for _, rewards, terminated, truncated, _ in trace[1:-1]:
        assert set(terminated.values()) | set(truncated.values()) == {False}
        assert len(rewards) == 4
    assert set(trace[-1][3].values()) == {True}
    assert set(trace[-1][2].values()) == {False}
    with pytest.raises(RuntimeError, match="reset"):
        env.step({})


@WITHOUT_SUMO
def test_a_seed_repeats_whole_episodes_slot_by_slot(mobility: str) -> None:
    one, other = (door.parallel_env(**(SMALL | {"mobility": mobility})) for _ in range(2))
    for seed in (3, None, 3):
        assert_same(play_slots(one, seed), play_slots(other, seed))
    states = [(one.reset(seed=seed), one.state())[1] for seed in (3, None, 4)]
    assert len({state.tobytes() for state in states}) == 3


def test_state_is_all_observations_in_a_row() -> None:
    env = door.parallel_env(**SMALL)
    for slot in range(5):
        seen = env.reset(seed=1)[0] if slot == 0 else env.step({a: decision(slot, 0) for a in env.agents})[0]
        np.testing.assert_array_equal(env.state(), np.concatenate([seen[a]["observation"] for a in env.agents]))
        assert env.state() in env.state_space


def due_of(env: SlotEnv) -> tuple[list[str], list[str]]:
    """Returns the agents that decide in the first slot, and the others; there are two of the first at least."""
    for seed in range(50):
        seen, _ = env.reset(seed=seed)
        due = [agent for agent in env.agents if seen[agent]["agent_mask"] == [1]]
        if 2 <= len(due) < len(env.agents):
            return due, [agent for agent in env.agents if agent not in due]
    raise AssertionError("no such slot")


def test_masked_agents_may_say_anything_or_nothing() -> None:
    env, other = door.parallel_env(**SMALL), door.parallel_env(**SMALL)
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
    env, other = door.parallel_env(**SMALL), door.parallel_env(**SMALL)
    due, _ = due_of(env)
    due_of(other)
    fine = {agent: IDLE for agent in due}
    with pytest.raises(ValueError, match=rf"action of {due[1]} must be 3 numbers in \[-1, 1\], got .*{got}"):
        env.step(fine | {due[1]: action})
    assert_same(env.step(fine), other.step(fine))


def test_a_missing_and_an_unknown_agent_are_refused() -> None:
    env = door.parallel_env(**SMALL)
    due, _ = due_of(env)
    with pytest.raises(ValueError, match=rf"missing \['{due[0]}'\], unknown \[\]"):
        env.step({agent: IDLE for agent in due[1:]})
    with pytest.raises(ValueError, match=r"missing \[\], unknown \['vehicle_9'\]"):
        env.step({agent: IDLE for agent in [*due, "vehicle_9"]})


@pytest.mark.parametrize("make", [door.joint_env, door.parallel_env])
def test_arrays_handed_out_are_the_callers_own(make: Any) -> None:
    env, untouched = make(**SMALL), make(**SMALL)
    given, expected = env.reset(seed=2), untouched.reset(seed=2)
    for slot in range(4):
        assert_same(given, expected)
        for array in [given[0]] if isinstance(env, JointEnv) else [seen["observation"] for seen in given[0].values()]:
            array[...] = 7.0
        action: Any = IDLE if isinstance(env, JointEnv) else {a: decision(slot, 1) for a in env.agents}
        given, expected = env.step(action), untouched.step(action)


def test_the_aec_env_plays_the_parallel_episode_turn_by_turn() -> None:
    parallel, turns = door.parallel_env(**SMALL), door.env(**SMALL)
    parallel.reset(seed=3)
    turns.reset(seed=3)
    for slot in range(5):
        actions = {agent: decision(slot, k) for k, agent in enumerate(parallel.agents)}
        observations, rewards, *_ = parallel.step(actions)
        for agent in turns.possible_agents:
            assert turns.agent_selection == agent
            turns.step(actions[agent])
        for agent in turns.possible_agents:
            assert_same(turns.observe(agent), observations[agent])
            assert turns.rewards[agent] == rewards[agent]
    assert all(turns.truncations.values())


def test_a_mobility_object_is_accepted_and_left_open() -> None:
    class Watched(StraightMobility):
        closed = 0

        def close(self) -> None:
            Watched.closed += 1

    for make in (door.joint_env, door.parallel_env, door.vector_env):
        env = make(**(SMALL | {"mobility": Watched()}))
        env.reset(seed=0)
        env.close()
        env.close()
    assert Watched.closed == 0
