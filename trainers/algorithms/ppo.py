"""Tianshou's PPO for agents that all decide together, with one actor and one critic over all observations.

Added here: two forms of actions (an integer for each agent, or numbers that pass through a tanh), draws and an order
of batches from generators that a checkpoint holds, and scaled rewards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from jaxtyping import Bool, Float32, Shaped
from tianshou.algorithm.modelfree.a2c import A2CTrainingStats
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from trainers.algorithms.options import PPOOptions
from trainers.networks.dense import ObservationEncoder, RunningNormalizer
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy

Observation = Float32[np.ndarray, "batch agents features"]
LEAST_LOGIT = -1e9


class Decisions(Protocol):
    """Turns the outputs of an actor into a distribution, and its samples into the environment's actions."""

    num_outputs: int
    """The number of outputs that an actor needs."""

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """The space of one stored action."""
        ...

    def distribution(self, outputs: Float32[Tensor, "batch outputs"], observation: Observation) -> Distribution:
        """Returns the distribution of stored actions."""
        ...

    def drawn(self, distribution: Distribution, generators: Generators) -> Tensor:
        """Returns stored actions, drawn from a distribution."""
        ...

    def environment_action(self, act: np.ndarray) -> Shaped[np.ndarray, "batch agents ..."]:
        """Returns the environment's actions for stored actions."""
        ...


class AgentChoices:
    """Decisions by categorical distributions: an integer for each agent, among its legal actions."""

    def __init__(
        self, counts: tuple[int, ...], legal: Callable[[Observation], Bool[np.ndarray, "batch agents actions"]]
    ) -> None:
        """Takes the numbers of actions and the action mask.

        Args:
            counts: The number of actions of each agent.
            legal: Returns the action mask for observations.
        """
        self._shape = len(counts), max(counts)
        self._legal = legal
        self.num_outputs = len(counts) * max(counts)
        self.action_space = gymnasium.spaces.MultiDiscrete(np.array(counts))

    def distribution(self, outputs: Float32[Tensor, "batch outputs"], observation: Observation) -> Distribution:
        """Returns an independent categorical distribution for each agent; illegal actions have probability 0."""
        legal = torch.as_tensor(np.require(self._legal(observation), requirements="W"), device=outputs.device)
        logits = outputs.unflatten(-1, self._shape).masked_fill(~legal, LEAST_LOGIT)
        return Independent(Categorical(logits=logits, validate_args=False), 1, validate_args=False)

    def drawn(self, distribution: Any, generators: Generators) -> Tensor:
        """Returns actions, drawn by their log-probabilities."""
        return generators.choices(distribution.base_dist.logits)

    def environment_action(self, act: np.ndarray) -> Shaped[np.ndarray, "batch agents"]:
        """Returns the actions unchanged, as integers."""
        return act.astype(np.int64)


