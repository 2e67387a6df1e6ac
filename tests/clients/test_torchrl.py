"""TorchRL's own checks pass on every environment: `check_env_specs`, and rollouts over the end of an episode."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import pytest

from tests.clients.every import EVERY_ID, EVERY_PADDING, STRAIGHT, parallel_env
from tests.needed import needs

pytestmark = [needs("torchrl"), pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CATEGORICAL = {"categorical_action_encoding": True}
"""TorchRL 0.11, which BenchMARL asks for, decodes its default encoding of a `MultiDiscrete` action wrongly."""
BOTH_KINDS_OF_ACTIONS = pytest.mark.parametrize("env_id", ["VEC-DNNPartition-v0", "VEC-TaskDiversion-v0"])
"""Where each test starts processes, which import torch: an environment of choices, and one of numbers."""


def gym_env(env_id: str) -> Any:
    from torchrl.envs import GymEnv

    import vec_envs

    assert vec_envs
    return GymEnv(env_id, **STRAIGHT, **CATEGORICAL)


def pettingzoo_env(env_id: str, padded: bool) -> Any:
    from torchrl.envs import PettingZooWrapper

    return PettingZooWrapper(parallel_env(env_id, padded=padded), return_state=True)


def check(env: Any) -> None:
    from torchrl.envs import check_env_specs

    check_env_specs(env)
    assert env.rollout(35, break_when_any_done=False).shape[-1] == 35
    env.close()


@EVERY_ID
def test_gym_env(env_id: str) -> None:
    check(gym_env(env_id))


@EVERY_ID
def test_gym_wrapper(env_id: str) -> None:
    from torchrl.envs import GymWrapper

    check(GymWrapper(gymnasium.make(env_id, **STRAIGHT), **CATEGORICAL))


@EVERY_ID
@EVERY_PADDING
def test_pettingzoo_wrapper(env_id: str, padded: bool) -> None:
    check(pettingzoo_env(env_id, padded))


@EVERY_ID
def test_serial_gym_envs(env_id: str) -> None:
    from torchrl.envs import SerialEnv

    check(SerialEnv(2, partial(gym_env, env_id)))


@BOTH_KINDS_OF_ACTIONS
def test_parallel_gym_envs(env_id: str) -> None:
    from torchrl.envs import ParallelEnv

    check(ParallelEnv(2, partial(gym_env, env_id)))


@EVERY_ID
@EVERY_PADDING
def test_serial_pettingzoo_envs(env_id: str, padded: bool) -> None:
    from torchrl.envs import SerialEnv

    check(SerialEnv(2, partial(pettingzoo_env, env_id, padded=padded)))


@BOTH_KINDS_OF_ACTIONS
def test_parallel_pettingzoo_envs(env_id: str) -> None:
    from torchrl.envs import ParallelEnv

    check(ParallelEnv(2, partial(pettingzoo_env, env_id, padded=True)))


@EVERY_ID
def test_vector_env(env_id: str) -> None:
    """TorchRL refuses `NEXT_STEP`, the default of Gymnasium and of this project."""
    from torchrl.envs import GymWrapper

    check(GymWrapper(gymnasium.make_vec(env_id, num_envs=2, autoreset_mode="DISABLED", **STRAIGHT), **CATEGORICAL))
