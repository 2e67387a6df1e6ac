"""Tianshou's collector plays the Gymnasium environments, alone and in its own vector environments."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from tests.clients.every import STRAIGHT
from vec_envs.registration import ENVIRONMENTS

tianshou_data = pytest.importorskip("tianshou.data")


def make(env_id: str) -> gymnasium.Env[Any, Any]:
    import vec_envs

    assert vec_envs
    return gymnasium.make(env_id, **STRAIGHT)


PROCESSES = "SubprocVectorEnv"
"""Its processes import torch: an environment of choices and one of numbers are enough."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env_id", "kind"),
    [
        *((env_id, "DummyVectorEnv") for env_id in ENVIRONMENTS),
        ("VEC-DNNPartition-v0", PROCESSES),
        ("VEC-TaskDiversion-v0", PROCESSES),
    ],
)
def test_a_collector_counts_episodes(env_id: str, kind: str) -> None:
    from tianshou import env as tianshou_env
    from tianshou.algorithm.algorithm_base import Policy

    class Sampling(Policy):
        """Random actions of any space; Tianshou's own `RandomActionPolicy` knows no `MultiDiscrete`."""

        def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Any:
            return tianshou_data.Batch(act=np.array([self.action_space.sample() for _ in range(len(batch.obs))]))

    makers: list[Callable[[], Any]] = [partial(make, env_id)] * 2
    env = getattr(tianshou_env, kind)(makers)
    with closing(make(env_id)) as one:
        policy = Sampling(one.action_space)
    collector = tianshou_data.Collector(policy, env, tianshou_data.VectorReplayBuffer(2000, 2))
    collector.reset()
    collected = collector.collect(n_episode=4)
    assert collected.n_collected_episodes == 4
    env.close()
