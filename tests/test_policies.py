"""Reference policies in single and batched environments of Gymnasium, for every registered environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

from vec_envs import dnn_partition_v0, task_diversion_v0
from vec_envs.policies import references
from vec_envs.registration import ENVIRONMENTS, factory_of


def options_of(env_id: str) -> dict[str, Any]:
    still = factory_of(env_id).default_mobility == "still"
    return {"episode_slots": 10, "mobility": "still" if still else "straight"}


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_one_call_plays_every_reference_in_every_environment(env_id: str) -> None:
    for name, reference in factory_of(env_id).references.policies.items():
        if reference.slow:
            continue
        env: Any = gymnasium.make(env_id, **options_of(env_id), **reference.env)
        inner: Any = env.unwrapped
        policy = reference.make(inner.problem)
        observation, _ = env.reset(seed=0)
        env.step(policy.act(observation[None], inner.view)[0])
        envs: Any = gymnasium.make_vec(env_id, num_envs=2, **options_of(env_id), **reference.env)
        batch, _ = envs.reset(seed=0)
        actions = policy.act(batch, envs.unwrapped.view)
        assert actions.shape == envs.action_space.shape, name
        envs.step(actions)


@pytest.mark.parametrize("make", [dnn_partition_v0.env, task_diversion_v0.vector_env, dnn_partition_v0.parallel_env])
def test_an_environment_is_no_problem(make: Any) -> None:
    env = make(mobility="replay")
    with pytest.raises(ValueError, match=r"an environment: call references\(env\.unwrapped\.problem\)"):
        references(env)
    assert references(env.unwrapped.problem).policies
    with pytest.raises(ValueError, match="needs a problem, got 'VEC-DNNPartition-v0'"):
        references("VEC-DNNPartition-v0")


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_an_unknown_reference_lists_the_known_ones(env_id: str) -> None:
    with pytest.raises(ValueError, match=r"'randm' is unknown; known are: 'random', .*; did you mean random\?"):
        factory_of(env_id).references.named("randm")
