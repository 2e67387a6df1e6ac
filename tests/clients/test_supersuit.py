"""SuperSuit's vector environments, which are the way from PettingZoo to Stable-Baselines3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.clients.every import EVERY_ID, STRAIGHT, discrete, parallel_env

supersuit = pytest.importorskip("supersuit")


def vector_env(env: Any, num_cpus: int) -> Any:
    """Returns two copies of an environment, whose agents are the entries of one vector environment."""
    flat = supersuit.pettingzoo_env_to_vec_env_v1(env)
    return supersuit.concat_vec_envs_v1(flat, 2, num_cpus=num_cpus, base_class="gymnasium")


def play(env: Any, steps: int) -> None:
    env.reset(seed=0)
    for _ in range(steps):
        _, rewards, *_ = env.step(np.array([env.action_space.sample() for _ in range(env.num_envs)]))
        assert np.isfinite(rewards).all()
    env.close()


@pytest.mark.slow
@EVERY_ID
@pytest.mark.parametrize("num_cpus", [1, 2])
@pytest.mark.parametrize("options", [STRAIGHT, {}], ids=["straight", "default mobility"])
def test_concatenated_environments(env_id: str, num_cpus: int, options: dict[str, Any]) -> None:
    """SuperSuit copies the environment with pickle, also where the copies stay in one process."""
    mobility = options.get("mobility")
    play(vector_env(parallel_env(env_id, padded=True, mobility=mobility), num_cpus), steps=65)


@pytest.mark.slow
@EVERY_ID
def test_padding_of_supersuit(env_id: str) -> None:
    """SuperSuit pads spaces itself; it clips what an agent does not have to the agent's last action."""
    if not discrete(env_id):
        pytest.skip("the agents have the same spaces")
    env = supersuit.pad_action_space_v0(supersuit.pad_observations_v0(parallel_env(env_id)))
    play(vector_env(env, 1), steps=35)
