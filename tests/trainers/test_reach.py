"""Learners on actions that change from slot to slot: they choose, explore and build targets among legal ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from tianshou.data import Batch
from torch import Tensor, nn

from tests.trainers.runs import SMALL
from trainers import ppo, qmix, qmix_diffusion
from trainers.algorithms.options import QMIXOptions
from trainers.algorithms.qmix import QMIX, QMIXPolicy, greedy
from trainers.imitation.experts import made_shard
from trainers.loop.evaluation import decision_time_s, play
from trainers.loop.training import main
from trainers.runs.command_line import parse
from vec_envs import dnn_partition_v0
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.policies import references
from vec_envs.problems.base import View
from vec_envs.problems.policy import mask_keyword, random_legal

NEAR = ["--env.v2v-range-m", "150", "--env.carrier-ghz", "5.9", "--env.noise-figure-db", "9"]
NEAR += ["--evaluation-episodes", "2"]
ON_STEP = ["--env-id", "VEC-DNNPartition-v0", *SMALL[:6], "--env.episode-slots", "6", "--num-envs", "4"]
ON_STEP += ["--learner.hidden", "8", "--learner.batch-size", "8", "--learner.steps", "4", "--threads", "1"]
LEARNERS = {
    "tuned qmix": (qmix.LEARNER, SMALL),
    "paper qmix": (qmix.LEARNER, ["--preset", "paper", *SMALL]),
    "tuned qmix_diffusion": (qmix_diffusion.LEARNER, SMALL),
    "paper qmix_diffusion": (qmix_diffusion.LEARNER, ["--preset", "paper", *SMALL]),
    "ppo": (ppo.LEARNER, ON_STEP),
}


def is_legal(view: View, action: np.ndarray) -> np.ndarray:
    mask = view.problem.action_mask(view.state, view.exogenous)
    return np.take_along_axis(mask, action[..., None], axis=-1)[..., 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_plays_legal_actions_alone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner, arguments = LEARNERS[name]
    legal, masked = list[bool](), list[bool]()
    step = EnvironmentBatch.step

    def watched(batch: EnvironmentBatch, action: np.ndarray) -> Any:
        running = ~batch.ended
        legal.append(bool(is_legal(batch.view, action)[running].all()))
        mask = batch.problem.action_mask(batch.state, batch.exogenous)
        masked.append(bool((~mask[running] & batch.problem.choices.mask()).any()))
        return step(batch, action)

    monkeypatch.setattr(EnvironmentBatch, "step", watched)
    output = tmp_path / "run"
    main(learner, parse(learner, [*arguments, *NEAR, "--episodes", "8", "--output", str(output)]))
    assert all(legal)
    assert any(masked)
    assert json.loads((output / "evaluation.json").read_text())["episodes"] == 2


class Fixed(nn.Module):
    """Returns the same action values for all observations."""

    def __init__(self, values: list[list[float]]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        return self.values.expand(len(observation), -1, -1)


class Sum(nn.Module):
    """Adds up the values of all agents."""

    def forward(self, values: Tensor, state: Tensor) -> Tensor:
        return values.sum(-1)


def legal_from(observation: np.ndarray) -> np.ndarray:
    """Returns a mask that the observation holds: 1 for each legal action."""
    return observation > 0.5


def masked_policy() -> QMIXPolicy:
    return QMIXPolicy(
        Fixed([[1.0, 2.0, 5.0], [4.0, 3.0, 0.0]]),
        action_space=gymnasium.spaces.MultiDiscrete([3, 3]),
        action_exists=np.ones((2, 3), bool),
        compress=True,
        seed=0,
        legal=legal_from,
    )


MASKS = np.array([[[1, 1, 0], [0, 1, 1]], [[1, 0, 0], [0, 0, 1]], [[1, 1, 1], [1, 1, 1]]], np.float32)


def test_qmix_takes_the_best_legal_action_of_each_state() -> None:
    policy = masked_policy()
    algorithm = QMIX(policy=policy, mixer=Sum(), options=QMIXOptions())
    expected = [[1, 1], [0, 2], [2, 0]]
    assert policy(Batch(obs=MASKS, info={})).act.tolist() == expected
    assert greedy(algorithm).act(MASKS).tolist() == expected


def test_qmix_explores_all_legal_actions_and_no_other() -> None:
    policy = masked_policy()
    policy.exploration = 1.0
    observation = np.repeat(MASKS, 200, axis=0)
    explored = policy.add_exploration_noise(np.zeros((600, 2), int), Batch(obs=observation))
    for mask, rows in zip(MASKS, np.split(explored, 3), strict=True):
        for agent in range(2):
            assert set(rows[:, agent]) == set(np.flatnonzero(mask[agent]))


@pytest.mark.parametrize("double_q", [True, False])
def test_targets_are_values_of_actions_legal_in_the_next_state(double_q: bool) -> None:
    algorithm = QMIX(
        policy=masked_policy(), mixer=Sum(), options=QMIXOptions(discount=0.5, reward_scale=1.0, double_q=double_q)
    )
    batch = Batch(obs=MASKS[::-1], obs_next=MASKS, rew=np.ones(3, np.float32), terminated=np.zeros(3, bool))
    returns = algorithm._preprocess_batch(batch, None, np.zeros(3, int)).returns
    assert returns.tolist() == [1.0 + 0.5 * (2.0 + 3.0), 1.0 + 0.5 * (1.0 + 0.0), 1.0 + 0.5 * (5.0 + 4.0)]


def test_legal_draws_are_those_of_the_counts_where_all_actions_are_legal() -> None:
    counts = np.array([3, 7, 1])
    mask = np.broadcast_to(np.arange(7) < counts[:, None], (50, 3, 7))
    drawn = random_legal(np.random.default_rng(1), mask)
    np.testing.assert_array_equal(drawn, np.random.default_rng(1).integers(0, counts, (50, 3)))


class TakesMask:
    """Takes each agent's last legal action, of a mask that it must be given."""

    def __init__(self, problem: Any) -> None:
        self.given: list[np.ndarray] = []

    def reset(self, seed: int) -> None:
        """Does nothing."""

    def act(self, observation: np.ndarray, view: View | None = None, action_mask: np.ndarray | None = None) -> Any:
        assert action_mask is not None
        self.given.append(action_mask)
        return action_mask.shape[-1] - 1 - action_mask[..., ::-1].argmax(axis=-1)


