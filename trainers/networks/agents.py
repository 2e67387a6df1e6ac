"""Networks that compute all agents at once, in one batched matrix product: with weights of each agent, or common ones.

Inputs and outputs have the shape `[batch, agents, features]`. Inside, the agents are the first axis, so that a layer is
one `torch.baddbmm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainers.networks.action_costs import KnownActionCosts


class AgentLinear(nn.Module):
    """A linear layer for each agent: `[agents, batch, in] -> [agents, batch, out]`. Agents may have common weights."""

    def __init__(self, num_agents: int, in_features: int, out_features: int, *, common: bool = False) -> None:
        """Draws the weights and the biases.

        Args:
            num_agents: The number of agents.
            in_features: The number of inputs.
            out_features: The number of outputs.
            common: Whether all agents have the same weights. Each agent has its own biases in any case.
        """
        super().__init__()
        bound, agents = 1.0 / math.sqrt(in_features), 1 if common else num_agents
        self.weight = nn.Parameter(torch.empty(agents, in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_agents, 1, out_features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the outputs `[agents, batch, out]` of `x` [agents, batch, in]."""
        return torch.baddbmm(self.bias, x, self.weight.expand(len(x), -1, -1))


@dataclass(frozen=True, kw_only=True)
class ActionKnowledge:
    """Features and costs of actions that are known before training; None where the problem has none."""

    features: Tensor | None = None
    """Features that actions share, `[agents, actions, features]`."""
    costs: KnownActionCosts | None = None
    """Computes the cost of each action from the agent's own observation."""
    cost_weight: float = 0.0
    """Initial weight of the known costs in the value of an action, at most 0. If it is not 0, the initial value has no
    other part, so that untrained agents take the actions of least known cost."""
    scorer: int = 0
    """Neurons of each hidden layer of the `ActionScorer`; 0 for none. With it, the value of an action is its score plus
    its known costs times `cost_weight`."""
    common: bool = False
    """Whether agents have common weights and differ in their biases alone. An index means another action for each
    agent, so no weight belongs to an index: values come from `features` and `costs`."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for common weights without features."""
        if self.common and self.features is None:
            raise ValueError("common weights need features of the actions")


NO_KNOWLEDGE = ActionKnowledge()
SCORED = 16
"""The number of actions that an `ActionScorer` scores: those of least known cost."""


class Folded(NamedTuple):
    """The single linear layer that an `AgentHead` reduces to for a batch of observations."""

    bias: Tensor
    """`[agents, 1 or batch, actions]`; the batch axis has length 1 where the bias does not depend on observations."""
    weight: Tensor
    """`[agents, in, actions]`"""


class ActionScorer(nn.Module):
    """Scores every action of an agent by one small network: from its costs, its other inputs, and the observation.

    So what an agent learns from one action holds for all that resemble it. All scores are 0 at first.
    """

    def __init__(
        self, num_agents: int, num_inputs: int, first_features: int, hidden: int, *, common: bool = False
    ) -> None:
        super().__init__()
        self.of_inputs = AgentLinear(num_agents, num_inputs, hidden, common=common)
        self.of_observation = AgentLinear(num_agents, first_features, hidden, common=common)
        self.second = AgentLinear(num_agents, hidden, hidden, common=common)
        self.last = AgentLinear(num_agents, hidden, 1, common=common)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, inputs: Tensor, first_hidden: Tensor) -> Tensor:
        """Returns scores `[agents, batch, actions]`.

        Args:
            inputs: The inputs of all actions, `[agents, batch, actions, inputs]`.
            first_hidden: The first hidden layer of the agent, `[agents, batch, features]`.
        """
        agents, batch, actions, _ = inputs.shape
        hidden = self.of_inputs(inputs.flatten(1, 2)).view(agents, batch, actions, -1)
        hidden = torch.relu(hidden + self.of_observation(first_hidden).unsqueeze(2)).flatten(1, 2)
        return self.last(torch.relu(self.second(hidden))).view(agents, batch, actions)


