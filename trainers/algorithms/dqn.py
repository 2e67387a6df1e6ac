"""DQN, Tianshou's, over alternatives of which an observation tells those there are.

What is ours: draws come from generators that a checkpoint holds, rewards are scaled, and absent alternatives are worth
minus infinity everywhere, also in the targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from jaxtyping import Float32
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from torch import nn

from trainers.algorithms.options import DQNOptions
from trainers.networks.dense import Seen
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy
from vec_envs.problems.task_diversion.hybrid import Alternatives

Beside = Callable[[Float32[np.ndarray, "batch 1 features"]], Float32[np.ndarray, "batch numbers"]]


class AlternativesPolicy(DiscreteQLearningPolicy[nn.Module]):
    """Takes the alternative of highest value, or while training a random one now and then."""

    def __init__(self, model: nn.Module, *, alternatives: Alternatives, beside: Beside, seed: int) -> None:
        super().__init__(model=model, action_space=gymnasium.spaces.Discrete(alternatives.count))
        self.alternatives = alternatives
        self.beside = beside
        self.exploration = 0.0
        self.generators = Generators(seed)

    def forward(self, batch: Any, state: Any = None, model: nn.Module | None = None) -> Any:
        """Returns values `[batch, count]` of `batch.obs` [batch, 1, features], and the best alternatives."""
        values = (self.model if model is None else model)(batch.obs)
        present = torch.as_tensor(self.alternatives.present(batch.obs), device=values.device)
        values = values.masked_fill(~present, -torch.inf)
        return Batch(logits=values, act=values.argmax(-1).cpu().numpy())

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the alternatives, each replaced by a random one that there is with probability `exploration`."""
        explores = self.generators.numpy.random(len(act)) < self.exploration
        lots = self.generators.numpy.random((len(act), self.alternatives.count))
        return np.where(explores, np.where(self.alternatives.present(batch.obs), lots, -1.0).argmax(-1), act)

    def taken(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns `[lanes, 1, numbers]`: what the environment takes for the alternatives."""
        return self.alternatives.taken(act, self.beside(observation), observation)


class ScaledDQN(DQN[AlternativesPolicy]):
    """DQN whose checkpoint says how long ago the target network was copied."""

    def __init__(self, *, policy: AlternativesPolicy, options: DQNOptions) -> None:
        super().__init__(
            policy=policy,
            optim=TorchOptimizerFactory(torch.optim.Adam, lr=options.learning_rate, fused=True),
            gamma=options.discount,
            target_update_freq=options.target_update_steps,
            is_double=options.double_q,
            huber_loss_delta=1.0 if options.loss == "huber" else None,
        )
        self.options = options

    def get_extra_state(self) -> int:
        """Returns the number of gradient steps made."""
        return self._iter

    def set_extra_state(self, state: int) -> None:
        """Takes over what `get_extra_state` gave."""
        self._iter = state

    def train(self, mode: bool = True) -> ScaledDQN:
        """Does nothing: no layer behaves otherwise while training."""
        return self

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        """Adds `returns`: the reward and, unless the episode terminated, the discounted value of what follows."""
        with torch.no_grad():
            value = self._target_q(cast(Any, Following(batch.obs_next)), indices)
        reward = torch.as_tensor(batch.rew, device=value.device) * self.options.reward_scale
        reward = reward.clamp_min(self.options.reward_floor)
        batch.returns = reward + self.gamma * value * torch.as_tensor(~batch.terminated, device=value.device)
        return batch


class Following:
    """What Tianshou's target asks of a buffer: the observations that follow, whatever the rows."""

    def __init__(self, observation: np.ndarray) -> None:
        self._batch = Batch(obs_next=observation)

    def __getitem__(self, rows: np.ndarray) -> Batch:
        return self._batch


def assemble(
    *, observation_size: int, alternatives: Alternatives, beside: Beside, options: DQNOptions, seed: int
) -> ScaledDQN:
    """Returns DQN for one decider, which gives `beside` of the observation beside its choice.

    Weights are drawn from torch's generator, exploration from `seed`.
    """
    seen = Seen(observation_size, compress=options.compress, hidden=[options.hidden] * options.hidden_layers)
    values = Values(seen, alternatives.count)
    policy = AlternativesPolicy(values, alternatives=alternatives, beside=beside, seed=seed)
    return ScaledDQN(policy=policy, options=options)


class Values(nn.Module):
    """A value for every alternative."""

    def __init__(self, seen: Seen, count: int) -> None:
        super().__init__()
        self.seen, self.last = seen, nn.Linear(seen.get_output_dim(), count)

    def forward(self, obs: Any) -> torch.Tensor:
        """Returns `[batch, count]` values of `obs` [batch, 1, features]."""
        device = self.last.weight.device
        return self.last(self.seen(torch.as_tensor(obs, device=device))[0])


def greedy(algorithm: ScaledDQN) -> LearnedPolicy:
    """Returns the policy of the alternatives of highest value."""
    policy = algorithm.policy

    def decide(observation: np.ndarray) -> np.ndarray:
        return policy.taken(policy(Batch(obs=observation)).act, observation)

    return LearnedPolicy(decide, policy, policy.generators)
