"""A small `VEC-DNNPartition-v0`, episodes of it, and what two of them have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

import vec_envs
from vec_envs.interfaces.joint_env import JointEnv

ENV_ID = "VEC-DNNPartition-v0"
factory = vec_envs.dnn_partition_v0
SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "episode_slots": 5,
    "observation": "extended",
}


def random_actions(slots: int, num_envs: int = 1, seed: int = 0) -> np.ndarray:
    counts = factory.joint_env(**SMALL).action_space.nvec
    return np.random.default_rng(seed).integers(0, counts, (slots, num_envs, len(counts)))


def by_agent(action: np.ndarray) -> dict[str, int]:
    return {f"client_{i}": int(a) for i, a in enumerate(action)}


def play(env: JointEnv, actions: np.ndarray, seed: int | None) -> list[Any]:
    """Plays one episode; returns all it gave."""
    trace: list[Any] = [env.reset(seed=seed)[0]]
    for action in actions[:, 0]:
        trace += list(env.step(action))
    return trace


def observations(trace: list[Any]) -> list[np.ndarray]:
    return [trace[0], *trace[1::5]]