def test_a_policy_that_takes_the_mask_is_given_it() -> None:
    env = dnn_partition_v0.vector_env(num_envs=3, mobility="straight", v2v_range_m=150.0, episode_slots=3)
    policies = list[TakesMask]()

    def make(problem: Any) -> TakesMask:
        policies.append(TakesMask(problem))
        return policies[-1]

    assert play(make, env, 0)["episodes"] == 3
    assert [len(policy.given) for policy in policies] == [3, 3]
    env.reset(seed=0)
    expected = env.problem.action_mask(env.view.state, env.view.exogenous)
    np.testing.assert_array_equal(policies[0].given[0], expected)
    np.testing.assert_array_equal(mask_keyword(make(env.problem), env.view)["action_mask"], expected)
    assert decision_time_s(make(env.problem), env.batch.observe(), env.view) >= 0.0
    random = references(env.problem).named("random").make(env.problem)
    assert mask_keyword(random, env.view) == {}
    env.close()


def test_experts_explore_legal_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    env = dnn_partition_v0.vector_env(num_envs=3, mobility="straight", v2v_range_m=150.0, episode_slots=4)
    legal, step = list[bool](), env.step

    def watched(action: np.ndarray) -> Any:
        legal.append(bool(is_legal(env.view, action).all()))
        return step(action)

    monkeypatch.setattr(env, "step", watched)
    made_shard(env, references(env.problem).named("all-rsu").make(env.problem), exploration=1.0, seed=(0, 0))
    assert legal == [True] * 4
    env.close()
