"""SAC finds the best hybrid action, and our changes to Tianshou's SAC leave its gradient steps unchanged."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tianshou.algorithm.algorithm_base import Algorithm, LaggedNetworkPolyakUpdateAlgorithmMixin
from tianshou.data import Batch
from tianshou.utils.torch_utils import policy_within_training_step

from trainers import sac
from trainers.algorithms.joint_numbers import JointNumbers
from trainers.algorithms.options import SACOptions, annealed
from trainers.algorithms.sac import EVEN_PART, BoundedSAC, assemble, likeliest, squashed
from trainers.loop.training import scale_learning_rates
from trainers.tianshou_bridge.draws import Generators, seeded_weights
from trainers.tianshou_bridge.replay import ReplayBuffer
from vec_envs import task_diversion_v0
from vec_envs.problems.abilities import HybridActions


class Three:
    """Three alternatives; the last one is legal only where the second feature is above 0."""

    count = 3

    def present(self, observation: np.ndarray) -> np.ndarray:
        return (np.arange(3) < 2) | (observation[:, 0, 1:] > 0.0)

    def terms(self, observation: np.ndarray) -> np.ndarray:
        return np.tile(np.eye(3, dtype=np.float32), (len(observation), 1, 1))

    num_parameters = 1
    num_effects = 4

    def action(self, index: np.ndarray, numbers: np.ndarray, observation: np.ndarray) -> np.ndarray:
        return np.concatenate((index[:, None].astype(np.float32), numbers), axis=-1)[:, None]

    def consequences(self, terms: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns no reward, and the action as its effects, so that critics learn the whole value."""
        return torch.zeros(len(terms)), torch.cat((terms, numbers), dim=-1)


WORTH = np.array([0.5, 0.0, 1.0])


