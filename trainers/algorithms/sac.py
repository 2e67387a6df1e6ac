"""Tianshou's SAC for hybrid actions: an alternative with continuous parameters.

As in Tianshou, there are an actor, twin critics with target networks, and an adapted temperature. Added here:

- The actor draws the alternative from a categorical distribution, and its parameters from a squashed normal one.
- The actor's loss is a sum over all alternatives, because no gradient passes through a discrete choice.
- The temperature stays within a range, and rewards are scaled.
- Draws come from generators that a checkpoint holds.
"""

from __future__ import annotations

import math
from copy import deepcopy
from types import SimpleNamespace
from typing import Any, Self, cast

import gymnasium
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.algorithm.modelfree.sac import SAC, AutoAlpha, SACPolicy, SACTrainingStats
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from torch import Tensor, nn

from trainers.algorithms.options import SACOptions
from trainers.networks.dense import ObservationEncoder
from trainers.networks.hybrid import HybridActor, HybridCritic, KnownConsequences, Situation
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy
from trainers.tianshou_bridge.soft_update import soft_update
from vec_envs.problems.abilities import HybridActions

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
EVEN_PART = 0.25
"""A gradient step trains the parameters of sampled alternatives; this fraction of them is drawn uniformly.

The others are drawn with the probabilities of the policy.
"""

NEVER_ZERO = 1e-6
"""Added to the argument of a logarithm that can be 0."""


class HybridPolicy(SACPolicy):
    """Draws hybrid actions in training; otherwise takes the most likely alternative with its mean parameters.

    A stored action is the index of the alternative, followed by its parameters.
    """

    actor: HybridActor

    def __init__(
        self,
        actor: HybridActor,
        *,
        hybrid: HybridActions,
        exploration_ends: tuple[float, float],
        seed: int,
    ) -> None:
        low, high = np.full(1 + hybrid.num_parameters, -1.0, np.float32), np.ones(1 + hybrid.num_parameters, np.float32)
        low[0], high[0] = 0.0, hybrid.count - 1
        super().__init__(actor=actor, action_space=gymnasium.spaces.Box(low, high), action_scaling=False)
        self.hybrid = hybrid
        self.exploration = 0.0
        self.exploration_ends = exploration_ends
        self.generators = Generators(seed)

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return next(self.parameters()).device

    def situation(self, observation: np.ndarray) -> Situation:
        """Returns observations `[batch, deciders, features]` with their action masks and terms, as tensors."""
        return Situation(
            observation=torch.as_tensor(observation, device=self.device),
            present=torch.as_tensor(self.hybrid.present(observation), device=self.device),
            terms=torch.as_tensor(self.hybrid.terms(observation), device=self.device),
        )

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Any:
        """Returns stored actions for `batch.obs` [batch, deciders, features], and their log-densities."""
        return self.decide(self.situation(batch.obs), self.actor, drawn=self.is_within_training_step)

    def decide(self, situation: Situation, actor: HybridActor, *, drawn: bool) -> Batch:
        """Returns a `Batch` of stored actions `act`, drawn or likeliest, and their log-densities `log_prob`."""
        log_part, mean, log_scale = actor(situation)
        index = self.generators.choices(log_part) if drawn else log_part.argmax(-1)
        row = torch.arange(len(index), device=index.device)
        mean, log_scale = mean[row, index], log_scale[row, index]
        noise = self.generators.normal_like(mean) if drawn else torch.zeros_like(mean)
        numbers, log_density = squashed(mean, log_scale, noise)
        act = torch.cat((index[:, None], numbers), dim=-1)
        return Batch(act=act, log_prob=log_part[row, index] + log_density)

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions, each replaced by a random one with probability `exploration`.

        A random action has the first or the last legal alternative with the probabilities `exploration_ends`, and
        otherwise a legal alternative drawn uniformly.
        """
        present = self.hybrid.present(batch.obs)
        replaced_by, end = self.generators.numpy.random((2, len(act)))
        drawn = self.generators.numpy.uniform(-1.0, 1.0, act.shape).astype(np.float32)
        scores = np.where(present, self.generators.numpy.random(present.shape), -1.0)
        low, high = self.exploration_ends
        last = present.shape[1] - 1 - present[:, ::-1].argmax(-1)
        drawn[:, 0] = np.where(end > 1.0 - high, last, np.where(end < low, present.argmax(-1), scores.argmax(-1)))
        return np.where(replaced_by[:, None] < self.exploration, drawn, act)

    def environment_action(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns the environment's actions `[batch, deciders, numbers]` for stored actions."""
        return self.hybrid.action(act[:, 0].astype(np.int64), act[:, 1:], observation)


