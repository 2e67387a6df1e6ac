"""Gymnasium's loop for vector environments and its wrappers run on `make_vec` without further options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import pytest
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import vector as wrappers

from tests.clients.every import EVERY_ID, STRAIGHT

STEPS = 65
"""More than two episodes of 30 slots."""


def play(env: Any, steps: int = STEPS) -> list[dict[str, Any]]:
    """Plays as the documentation of Gymnasium does; returns the infos."""
    env.reset(seed=42)
    infos = [env.step(env.action_space.sample())[-1] for _ in range(steps)]
    env.close()
    return infos


@pytest.mark.slow
@EVERY_ID
@pytest.mark.parametrize("mode", ["vector_entry_point", "sync", "async"])
def test_the_loop_of_the_documentation(env_id: str, mode: str) -> None:
    play(gymnasium.make_vec(env_id, num_envs=3, vectorization_mode=mode, **STRAIGHT))


@pytest.mark.parametrize(
    "wrapper",
    [
        wrappers.NormalizeObservation,
        wrappers.NormalizeReward,
        wrappers.FlattenObservation,
        wrappers.DictInfoToList,
        wrappers.RecordEpisodeStatistics,
    ],
)
def test_a_wrapper(wrapper: Callable[[VectorEnv], Any]) -> None:
    play(wrapper(gymnasium.make_vec("VEC-DNNPartition-v0", num_envs=3, **STRAIGHT)))


def test_episodes_are_counted() -> None:
    env = wrappers.RecordEpisodeStatistics(gymnasium.make_vec("VEC-DNNPartition-v0", num_envs=3, **STRAIGHT))
    ended = [info["episode"]["l"].max() for info in play(env) if "episode" in info]
    assert ended == [30, 30]
