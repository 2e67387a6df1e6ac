"""The picture of a slot."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from vec_envs import dnn_partition_v0 as factory
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.mobility import StraightMobility
from vec_envs.problems.task_diversion import TaskDiversion

pytest.importorskip("matplotlib")

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "render_mode": "rgb_array",
}
ROAD: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 5,
    "num_rsus": 2,
    "episode_slots": 12,
    "render_mode": "rgb_array",
}
CLIENT, SERVICE, RSU = (0x33, 0x62, 0x9C), (0x2E, 0x85, 0x40), (0xC8, 0x50, 0x1E)


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def assert_is_picture(picture: Any) -> None:
    assert isinstance(picture, np.ndarray)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_all_three_roles_are_on_the_road() -> None:
    env = factory.joint_env(**SMALL)
    env.reset(seed=0)
    picture = env.render()
    road = picture[: picture.shape[0] // 2]
    for colour in (CLIENT, SERVICE, RSU):
        assert pixels(road, colour) > 100


def test_the_picture_moves_with_the_vehicles_and_the_queues() -> None:
    env = factory.joint_env(**SMALL)
    env.reset(seed=0)
    before = env.render()
    all_local = env.action_space.nvec - 1
    env.step(all_local)
    after = env.render()
    assert not np.array_equal(before, after)
    queues = np.s_[before.shape[0] * 2 // 3 :]
    env.step(all_local)
    env.step(all_local)
    assert pixels(env.render()[queues], CLIENT) > pixels(before[queues], CLIENT) + 500


def test_links_show_where_the_last_tasks_went() -> None:
    env = factory.joint_env(**SMALL)

    def orange(action: np.ndarray) -> int:
        env.reset(seed=0)
        env.step(action)
        road = env.render()[:250].astype(int)
        return int(((road[..., 0] > 190) & (road[..., 2] < 120) & (road[..., 1] < 150)).sum())

    to_rsu, all_local = np.zeros(3, dtype=int), env.action_space.nvec - 1
    assert orange(to_rsu) > orange(all_local) + 200


def test_an_ended_episode_and_one_without_service_vehicles_can_be_drawn() -> None:
    env = factory.joint_env(**(SMALL | {"num_service_vehicles": 0, "episode_slots": 2}))
    env.reset(seed=0)
    for _ in range(2):
        env.step(env.action_space.nvec - 1)
    assert_is_picture(env.render())


def test_an_environment_that_was_just_reset_shows_no_links() -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
    envs.reset(seed=0)
    envs.step(np.zeros((2, 3), dtype=int))
    mask = np.array([True, False])
    envs.reset(seed=[0, None], options={"reset_mask": mask})
    fresh = factory.joint_env(**SMALL)
    fresh.reset(seed=0)
    np.testing.assert_array_equal(envs.render()[0], fresh.render())


def test_the_picture_keeps_a_copy_of_the_action() -> None:
    envs = factory.vector_env(num_envs=1, **SMALL)
    envs.reset(seed=0)
    action = np.zeros((1, 3), dtype=np.int64)
    envs.step(action)
    before = envs.render()[0]
    action[...] = 5
    np.testing.assert_array_equal(envs.render()[0], before)


def test_drawing_changes_nothing() -> None:
    rendered, silent = factory.joint_env(**SMALL), factory.joint_env(**SMALL)
    rendered.reset(seed=0)
    silent.reset(seed=0)
    for _ in range(3):
        rendered.render()
        action = np.array([3, 4, 5])
        one, other = rendered.step(action), silent.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1] == other[1]


def test_gymnasiums_wrappers_can_draw() -> None:
    env = gymnasium.make("VEC-DNNPartition-v0", **SMALL)
    env.reset(seed=0)
    assert_is_picture(env.render())


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="'human'"):
        factory.joint_env(**(SMALL | {"render_mode": "human"}))


def test_a_problem_without_a_drawing_says_so() -> None:
    env = JointEnv(TaskDiversion(), StraightMobility(), render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(NotImplementedError, match="TaskDiversion has no drawing"):
        env.render()
