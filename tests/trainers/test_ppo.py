"""PPO finds the best legal actions, and our changes to Tianshou's PPO leave its gradient steps unchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.data import Batch
from tianshou.utils.torch_utils import policy_within_training_step

from trainers import ppo
from trainers.algorithms.options import PPOOptions, RolloutOptions
from trainers.algorithms.ppo import AgentChoices, SeededPPO, Shuffled, TanhNumbers, TogetherPolicy, assemble, likeliest
from trainers.loop.episodes import Transitions
from trainers.loop.experience import Rollout
from trainers.networks.dense import ObservationEncoder, RunningNormalizer
from trainers.runs.command_line import parse
from trainers.tianshou_bridge.draws import seeded_weights
from vec_envs import cooperative_inference_v0
from vec_envs.policies import RandomCuts

OPTIONS: dict[str, Any] = {"learning_rate": 5e-3, "hidden": (32, 32), "reward_scale": 1.0, "compress_reward": False}


def present(observation: np.ndarray) -> np.ndarray:
    """Two agents have 3 and 2 actions; the last one of the first is legal where its second feature is above 0."""
    legal = np.tile(np.arange(3) < np.array([[3], [2]]), (len(observation), 1, 1))
    legal[:, 0, 2] &= observation[:, 0, 1] > 0.0
    return legal


def choices(**options: object) -> SeededPPO:
    with seeded_weights(0) as seed:
        values = PPOOptions(**{**OPTIONS, **options})
        return assemble(size=4, decisions=AgentChoices((3, 2), present), options=values, seed=seed)


def numbers(**options: object) -> SeededPPO:
    with seeded_weights(0) as seed:
        values = PPOOptions(**{**OPTIONS, **options})
        decisions = TanhNumbers((2, 2), first_scale=values.first_scale, to_action=lambda given: given)
        return assemble(size=4, decisions=decisions, options=values, seed=seed)


def situations(rng: np.random.Generator, batch: int = 32) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, (batch, 2, 2)).astype(np.float32)


def learn(algorithm: SeededPPO, worth: Any, *, steps: int, rollout: RolloutOptions | None = None) -> Rollout:
    """Plays a bandit in 32 environments: observations are random and do not depend on actions."""
    rng, experience = np.random.default_rng(1), Rollout(rollout or RolloutOptions(steps=8, batch_size=64), algorithm)
    observation = situations(rng)
    for step in range(steps):
        algorithm.policy.exploration = 0.05 * 0.02 ** (step / steps)
        with torch.no_grad(), policy_within_training_step(algorithm.policy):
            act = algorithm.policy(Batch(obs=observation, info={})).act.numpy()
        next_observation = situations(rng)
        reward = worth(observation, algorithm.policy.environment_action(act, observation))
        experience.add(
            Transitions(observation=observation, action=act, reward=reward, next_observation=next_observation)
        )
        experience.learn_after_step()
        observation = next_observation
    return experience


@pytest.mark.slow
def test_ppo_finds_the_best_legal_action() -> None:
    def worth(observation: np.ndarray, taken: np.ndarray) -> np.ndarray:
        second = np.where(observation[:, 1, 0] > 0.0, taken[:, 1], 1 - taken[:, 1])
        return np.array([0.5, 0.0, 1.0])[taken[:, 0]] + second

    algorithm = choices()
    experience = learn(algorithm, worth, steps=240)
    assert experience.updates == 240 // 8 * 5 * (8 * 32 // 64)
    observation = situations(np.random.default_rng(9), 400)
    act = likeliest(algorithm).act(observation)
    assert (act.shape, act.dtype) == ((400, 2), np.int64)
    assert (act[:, 0] == np.where(observation[:, 0, 1] > 0.0, 2, 0)).mean() > 0.97
    assert (act[:, 1] == (observation[:, 1, 0] > 0.0)).mean() > 0.93


@pytest.mark.slow
def test_ppo_finds_the_best_numbers() -> None:
    def worth(observation: np.ndarray, taken: np.ndarray) -> np.ndarray:
        return -4.0 * ((taken - 0.5 * observation) ** 2).sum(axis=(-2, -1))

    algorithm = numbers()
    learn(algorithm, worth, steps=320)
    observation = situations(np.random.default_rng(9), 400)
    assert np.abs(likeliest(algorithm).act(observation) - 0.5 * observation).mean() < 0.1
    assert algorithm.policy.decisions.log_scale.max() < np.log(0.6), "scales are learned too"


def test_illegal_actions_are_neither_drawn_nor_likely() -> None:
    policy = choices().policy
    observation = situations(np.random.default_rng(0), 3000)
    with policy_within_training_step(policy):
        drawn = policy(Batch(obs=observation)).act.numpy()
    assert np.take_along_axis(present(observation), drawn[..., None], axis=-1).all()
    free = drawn[observation[:, 0, 1] > 0.0]
    assert np.bincount(free[:, 0]) / len(free) == pytest.approx([1 / 3] * 3, abs=0.05)
    assert np.bincount(drawn[:, 1]) / 3000 == pytest.approx([0.5, 0.5], abs=0.05)
    likely = policy(Batch(obs=observation)).act.numpy()
    assert np.take_along_axis(present(observation), likely[..., None], axis=-1).all()


@pytest.mark.slow
def test_densities_are_those_of_all_agents_together() -> None:
    observation = situations(np.random.default_rng(0), 6)
    of_choices = choices().policy
    dist = of_choices(Batch(obs=observation)).dist
    act = torch.tensor([[0, 0], [1, 1], [0, 1], [1, 0], [0, 0], [1, 1]])
    illegal = ~torch.as_tensor(present(observation))
    logits = of_choices.head(observation).unflatten(-1, (2, 3)).masked_fill(illegal, -torch.inf)
    expected = logits.log_softmax(-1).gather(-1, act[..., None]).sum((-2, -1))
    torch.testing.assert_close(dist.log_prob(act), expected)
    of_numbers = numbers(first_scale=0.3).policy
    dist = of_numbers(Batch(obs=observation)).dist
    given = torch.randn(6, 2, 2)
    mean = of_numbers.head(observation).unflatten(-1, (2, 2))
    expected = torch.distributions.Normal(mean, 0.3).log_prob(given).sum((-2, -1))
    torch.testing.assert_close(dist.log_prob(given), expected)
    assert np.abs(of_numbers.environment_action(given.numpy(), observation)).max() < 1.0


def transitions(rng: np.random.Generator, batch: int, reward: np.ndarray) -> Transitions:
    act = np.stack([rng.integers(0, 2, batch), rng.integers(0, 2, batch)], axis=-1)
    observation, next_observation = situations(rng, batch), situations(rng, batch)
    return Transitions(observation=observation, action=act, reward=reward, next_observation=next_observation)


def test_advantages_run_along_environments_and_continue_after_truncation() -> None:
    """Compares with generalised advantages of each environment; the last step counts the value of its next state."""
    algorithm = choices(discount=0.8, gae_lambda=0.6, reward_scale=0.5, usual_rate=0.0)
    rng, rewards = np.random.default_rng(2), np.random.default_rng(3).normal(size=(4, 3))
    steps = [transitions(rng, 3, reward) for reward in rewards]
    experience = Rollout(RolloutOptions(steps=100), algorithm)
    for step in steps:
        experience.add(step)
    batch, rows = experience.sample(0)
    assert rows.tolist() == list(range(12))
    np.testing.assert_array_equal(batch.obs[4:8], np.stack([step.observation[1] for step in steps]))
    done = algorithm._preprocess_batch(batch, experience, rows)

    def value(of: np.ndarray) -> np.ndarray:
        return algorithm.critic(of)[:, 0].detach().numpy().astype(np.float64)

    for environment in range(3):
        ahead, expected = 0.0, []
        for step, reward in zip(reversed(steps), reversed(rewards[:, environment]), strict=True):
            now, then = value(step.observation)[environment], value(step.next_observation)[environment]
            ahead = 0.5 * reward + 0.8 * then - now + 0.8 * 0.6 * ahead
            expected.insert(0, (ahead, ahead + now))
        rows_of_environment = slice(4 * environment, 4 * environment + 4)
        np.testing.assert_allclose(done.adv[rows_of_environment], [a for a, _ in expected], atol=1e-5)
        np.testing.assert_allclose(done.returns[rows_of_environment], [r for _, r in expected], atol=1e-5)


def test_rewards_are_scaled_and_compressed() -> None:
    algorithm = choices(reward_scale=0.1, compress_reward=True)
    experience = Rollout(RolloutOptions(), algorithm)
    experience.add(transitions(np.random.default_rng(0), 3, np.array([-1000.0, 0.0, 30.0])))
    batch, rows = experience.sample(None)
    returns = algorithm._preprocess_batch(batch, experience, rows).returns
    np.testing.assert_allclose(returns, [-np.log(101.0), 0.0, np.log(4.0)], rtol=1e-5)


def test_it_learns_after_so_many_steps_and_at_an_episodes_end() -> None:
    algorithm = choices()
    experience = Rollout(RolloutOptions(steps=3, batch_size=4, repeats=2), algorithm)
    rng, reports = np.random.default_rng(0), []
    for _ in range(7):
        experience.add(transitions(rng, 4, rng.normal(size=4)))
        reports.append(len(experience.learn_after_step()))
    assert reports == [0, 0, 1, 0, 0, 1, 0]
    assert experience.updates == 2 * 2 * 3
    assert len(experience.learn_after_round()) == 1
    assert experience.learn_after_round() == []
    experience.add(transitions(rng, 4, rng.normal(size=4)))
    with pytest.raises(ValueError, match="a transition of each environment at every step"):
        experience.add(transitions(rng, 3, rng.normal(size=3)))


def test_nothing_is_learned_from_a_single_transition() -> None:
    """A single advantage has no standard deviation to divide by."""
    algorithm, rng = choices(), np.random.default_rng(0)
    experience = Rollout(RolloutOptions(steps=3, batch_size=4, repeats=2), algorithm)
    experience.add(transitions(rng, 1, rng.normal(size=1)))
    assert experience.learn_after_round() == []
    experience.add(transitions(rng, 2, rng.normal(size=2)))
    assert all(np.isfinite(value) for value in experience.learn_after_round()[0].values())


def test_batches_hold_every_transition_once_in_a_seeded_order() -> None:
    batch = Batch(rew=np.arange(23))
    parts = [part.rew for part in Shuffled(batch, np.random.default_rng(0)).split(5, merge_last=True)]
    assert [len(part) for part in parts] == [5, 5, 5, 8]
    assert sorted(np.concatenate(parts)) == list(range(23))
    again = [part.rew for part in Shuffled(batch, np.random.default_rng(0)).split(5, merge_last=True)]
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert [len(part) for part in Shuffled(batch, np.random.default_rng(0)).split(50, merge_last=True)] == [23]


def test_steps_are_tianshous_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With equal parts and batches in equal order, our PPO and Tianshou's reach equal weights."""
    ours, theirs = choices(usual_rate=0.0, discount=0.9), choices(usual_rate=0.0, discount=0.9)
    split = Batch.split
    monkeypatch.setattr(Batch, "split", lambda self, size, shuffle=True, merge_last=False: split(
        self, size, shuffle=False, merge_last=merge_last
    ))  # fmt: skip
    monkeypatch.setattr(Shuffled, "split", lambda self, size, merge_last: split(
        self._batch, size, shuffle=False, merge_last=merge_last
    ))  # fmt: skip

    def worth(observation: np.ndarray, taken: np.ndarray) -> np.ndarray:
        return observation[:, 0, 0] * taken[:, 0] - taken[:, 1]

    learn(ours, worth, steps=24)
    monkeypatch.setattr(SeededPPO, "_preprocess_batch", PPO._preprocess_batch)
    monkeypatch.setattr(SeededPPO, "_update_with_batch", tianshous)
    learn(theirs, worth, steps=24)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def tianshous(self: SeededPPO, batch: Any, batch_size: int, repeat: int) -> Any:
    self.ent_coef = self.policy.exploration
    return PPO._update_with_batch(self, batch, batch_size, repeat)


