"""RLlib checks and trains the environments, on a remote worker too."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.every import EVERY_ID, EVERY_PADDING, STRAIGHT, aec_env, discrete, parallel_env

pytest.importorskip("ray.rllib", reason="RLlib is not installed", exc_type=ImportError)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "rllib_ppo.py"
SHORT: dict[str, Any] = {"train_batch_size_per_learner": 60, "minibatch_size": 60, "num_epochs": 1}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@EVERY_ID
@EVERY_PADDING
def test_its_checker(env_id: str, padded: bool) -> None:
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv
    from ray.rllib.utils.pre_checks.env import check_multiagent_environments

    check_multiagent_environments(ParallelPettingZooEnv(parallel_env(env_id, padded=padded)))
    check_multiagent_environments(PettingZooEnv(aec_env(env_id, padded=padded)))


def train(config: Any) -> None:
    algorithm = config.training(**SHORT).build_algo()
    try:
        result = algorithm.train()
        assert result["env_runners"]["num_env_steps_sampled"] >= 60
    finally:
        algorithm.stop()


@EVERY_ID
@pytest.mark.parametrize("num_env_runners", [0, 1], ids=["local", "remote"])
def test_ppo_on_an_id(env_id: str, num_env_runners: int) -> None:
    from ray.rllib.algorithms.ppo import PPOConfig

    options = STRAIGHT | ({"flatten": True} if discrete(env_id) else {})
    config = PPOConfig().environment(f"vec_envs:{env_id}", env_config=options)
    train(config.env_runners(num_env_runners=num_env_runners))


@pytest.mark.parametrize("num_env_runners", [0, 1], ids=["local", "remote"])
def test_the_example_trains(num_env_runners: int) -> None:
    train(runpy.run_path(str(EXAMPLE))["ppo"](num_env_runners, 60))
