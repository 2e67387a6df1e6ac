"""Autoreset of the vector environment, against Gymnasium's own vectoriser; resets of some lanes."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from tests.interfaces.comparing import MODES, assert_same, first_of, visible
from tests.interfaces.reference_lanes import SMALL, door, random_actions


@pytest.mark.parametrize("mode", MODES)
def test_autoreset_is_that_of_gymnasiums_vector_env(mode: AutoresetMode) -> None:
    lanes, resets = 3, {2: [False, True, False], 6: [True, False, True]}
    ours = door.vector_env(num_envs=lanes, autoreset_mode=mode, **SMALL)
    theirs = SyncVectorEnv([lambda: door.joint_env(**SMALL)] * lanes, autoreset_mode=mode)
    assert_same(ours.reset(seed=8), theirs.reset(seed=8))
    ended = np.zeros(lanes, dtype=bool)
    for step, actions in enumerate(random_actions(25, lanes=lanes)):
        mask = ended if mode is AutoresetMode.DISABLED else np.array(resets.get(step, [False] * lanes))
        if mode is AutoresetMode.DISABLED and step in resets:
            mask = mask | np.array(resets[step])
        if mask.any():
            seen = [envs.reset(options={"reset_mask": mask.copy()})[0] for envs in (ours, theirs)]
            assert_same(*seen)
        (*one, infos), (*other, their_infos) = ours.step(actions), theirs.step(actions)
        assert_same(one, other)
        assert visible(infos, lanes) == visible(their_infos, lanes)
        ended = one[3]
    assert step == 24


def test_same_step_hands_out_the_last_observation_and_info() -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode="SameStep", **SMALL)
    single = door.joint_env(**SMALL)
    envs.reset(seed=1)
    single.reset(seed=1)
    for actions in random_actions(5, lanes=2):
        seen, _, _, truncated, infos = envs.step(actions)
        last, _, _, _, info = single.step(actions[0])
    assert truncated.all()
    assert infos["_final_obs"].all()
    assert_same(infos["final_obs"][0], last)
    assert_same(first_of(infos["final_info"]), info)
    assert_same(seen[0], single.reset()[0])


def test_next_step_ignores_the_action_of_the_step_that_resets() -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode="NextStep", **SMALL)
    envs.reset(seed=1)
    for actions in random_actions(5, lanes=2):
        _, _, _, truncated, _ = envs.step(actions)
    assert truncated.all()
    seen, rewards, _, truncated, infos = envs.step(random_actions(1, lanes=2, seed=9)[0])
    assert rewards.tolist() == [0.0, 0.0]
    assert not truncated.any()
    assert not infos["_completion_time_s"].any()
    assert (seen[:, :, :4] == 0.0).all()


def test_masked_reset_touches_only_its_lanes() -> None:
    envs = door.vector_env(num_envs=4, **SMALL)
    envs.reset(seed=0)
    seen = envs.step(random_actions(1, lanes=4)[0])[0]
    mask = np.array([True, False, False, True])
    after, _ = envs.reset(options={"reset_mask": mask})
    assert_same(after[~mask], seen[~mask])
    assert (after[mask][:, :, :4] == 0.0).all()
    assert envs.batch.epoch.tolist() == [0, 1, 1, 0]


def test_ended_lanes_must_be_reset_where_nothing_resets_them() -> None:
    envs = door.vector_env(num_envs=3, **SMALL)
    envs.reset(seed=0)
    actions = random_actions(5, lanes=3)
    envs.step(actions[0])
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    for action in actions[1:]:
        _, _, _, truncated, _ = envs.step(action)
    assert truncated.tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"lanes \[0, 2\] have ended"):
        envs.step(actions[0])
    envs.reset(options={"reset_mask": truncated})
    envs.step(actions[0])


def test_a_vector_environment_wants_a_reset_first() -> None:
    envs = door.vector_env(num_envs=2, **SMALL)
    with pytest.raises(RuntimeError, match="call reset"):
        envs.step(np.zeros((2, 3), dtype=int))


def test_actions_of_lanes_that_are_reset_by_the_step_are_ignored() -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode="NEXT_STEP", **SMALL)
    envs.reset(seed=0)
    for _ in range(envs.problem.episode_slots):
        envs.step(np.zeros((2, 3), dtype=int))
    _, reward, _, truncated, _ = envs.step(np.full((2, 3), -1))
    assert (reward == 0.0).all()
    assert not truncated.any()
