"""References that draw random numbers decide the same in an episode, whatever the batch that it is played in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vec_envs.policies import references
from vec_envs.problems.row_generators import RowGenerators
from vec_envs.registration import factory_of

SEED = 40
SHORT: dict[str, dict[str, Any]] = {
    "VEC-DNNPartition-v0": {"num_client_vehicles": 4, "num_service_vehicles": 2, "reward": "drift"},
    "VEC-TaskDiversion-v0": {"num_client_vehicles": 4, "num_rsus": 2},
    "VEC-CooperativeInference-v0": {"episode_slots": 4},
    "VEC-MobileInference-v0": {"num_client_vehicles": 3, "num_service_vehicles": 2, "arrival_rate_hz": 2.0},
}
TOO_SLOW = {"genetic-drift"}
"""`genetic-paper` is the same policy with fewer chromosomes."""
PLAYED = [(env_id, name) for env_id in SHORT for name in factory_of(env_id).references.policies if name not in TOO_SLOW]


def decisions(env_id: str, name: str, *, seed: int, num_envs: int, slots: int = 3) -> np.ndarray:
    """Returns the actions of a reference in the first slots, `[slots, batch, ...]`."""
    factory = factory_of(env_id)
    reference = factory.references.named(name)
    mobility = {} if env_id == "VEC-CooperativeInference-v0" else {"mobility": "straight"}
    env = factory.vector_env(num_envs=num_envs, **{**SHORT[env_id], **mobility, **reference.env})
    policy = reference.make(env.problem)
    policy.reset(seed)
    env.reset(seed=seed)
    taken = list[np.ndarray]()
    for _ in range(slots):
        taken.append(policy.act(env.batch.observe(), env.view))
        env.batch.step(taken[-1])
    env.close()
    return np.array(taken)


@pytest.mark.slow
@pytest.mark.parametrize(("env_id", "name"), PLAYED)
def test_a_reference_decides_the_same_alone_and_in_a_batch(env_id: str, name: str) -> None:
    whole = decisions(env_id, name, seed=SEED, num_envs=3)
    for row in range(3):
        np.testing.assert_allclose(
            whole[:, row], decisions(env_id, name, seed=SEED + row, num_envs=1)[:, 0], rtol=1e-12
        )


@pytest.mark.parametrize("env_id", SHORT)
def test_the_random_policy_draws_other_numbers_in_each_environment_and_at_each_epoch(env_id: str) -> None:
    assert "random" in references(factory_of(env_id).problem_type).policies
    whole = decisions(env_id, "random", seed=SEED, num_envs=3)
    assert not np.array_equal(whole[:, 0], whole[:, 1])
    assert not np.array_equal(whole[0], whole[1])


def test_a_larger_batch_leaves_the_numbers_of_the_first_environments() -> None:
    few, many = RowGenerators(7), RowGenerators(7)
    first = few.stacked(2, lambda rng: rng.random(3))
    np.testing.assert_array_equal(many.stacked(5, lambda rng: rng.random(3))[:2], first)
    later = few.stacked(5, lambda rng: rng.random(3))
    np.testing.assert_array_equal(later[1], many.stacked(2, lambda rng: rng.random(3))[1])
    np.testing.assert_array_equal(later[4], np.random.default_rng(11).random(3))
