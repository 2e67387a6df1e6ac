"""Policies that were trained in other libraries play here."""

from __future__ import annotations

import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import vec_envs  # registers the environments
from benchmarks.adapters import StableBaselines3, TorchRL
from benchmarks.jobs.playing import play
from benchmarks.results.kept import Kept
from tests.needed import needs
from vec_envs import dnn_partition_v0, task_diversion_v0
from vec_envs.interfaces.factories import EnvironmentFactory
from vec_envs.problems.base import action_exists
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.task_diversion.problem import TaskDiversion

assert vec_envs
PARTITION = {"num_client_vehicles": 3, "num_service_vehicles": 2, "episode_slots": 5, "mobility": "straight"}
DIVERSION = {"num_client_vehicles": 3, "episode_slots": 6, "mobility": "straight"}


@needs("stable_baselines3")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("env_id", "factory", "options", "figure", "algorithm"),
    [
        ("VEC-DNNPartition-v0", dnn_partition_v0.factory, PARTITION, "completion_time_s", "PPO"),
        ("VEC-TaskDiversion-v0", task_diversion_v0.factory, DIVERSION, "cost", "SAC"),
    ],
)
def test_a_model_of_stable_baselines3(
    env_id: str, factory: EnvironmentFactory, options: dict[str, Any], figure: str, algorithm: str, tmp_path: Path
) -> None:
    """It decides here what it decides on the Gymnasium environment that it was trained on."""
    import stable_baselines3

    kind = getattr(stable_baselines3, algorithm)
    more = {"n_steps": 16, "batch_size": 16} if algorithm == "PPO" else {"learning_starts": 8, "batch_size": 8}
    with closing(gymnasium.make(env_id, **options)) as env:
        trained = kind("MlpPolicy", env, seed=1, device="cpu", **more).learn(32)
        trained.save(tmp_path / "model")
        model = kind.load(tmp_path / "model", device="cpu")
        observation, _ = env.reset(seed=5)
        done, figures = False, list[float]()
        while not done:
            action, _ = model.predict(observation, deterministic=True)
            observation, _, _, done, info = env.step(action)
            figures.append(info[figure])
    with closing(factory.vector_env(num_envs=3, **options)) as envs:
        policy = StableBaselines3(model, envs.problem)
        played = play(policy, envs, envs.problem, Kept(metrics=(figure,)), seed=5, timed=policy)
    assert played.values[figure][0] == pytest.approx(np.mean(figures))
    deciders = 1 if envs.problem.one_at_a_time else len(envs.problem.agent_names)
    observed = np.random.default_rng(0).random((1, deciders, envs.problem.observation_size), np.float32)
    halved = StableBaselines3(model, envs.problem, normalize=lambda observation: 0.5 * observation)
    np.testing.assert_array_equal(halved.act(observed), policy.act(0.5 * observed))
    with pytest.raises(
        ValueError,
        match=r"the model's observation space has shape .*, the environment's .*, which `sees` must then contain",
    ):
        StableBaselines3(model, DNNPartition(num_client_vehicles=4))


@needs("torchrl")
@pytest.mark.slow
def test_a_policy_of_torchrl() -> None:
    """Its keys are those that TorchRL's wrapper of the PettingZoo environment has; what it may not do is masked."""
    import torch
    from tensordict.nn import TensorDictModule, TensorDictSequential
    from torchrl.envs.libs.pettingzoo import PettingZooWrapper
    from torchrl.modules import MaskedCategorical, ProbabilisticActor

    with closing(dnn_partition_v0.parallel_env(**PARTITION, padded=True)) as parallel:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = PettingZooWrapper(parallel, use_mask=False)
            observed = env.reset()
        features, count = (
            observed["client", "observation", "observation"].shape[-1],
            observed["client", "action_mask"].shape[-1],
        )
        torch.manual_seed(0)
        logits = TensorDictModule(
            torch.nn.Linear(features, count),
            in_keys=[("client", "observation", "observation")],
            out_keys=[("client", "logits")],
        )
        actor = ProbabilisticActor(
            TensorDictSequential(logits),
            in_keys={"logits": ("client", "logits"), "mask": ("client", "action_mask")},
            out_keys=[("client", "action")],
            distribution_class=MaskedCategorical,
        )
        assert actor(observed)["client", "action"].shape == (3,)
    with closing(dnn_partition_v0.vector_env(num_envs=4, **PARTITION)) as envs:
        greedy, draws = (TorchRL(actor, envs.problem, explore=explore) for explore in (False, True))
        envs.reset(seed=0)
        observation = envs.batch.observe()
        weight, bias = (p.detach().numpy() for p in logits.parameters())
        values = np.where(action_exists(envs.problem), observation @ weight.T + bias, -np.inf)
        np.testing.assert_array_equal(greedy.act(observation), values.argmax(-1))
        draws.reset(3)
        first = draws.act(observation)
        draws.reset(3)
        np.testing.assert_array_equal(first, draws.act(observation))
        assert (first < np.array(envs.problem.action_counts)).all()
        assert not np.array_equal(first, draws.act(observation))
        play(greedy, envs, envs.problem, Kept(metrics=("completion_time_s",)), seed=0)
    with pytest.raises(ValueError, match="TaskDiversion has no agents that all choose an integer at every epoch"):
        TorchRL(actor, TaskDiversion())  # type: ignore[arg-type]
