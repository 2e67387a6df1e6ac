"""Resets of some environments of a batch, and steps of those that have ended."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interfaces.comparing import assert_same
from tests.interfaces.small_partition import SMALL, factory, random_actions


def test_next_step_ignores_the_action_of_the_step_that_resets() -> None:
    envs = factory.vector_env(num_envs=2, autoreset_mode="NextStep", **SMALL)
    envs.reset(seed=1)
    for actions in random_actions(5, num_envs=2):
        _, _, _, truncated, _ = envs.step(actions)
    assert truncated.all()
    observation, rewards, _, truncated, infos = envs.step(random_actions(1, num_envs=2, seed=9)[0])
    assert rewards.tolist() == [0.0, 0.0]
    assert not truncated.any()
    assert infos == {}
    assert (observation[:, :, :4] == 0.0).all()


def test_a_masked_reset_changes_only_its_environments() -> None:
    envs = factory.vector_env(num_envs=4, **SMALL)
    envs.reset(seed=0)
    observation = envs.step(random_actions(1, num_envs=4)[0])[0]
    mask = np.array([True, False, False, True])
    after, _ = envs.reset(options={"reset_mask": mask})
    assert_same(after[~mask], observation[~mask])
    assert (after[mask][:, :, :4] == 0.0).all()
    assert envs.batch.epoch.tolist() == [0, 1, 1, 0]


def test_ended_environments_must_be_reset_without_autoreset() -> None:
    envs = factory.vector_env(num_envs=3, autoreset_mode="DISABLED", **SMALL)
    envs.reset(seed=0)
    actions = random_actions(5, num_envs=3)
    envs.step(actions[0])
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    for action in actions[1:]:
        _, _, _, truncated, _ = envs.step(action)
    assert truncated.tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"environments \[0, 2\] have ended"):
        envs.step(actions[0])
    envs.reset(options={"reset_mask": truncated})
    envs.step(actions[0])


def test_a_vector_environment_needs_a_reset_first() -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
    with pytest.raises(RuntimeError, match="call reset"):
        envs.step(np.zeros((2, 3), dtype=int))


def test_actions_of_environments_reset_by_the_step_are_ignored() -> None:
    envs = factory.vector_env(num_envs=2, autoreset_mode="NEXT_STEP", **SMALL)
    envs.reset(seed=0)
    for _ in range(envs.problem.episode_slots):
        envs.step(np.zeros((2, 3), dtype=int))
    _, reward, _, truncated, _ = envs.step(np.full((2, 3), -1))
    assert (reward == 0.0).all()
    assert not truncated.any()
