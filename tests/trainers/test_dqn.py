"""DQN learns the values of legal alternatives, and takes no others."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tianshou.data import Batch
from tianshou.utils.torch_utils import policy_within_training_step

from trainers import dqn
from trainers.algorithms.dqn import ScaledDQN, assemble, greedy
from trainers.algorithms.options import DQNOptions
from trainers.tianshou_bridge.draws import seeded_weights
from trainers.tianshou_bridge.replay import ReplayBuffer
from vec_envs import task_diversion_v0
from vec_envs.problems.task_diversion.hybrid import CutAndUnit
from vec_envs.problems.task_diversion.problem import TaskDiversion


class UpTo:
    """Four alternatives, of which the first feature says how many are legal."""

    count = 4

    def present(self, observation: np.ndarray) -> np.ndarray:
        return np.arange(4) < observation[:, 0, :1]

    def action(self, index: np.ndarray, numbers: np.ndarray, observation: np.ndarray) -> np.ndarray:
        return index.astype(np.float32)[:, None, None]


def fresh(**options: object) -> ScaledDQN:
    with seeded_weights(0) as decisions:
        values = DQNOptions(
            **{"discount": 0.0, "reward_scale": 1.0, "hidden": 32, "target_update_steps": 10, **options}
        )
        return assemble(
            observation_size=1, hybrid=UpTo(), parameters_for=lambda x: x[:, 0], options=values, seed=decisions
        )


def filled(algorithm: ScaledDQN) -> ReplayBuffer:
    """Alternative n has the reward n. Two and four alternatives are legal in turn, so that two are often illegal."""
    rng = np.random.default_rng(0)
    number = rng.choice([2.0, 4.0], 2000)
    act = (rng.random(2000) * number).astype(np.int64)
    observation = number.astype(np.float32)[:, None, None]
    space = algorithm.policy.action_space
    buffer = ReplayBuffer(2000, observation_shape=(1, 1), action_space=space, seed=1)
    buffer.add(observation, act, act.astype(np.float64), np.float32(6.0) - observation, np.zeros(2000, bool))
    return buffer


def learn(algorithm: ScaledDQN, buffer: ReplayBuffer, updates: int) -> None:
    with policy_within_training_step(algorithm.policy):
        for _ in range(updates):
            assert np.isfinite(algorithm.update(buffer, 64).loss)


@pytest.mark.slow
def test_dqn_takes_the_best_legal_alternative() -> None:
    algorithm = fresh()
    learn(algorithm, filled(algorithm), 400)
    act = greedy(algorithm).act(np.array([[[2.0]], [[4.0]]], np.float32))
    assert act.tolist() == [[[1.0]], [[3.0]]]


@pytest.mark.slow
@pytest.mark.parametrize("double_q", [True, False])
def test_targets_ignore_illegal_alternatives(double_q: bool) -> None:
    """Two and four alternatives are legal in turn: V2 = 1 + d V4, V4 = 3 + d V2."""
    algorithm = fresh(discount=0.5, double_q=double_q)
    learn(algorithm, filled(algorithm), 1500)
    value = algorithm.policy(Batch(obs=np.array([[[2.0]], [[4.0]]], np.float32))).logits.max(-1).values
    np.testing.assert_allclose(value.detach().numpy(), [2.5 / 0.75, 3.5 / 0.75], atol=0.2)


@pytest.mark.slow
def test_illegal_alternatives_are_neither_taken_nor_explored() -> None:
    algorithm = fresh()
    observation = np.random.default_rng(1).integers(1, 5, (3000, 1, 1)).astype(np.float32)
    batch = Batch(obs=observation)
    chosen = algorithm.policy(batch).act
    algorithm.policy.exploration = 1.0
    explored = algorithm.policy.add_exploration_noise(chosen, batch)
    assert (chosen < observation[:, 0, 0]).all()
    assert (explored < observation[:, 0, 0]).all()
    of_four = explored[observation[:, 0, 0] == 4.0]
    assert np.bincount(of_four) / len(of_four) == pytest.approx([0.25] * 4, abs=0.05)
    algorithm.policy.exploration = 0.0
    assert (algorithm.policy.add_exploration_noise(chosen, batch) == chosen).all()


@pytest.mark.slow
def test_a_checkpoint_holds_the_number_of_gradient_steps() -> None:
    algorithm = fresh()
    learn(algorithm, filled(algorithm), 7)
    other = fresh()
    other.load_state_dict(copy.deepcopy(algorithm.state_dict()))
    assert other._iter == 7
    for mine, theirs in zip(algorithm.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.fixture(scope="module")
def problem() -> TaskDiversion:
    return task_diversion_v0.factory.problem(diversion="chosen")


def test_speeds_are_the_fastest_or_those_of_least_cost_for_the_battery(problem: TaskDiversion) -> None:
    observation = np.zeros((2, 1, problem.observation_size), np.float32)
    observation[:, 0, 3 + 4] = [0.9, 0.2]
    assert (dqn.speeds(problem, observation, kind="full") == 1.0).all()
    numbers = dqn.speeds(problem, observation, kind="best")
    _, vehicle_ghz, rsu_ghz = problem.action.decode(
        CutAndUnit(problem).action(np.array([0, 0]), numbers, observation)[:, 0], SAME
    )
    np.testing.assert_allclose(vehicle_ghz, [3.0, (1.0 / (2.0 * 3.0 * 1e-3 * 10.0)) ** (1.0 / 3.0)], rtol=1e-5)
    np.testing.assert_allclose(rsu_ghz, 50.0 ** (1.0 / 3.0), rtol=1e-5)


SAME = np.array([0, 0])


def test_a_problem_that_does_not_let_the_unit_be_chosen_is_refused() -> None:
    assert "diversion='chosen'" in dqn.LEARNER.misfit(task_diversion_v0.factory.problem())


def test_actions_are_random_before_the_first_update_and_rarely_at_the_end() -> None:
    options = dqn.LEARNER.presets["tuned"].learner_for("VEC-TaskDiversion-v0")
    assert options.schedule.explores(0.9, warm_up=True) == 1.0
    assert options.schedule.explores(0.9, warm_up=False) == pytest.approx(options.dqn.exploration_end)
