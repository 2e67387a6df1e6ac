"""QMIX on Tianshou: each agent has its own action values, and a monotonic mixer turns them into a joint value.

The agent network is an argument. With an MLP the algorithm is P-QMIX, with a denoiser it is MAD2RL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import gymnasium
import numpy as np
import torch
from jaxtyping import Bool, Float32
from tianshou.algorithm.algorithm_base import LaggedNetworkPolyakUpdateAlgorithmMixin, OffPolicyAlgorithm, Policy
from tianshou.algorithm.modelfree.reinforce import SimpleLossTrainingStats
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch
from torch import Tensor, nn

from trainers.algorithms.options import QMIXOptions
from trainers.networks.action_costs import KnownActionCosts
from trainers.networks.agents import ActionKnowledge
from trainers.networks.dense import compressed
from trainers.networks.mixer import Mixer
from trainers.networks.shared import SharedAgents
from trainers.tianshou_bridge.draws import Generators
from trainers.tianshou_bridge.policy import LearnedPolicy
from trainers.tianshou_bridge.soft_update import soft_update
from vec_envs.problems.abilities import (
    HasActionCosts,
    HasActionFeatures,
    HasCommonActionFeatures,
    HasLastingEffects,
    HasObservedMask,
)
from vec_envs.problems.base import DiscreteProblem, action_exists
from vec_envs.problems.policy import random_legal

Observation = Float32[np.ndarray, "batch agents features"]


class QMIXPolicy(Policy):
    """Each agent takes its legal action of highest value (Eq. 54), or a random one for exploration in training.

    Paper: MAD2RL Eq. (55).
    """

    absent: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        action_space: gymnasium.spaces.MultiDiscrete,
        action_exists: np.ndarray,
        compress: bool,
        seed: int,
        legal: Callable[[Observation], Bool[np.ndarray, "batch agents actions"]] | None = None,
    ) -> None:
        """Wraps the network.

        Args:
            network: Returns action values for encoded observations.
            action_space: The space of a joint action.
            action_exists: Which actions each agent has, `[agents, actions]`.
            compress: Whether observations are compressed.
            seed: The seed of noise and exploration.
            legal: Returns the action mask for observations; None where all actions that exist are always legal.
        """
        super().__init__(action_space=action_space, action_scaling=False, action_bound_method=None)
        self.network = network
        self.register_buffer("absent", torch.where(torch.as_tensor(action_exists), 0.0, -torch.inf), persistent=False)
        self.compress = compress
        self.exploration = 0.0
        self.generators = Generators(seed)
        self._counts = np.asarray(action_space.nvec)
        self._legal = legal

    def encode(self, observation: Any) -> Tensor:
        """Returns observations as input of the networks: a tensor on their device, compressed if the option is set."""
        x = torch.as_tensor(observation, device=self.absent.device)
        return compressed(x) if self.compress else x

    def barred(self, observation: Observation) -> Tensor:
        """Returns minus infinity for actions that are not legal and 0 for others, from observations as they are."""
        if self._legal is None:
            return self.absent
        barred = np.where(self._legal(observation), np.float32(0.0), np.float32(-np.inf))
        return torch.as_tensor(barred, device=self.absent.device)

    def values(self, network: nn.Module, observation: Tensor, barred: Tensor | None = None) -> Tensor:
        """Returns action values `[batch, agents, actions]` of encoded observations; minus infinity for barred actions.

        Without `barred`, only actions that an agent does not have are barred.
        """
        return network(observation, self.generators.torch) + (self.absent if barred is None else barred)

    def best_actions(self, network: nn.Module, observation: Observation) -> Tensor:
        """Returns the legal actions of highest value, `[batch, agents]`.

        A single network for all agents is evaluated only where an agent has a choice, which is rare if decisions last.
        """
        barred = self.barred(observation)
        if not isinstance(network, SharedAgents):
            return self.values(network, self.encode(observation), barred).argmax(-1)
        barred = barred.expand(*observation.shape[:2], -1)
        action, choice = barred.argmax(-1), (barred == 0.0).sum(-1) > 1
        if choice.any():
            inputs = self.encode(observation[choice.cpu().numpy()][:, None])
            action[choice] = self.values(network, inputs, barred[choice][:, None]).argmax(-1)[:, 0]
        return action

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        """Returns the greedy actions for `batch.obs` [batch, agents, features]."""
        return Batch(act=self.best_actions(self.network, batch.obs))

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns the actions, each replaced by a random legal one with probability `exploration`."""
        rng = self.generators.numpy
        explores = rng.random(act.shape) < self.exploration
        if self._legal is None:
            return np.where(explores, rng.integers(0, self._counts, act.shape), act)
        return np.where(explores, random_legal(rng, self._legal(batch.obs)), act)

    def environment_action(self, act: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Returns the actions unchanged: stored actions are those of the environment."""
        return act


class QMIX(OffPolicyAlgorithm[QMIXPolicy], LaggedNetworkPolyakUpdateAlgorithmMixin):
    """Trains agents and mixer together on the squared or Huber loss of the joint value.

    Paper: MAD2RL Eqs. (58)-(61).
    Differs: options can choose the Huber loss, and double Q-learning, where the online network selects the action of
    the target. The squared loss lacks the factor 1/2, which has no effect on the steps of Adam. A penalty keeps the
    agents' values near zero, since the mixer can scale them. Without the penalty the values drift until nothing is
    learned.
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
        """Adds `returns`: the reward plus the discounted value of the next slot, which is 0 after termination."""
        device = self.policy.absent.device
        next_observation, barred = self.policy.encode(batch.obs_next), self.policy.barred(batch.obs_next)
        with torch.no_grad():
            selecting = target = self.policy.values(self.target_network, next_observation, barred)
            if self.options.double_q:
                selecting = self.policy.values(self.policy.network, next_observation, barred)
            best = target.gather(-1, selecting.argmax(-1, keepdim=True)).squeeze(-1)
            best = self._mixed(best, target)
            joint = self.target_mixer(best, next_observation.flatten(1))
        reward = torch.as_tensor(batch.rew, device=device) * self.options.reward_scale
        not_terminated = torch.as_tensor(~batch.terminated, device=device)
        batch.returns = reward + self.options.discount * joint * not_terminated
        return batch

    def _update_with_batch(self, batch: Any) -> SimpleLossTrainingStats:
        observation = self.policy.encode(batch.obs)
        action = torch.as_tensor(batch.act, device=observation.device).unsqueeze(-1)
        values = self.policy.network(observation, self.policy.generators.torch)
        taken = values.gather(-1, action).squeeze(-1)
        if self.options.mix_advantages:
            taken = self._mixed(taken, values + self.policy.barred(batch.obs))
        joint = self.mixer(taken, observation.flatten(1))
        loss = mean_loss(joint, batch.returns, self.options) + self.options.value_penalty * values.square().mean()
        self.optim.step(loss)
        self._update_lagged_network_weights()
        return SimpleLossTrainingStats(loss=loss.item())

    def _mixed(self, taken: Tensor, values: Tensor) -> Tensor:
        """Returns the mixer's input for taken actions: their values, or their advantages with `mix_advantages`."""
        return taken - values.max(-1).values if self.options.mix_advantages else taken

    def _update_lagged_network_weights(self) -> None:
        """Moves the targets like Tianshou's own method, in one call."""
        soft_update(self._targets, self._sources, self.tau)

    def copy_to_targets(self) -> None:
        """Copies the weights of the learned networks to the target networks."""
        self._lagged_networks.full_parameter_update()


def mean_loss(predicted: Tensor, target: Tensor, options: QMIXOptions) -> Tensor:
    """Returns the mean loss between tensors of equal shape, squared or Huber as `options.loss` says."""
    if options.loss == "squared":
        return nn.functional.mse_loss(predicted, target)
    return nn.functional.smooth_l1_loss(predicted, target, beta=options.huber_beta)


def action_knowledge(problem: DiscreteProblem, options: QMIXOptions) -> ActionKnowledge:
    """Returns the features and costs of actions that the problem offers and the options use.

    Raises:
        ValueError: The options use action costs, and the observation lacks features that the costs depend on.
    """
    features, costs, networks = None, None, num_networks(problem, options)
    common = weight_sharing(problem, options) == "common"
    if common and isinstance(problem, HasCommonActionFeatures):
        features = torch.as_tensor(problem.common_action_features())
    elif options.action_features and isinstance(problem, HasActionFeatures):
        features = torch.as_tensor(problem.action_features()[:networks])
    if options.action_costs and isinstance(problem, HasActionCosts):
        costs = KnownActionCosts(problem.action_costs(), compressed=options.compress)
    weight = 0.0 if costs is None else -options.cost_prior * options.reward_scale
    scorer = options.action_scorer if costs is not None and costs.num_inputs else 0
    return ActionKnowledge(features=features, costs=costs, cost_weight=weight, scorer=scorer, common=common)


Sharing: TypeAlias = Literal["none", "common", "single"]
"""Whether each agent has weights of its own, agents that differ have common weights, or all agents are one network."""


def weight_sharing(problem: DiscreteProblem, options: QMIXOptions) -> Sharing:
    """Returns how agents share weights.

    Raises:
        ValueError: Agents would share weights, but their actions differ and have no common features.
    """
    if not options.share_weights:
        return "none"
    if isinstance(problem, HasCommonActionFeatures):
        return "common"
    if not _are_alike(problem, options):
        raise ValueError(
            f"share_weights=True needs agents with the same actions, features and costs of actions, got "
            f"{len(problem.agent_names)} agents that differ, in a problem without common_action_features: use "
            "share_weights=False"
        )
    return "single"


def _are_alike(problem: DiscreteProblem, options: QMIXOptions) -> bool:
    """Returns whether the actions of all agents, and the features and costs of these, are equal."""
    if len(set(problem.actions.counts)) > 1:
        return False
    if isinstance(problem, HasActionFeatures):
        features = problem.action_features()
        if (features != features[:1]).any():
            return False
    if options.action_costs and isinstance(problem, HasActionCosts):
        single = np.zeros((1, 1, problem.observation_size), np.float32)
        return all(len(cost) == 1 for cost in problem.action_costs().of(single))
    return True


def num_networks(problem: DiscreteProblem, options: QMIXOptions) -> int:
    """Returns the number of agents that a network computes: 1 where a single network stands for all agents."""
    return 1 if weight_sharing(problem, options) == "single" else len(problem.agent_names)


def legal_choices(
    problem: DiscreteProblem,
) -> Callable[[Observation], Bool[np.ndarray, "batch agents actions"]] | None:
    """Returns the function from observations to the actions that agents choose among; None where all are legal.

    Where the effects of decisions last, an agent with a choice does not idle. Rewards are not discounted within a
    decision, but from one to the next. So an agent that idles again and again would hardly count later costs.
    """
    if not isinstance(problem, HasObservedMask):
        return None
    mask_of = problem.action_mask_from_observation
    if not isinstance(lasting := problem, HasLastingEffects):
        return mask_of

    def without_idling(observation: Observation) -> Bool[np.ndarray, "batch agents actions"]:
        legal = mask_of(observation).copy()
        legal[..., lasting.idle] = legal.sum(axis=-1) == 1
        return legal

    return without_idling


def assemble(problem: DiscreteProblem, network: nn.Module, options: QMIXOptions, *, seed: int) -> QMIX:
    """Returns QMIX with a new mixer.

    Args:
        problem: The problem to train on.
        network: The agent network, from observations to the action values of all agents.
        options: The options of QMIX.
        seed: The seed of noise and exploration. The mixer's weights come from torch's global generator.
    """
    policy = QMIXPolicy(
        SharedAgents(network) if weight_sharing(problem, options) == "single" else network,
        action_space=gymnasium.spaces.MultiDiscrete(np.array(problem.actions.counts)),
        action_exists=action_exists(problem),
        compress=options.compress,
        seed=seed,
        legal=legal_choices(problem),
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
    """Returns the policy that takes the actions of highest value.

    Args:
        algorithm: The algorithm, whose networks the policy shares.
        lagged: Whether the target network decides; by default `options.act_lagged` of the algorithm.
    """
    policy = algorithm.policy
    use_target = algorithm.options.act_lagged if lagged is None else lagged
    network = algorithm.target_network if use_target else policy.network

    def decide(observation: np.ndarray) -> np.ndarray:
        return policy.best_actions(network, observation).cpu().numpy()

    return LearnedPolicy(decide, network, policy.generators)