class AgentHead(nn.Module):
    """The last layer of an agent: action values from separate weights, shared features and known costs.

    The value of an action is the sum of up to four parts:

    - its own linear function of the last hidden layer, except where agents have common weights,
    - the linear functions of its features, which it shares with other actions of the agent,
    - its known costs, with weights that are a linear function of the first hidden layer,
    - its score by the `ActionScorer`. Where there is one, it is the only part of this layer that learns: the functions
      above stay at 0, and the weights of costs at their initial value. The `SCORED` actions of least known cost are
      scored. All others get the least of these scores.

    The last three parts let an agent generalise from one action to others. Section 8.1 of the MAD2RL paper has only the
    first part.
    """

    features: Tensor | None
    no_weight: Tensor

    def __init__(
        self, num_agents: int, in_features: int, first_features: int, num_actions: int, knowledge: ActionKnowledge
    ) -> None:
        """Makes the layer; the weights of features start at 0, and those of costs at `knowledge.cost_weight`.

        Args:
            num_agents: The number of agents.
            in_features: The size of the last hidden layer.
            first_features: The size of the first hidden layer.
            num_actions: The largest number of actions of an agent.
            knowledge: The features and costs of the actions.
        """
        super().__init__()
        common = knowledge.common
        self.own = None if common else AgentLinear(num_agents, in_features, num_actions)
        no_weight = torch.zeros(1, 1, 1).expand(num_agents, in_features, num_actions)
        self.register_buffer("no_weight", no_weight, persistent=False)
        self.shared, self.weighing, self.scorer, self.costs = None, None, None, knowledge.costs
        if knowledge.features is not None and not knowledge.scorer:
            networks = 1 if common else num_agents
            self.shared = nn.Parameter(torch.zeros(networks, in_features, knowledge.features.shape[2]))
        if knowledge.costs is not None:
            self.weighing = AgentLinear(num_agents, first_features, knowledge.costs.num_kinds, common=common)
            nn.init.zeros_(self.weighing.weight)
            nn.init.constant_(self.weighing.bias, knowledge.cost_weight)
            if knowledge.scorer:
                inputs = knowledge.costs.num_kinds + knowledge.costs.num_inputs
                self.scorer = ActionScorer(num_agents, inputs, first_features, knowledge.scorer, common=common)
        if self.own is not None and knowledge.costs is not None and (knowledge.cost_weight or knowledge.scorer):
            nn.init.zeros_(self.own.weight)
            nn.init.zeros_(self.own.bias)
        if self.scorer is not None:
            self.requires_grad_(False)
            self.scorer.requires_grad_(True)
        features = None if knowledge.features is None else knowledge.features.float().transpose(1, 2)
        self.register_buffer("features", features, persistent=False)

    def folded(self, local: Tensor, first_hidden: Tensor) -> Folded:
        """Returns the single linear layer that `forward` applies for a batch of observations.

        A denoiser applies this layer at every step, but computes it only once.

        Args:
            local: The observations, `[agents, batch, features]`.
            first_hidden: The first hidden layer for these observations, `[agents, batch, features]`.
        """
        bias, weight = self.no_weight[:, :1], self.no_weight
        if self.own is not None:
            bias, weight = self.own.bias, self.own.weight
        if self.shared is not None and self.features is not None:
            weight = torch.baddbmm(weight, self.shared.expand(len(local), -1, -1), self.features)
        if self.weighing is not None and self.costs is not None:
            exact = self.costs.of(local)
            costs = self.costs.limited(exact)
            for cost, weight_of_cost in zip(costs, self.weighing(first_hidden).split(1, dim=-1), strict=True):
                bias = torch.addcmul(bias, weight_of_cost, cost)
            if self.scorer is not None:
                inputs = torch.cat([torch.stack(costs, dim=-1), self.costs.inputs(local)], dim=-1)
                bias = bias + _scores(self.scorer, sum(exact), inputs, first_hidden)
        return Folded(bias, weight)

    def forward(self, x: Tensor, folded: Folded) -> Tensor:
        """Returns values `[agents, batch, actions]` of the last hidden layer `x` [agents, batch, in]."""
        return torch.baddbmm(folded.bias, x, folded.weight)


def _scores(scorer: ActionScorer, cost: Any, inputs: Tensor, first_hidden: Tensor) -> Tensor:
    """Returns scores `[agents, batch, actions]` of all actions, from their known costs `[agents, batch, actions]`."""
    least = cost.topk(min(SCORED, cost.shape[-1]), largest=False).indices
    scores = scorer(inputs.take_along_dim(least.unsqueeze(-1), dim=2), first_hidden)
    others = scores.min(dim=-1, keepdim=True).values.expand_as(cost)
    return others.scatter(-1, least, scores)


class AgentMLP(nn.Module):
    """An MLP for each agent, with ReLU between layers and an `AgentHead` as the last layer.

    `forward` starts after the first layer, because a denoiser computes the parts of the first layer separately.
    """

    def __init__(self, num_agents: int, sizes: Sequence[int], knowledge: ActionKnowledge) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            AgentLinear(num_agents, *fan, common=knowledge.common) for fan in pairwise(sizes[:-1])
        )
        self.head = AgentHead(num_agents, sizes[-2], sizes[1], sizes[-1], knowledge)

    def forward(self, hidden: Tensor, folded: Folded) -> Tensor:
        """Returns values `[agents, batch, actions]` from the first hidden layer (after ReLU) and the folded head."""
        for layer in islice(self.layers, 1, None):
            hidden = torch.relu(layer(hidden))
        return self.head(hidden, folded)


class MLPAgents(nn.Module):
    """The agent network of P-QMIX: an MLP for each agent, from its observation to its action values."""

    predicts_noise = False
    """Whether `fit` returns noise instead of action values; only a denoiser can."""

    def __init__(
        self,
        *,
        num_agents: int,
        observation_size: int,
        num_actions: int,
        hidden: int,
        hidden_layers: int,
        knowledge: ActionKnowledge = NO_KNOWLEDGE,
    ) -> None:
        super().__init__()
        self.values = AgentMLP(num_agents, [observation_size, *[hidden] * hidden_layers, num_actions], knowledge)

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """Returns values `[batch, agents, actions]` for `observation` [batch, agents, features].

        The generator is not used: this network draws no noise.
        """
        local = observation.transpose(0, 1)
        hidden = torch.relu(self.values.layers[0](local))
        return self.values(hidden, self.values.head.folded(local, hidden)).transpose(0, 1)

    def fit(self, observation: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns a prediction and its target, both `[batch, agents, actions]`, to fit the network by regression."""
        return self(observation, generator), target
