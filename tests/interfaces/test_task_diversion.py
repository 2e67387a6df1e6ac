"""The faces of an environment whose agents decide one at a time: a step is a task."""

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

from tests.interfaces.comparing import MODES, QUIET, WITHOUT_SUMO, assert_same, makers, visible
from tests.interfaces.turns import ENV_ID, IDLE, INFOS, SMALL, decision, play, random_actions, turn
from vec_envs import task_diversion_v0 as door
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility.straight import StraightMobility

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
    assert isinstance(envs.unwrapped, BatchVectorEnv)
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
