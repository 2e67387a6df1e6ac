"""SAC, Tianshou's: an actor, twin critics and their two targets, and a temperature within a range.

What is ours: draws come from generators that a checkpoint holds, rewards are scaled, and the temperature is bounded.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any, Self

import gymnasium
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.algorithm.modelfree.sac import SAC, AutoAlpha, SACPolicy, SACTrainingStats, correct_log_prob_gaussian_tanh
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from torch import Tensor, nn

from trainers.learners.options import SACOptions
from trainers.networks.dense import Seen
from trainers.tianshou_bridge.draws import Draws
from trainers.tianshou_bridge.policy import LearnedPolicy

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


class SquashedPolicy(SACPolicy):
    """A decider's numbers: tanh of a normal draw while training, of its mean otherwise."""

    def __init__(
        self, actor: ContinuousActorProbabilistic, *, size: int, first_ends: tuple[float, float], seed: int
    ) -> None:
        space = gymnasium.spaces.Box(-1.0, 1.0, (size,), np.float32)
        super().__init__(actor=actor, action_space=space, action_scaling=False)
        self.exploration = 0.0
        self.first_ends = first_ends
        self.draws = Draws(seed)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.parameters()).device

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Any:
        """Returns actions `[batch, size]` of `batch.obs` [batch, 1, features], and their log-densities."""
        (mean, scale), _ = self.actor(torch.as_tensor(batch.obs, device=self.device))
        noise = self.draws.normal_like(mean) if self.is_within_training_step else torch.zeros_like(mean)
        act = torch.tanh(mean + scale * noise)
        of_normal = -(0.5 * noise.square() + scale.log() + LOG_SQRT_2PI).sum(-1, keepdim=True)
        return Batch(act=act, log_prob=correct_log_prob_gaussian_tanh(of_normal, act))

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions, each replaced by a random one with probability `exploration`.

        That is uniform, but its first number is -1 or 1 with the probabilities `first_ends`.
        """
        explores, end = self.draws.numpy.random((2, len(act)))
        drawn = self.draws.numpy.uniform(-1.0, 1.0, act.shape).astype(np.float32)
        low, high = self.first_ends
        drawn[end < low, 0], drawn[end > 1.0 - high, 0] = -1.0, 1.0
        return np.where(explores[:, None] < self.exploration, drawn, act)

    def taken(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns `[lanes, 1, size]`: the actions of the one decider of each lane."""
        return act[:, None]


class BoundedTemperature(AutoAlpha):
    """A temperature that seeks a target entropy within its range."""

    def __init__(self, options: SACOptions, *, size: int) -> None:
        super().__init__(size * options.target_entropy, math.log(options.temperature), adam(options.learning_rate))
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
    Differs: future rewards are discounted, and mu, of which the paper gives the range alone, is adapted to a target
    entropy.
    """

    policy: SquashedPolicy  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self, *, policy: SquashedPolicy, critics: tuple[nn.Module, nn.Module], options: SACOptions, size: int
    ) -> None:
        temperature = BoundedTemperature(options, size=size)
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
        """Adds `returns`: the reward and, unless the episode terminated, the discounted value of what follows."""
        device = self.policy.device
        for name in ("obs", "obs_next", "act"):
            batch[name] = torch.as_tensor(batch[name], device=device)
        following = Batch(obs=batch.obs_next)
        with torch.no_grad():
            value = self._target_q_compute_value(following, self._target_q_compute_action(following)).flatten()
        reward = torch.as_tensor(batch.rew, device=device) * self.options.reward_scale
        reward = reward.clamp_min(self.options.reward_floor)
        batch.returns = reward + self.gamma * value * torch.as_tensor(~batch.terminated, device=device)
        return batch

    def train(self, mode: bool = True) -> Self:
        """Does nothing: no layer behaves otherwise while training, and telling each so takes a tenth of a step."""
        return self

    def _update_lagged_network_weights(self) -> None:
        """Moves all targets at once: the same as Tianshou's, weight by weight, and cheaper; and the average actor."""
        with torch.no_grad():
            torch._foreach_lerp_(self._targets, self._sources, self.tau)  # pyright: ignore[reportPrivateImportUsage]
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                self._averages, self._actors, self.options.average_rate
            )


def assemble(*, observation_size: int, size: int, options: SACOptions, seed: int) -> BoundedSAC:
    """Returns SAC for a decider that gives `size` numbers; weights from torch's generator, the rest from `seed`."""

    def critic() -> ContinuousCritic:
        seen = Seen(observation_size, compress=options.compress, beside=size)
        hidden = [options.hidden] * options.hidden_layers
        return ContinuousCritic(preprocess_net=seen, hidden_sizes=hidden, apply_preprocess_net_to_obs_only=True)

    body = Seen(observation_size, compress=options.compress, hidden=options.hidden, hidden_layers=options.hidden_layers)
    actor = ContinuousActorProbabilistic(
        preprocess_net=body, action_shape=(size,), unbounded=True, conditioned_sigma=True
    )
    policy = SquashedPolicy(actor, size=size, first_ends=options.exploration_ends, seed=seed)
    return BoundedSAC(policy=policy, critics=(critic(), critic()), options=options, size=size)


def adam(learning_rate: float) -> TorchOptimizerFactory:
    """Returns Adam in its fused form: the same steps, in one call for all weights."""
    return TorchOptimizerFactory(torch.optim.Adam, lr=learning_rate, fused=True)


def best_of(algorithm: BoundedSAC) -> LearnedPolicy:
    """Returns the policy of the average actor's mean, or of the candidate that the critics value most."""
    policy, count = algorithm.policy, algorithm.options.candidates

    def decide(observation: np.ndarray) -> np.ndarray:
        seen = torch.as_tensor(observation, device=policy.device)
        (mean, scale), _ = algorithm.average_actor(seen)
        if count == 1:
            return torch.tanh(mean).cpu().numpy()[:, None]
        spread = mean.expand(count - 1, *mean.shape)
        candidates = torch.tanh(torch.cat([mean[None], spread + scale * policy.draws.normal_like(spread)]))
        every = seen.repeat(count, 1, 1), candidates.flatten(0, 1)
        value = torch.min(algorithm.critic(*every), algorithm.critic2(*every)).view(count, -1)
        return candidates[value.argmax(0), torch.arange(len(mean))].cpu().numpy()[:, None]

    return LearnedPolicy(decide, policy.draws)
