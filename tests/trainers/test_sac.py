"""SAC finds what is best, and what we changed of Tianshou's changes no step."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tianshou.algorithm.algorithm_base import Algorithm, LaggedNetworkPolyakUpdateAlgorithmMixin
from tianshou.utils.torch_utils import policy_within_training_step

from trainers import sac
from trainers.learners.options import SACOptions
from trainers.learners.sac import BoundedSAC, assemble, best_of
from trainers.tianshou_bridge.draws import seeded_weights
from trainers.tianshou_bridge.replay import LaneReplayBuffer
from trainers.training import scale_learning_rates
from vec_envs import dnn_partition_v0, task_diversion_v0


def fresh(**options: object) -> BoundedSAC:
    with seeded_weights(0) as decisions:
        values = SACOptions(**{"discount": 0.0, "reward_scale": 1.0, "hidden": 32, "learning_rate": 3e-3, **options})
        return assemble(observation_size=2, size=1, options=values, seed=decisions)


def bandit(algorithm: BoundedSAC, *, transitions: int = 2000) -> LaneReplayBuffer:
    """Uniform actions; the best is half of what is seen first, and what is seen next says nothing."""
    rng = np.random.default_rng(0)
    seen = rng.uniform(-1.0, 1.0, (transitions, 1, 2)).astype(np.float32)
    act = rng.uniform(-1.0, 1.0, (transitions, 1)).astype(np.float32)
    reward = -4.0 * (act[:, 0] - 0.5 * seen[:, 0, 0]) ** 2
    space = algorithm.policy.action_space
    buffer = LaneReplayBuffer(transitions, observation_shape=(1, 2), action_space=space, seed=1)
    buffer.add(seen, act, reward, seen[::-1], np.zeros(transitions, bool))
    return buffer


def learn(algorithm: BoundedSAC, buffer: LaneReplayBuffer, updates: int) -> None:
    with policy_within_training_step(algorithm.policy):
        for _ in range(updates):
            algorithm.update(buffer, 64)


def test_sac_finds_the_best_action_of_a_continuous_bandit() -> None:
    algorithm = fresh()
    learn(algorithm, bandit(algorithm), 500)
    seen = np.random.default_rng(5).uniform(-1.0, 1.0, (200, 1, 2)).astype(np.float32)
    act = best_of(algorithm).act(seen)
    assert act.shape == (200, 1, 1)
    assert np.abs(act[:, 0, 0] - 0.5 * seen[:, 0, 0]).mean() < 0.08


def test_time_ends_no_value() -> None:
    """With a reward of 1 for ever the value is 1 / (1 - discount), less what entropy is worth."""
    algorithm = fresh(discount=0.8, target_update_rate=0.05, temperature_range=(1e-6, 1e-5), temperature=1e-6)
    seen = np.zeros((64, 1, 2), np.float32)
    buffer = LaneReplayBuffer(64, observation_shape=(1, 2), action_space=algorithm.policy.action_space, seed=0)
    act = np.random.default_rng(0).uniform(-1.0, 1.0, (64, 1)).astype(np.float32)
    buffer.add(seen, act, np.ones(64), seen, np.zeros(64, bool))
    learn(algorithm, buffer, 500)
    value = algorithm.critic(torch.zeros(1, 1, 2), torch.zeros(1, 1))
    assert value.item() == pytest.approx(5.0, abs=0.3)


@pytest.mark.parametrize(("target_entropy", "bound"), [(-100.0, 0.1), (100.0, 0.3)])
def test_the_temperature_stays_in_its_range(target_entropy: float, bound: float) -> None:
    algorithm = fresh(temperature=0.2, temperature_range=(0.1, 0.3), target_entropy=target_entropy, learning_rate=0.05)
    learn(algorithm, bandit(algorithm), 60)
    assert algorithm.alpha.value == pytest.approx(bound)


def test_our_shortcuts_make_the_same_steps_as_tianshou(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = fresh(discount=0.9)
    learn(ours, bandit(ours), 20)
    monkeypatch.setattr(BoundedSAC, "_create_optimizer", Algorithm._create_optimizer)
    monkeypatch.setattr(BoundedSAC, "train", torch.nn.Module.train)
    mixin = LaggedNetworkPolyakUpdateAlgorithmMixin
    monkeypatch.setattr(BoundedSAC, "_update_lagged_network_weights", mixin._update_lagged_network_weights)
    theirs = fresh(discount=0.9)
    learn(theirs, bandit(theirs), 20)
    for (name, mine), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        if name.startswith("average_actor."):
            continue  # Tianshou has none
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6, msg=name)


def test_there_are_two_critics_and_two_that_follow_softly() -> None:
    algorithm = fresh(target_update_rate=0.25)
    critics = algorithm.critic, algorithm.critic2, algorithm.critic_old, algorithm.critic2_old
    before = [copy.deepcopy(list(critic.parameters())) for critic in critics]
    assert not torch.equal(before[0][0], before[1][0])
    assert all(torch.equal(a, b) for a, b in zip(before[0] + before[1], before[2] + before[3], strict=True))
    learn(algorithm, bandit(algorithm), 1)
    for critic, target, old in zip(critics[:2], critics[2:], before[2:], strict=True):
        for online, following, was in zip(critic.parameters(), target.parameters(), old, strict=True):
            torch.testing.assert_close(following, 0.25 * online + 0.75 * was)


def test_exploration_is_uniform_but_for_the_ends_and_the_learned_policy_is_the_mean() -> None:
    algorithm = fresh(exploration_ends=(0.25, 0.5), average_rate=1.0)
    policy = algorithm.policy
    act = np.zeros((4000, 1), np.float32)
    policy.exploration = 1.0
    drawn = policy.add_exploration_noise(act, None)
    assert drawn.dtype == np.float32
    assert np.mean(drawn == 1.0) == pytest.approx(0.5, abs=0.04)
    assert np.mean(drawn == -1.0) == pytest.approx(0.25, abs=0.04)
    assert np.histogram(drawn[np.abs(drawn) < 1.0], bins=4, range=(-1, 1))[0] == pytest.approx([250] * 4, abs=70)
    policy.exploration = 0.0
    assert (policy.add_exploration_noise(act, None) == 0.0).all()
    seen = np.ones((3, 1, 2), np.float32)
    (mean, _), _ = policy.actor(torch.as_tensor(seen))
    np.testing.assert_allclose(best_of(algorithm).act(seen)[:, 0], torch.tanh(mean).detach().numpy())


def test_densities_are_those_of_the_squashed_normal() -> None:
    policy = fresh().policy
    seen = torch.randn(5, 1, 2)
    with policy_within_training_step(policy):
        from tianshou.data import Batch

        drawn = policy(Batch(obs=seen))
    (mean, scale), _ = policy.actor(seen)
    squashed = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(mean, scale), torch.distributions.TanhTransform()
    )
    torch.testing.assert_close(drawn.log_prob, squashed.log_prob(drawn.act).sum(-1, keepdim=True), atol=1e-3, rtol=1e-3)


class TwoPeaks(torch.nn.Module):
    """A critic that values 0.8 most, -0.8 less, and what lies between not at all."""

    def forward(self, obs: torch.Tensor, act: torch.Tensor) -> torch.Tensor:
        return torch.exp(-50.0 * (act - 0.8) ** 2) + 0.7 * torch.exp(-50.0 * (act + 0.8) ** 2)


def test_candidates_take_the_better_of_two_peaks_where_the_mean_takes_none() -> None:
    seen = np.random.default_rng(0).normal(size=(50, 1, 2)).astype(np.float32)
    for candidates, lowest, highest in ((1, -0.6, 0.6), (64, 0.65, 0.95)):
        algorithm = fresh(candidates=candidates)
        algorithm.critic, algorithm.critic2 = TwoPeaks(), TwoPeaks()
        policy = best_of(algorithm)
        policy.reset(3)
        act = policy.act(seen)
        assert act.shape == (50, 1, 1)
        assert act.min() > lowest
        assert act.max() < highest
        policy.reset(3)
        np.testing.assert_array_equal(policy.act(seen), act)


def test_a_checkpoint_holds_the_optimiser_of_the_temperature() -> None:
    algorithm = fresh()
    learn(algorithm, bandit(algorithm), 3)
    other = fresh()
    other.load_state_dict(copy.deepcopy(algorithm.state_dict()))
    assert len(other.state_dict()["_optimizers"]) == 4
    assert other.state_dict()["_optimizers"][3]["state"][0]["step"] == 3
    assert other.alpha.value == algorithm.alpha.value != 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 2.0}, "temperature=2.0 must be within"),
        ({"temperature_range": (0.0, 1.0)}, "temperature_range"),
        ({"candidates": 0}, "candidates=0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SACOptions(**options)


def test_the_papers_numbers_are_its_presets() -> None:
    _, options, run = sac.LEARNER.presets["paper"]
    assert options.sac.learning_rate == 0.05
    assert options.sac.temperature_range == (0.001, 1.0)
    assert run == {"episodes": 2000, "num_envs": 1}


def test_the_learned_policy_is_an_average_of_the_last_actors() -> None:
    algorithm = fresh(average_rate=0.25)
    before = copy.deepcopy(list(algorithm.average_actor.parameters()))
    learn(algorithm, bandit(algorithm), 1)
    averages, actors = algorithm.average_actor.parameters(), algorithm.policy.actor.parameters()
    for average, actor, was in zip(averages, actors, before, strict=True):
        torch.testing.assert_close(average, 0.25 * actor + 0.75 * was)


def test_rewards_are_held_at_the_floor() -> None:
    algorithm = fresh(reward_scale=2.0, reward_floor=-3.0, discount=0.0)
    batch, _ = bandit(algorithm).sample(32)
    batch.rew = np.where(np.arange(32) < 16, -1.0, -100.0).astype(np.float32)
    returns = algorithm._preprocess_batch(batch, None, np.arange(32)).returns
    assert returns.tolist() == [-2.0] * 16 + [-3.0] * 16


@pytest.mark.parametrize(("progress", "part"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.6), (1.0, 0.2)])
def test_the_learning_rate_falls_over_the_second_half(progress: float, part: float) -> None:
    options = sac.SACLearner(sac=SACOptions(final_learning_rate=0.2))
    algorithm = fresh(learning_rate=0.01)
    for _ in range(2):
        scale_learning_rates(algorithm, options.learning_rate_part(progress))
    rates = {group["lr"] for optimizer in algorithm._optimizers for group in optimizer._optim.param_groups}
    assert list(rates) == [pytest.approx(0.01 * part)]


def test_a_floor_that_would_hold_whole_costs_is_refused() -> None:
    problem = task_diversion_v0.door.problem(reward="cost")
    with pytest.raises(ValueError, match=r"reward_floor=-8\.0 .* --env\.reward excess"):
        sac.build(problem, sac.SACLearner(), seed=0)
    sac.build(problem, sac.SACLearner(sac=SACOptions(reward_floor=-100.0)), seed=0)


def test_a_problem_of_several_deciders_is_refused() -> None:
    with pytest.raises(ValueError, match="one decider at a time"):
        sac.build(dnn_partition_v0.door.problem(), sac.SACLearner(), seed=0)
