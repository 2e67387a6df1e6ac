"""Stable-Baselines3 and sb3-contrib train on the Gymnasium environments, and on the agents of the PettingZoo ones."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

from tests.clients.every import EVERY_ID, STRAIGHT, discrete, parallel_env
from tests.needed import needs
from vec_envs.registration import ENVIRONMENTS

pytestmark = needs("stable_baselines3")

SHORT: dict[str, Any] = {"n_steps": 40, "batch_size": 40, "n_epochs": 1, "device": "cpu", "seed": 0}
DISCRETE = pytest.mark.parametrize("env_id", list(filter(discrete, ENVIRONMENTS)))


@EVERY_ID
def test_its_checker(env_id: str) -> None:
    from stable_baselines3.common.env_checker import check_env

    check_env(gymnasium.make(env_id, **STRAIGHT).unwrapped, warn=False)


@pytest.mark.slow
@EVERY_ID
@pytest.mark.parametrize("processes", [False, True])
def test_ppo_on_its_vector_env(env_id: str, processes: bool) -> None:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize

    kind = SubprocVecEnv if processes else DummyVecEnv
    options: Any = {"vec_env_cls": kind, "env_kwargs": STRAIGHT}
    env = VecNormalize(make_vec_env(f"vec_envs:{env_id}", n_envs=2, seed=0, **options))
    model = PPO("MlpPolicy", env, **SHORT).learn(160)
    assert model.num_timesteps == 160
    env.close()


@pytest.mark.slow
@DISCRETE
def test_ppo_with_masks(env_id: str) -> None:
    sb3_contrib = pytest.importorskip("sb3_contrib")
    env = gymnasium.make(env_id, **STRAIGHT)
    model = sb3_contrib.MaskablePPO("MlpPolicy", env, **SHORT).learn(80)
    observation, _ = env.reset(seed=0)
    action, _ = model.predict(observation, action_masks=env.unwrapped.action_masks())
    env.step(action)
    env.close()


@pytest.mark.slow
@EVERY_ID
def test_ppo_on_the_agents(env_id: str) -> None:
    from stable_baselines3 import PPO

    supersuit = pytest.importorskip("supersuit")
    flat = supersuit.pettingzoo_env_to_vec_env_v1(parallel_env(env_id, padded=True))
    env = supersuit.concat_vec_envs_v1(flat, 2, num_cpus=1, base_class="stable_baselines3")  # it has no seed()
    PPO("MultiInputPolicy", env, **SHORT | {"n_steps": 10, "seed": None}).learn(200)
    env.close()