def squashed(mean: Tensor, log_scale: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the tanh of normal numbers, and its log-densities, summed over the last axis.

    The normal numbers are mean + exp(log_scale) * noise, for standard normal `noise`.
    """
    numbers = torch.tanh(mean + log_scale.exp() * noise)
    of_normal = -(0.5 * noise.square() + log_scale + LOG_SQRT_2PI)
    return numbers, (of_normal - torch.log(1.0 - numbers.square() + NEVER_ZERO)).sum(-1)


class BoundedTemperature(AutoAlpha):
    """The temperature of SAC, adapted to a target entropy, within a range."""

    def __init__(self, options: SACOptions) -> None:
        super().__init__(options.target_entropy, math.log(options.temperature), adam(options.learning_rate))
        self._bounds = [math.log(bound) for bound in options.temperature_range]

    def update(self, entropy: Tensor) -> float:
        """Makes a gradient step towards the target entropy, and returns the loss."""
        loss = super().update(entropy)
        self._log_alpha.data.clamp_(*self._bounds)
        return loss


class OwnWeightsOptimizer(Algorithm.Optimizer):
    """An optimizer that computes the gradients of its own weights only.

    The actor's loss depends on the critics too, whose gradients are not needed in the actor's step.
    """

    def step(self, loss: Tensor, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Makes a gradient step on the loss."""
        self._optim.zero_grad()
        loss.backward(retain_graph=retain_graph, create_graph=create_graph, inputs=list(self._module.parameters()))
        self._optim.step()


class BoundedSAC(SAC[SACTrainingStats]):
    """SAC for hybrid actions, whose checkpoint holds the optimizer of the temperature as well.

    Paper: RTD Eqs. (29), (30).
    Differs: future rewards are discounted. The temperature mu, of which the paper gives only the range, is adapted to a
    target entropy. The cut is an integer, drawn from a categorical distribution. Critics are given the part of an
    action's reward that the decider can compute, and learn only the future value. For RTD that part is Eq. (28) with
    the present battery, also in the term that `reward="excess"` subtracts, and without the penalty for a lost task.
    With `actor="gaussian"` neither holds: the cut is a number like the speeds, and critics learn from rewards alone.
    """

    policy: HybridPolicy  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        *,
        policy: HybridPolicy,
        critics: tuple[HybridCritic, HybridCritic],
        known: KnownConsequences,
        options: SACOptions,
    ) -> None:
        temperature = BoundedTemperature(options)
        super().__init__(
            policy=policy,
            policy_optim=adam(options.learning_rate),
            critic=critics[0],
            critic_optim=adam(options.learning_rate),
            critic2=critics[1],
            tau=options.target_update_rate,
            gamma=options.discount,
            alpha=temperature,
        )
        self.options = options
        self._known = known
        self.average_actor = deepcopy(policy.actor).requires_grad_(False)
        self._optimizers.append(self.Optimizer(temperature._optim, temperature))
        pairs = self._lagged_networks._lagged_network_pairs
        self._targets: list[Tensor] = [weight for pair in pairs for weight in pair.target.parameters()]
        self._averages: list[Tensor] = list(self.average_actor.parameters())
        self._actors: list[Tensor] = list(self.policy.actor.parameters())
        self._sources: list[Tensor] = [weight for pair in pairs for weight in pair.source.parameters()]

    def _create_optimizer(
        self, module: nn.Module, factory: Any, max_grad_norm: float | None = None
    ) -> OwnWeightsOptimizer:
        optimizer = OwnWeightsOptimizer(factory.create_instances(module)[0], module)
        self._optimizers.append(optimizer)
        return optimizer

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        """Returns situations `obs`, stored actions `act`, and the targets `returns`.

        A target is the reward plus the discounted value of the next state, which is 0 after termination.
        """
        device, next_situation = self.policy.device, self.policy.situation(batch.obs_next)
        with torch.no_grad():
            decided = self.policy.decide(next_situation, self.policy.actor, drawn=True)
            targets = self.critic_old, self.critic2_old
            value = torch.min(*(critic(next_situation, decided.act) for critic in targets))
            value = value - self.alpha.value * decided.log_prob
        reward = torch.as_tensor(batch.rew, device=device) * self.options.reward_scale
        reward = reward.clamp_min(self.options.reward_floor)
        return SimpleNamespace(
            obs=self.policy.situation(batch.obs),
            act=torch.as_tensor(batch.act, device=device),
            returns=reward + self.gamma * value * torch.as_tensor(~batch.terminated, device=device),
        )

    def _update_with_batch(self, batch: Any) -> SACTrainingStats:
        """Makes one step of the critics, the actor, the temperature and the targets, in this order."""
        losses = [
            self._minimize_critic_squared_loss(batch, critic, optimizer)[1].item()
            for critic, optimizer in ((self.critic, self.critic_optim), (self.critic2, self.critic2_optim))
        ]
        loss, entropy = self._actor_loss(batch.obs)
        self.policy_optim.step(loss)
        alpha_loss = self.alpha.update(entropy)
        self._update_lagged_network_weights()
        return SACTrainingStats(
            actor_loss=loss.item(),
            critic1_loss=losses[0],
            critic2_loss=losses[1],
            alpha=self.alpha.value,
            alpha_loss=alpha_loss,
        )

    def _actor_loss(self, situation: Situation) -> tuple[Tensor, Tensor]:
        """Returns the actor's loss, and the entropy of each situation.

        The loss has two parts. The first trains the probabilities of the alternatives, by the critics' values of each
        alternative with drawn parameters. The second trains the parameters by the critics' gradient, for a few
        alternatives of each situation.
        """
        log_part, mean, log_scale = self.policy.actor(situation)
        part, present, mu = log_part.exp(), situation.present, self.alpha.value
        noise = self.policy.generators.normal_like(mean)
        with torch.no_grad():
            numbers, log_density = squashed(mean, log_scale, noise)
            row, index = present.nonzero(as_tuple=True)
            value = torch.zeros_like(part)
            value[row, index] = self._smaller_value(situation, row, index, numbers[row, index])
        loss = (part * torch.where(present, mu * (log_part + log_density) - value, 0.0)).sum(-1).mean()
        entropy = -(part * torch.where(present, log_part + log_density, 0.0)).sum(-1).detach()
        row, index = self._draw_alternatives(part, present)
        numbers, log_density = squashed(mean[row, index], log_scale[row, index], noise[row, index])
        gain = self._smaller_value(situation, row, index, numbers) - mu * log_density
        return loss - gain.mean(), entropy

    def _draw_alternatives(self, part: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Draws the alternatives whose parameters a gradient step improves, and returns their rows and indices.

        Args:
            part: The policy's probabilities, `[batch, count]`.
            present: The action mask, `[batch, count]`.
        """
        even = present / present.sum(-1, keepdim=True)
        log_part = torch.lerp(part, even, EVEN_PART).detach().log().expand(self.options.improved, -1, -1)
        index = self.policy.generators.choices(log_part).flatten()
        return torch.arange(len(part), device=index.device).repeat(self.options.improved), index

    def _smaller_value(self, situation: Situation, row: Tensor, index: Tensor, numbers: Tensor) -> Tensor:
        """Returns the smaller of the twin critics' values, with arguments as in `KnownConsequences.of`."""
        reward, effects = self._known.of(situation, row, index, numbers)
        critics = (cast(HybridCritic, critic) for critic in (self.critic, self.critic2))
        return reward + torch.min(*(critic.future_value(situation, row, effects) for critic in critics))

    def train(self, mode: bool = True) -> Self:
        """Returns the algorithm unchanged: no layer differs between training and evaluation.

        Setting the mode of every layer would take a tenth of the time of a gradient step.
        """
        return self

    def _update_lagged_network_weights(self) -> None:
        """Moves the target networks like Tianshou's own method, and moves the average actor."""
        soft_update(self._targets, self._sources, self.tau)
        soft_update(self._averages, self._actors, self.options.average_rate)


def assemble(
    *,
    observation_size: int,
    hybrid: HybridActions,
    options: SACOptions,
    seed: int,
) -> BoundedSAC:
    """Returns SAC with new weights, which are drawn from torch's global generator.

    Args:
        observation_size: The number of features of all deciders together.
        hybrid: The alternatives and their parameters.
        options: The options of SAC.
        seed: The seed of draws and exploration.
    """
    known = KnownConsequences(hybrid=hybrid, scale=options.reward_scale, floor=options.reward_floor)
    hidden = [options.hidden] * options.hidden_layers

    def critic() -> HybridCritic:
        encoder = ObservationEncoder(observation_size, compress=options.compress)
        return HybridCritic(encoder, known=known, hidden=hidden)

    body = ObservationEncoder(observation_size, compress=options.compress, hidden=hidden)
    actor = HybridActor(body, count=hybrid.count, numbers=hybrid.num_parameters)
    policy = HybridPolicy(actor, hybrid=hybrid, exploration_ends=options.exploration_ends, seed=seed)
    return BoundedSAC(policy=policy, critics=(critic(), critic()), known=known, options=options)


def adam(learning_rate: float) -> TorchOptimizerFactory:
    """Returns a factory of Adam in its fused form, which updates all weights in one call."""
    return TorchOptimizerFactory(torch.optim.Adam, lr=learning_rate, fused=True)


def likeliest(algorithm: BoundedSAC) -> LearnedPolicy:
    """Returns the policy that takes the averaged actor's most likely alternative with the mean of its parameters."""
    policy = algorithm.policy

    def decide(observation: np.ndarray) -> np.ndarray:
        decided = policy.decide(policy.situation(observation), algorithm.average_actor, drawn=False)
        return policy.environment_action(decided.act.cpu().numpy(), observation)

    return LearnedPolicy(decide, algorithm.average_actor, policy.generators, in_turn=True)