class KnownReward(Three):
    """Returns the reward of `bandit`, except for the part that depends on the observation."""

    def consequences(self, terms: torch.Tensor, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        worth = terms @ torch.as_tensor(WORTH, dtype=torch.float32)
        return worth - 4.0 * numbers[:, 0].square(), super().consequences(terms, numbers)[1]


def fresh(hybrid: HybridActions | None = None, **options: object) -> BoundedSAC:
    with seeded_weights(0) as decisions:
        values = SACOptions(**{"discount": 0.0, "reward_scale": 1.0, "hidden": 32, "learning_rate": 3e-3, **options})
        return assemble(observation_size=2, hybrid=hybrid or Three(), options=values, seed=decisions)


def situations(number: int, *, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (number, 1, 2)).astype(np.float32)


def bandit(algorithm: BoundedSAC, *, transitions: int = 2000) -> ReplayBuffer:
    """Uniform actions; the best parameter is half the first feature, and the last alternative is worth most."""
    observation = situations(transitions, seed=0)
    act = algorithm.policy.action_space.low + np.zeros((transitions, 2), np.float32)
    algorithm.policy.exploration, algorithm.policy.exploration_ends = 1.0, (0.0, 0.0)
    act = algorithm.policy.add_exploration_noise(act, Batch(obs=observation))
    reward = WORTH[act[:, 0].astype(int)] - 4.0 * (act[:, 1] - 0.5 * observation[:, 0, 0]) ** 2
    space = algorithm.policy.action_space
    buffer = ReplayBuffer(transitions, observation_shape=(1, 2), action_space=space, seed=1)
    buffer.add(observation, act, reward, observation[::-1], np.zeros(transitions, bool))
    return buffer


def learn(algorithm: BoundedSAC, buffer: ReplayBuffer, updates: int) -> None:
    with policy_within_training_step(algorithm.policy):
        for _ in range(updates):
            algorithm.update(buffer, 64)


@pytest.mark.slow
def test_sac_finds_the_best_legal_alternative_and_the_best_parameter() -> None:
    algorithm = fresh(average_rate=0.02)
    learn(algorithm, bandit(algorithm), 500)
    observation = situations(200)
    act = likeliest(algorithm).act(observation)
    assert act.shape == (200, 1, 2)
    assert (act[:, 0, 0] == np.where(observation[:, 0, 1] > 0.0, 2.0, 0.0)).mean() > 0.97
    assert np.abs(act[:, 0, 1] - 0.5 * observation[:, 0, 0]).mean() < 0.08


@pytest.mark.slow
def test_known_rewards_are_part_of_critics_values_and_of_the_actors_gradient() -> None:
    """Before any step, critics with a known reward differ from critics without by exactly this reward."""
    known, without = fresh(KnownReward()), fresh()
    batch, _ = bandit(known).sample(500)
    of_bandit = torch.as_tensor(batch.rew)
    act, situation = torch.as_tensor(batch.act), known.policy.situation(batch.obs)
    worth = torch.as_tensor(WORTH, dtype=torch.float32)[act[:, 0].long()] - 4.0 * act[:, 1].square()
    torch.testing.assert_close(known.critic(situation, act) - without.critic(situation, act), worth)
    learn(known, bandit(known), 300)
    assert (known.critic(situation, act) - of_bandit).abs().mean() < 0.15
    numbers = torch.zeros(500, 1, requires_grad=True)
    known._smaller_value(situation, torch.arange(500), act[:, 0].long(), numbers).sum().backward()
    slope = 4.0 * torch.as_tensor(batch.obs)[:, 0, 0]  # of -4 (number - seen / 2)^2 at 0
    assert (numbers.grad[:, 0] - slope).abs().mean() < 0.5


def test_known_rewards_are_bounded_by_the_floor() -> None:
    known, without = fresh(KnownReward(), reward_floor=-0.5, reward_scale=2.0), fresh()
    situation, act = known.policy.situation(situations(1)), torch.tensor([[1.0, 1.0]])
    assert (known.critic(situation, act) - without.critic(situation, act)).item() == pytest.approx(-0.5)


def test_illegal_alternatives_are_neither_drawn_nor_explored() -> None:
    policy = fresh(exploration_ends=(0.2, 0.3)).policy
    observation = np.tile(np.array([[[0.0, -1.0]]], np.float32), (4000, 1, 1))
    with policy_within_training_step(policy):
        drawn = policy(Batch(obs=observation)).act
    assert drawn[:, 0].unique().tolist() == [0.0, 1.0]
    policy.exploration = 1.0
    explored = policy.add_exploration_noise(drawn.detach().numpy(), Batch(obs=observation))[:, 0]
    assert np.bincount(explored.astype(int)) / 4000 == pytest.approx([0.2 + 0.25, 0.3 + 0.25], abs=0.03)


@pytest.mark.slow
def test_values_continue_after_truncation() -> None:
    """With a constant reward of 1 the value is 1 / (1 - discount), apart from the entropy term."""
    algorithm = fresh(discount=0.8, target_update_rate=0.05, temperature_range=(1e-6, 1e-5), temperature=1e-6)
    observation = np.zeros((64, 1, 2), np.float32)
    buffer = ReplayBuffer(64, observation_shape=(1, 2), action_space=algorithm.policy.action_space, seed=0)
    act = np.random.default_rng(0).uniform(-1.0, 1.0, (64, 2)).astype(np.float32)
    act[:, 0] = np.arange(64) % 2
    buffer.add(observation, act, np.ones(64), observation, np.zeros(64, bool))
    learn(algorithm, buffer, 500)
    value = algorithm.critic(algorithm.policy.situation(observation[:1]), torch.zeros(1, 2))
    assert value.item() == pytest.approx(5.0, abs=0.3)


@pytest.mark.slow
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


def test_both_critics_have_targets_that_move_by_soft_updates() -> None:
    algorithm = fresh(target_update_rate=0.25)
    critics = algorithm.critic, algorithm.critic2, algorithm.critic_old, algorithm.critic2_old
    before = [copy.deepcopy(list(critic.parameters())) for critic in critics]
    assert not torch.equal(before[0][0], before[1][0])
    assert all(torch.equal(a, b) for a, b in zip(before[0] + before[1], before[2] + before[3], strict=True))
    learn(algorithm, bandit(algorithm), 1)
    for critic, target, old in zip(critics[:2], critics[2:], before[2:], strict=True):
        for online, moved, was in zip(critic.parameters(), target.parameters(), old, strict=True):
            torch.testing.assert_close(moved, 0.25 * online + 0.75 * was)


def test_exploration_is_uniform_apart_from_the_ends_and_the_learned_policy_is_the_likeliest() -> None:
    algorithm = fresh(exploration_ends=(0.25, 0.5), average_rate=1.0)
    policy = algorithm.policy
    act, batch = np.zeros((4000, 2), np.float32), Batch(obs=np.ones((4000, 1, 2), np.float32))
    policy.exploration = 1.0
    drawn = policy.add_exploration_noise(act, batch)
    assert drawn.dtype == np.float32
    assert np.bincount(drawn[:, 0].astype(int)) / 4000 == pytest.approx([0.25 + 1 / 12, 1 / 12, 0.5 + 1 / 12], abs=0.03)
    assert np.histogram(drawn[:, 1], bins=4, range=(-1, 1))[0] == pytest.approx([1000] * 4, abs=140)
    policy.exploration = 0.0
    assert (policy.add_exploration_noise(act, batch) == 0.0).all()
    observation = np.ones((3, 1, 2), np.float32)
    log_part, mean, _ = policy.actor(policy.situation(observation))
    chosen = log_part.argmax(-1)
    expected = torch.stack((chosen.float(), torch.tanh(mean[torch.arange(3), chosen, 0])), dim=-1)
    np.testing.assert_allclose(likeliest(algorithm).act(observation)[:, 0], expected.detach().numpy())


def test_densities_are_those_of_the_choice_and_the_squashed_normal() -> None:
    policy = fresh().policy
    observation = situations(6)
    with policy_within_training_step(policy):
        drawn = policy(Batch(obs=observation))
    log_part, mean, log_scale = policy.actor(policy.situation(observation))
    row, index = torch.arange(6), drawn.act[:, 0].long()
    normal = torch.distributions.Normal(mean[row, index], log_scale[row, index].exp())
    of_numbers = torch.distributions.TransformedDistribution(normal, torch.distributions.TanhTransform())
    expected = torch.distributions.Categorical(logits=log_part).log_prob(index)
    expected = expected + of_numbers.log_prob(drawn.act[:, 1:]).sum(-1)
    torch.testing.assert_close(drawn.log_prob, expected, atol=1e-3, rtol=1e-3)


def test_the_actors_loss_is_an_expectation_over_its_draws() -> None:
    """Compares with Eq. (29) summed over the alternatives, with critics that return the true value."""
    algorithm = fresh(temperature=0.5, improved=400)
    policy, observation = algorithm.policy, situations(5)
    worth = torch.tensor(WORTH, dtype=torch.float32)
    algorithm._smaller_value = lambda situation, row, index, numbers: worth[index] - numbers[:, 0].square()
    situation = policy.situation(observation)
    policy.generators = Generators(7)
    loss, entropy = algorithm._actor_loss(situation)
    policy.generators = Generators(7)
    log_part, mean, log_scale = policy.actor(situation)
    numbers, log_density = squashed(mean, log_scale, policy.generators.normal_like(mean))
    present = situation.present
    gain = worth - numbers[..., 0].square()
    both = torch.where(present, log_part + log_density, 0.0)
    by_choice = (log_part.exp() * torch.where(present, 0.5 * both - gain, 0.0)).sum(-1).mean()
    even = present / present.sum(-1, keepdim=True)
    drawn_as = (1.0 - EVEN_PART) * log_part.exp() + EVEN_PART * even
    by_numbers = (drawn_as * torch.where(present, 0.5 * log_density - gain, 0.0)).sum(-1).mean()
    torch.testing.assert_close(loss, by_choice + by_numbers, atol=0.05, rtol=0.0)
    torch.testing.assert_close(entropy, -(log_part.exp() * both).sum(-1))


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
        ({"improved": 0}, "improved must be .*, got 0"),
        ({"actor": "cauchy"}, "actor must be one of 'hybrid', 'gaussian', got 'cauchy'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SACOptions(**options)


def test_the_paper_preset_has_the_numbers_of_the_paper() -> None:
    preset = sac.LEARNER.presets["paper"]
    options, run = preset.learner_for("VEC-TaskDiversion-v0"), preset.run
    assert options.sac.learning_rate == 0.05
    assert options.sac.temperature_range == (0.001, 1.0)
    assert run == {"episodes": 2000, "num_envs": 1}


def test_the_paper_preset_has_the_papers_actor_and_critics() -> None:
    """Section III.B: the actor draws all numbers of Eq. (27), and critics learn the reward of Eq. (28) themselves."""
    problem, presets = task_diversion_v0.factory.problem(), sac.LEARNER.presets
    paper = sac.build(problem, presets["paper"].learner_for("VEC-TaskDiversion-v0"), seed=0)
    tuned = sac.build(problem, sac.SACLearner(sac=SACOptions(reward_floor=-1e9)), seed=0)
    assert (paper.policy.hybrid.count, paper.policy.hybrid.num_parameters) == (1, problem.actions.size)
    assert tuned.policy.hybrid.count > 1
    observation = np.random.default_rng(0).uniform(0.0, 1.0, (6, 1, problem.observation_size)).astype(np.float32)
    situation, row = paper.policy.situation(observation), torch.arange(6)
    numbers = torch.rand(6, 3) * 2.0 - 1.0
    known, effects = paper._known.of(situation, row, torch.zeros(6, dtype=torch.int64), numbers)
    assert (known == 0.0).all()
    torch.testing.assert_close(effects, numbers)
    rewards, _ = tuned._known.of(
        tuned.policy.situation(observation), row, row, numbers[:, : tuned.policy.hybrid.num_parameters]
    )
    assert (rewards < 0.0).all()
    with policy_within_training_step(paper.policy):
        drawn = paper.policy(Batch(obs=observation)).act.detach().numpy()
    np.testing.assert_array_equal(paper.policy.environment_action(drawn, observation)[:, 0], drawn[:, 1:])


@pytest.mark.slow
def test_a_gaussian_actor_and_its_critics_find_the_best_numbers() -> None:
    """Three numbers: the best values of the first two are half of each feature, the last one does not matter."""
    algorithm = fresh(JointNumbers(task_diversion_v0.factory.problem()), average_rate=0.02)
    observation = situations(2000, seed=0)
    act = np.random.default_rng(1).uniform(-1.0, 1.0, (2000, 4)).astype(np.float32)
    act[:, 0] = 0.0
    reward = -4.0 * np.square(act[:, 1:3] - 0.5 * observation[:, 0]).sum(-1)
    buffer = ReplayBuffer(2000, observation_shape=(1, 2), action_space=algorithm.policy.action_space, seed=1)
    buffer.add(observation, act, reward, observation[::-1], np.zeros(2000, bool))
    learn(algorithm, buffer, 600)
    seen = situations(200)
    assert np.abs(likeliest(algorithm).act(seen)[:, 0, :2] - 0.5 * seen[:, 0]).mean() < 0.1


def test_the_learned_policy_is_an_average_of_the_last_actors() -> None:
    algorithm = fresh(average_rate=0.25)
    before = copy.deepcopy(list(algorithm.average_actor.parameters()))
    learn(algorithm, bandit(algorithm), 1)
    averages, actors = algorithm.average_actor.parameters(), algorithm.policy.actor.parameters()
    for average, actor, was in zip(averages, actors, before, strict=True):
        torch.testing.assert_close(average, 0.25 * actor + 0.75 * was)


def test_rewards_are_bounded_by_the_floor() -> None:
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
        scale_learning_rates(algorithm, annealed(options.schedule.final_learning_rate, progress))
    rates = {group["lr"] for optimizer in algorithm._optimizers for group in optimizer._optim.param_groups}
    assert list(rates) == [pytest.approx(0.01 * part)]


def test_a_floor_above_whole_costs_is_refused() -> None:
    problem = task_diversion_v0.factory.problem(reward="cost")
    with pytest.raises(ValueError, match=r"reward_floor=-8\.0 .* --env\.reward excess"):
        sac.build(problem, sac.SACLearner(), seed=0)
    sac.build(problem, sac.SACLearner(sac=SACOptions(reward_floor=-100.0)), seed=0)
    with pytest.raises(ValueError, match=r"--learner\.reward-floor -1000 or less"):
        sac.build(problem, sac.SACLearner(sac=SACOptions(reward_floor=-100.0, reward_scale=10.0)), seed=0)
    sac.build(problem, sac.SACLearner(sac=SACOptions(reward_scale=0.01)), seed=0)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((-0.5, 1.0), r"exploration_ends\[0\] must be .*, got -0\.5"),
        ((0.5, 0.6), "the sum of exploration_ends must be a number from 0 to 1, got 1.1"),
    ],
)
def test_wrong_ends_of_exploration_are_refused(ends: tuple[float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SACOptions(exploration_ends=ends)
