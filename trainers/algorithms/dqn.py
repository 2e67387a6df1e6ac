"""Tianshou's DQN for hybrid actions: it learns the alternative, and a rule gives the continuous parameters.

Added here: draws from generators that a checkpoint holds, scaled rewards, and an action mask. Illegal alternatives have
a value of minus infinity, in the targets as well.
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
from trainers.networks.dense import ObservationEncoder
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy
from vec_envs.problems.abilities import HybridActions

ParametersFor = Callable[[Float32[np.ndarray, "batch 1 features"]], Float32[np.ndarray, "batch parameters"]]
"""A rule that returns the continuous parameters of the actions for observations."""


class AlternativesPolicy(DiscreteQLearningPolicy[nn.Module]):
    """Takes the legal alternative of highest value, or a random one for exploration in training."""

    def __init__(self, model: nn.Module, *, hybrid: HybridActions, parameters_for: ParametersFor, seed: int) -> None:
        super().__init__(model=model, action_space=gymnasium.spaces.Discrete(hybrid.count))
        self.hybrid = hybrid
        self.parameters_for = parameters_for
        self.exploration = 0.0
        self.generators = Generators(seed)

    def forward(self, batch: Any, state: Any = None, model: nn.Module | None = None) -> Any:
        """Returns values `[batch, count]` for `batch.obs` [batch, 1, features], and the best alternatives."""
        values = (self.model if model is None else model)(batch.obs)
        present = torch.as_tensor(self.hybrid.present(batch.obs), device=values.device)
        values = values.masked_fill(~present, -torch.inf)
        return Batch(logits=values, act=values.argmax(-1).cpu().numpy())

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the alternatives, each replaced by a random legal one with probability `exploration`."""
        replaced = self.generators.numpy.random(len(act)) < self.exploration
        scores = self.generators.numpy.random((len(act), self.hybrid.count))
        return np.where(replaced, np.where(self.hybrid.present(batch.obs), scores, -1.0).argmax(-1), act)

    def environment_action(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns the environment's actions `[batch, 1, numbers]` for alternatives."""
        return self.hybrid.action(act, self.parameters_for(observation), observation)


class ScaledDQN(DQN[AlternativesPolicy]):
    """DQN with scaled rewards, whose checkpoint holds the number of gradient steps.

    The target network is copied at fixed intervals of gradient steps, so a resumed run needs their number.
    """

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
        """Returns the number of gradient steps so far, for the checkpoint."""
        return self._iter

    def set_extra_state(self, state: int) -> None:
        """Restores the number of gradient steps that `get_extra_state` returned."""
        self._iter = state

    def train(self, mode: bool = True) -> ScaledDQN:
        """Returns the algorithm unchanged: no layer differs between training and evaluation."""
        return self

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        """Adds `returns`: the reward plus the discounted value of the next state, which is 0 after termination."""
        with torch.no_grad():
            value = self._target_q(cast(Any, NextObservations(batch.obs_next)), indices)
        reward = torch.as_tensor(batch.rew, device=value.device) * self.options.reward_scale
        reward = reward.clamp_min(self.options.reward_floor)
        batch.returns = reward + self.gamma * value * torch.as_tensor(~batch.terminated, device=value.device)
        return batch


class NextObservations:
    """Replaces the buffer in Tianshou's computation of targets: holds the next observations of a batch."""

    def __init__(self, observation: np.ndarray) -> None:
        self._batch = Batch(obs_next=observation)

    def __getitem__(self, rows: np.ndarray) -> Batch:
        """Returns the next observations of the whole batch; the rows are not used."""
        return self._batch


def assemble(
    *, observation_size: int, hybrid: HybridActions, parameters_for: ParametersFor, options: DQNOptions, seed: int
) -> ScaledDQN:
    """Returns DQN for hybrid actions, with new weights, which are drawn from torch's global generator.

    Args:
        observation_size: The number of features.
        hybrid: The alternatives and their parameters.
        parameters_for: Returns the continuous parameters for observations.
        options: The options of DQN.
        seed: The seed of exploration.
    """
    encoder = ObservationEncoder(
        observation_size, compress=options.compress, hidden=[options.hidden] * options.hidden_layers
    )
    values = ValueNetwork(encoder, hybrid.count)
    policy = AlternativesPolicy(values, hybrid=hybrid, parameters_for=parameters_for, seed=seed)
    return ScaledDQN(policy=policy, options=options)


class ValueNetwork(nn.Module):
    """The network of DQN: returns a value for each alternative."""

    def __init__(self, encoder: ObservationEncoder, count: int) -> None:
        super().__init__()
        self.seen, self.last = encoder, nn.Linear(encoder.get_output_dim(), count)

    def forward(self, obs: Any) -> torch.Tensor:
        """Returns values `[batch, count]` for `obs` [batch, 1, features]."""
        device = self.last.weight.device
        return self.last(self.seen(torch.as_tensor(obs, device=device))[0])


def greedy(algorithm: ScaledDQN) -> LearnedPolicy:
    """Returns the policy that takes the alternative of highest value."""
    policy = algorithm.policy

    def decide(observation: np.ndarray) -> np.ndarray:
        return policy.environment_action(policy(Batch(obs=observation)).act, observation)

    return LearnedPolicy(decide, policy, policy.generators, in_turn=True)
