"""QMIX on Tianshou: agents with their own values, mixed monotonically into a joint one.

The agent network is given: an MLP makes it P-QMIX, a denoiser MAD2RL. All else is the same.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import LaggedNetworkPolyakUpdateAlgorithmMixin, OffPolicyAlgorithm, Policy
from tianshou.algorithm.modelfree.reinforce import SimpleLossTrainingStats
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from torch import Tensor, nn

from trainers.algorithms.options import QMIXOptions
from trainers.networks.agents import Known
from trainers.networks.costs import SeenCosts
from trainers.networks.dense import compressed
from trainers.networks.mixer import Mixer
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy
from trainers.tianshou_bridge.soft_update import soft_update


class QMIXPolicy(Policy):
    """The joint action: every agent's of its highest value (Eq. 54), or while training a random one now and then.

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
        self.generators = Generators(seed)
        self._counts = np.asarray(action_space.nvec)

    def seen(self, observation: Any) -> Tensor:
        """Returns an array of observations as the networks see it: on their device, compressed where asked."""
        x = torch.as_tensor(observation, device=self.absent.device)
        return compressed(x) if self.compress else x

    def values(self, network: nn.Module, observation: Tensor) -> Tensor:
        """Returns `[batch, agents, actions]` values, minus infinity where an agent has no such action."""
        return network(observation, self.generators.torch) + self.absent

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        """Returns the greedy actions of `batch.obs` [batch, agents, features]."""
        return Batch(act=self.values(self.network, self.seen(batch.obs)).argmax(-1))

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions, each replaced by a random one with probability `exploration`."""
        explores = self.generators.numpy.random(act.shape) < self.exploration
        return np.where(explores, self.generators.numpy.integers(0, self._counts, act.shape), act)

    def taken(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns the actions as they are: the environment takes the same."""
        return act


class QMIX(OffPolicyAlgorithm[QMIXPolicy], LaggedNetworkPolyakUpdateAlgorithmMixin):
    """Learns agents and mixer together from the squared or Huber error of the joint value.

    Paper: MAD2RL Eqs. (58)-(61).
    Differs: the loss is Huber's and the target's action the online network's where the options say so; the squared
    loss is without the factor 1/2, which Adam does not feel; agents' values are held near zero by a penalty, since the
    mixer can scale them: without it they run off to where nothing is learned.
    """

    def __init__(self, *, policy: QMIXPolicy, mixer: nn.Module, options: QMIXOptions) -> None:
        super().__init__(policy=policy)
        LaggedNetworkPolyakUpdateAlgorithmMixin.__init__(self, options.target_update_rate)
        self.options = options
        self.mixer = mixer
        self.target_network = self._add_lagged_network(policy.network)
        self.target_mixer = self._add_lagged_network(mixer)
        learned = nn.ModuleList([policy.network, mixer])
        self._sources: list[Tensor] = list(learned.parameters())
        self._targets: list[Tensor] = [*self.target_network.parameters(), *self.target_mixer.parameters()]
        adam = TorchOptimizerFactory(torch.optim.Adam, lr=options.learning_rate, fused=True)
        self.optim = self._create_optimizer(learned, adam, options.max_grad_norm or None)

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
        values = self.policy.network(observation, self.policy.generators.torch)
        joint = self.mixer(values.gather(-1, taken).squeeze(-1), observation.flatten(1))
        loss = mean_loss(joint, batch.returns, self.options) + self.options.value_penalty * values.square().mean()
        self.optim.step(loss)
        self._update_lagged_network_weights()
        return SimpleLossTrainingStats(loss=loss.item())

    def _update_lagged_network_weights(self) -> None:
        """Moves the targets as Tianshou does."""
        soft_update(self._targets, self._sources, self.tau)

    def let_targets_follow(self) -> None:
        """Copies the learned networks into their targets."""
        self._lagged_networks.full_parameter_update()


def mean_loss(predicted: Tensor, wanted: Tensor, options: QMIXOptions) -> Tensor:
    """Returns the mean of the loss that the options name, between tensors of one shape."""
    if options.loss == "squared":
        return nn.functional.mse_loss(predicted, wanted)
    return nn.functional.smooth_l1_loss(predicted, wanted, beta=options.huber_beta)


def known_of(problem: Any, options: QMIXOptions) -> Known:
    """Returns what is known of the problem's actions, as far as the options want it used.

    Raises `ValueError` where costs are wanted and what they depend on is not observed.
    """
    return Known(
        features=torch.as_tensor(problem.action_features()) if options.action_features else None,
        costs=SeenCosts(problem, compressed=options.compress) if options.action_costs else None,
    )


def assemble(problem: Any, network: nn.Module, options: QMIXOptions, *, seed: int) -> QMIX:
    """Returns QMIX over an agent network."""
    policy = QMIXPolicy(
        network,
        action_space=gymnasium.spaces.MultiDiscrete(np.array(problem.action_counts)),
        action_mask=problem.action_exists(),
        compress=options.compress,
        seed=seed,
    )
    agents = len(problem.agent_names)
    mixer = Mixer(
        agents,
        agents * problem.observation_size,
        embedding=options.mixing_embedding,
        hidden=options.hypernetwork_hidden,
        hidden_layers=options.hypernetwork_layers,
        activation=options.mixing_activation,
    )
    return QMIX(policy=policy, mixer=mixer, options=options)


def greedy(algorithm: QMIX, *, lagged: bool | None = None) -> LearnedPolicy:
    """Returns the policy of the actions of highest value, by the online or the lagged network, or as options say."""
    policy = algorithm.policy
    by_lagged = algorithm.options.act_lagged if lagged is None else lagged
    network = algorithm.target_network if by_lagged else policy.network

    def decide(observation: np.ndarray) -> np.ndarray:
        return policy.values(network, policy.seen(observation)).argmax(-1).cpu().numpy()

    return LearnedPolicy(decide, network, policy.generators)
