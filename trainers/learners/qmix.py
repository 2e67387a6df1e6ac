"""QMIX on Tianshou: agents with their own values, mixed monotonically into a joint one.

The agent network is given: an MLP makes it P-QMIX, a denoiser MAD2RL. All else is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import LaggedNetworkPolyakUpdateAlgorithmMixin, OffPolicyAlgorithm, Policy
from tianshou.algorithm.modelfree.reinforce import SimpleLossTrainingStats
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from torch import Tensor, nn

from vec_envs.validation import count, fraction, not_negative, one_of, positive

LOSSES = {"huber": nn.functional.smooth_l1_loss, "squared": nn.functional.mse_loss}


@dataclass(frozen=True, kw_only=True)
class QMIXOptions:
    """What both learners share. Values without a section are open in the paper."""

    discount: float = 0.9
    """Future rewards; 0.99 in Section 8.1. The drift already counts the future cost of a backlog."""
    learning_rate: float = 5e-4
    """Of Adam. Section 8.1."""
    batch_size: int = 128
    buffer_size: int = 50_000
    """Transitions kept for replay."""
    warm_up_episodes: int = 32
    """Episodes played before the first update."""
    updates_per_slot: float = 1.0
    """Gradient steps for each slot that all lanes play together."""
    target_update_rate: float = 0.005
    """0.001 in Section 8.1, which lags a thousand updates behind."""
    double_q: bool = True
    """The online network chooses the action that the target network values."""
    loss: str = "huber"
    """`"huber"` or `"squared"` (Eq. 58)."""
    max_grad_norm: float = 10.0
    """Of all weights together; 0 for no bound."""
    reward_scale: float = 0.01
    """Rewards are multiplied by it before learning."""
    act_lagged: bool = True
    """Whether the learned policy is the lagged network, an average over the last updates, not the online one."""
    compress: bool = True
    """Whether networks see sign(x) log(1 + |x|) of the observation: a runaway queue is tame, an ordinary one as is."""
    exploration_start: float = 0.3
    """Probability that a client acts at random, at first. Where all do, queues run away and nothing else is seen."""
    exploration_end: float = 0.02
    exploration_fraction: float = 0.5
    """Part of the run over which exploration falls linearly."""
    hidden: int = 256
    """Neurons of each hidden layer of an agent. Section 8.1."""
    hidden_layers: int = 3
    """Of an agent. Section 8.1."""
    mixing_embedding: int = 32
    hypernetwork_hidden: int = 64
    """Section 8.1."""
    hypernetwork_layers: int = 2
    """Section 8.1."""

    def __post_init__(self) -> None:
        fraction(discount=self.discount, target_update_rate=self.target_update_rate)
        fraction(exploration_start=self.exploration_start, exploration_end=self.exploration_end)
        fraction(exploration_fraction=self.exploration_fraction)
        positive(learning_rate=self.learning_rate, updates_per_slot=self.updates_per_slot)
        positive(reward_scale=self.reward_scale)
        count(1, batch_size=self.batch_size, buffer_size=self.buffer_size, mixing_embedding=self.mixing_embedding)
        count(1, hidden=self.hidden, hidden_layers=self.hidden_layers, hypernetwork_hidden=self.hypernetwork_hidden)
        count(0, warm_up_episodes=self.warm_up_episodes, hypernetwork_layers=self.hypernetwork_layers)
        not_negative(max_grad_norm=self.max_grad_norm)
        one_of(tuple(LOSSES), loss=self.loss)

    def exploration(self, progress: float) -> float:
        """Returns the probability of a random action at this part, 0 to 1, of the run."""
        passed = 1.0 if self.exploration_fraction == 0.0 else min(progress / self.exploration_fraction, 1.0)
        return self.exploration_start + (self.exploration_end - self.exploration_start) * passed


class QMIXPolicy(Policy):
    """Every agent takes the action of its highest value, or while training a random one now and then.

    Paper: MAD2RL Eq. (55).
    """

    absent: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        action_space: gymnasium.spaces.MultiDiscrete,
        action_mask: np.ndarray,
        compress: bool,
        seed: int,
    ) -> None:
        super().__init__(action_space=action_space, action_scaling=False, action_bound_method=None)
        self.network = network
        self.register_buffer("absent", torch.where(torch.as_tensor(action_mask), 0.0, -torch.inf), persistent=False)
        self.compress = compress
        self.exploration = 0.0
        self.generator = torch.Generator().manual_seed(seed)
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._counts = np.asarray(action_space.nvec)

    def seen(self, observation: Any) -> Tensor:
        """Returns an array of observations as the networks see it: on their device, compressed where asked."""
        x = torch.as_tensor(observation, device=self.absent.device)
        return x.sign() * x.abs().log1p() if self.compress else x

    def values(self, network: nn.Module, observation: Tensor) -> Tensor:
        """Returns `[batch, agents, actions]` values, minus infinity where an agent has no such action."""
        return network(observation, self.generator) + self.absent

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        """Returns the greedy actions of `batch.obs` [batch, agents, features]."""
        return Batch(act=self.values(self.network, self.seen(batch.obs)).argmax(-1))

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions, each replaced by a random one with probability `exploration`."""
        explores = self._rng.random(act.shape) < self.exploration
        return np.where(explores, self._rng.integers(0, self._counts, act.shape), act)

    def random_state(self) -> dict[str, Any]:
        """Returns the state of the policy's generators."""
        return {"torch": self.generator.get_state(), "numpy": self._rng.bit_generator.state}

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Takes over what `random_state` gave."""
        self.generator.set_state(state["torch"])
        self._rng.bit_generator.state = state["numpy"]


class QMIX(OffPolicyAlgorithm[QMIXPolicy], LaggedNetworkPolyakUpdateAlgorithmMixin):
    """Learns agents and mixer together from the squared or Huber error of the joint value.

    Paper: MAD2RL Eqs. (58)-(61).
    Differs: the loss is Huber's and the target's action the online network's where the options say so; the squared
    loss is without the factor 1/2, which Adam does not feel.
    """

    def __init__(self, *, policy: QMIXPolicy, mixer: nn.Module, options: QMIXOptions) -> None:
        super().__init__(policy=policy)
        LaggedNetworkPolyakUpdateAlgorithmMixin.__init__(self, options.target_update_rate)
        self.options = options
        self.mixer = mixer
        self.target_network = self._add_lagged_network(policy.network)
        self.target_mixer = self._add_lagged_network(mixer)
        learned = nn.ModuleList([policy.network, mixer])
        self.optim = self._create_optimizer(
            learned, AdamOptimizerFactory(lr=options.learning_rate), options.max_grad_norm or None
        )

    def _preprocess_batch(self, batch: Any, buffer: Any, indices: np.ndarray) -> Any:
        """Adds `returns`: the reward and, unless the episode terminated, the discounted value of the next slot."""
        device = self.policy.absent.device
        following = self.policy.seen(batch.obs_next)
        with torch.no_grad():
            target = self.policy.values(self.target_network, following)
            chooses = self.policy.values(self.policy.network, following) if self.options.double_q else target
            best = target.gather(-1, chooses.argmax(-1, keepdim=True)).squeeze(-1)
            joint = self.target_mixer(best, following.flatten(1))
        reward = torch.as_tensor(batch.rew, device=device) * self.options.reward_scale
        goes_on = torch.as_tensor(~batch.terminated, device=device)
        batch.returns = reward + self.options.discount * joint * goes_on
        return batch

    def _update_with_batch(self, batch: Any) -> SimpleLossTrainingStats:
        observation = self.policy.seen(batch.obs)
        taken = torch.as_tensor(batch.act, device=observation.device).unsqueeze(-1)
        value = self.policy.network(observation, self.policy.generator).gather(-1, taken).squeeze(-1)
        loss = LOSSES[self.options.loss](self.mixer(value, observation.flatten(1)), batch.returns)
        self.optim.step(loss)
        self._update_lagged_network_weights()
        return SimpleLossTrainingStats(loss=loss.item())