class TanhNumbers(nn.Module):
    """Decisions by normal distributions, whose numbers a tanh and `to_action` turn into actions.

    The tanh counts as a part of the environment: densities are those of the numbers before it. The scales of the
    distribution are learned, and do not depend on the observation.
    """

    def __init__(
        self, shape: tuple[int, ...], *, first_scale: float, to_action: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """Makes the learned scales.

        Args:
            shape: The shape of an action, with the agents first.
            first_scale: The initial standard deviation.
            to_action: Returns the environment's actions for numbers from -1 to 1.
        """
        super().__init__()
        self._shape, self._to_action = shape, to_action
        self.num_outputs = int(np.prod(shape))
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.log_scale = nn.Parameter(torch.full(shape, float(np.log(first_scale))))

    def distribution(self, outputs: Float32[Tensor, "batch outputs"], observation: Observation) -> Distribution:
        """Returns an independent normal distribution for each number."""
        mean = outputs.unflatten(-1, self._shape)
        scale = self.log_scale.exp().expand_as(mean)
        return Independent(Normal(mean, scale, validate_args=False), len(self._shape), validate_args=False)

    def drawn(self, distribution: Any, generators: Generators) -> Tensor:
        """Returns numbers before the tanh, drawn from the distribution."""
        normal = distribution.base_dist
        return normal.loc + normal.scale * generators.normal_like(normal.loc)

    def environment_action(self, act: np.ndarray) -> Shaped[np.ndarray, "batch agents ..."]:
        """Returns the environment's actions for numbers before the tanh."""
        return self._to_action(np.tanh(act.astype(np.float64)))


class Head(nn.Module):
    """A linear layer over encoded observations."""

    def __init__(
        self, seen: ObservationEncoder, num_outputs: int, *, scale: float = 1.0, decisions: object = None
    ) -> None:
        """Makes the layer.

        Args:
            seen: The encoder of the observations.
            num_outputs: The number of outputs.
            scale: A factor for the initial weights, below 1 for small initial outputs.
            decisions: The form of the actions. If it is a module, its weights are learned together with those of the
                layer.
        """
        super().__init__()
        self.seen, self.last = seen, nn.Linear(seen.get_output_dim(), num_outputs)
        self.decisions = decisions if isinstance(decisions, nn.Module) else None
        with torch.no_grad():
            self.last.weight.mul_(scale)
            self.last.bias.zero_()

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> Tensor:
        """Returns outputs `[batch, outputs]` for `obs` [batch, agents, features]."""
        return self.last(self.seen(torch.as_tensor(obs, device=self.last.weight.device))[0])

    def watch(self, obs: Observation) -> None:
        """Updates the normalisation of the features, if there is one, with a batch of observations."""
        if self.seen.usual is not None:
            self.seen.usual.soft_update(self.seen.flat(torch.as_tensor(obs, device=self.last.weight.device)))


class TogetherPolicy(ProbabilisticActorPolicy):
    """A policy for all agents together: draws actions in training, and takes the most likely actions otherwise."""

    def __init__(self, actor: Head, *, decisions: Decisions, seed: int) -> None:
        super().__init__(
            actor=actor,  # pyright: ignore[reportArgumentType] # any module is accepted, because `forward` is our own
            dist_fn=Categorical,
            action_space=decisions.action_space,
            action_scaling=False,
            action_bound_method=None,
        )
        self.decisions, self.head = decisions, actor
        self.exploration = 0.0
        self.generators = Generators(seed)

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Any:
        """Returns stored actions for `batch.obs` [batch, agents, features], and their distribution."""
        dist = self.decisions.distribution(self.head(batch.obs), batch.obs)
        drawn = self.is_within_training_step
        return Batch(act=self.decisions.drawn(dist, self.generators) if drawn else dist.mode, dist=dist)

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions unchanged: the drawn actions explore."""
        return act

    def environment_action(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns the environment's actions for stored actions."""
        return self.decisions.environment_action(act)


class Shuffled:
    """A batch that is split into parts in an order from our own generator."""

    def __init__(self, batch: Batch, rng: np.random.Generator) -> None:
        self._batch, self._rng = batch, rng

    def split(self, size: int, *, merge_last: bool) -> Iterator[Batch]:
        """Yields parts of `size` transitions; the last part has the remainder as well."""
        order = self._rng.permutation(len(self._batch))
        parts = max(len(order) // size, 1)
        for n in range(parts):
            yield self._batch[order[n * size : (n + 1) * size if n < parts - 1 else None]]


class SeededPPO(PPO):
    """PPO with an order of batches that a checkpoint can restore, and with scaled rewards.

    Paper: LyMDO Eqs. (15)-(18).
    Differs: advantages are Tianshou's generalised ones with `gae_lambda`, normalised for each batch. The critic learns
    the returns that belong to these advantages. The loss can have an entropy term.
    """

    policy: TogetherPolicy  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *, policy: TogetherPolicy, critic: Head, options: PPOOptions) -> None:
        super().__init__(
            policy=policy,
            critic=critic,
            optim=TorchOptimizerFactory(torch.optim.Adam, lr=options.learning_rate, fused=True),
            eps_clip=options.clip,
            vf_coef=options.value_weight,
            ent_coef=options.entropy_weight,
            max_grad_norm=options.max_grad_norm or None,
            gae_lambda=options.gae_lambda,
            max_batchsize=1 << 14,
            gamma=options.discount,
        )
        self.options = options
        self._heads = policy.head, critic

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        batch.rew = batch.rew * self.options.reward_scale
        if self.options.compress_reward:
            batch.rew = np.sign(batch.rew) * np.log1p(np.abs(batch.rew))
        return super()._preprocess_batch(batch, buffer, indices)

    def _update_with_batch(self, batch: Any, batch_size: int | None, repeat: int) -> A2CTrainingStats:
        """Makes the gradient steps, and then updates the normalisation of the features.

        The normalisation is updated last, because the probability ratios compare with the policy that acted, which used
        the old normalisation.
        """
        self.ent_coef = self.policy.exploration
        stats = super()._update_with_batch(Shuffled(batch, self.policy.generators.numpy), batch_size, repeat)  # type: ignore[arg-type]
        for head in self._heads:
            head.watch(batch.obs)
        return stats


def assemble(*, size: int, decisions: Decisions, options: PPOOptions, seed: int) -> SeededPPO:
    """Returns PPO with new weights, which are drawn from torch's global generator.

    Args:
        size: The number of features of all agents together.
        decisions: How the actor's outputs become actions.
        options: The options of PPO.
        seed: The seed of the draws and of the order of batches.
    """

    def seen() -> ObservationEncoder:
        usual = RunningNormalizer(size, rate=options.usual_rate) if options.usual_rate else None
        return ObservationEncoder(size, compress=options.compress, hidden=options.hidden, usual=usual)

    actor = Head(seen(), decisions.num_outputs, scale=0.01, decisions=decisions)
    policy = TogetherPolicy(actor, decisions=decisions, seed=seed)
    return SeededPPO(policy=policy, critic=Head(seen(), 1), options=options)


def likeliest(algorithm: SeededPPO) -> LearnedPolicy:
    """Returns the policy that takes the most likely actions."""
    policy = algorithm.policy

    def decide(observation: np.ndarray) -> np.ndarray:
        return policy.environment_action(policy(Batch(obs=observation)).act.cpu().numpy(), observation)

    return LearnedPolicy(decide, policy, policy.generators)