def test_the_normalisation_is_updated_with_the_observations_of_the_rollout() -> None:
    algorithm = choices(usual_rate=0.1)
    experience = Rollout(RolloutOptions(steps=1), algorithm)
    played = transitions(np.random.default_rng(0), 50, np.zeros(50))
    experience.add(played)
    experience.learn_after_step()
    for head in (algorithm.policy.head, algorithm.critic):
        assert head.seen.usual.batches == 1
        observation = head.seen.flat(torch.as_tensor(played.observation))
        torch.testing.assert_close(head.seen.usual.mean, observation.mean(0))


def test_ratios_are_to_the_policy_that_acted(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds also where the normalisation changes from one update to the next."""
    algorithm = choices(usual_rate=0.5)
    acted: list[torch.Tensor] = []
    forward, preprocess = TogetherPolicy.forward, SeededPPO._preprocess_batch

    def recorded_forward(self: TogetherPolicy, batch: Any, *rest: Any, **kwargs: Any) -> Any:
        decided = forward(self, batch, *rest, **kwargs)
        if "act" not in batch:
            acted.append(decided.dist.log_prob(decided.act))
        return decided

    def compared(self: SeededPPO, *arguments: Any) -> Any:
        batch = preprocess(self, *arguments)
        torch.testing.assert_close(batch.logp_old, torch.stack(acted, 1).flatten())
        acted.clear()
        return batch

    monkeypatch.setattr(TogetherPolicy, "forward", recorded_forward)
    monkeypatch.setattr(SeededPPO, "_preprocess_batch", compared)
    experience = learn(algorithm, lambda observation, taken: observation[:, 0, 0] * taken[:, 0], steps=32)
    assert experience.updates > 0
    assert algorithm.policy.head.seen.usual.batches == 4


def test_features_are_normalised_by_moving_averages() -> None:
    usual = RunningNormalizer(3, rate=0.1)
    rng = np.random.default_rng(0)
    batches = [torch.as_tensor(rng.normal([5.0, 0.0, -2.0], [0.01, 1.0, 3.0], (4000, 3)), dtype=torch.float32)
               for _ in range(30)]  # fmt: skip
    usual.soft_update(batches[0])
    torch.testing.assert_close(usual.mean, batches[0].mean(0))
    for batch in batches[1:]:
        usual.soft_update(batch)
    observation = usual(batches[0])
    assert observation.mean(0).abs().max() < 0.1
    assert (observation.std(0) - 1.0).abs().max() < 0.1
    assert usual(torch.full((1, 3), 1e6)).max() == 10.0
    assert set(usual.state_dict()) == {"mean", "variance", "batches"}, "a checkpoint holds them"
    watching = ObservationEncoder(3, compress=False, hidden=(4,), usual=usual)
    torch.testing.assert_close(watching(batches[0][:, None])[0], watching.layers(observation))


def test_observations_determine_the_action_mask() -> None:
    problem = {"dnns": ("alexnet", "vgg16"), "dnn_of_device": (0, 1, 1), "arrival_rate_hz": (0.2, 3.0)}
    env = cooperative_inference_v0.vector_env(num_envs=64, episode_slots=6, **problem)
    env.reset(seed=0)
    policy, missing = RandomCuts(env.problem), 0
    for _ in range(6):
        legal = env.problem.action_mask(env.batch.state, env.batch.exogenous)
        np.testing.assert_array_equal(env.problem.action_mask_from_observation(env.batch.observe()), legal)
        missing += (legal.sum(axis=-1) < np.array(env.problem.action_counts)).sum()
        env.batch.step(policy.act(env.batch.observe(), env.view))
    assert missing > 100, "all actions were legal, so that the test shows nothing"
    env.close()


def test_joint_is_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    run = parse(ppo.LEARNER, ["--joint", "--seed", "3"])
    assert (run.preset, run.env.allocation, run.seed) == ("joint", "learned", 3)
    assert parse(ppo.LEARNER, ["--preset", "joint"]).learner == run.learner
    assert parse(ppo.LEARNER, []).env.allocation == "exact"
    for preset in (["--preset", "paper"], ["--preset=paper"]):
        with pytest.raises(SystemExit, match="--joint means --preset joint: give only one of the two"):
            parse(ppo.LEARNER, ["--joint", *preset])
    with pytest.raises(SystemExit):
        parse(ppo.LEARNER, ["--help"])
    assert "--joint means --preset joint" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("preset", ["tuned", "paper", "joint"])
def test_actions_of_presets_are_valid_in_their_environment(preset: str) -> None:
    run = parse(ppo.LEARNER, ["--preset", preset])
    options = {"allocation": run.env.allocation, "unstable": run.env.unstable}
    env = cooperative_inference_v0.vector_env(num_envs=5, episode_slots=3, **options)
    observation, _ = env.reset(seed=0)
    algorithm = ppo.build(env.problem, run.learner, seed=0)
    policy = ppo.learned(algorithm)
    for _ in range(3):
        observation, reward, *_ = env.step(policy.act(observation))
        assert np.isfinite(reward).all()
    with torch.no_grad(), policy_within_training_step(algorithm.policy):
        drawn = algorithm.policy(Batch(obs=observation)).act
    env.problem.transition(
        env.batch.state, algorithm.policy.environment_action(drawn.numpy(), observation), env.batch.exogenous
    )
    env.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cuts": "normal"}, "cuts must be one of .*, got 'normal'"),
        ({"hidden": ()}, "hidden=.. must have at least one layer"),
        ({"hidden": (8, 0)}, r"hidden\[1\] must be .*, got 0"),
        ({"entropy_weight": 0.0}, "entropy_weight must be .*, got 0.0"),
        ({"clip": 0.0}, "clip must be .*, got 0.0"),
        ({"discount": 1.5}, "discount must be .*, got 1.5"),
        ({"usual_rate": -0.1}, "usual_rate must be .*, got -0.1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PPOOptions(**options)


@pytest.mark.parametrize("options", [{"steps": 0}, {"batch_size": 1}, {"repeats": 0}])
def test_wrong_options_of_rollouts_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RolloutOptions(**options)


def test_the_weight_of_entropy_falls_exponentially() -> None:
    options = ppo.PPOLearner(ppo=PPOOptions(entropy_weight=0.1, final_entropy_weight=0.001))
    worth = [options.schedule.explores(progress, warm_up=False) for progress in (0.0, 0.5, 1.0)]
    assert worth == pytest.approx([0.1, 0.01, 0.001])


def test_the_paper_preset_has_the_numbers_of_the_paper() -> None:
    preset = ppo.LEARNER.presets["paper"]
    options, run = preset.learner_for("VEC-CooperativeInference-v0"), preset.run
    assert (options.ppo.learning_rate, options.ppo.clip, options.ppo.hidden) == (3e-4, 0.2, (128, 64))
    assert run == {"episodes": 2000, "num_envs": 1}
