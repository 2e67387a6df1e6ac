"""A small `VEC-DNNPartition-v0`, episodes of it, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import vec_envs
from vec_envs.faces.joint_env import JointEnv

ENV_ID = "VEC-DNNPartition-v0"
door = vec_envs.dnn_partition_v0
SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "episode_slots": 5,
    "observation": "extended",
}
MODES = list(AutoresetMode)
WITHOUT_SUMO = pytest.mark.parametrize("mobility", ["straight", "replay"])
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")


def random_actions(slots: int, lanes: int = 1, seed: int = 0) -> np.ndarray:
    counts = door.joint_env(**SMALL).action_space.nvec
    return np.random.default_rng(seed).integers(0, counts, (slots, lanes, len(counts)))


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


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_array_equal(one, other, strict=isinstance(one, np.ndarray))


def first_of(infos: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the infos of the first lane, as a single environment gives them."""
    named = {name: value for name, value in infos.items() if not name.startswith("_")}
    return {n: first_of(v) if isinstance(v, Mapping) else v[0].item() for n, v in named.items()}
