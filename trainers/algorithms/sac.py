"""SAC, Tianshou's, for a decider that chooses an alternative and gives numbers beside it.

An actor, twin critics and their two targets, and a temperature within a range. What is ours: the actor draws the
alternative from a categorical distribution and the numbers from the squashed normal that goes with it; what it gains by
an alternative is summed over all of them, as there is no gradient through a choice. Draws come from generators that a
checkpoint holds, and rewards are scaled.
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
from trainers.networks.dense import Seen
from trainers.networks.hybrid import Consequences, HybridActor, HybridCritic, Immediate, Situation
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy
from trainers.tianshou_bridge.soft_update import soft_update
from vec_envs.problems.task_diversion.hybrid import Alternatives

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
EVEN_PART = 0.25
"""Of the alternatives whose numbers a gradient step improves: the part drawn evenly, the others as the policy does."""

NEVER_ZERO = 1e-6


class HybridPolicy(SACPolicy):
    """A decider's alternative and numbers: drawn while training, otherwise the likeliest and its mean.

    A stored action is the alternative's number, and the numbers beside it.
    """

    actor: HybridActor

    def __init__(
        self,
        actor: HybridActor,
        *,
        alternatives: Alternatives,
        numbers: int,
        first_ends: tuple[float, float],
        seed: int,
    ) -> None:
        low, high = np.full(1 + numbers, -1.0, np.float32), np.ones(1 + numbers, np.float32)
        low[0], high[0] = 0.0, alternatives.count - 1
        super().__init__(actor=actor, action_space=gymnasium.spaces.Box(low, high), action_scaling=False)
        self.alternatives = alternatives
        self.exploration = 0.0
        self.first_ends = first_ends
        self.generators = Generators(seed)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.parameters()).device

    def situation(self, observation: np.ndarray) -> Situation:
        """Returns what there is to decide where this is observed."""
        return Situation(
            observation=torch.as_tensor(observation, device=self.device),
            present=torch.as_tensor(self.alternatives.present(observation), device=self.device),
            terms=torch.as_tensor(self.alternatives.terms(observation), device=self.device),
        )

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Any:
        """Returns stored actions of `batch.obs` [batch, 1, features], and their log-densities."""
        return self.decided(self.situation(batch.obs), self.actor, drawn=self.is_within_training_step)

    def decided(self, situation: Situation, actor: HybridActor, *, drawn: bool) -> Batch:
        """Returns stored actions `act`, drawn or likeliest, and their log-densities `log_prob`."""
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

        That has the first or the last alternative with the probabilities `first_ends`, otherwise any that there is.
        """
        present = self.alternatives.present(batch.obs)
        explores, end = self.generators.numpy.random((2, len(act)))
        drawn = self.generators.numpy.uniform(-1.0, 1.0, act.shape).astype(np.float32)
        lots = np.where(present, self.generators.numpy.random(present.shape), -1.0)
        low, high = self.first_ends
        last = present.shape[1] - 1 - present[:, ::-1].argmax(-1)
        drawn[:, 0] = np.where(end > 1.0 - high, last, np.where(end < low, present.argmax(-1), lots.argmax(-1)))
        return np.where(explores[:, None] < self.exploration, drawn, act)

    def taken(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns `[lanes, 1, numbers]`: the actions of the one decider of each lane."""
        return self.alternatives.taken(act[:, 0].astype(np.int64), act[:, 1:], observation)


def squashed(mean: Tensor, log_scale: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Returns tanh of normal draws, and their log-densities, summed over the last axis."""
    numbers = torch.tanh(mean + log_scale.exp() * noise)
    of_normal = -(0.5 * noise.square() + log_scale + LOG_SQRT_2PI)
    return numbers, (of_normal - torch.log(1.0 - numbers.square() + NEVER_ZERO)).sum(-1)


class BoundedTemperature(AutoAlpha):
    """A temperature that seeks a target entropy within its range."""

    def __init__(self, options: SACOptions) -> None:
        super().__init__(options.target_entropy, math.log(options.temperature), adam(options.learning_rate))
        self._bounds = [math.log(bound) for bound in options.temperature_range]

    def update(self, entropy: Tensor) -> float:
        """Makes a step towards the target and returns its loss."""
        loss = super().update(entropy)
        self._log_alpha.data.clamp_(*self._bounds)
        return loss


class OwnWeights(Algorithm.Optimizer):
    """Differentiates by the weights that it moves alone: in the actor's step those of the critics are not wanted."""

    def step(self, loss: Tensor, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Makes a step down the loss."""
        self._optim.zero_grad()
        loss.backward(retain_graph=retain_graph, create_graph=create_graph, inputs=list(self._module.parameters()))
        self._optim.step()


class BoundedSAC(SAC[SACTrainingStats]):
    """SAC whose checkpoint holds the temperature's optimiser too.

    Paper: RTD Eqs. (29), (30).
    Differs: future rewards are discounted; mu, of which the paper gives the range alone, is adapted to a target
    entropy; the cut is drawn from a categorical distribution, as it is a whole number; critics are told the reward of
    an action, as far as whoever decides can compute it, and learn what follows alone: Eq. (28) with the battery as it
    is now, also in what `reward="excess"` spares, and without the penalty of a task that is lost on the way.
    """

    policy: HybridPolicy  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        *,
        policy: HybridPolicy,
        critics: tuple[HybridCritic, HybridCritic],
        immediate: Immediate,
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
        self._immediate = immediate
        self.average_actor = deepcopy(policy.actor).requires_grad_(False)
        self._optimizers.append(self.Optimizer(temperature._optim, temperature))
        pairs = self._lagged_networks._lagged_network_pairs
        self._targets: list[Tensor] = [weight for pair in pairs for weight in pair.target.parameters()]
        self._averages: list[Tensor] = list(self.average_actor.parameters())
        self._actors: list[Tensor] = list(self.policy.actor.parameters())
        self._sources: list[Tensor] = [weight for pair in pairs for weight in pair.source.parameters()]

    def _create_optimizer(self, module: nn.Module, factory: Any, max_grad_norm: float | None = None) -> OwnWeights:
        own = OwnWeights(factory.create_instances(module)[0], module)
        self._optimizers.append(own)
        return own

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        """Returns situations, stored actions, and `returns`: the reward and, unless the episode terminated, the
        discounted value of what follows."""
        device, following = self.policy.device, self.policy.situation(batch.obs_next)
        with torch.no_grad():
            next_one = self.policy.decided(following, self.policy.actor, drawn=True)
            value = torch.min(self.critic_old(following, next_one.act), self.critic2_old(following, next_one.act))
            value = value - self.alpha.value * next_one.log_prob
        reward = torch.as_tensor(batch.rew, device=device) * self.options.reward_scale
        reward = reward.clamp_min(self.options.reward_floor)
        return SimpleNamespace(
            obs=self.policy.situation(batch.obs),
            act=torch.as_tensor(batch.act, device=device),
            returns=reward + self.gamma * value * torch.as_tensor(~batch.terminated, device=device),
        )

    def _update_with_batch(self, batch: Any) -> SACTrainingStats:
        """Makes a step of the critics, the actor, the temperature and the targets."""
        losses = [
            self._minimize_critic_squared_loss(batch, critic, optimizer)[1].item()
            for critic, optimizer in ((self.critic, self.critic_optim), (self.critic2, self.critic2_optim))
        ]
        loss, entropy = self._of_actor(batch.obs)
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

    def _of_actor(self, situation: Situation) -> tuple[Tensor, Tensor]:
        """Returns the actor's loss and its entropy by situation.

        Each alternative is valued with numbers drawn for it, which says how likely it should be. The numbers
        themselves follow the critics' gradient, for a few alternatives of each situation.
        """
        log_part, mean, log_scale = self.policy.actor(situation)
        part, present, mu = log_part.exp(), situation.present, self.alpha.value
        noise = self.policy.generators.normal_like(mean)
        with torch.no_grad():
            numbers, log_density = squashed(mean, log_scale, noise)
            row, index = present.nonzero(as_tuple=True)
            value = torch.zeros_like(part)
            value[row, index] = self._least(situation, row, index, numbers[row, index])
        loss = (part * torch.where(present, mu * (log_part + log_density) - value, 0.0)).sum(-1).mean()
        entropy = -(part * torch.where(present, log_part + log_density, 0.0)).sum(-1).detach()
        row, index = self._some(part, present)
        numbers, log_density = squashed(mean[row, index], log_scale[row, index], noise[row, index])
        gain = self._least(situation, row, index, numbers) - mu * log_density
        return loss - gain.mean(), entropy

    def _some(self, part: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Returns some alternatives of each situation, most as likely as the policy takes them: rows and indices."""
        even = present / present.sum(-1, keepdim=True)
        log_part = torch.lerp(part, even, EVEN_PART).detach().log().expand(self.options.improved, -1, -1)
        index = self.policy.generators.choices(log_part).flatten()
        return torch.arange(len(part), device=index.device).repeat(self.options.improved), index

    def _least(self, situation: Situation, row: Tensor, index: Tensor, numbers: Tensor) -> Tensor:
        """Returns the smaller of the twin critics' values."""
        reward, left = self._immediate.of(situation, row, index, numbers)
        critics = (cast(HybridCritic, critic) for critic in (self.critic, self.critic2))
        return reward + torch.min(*(critic.following(situation, row, left) for critic in critics))

    def train(self, mode: bool = True) -> Self:
        """Does nothing: no layer behaves otherwise while training, and telling each so takes a tenth of a step."""
        return self

    def _update_lagged_network_weights(self) -> None:
        """Moves the targets as Tianshou does, and the average actor."""
        soft_update(self._targets, self._sources, self.tau)
        soft_update(self._averages, self._actors, self.options.average_rate)


def assemble(
    *,
    observation_size: int,
    alternatives: Alternatives,
    consequences: Consequences,
    numbers: int,
    options: SACOptions,
    seed: int,
) -> BoundedSAC:
    """Returns SAC for a decider that gives `numbers` beside its choice.

    Weights are drawn from torch's generator, the rest from `seed`.
    """
    immediate = Immediate(consequences=consequences, scale=options.reward_scale, floor=options.reward_floor)
    hidden = [options.hidden] * options.hidden_layers

    def critic() -> HybridCritic:
        seen = Seen(observation_size, compress=options.compress)
        return HybridCritic(seen, immediate=immediate, hidden=hidden)

    body = Seen(observation_size, compress=options.compress, hidden=hidden)
    actor = HybridActor(body, count=alternatives.count, numbers=numbers)
    policy = HybridPolicy(
        actor, alternatives=alternatives, numbers=numbers, first_ends=options.exploration_ends, seed=seed
    )
    return BoundedSAC(policy=policy, critics=(critic(), critic()), immediate=immediate, options=options)


def adam(learning_rate: float) -> TorchOptimizerFactory:
    """Returns Adam in its fused form: the same steps, in one call for all weights."""
    return TorchOptimizerFactory(torch.optim.Adam, lr=learning_rate, fused=True)


def likeliest(algorithm: BoundedSAC) -> LearnedPolicy:
    """Returns the policy of the average actor's likeliest alternatives and means."""
    policy = algorithm.policy

    def decide(observation: np.ndarray) -> np.ndarray:
        decided = policy.decided(policy.situation(observation), algorithm.average_actor, drawn=False)
        return policy.taken(decided.act.cpu().numpy(), observation)

    return LearnedPolicy(decide, algorithm.average_actor, policy.generators)
