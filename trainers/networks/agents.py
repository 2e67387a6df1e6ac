"""Networks of all agents at once: each agent has its own weights, all are one batched matrix product.

Shapes: `[batch, agents, features]` outside; within, agents lead, so that a layer is one `torch.baddbmm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainers.networks.costs import SeenCosts


class AgentLinear(nn.Module):
    """A linear layer per agent: `[agents, batch, in] -> [agents, batch, out]`."""

    def __init__(self, num_agents: int, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(num_agents, in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_agents, 1, out_features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of actions before anything is learned."""

    features: Tensor | None = None
    """What actions have in common, `[agents, actions, features]`."""
    costs: SeenCosts | None = None
    """What each action would cost, by what its client sees."""


NOTHING = Known()


class Folded(NamedTuple):
    """A head as it is for some observations: one linear layer."""

    bias: Tensor
    """`[agents, 1 or batch, actions]`"""
    weight: Tensor
    """`[agents, in, actions]`"""


class AgentHead(nn.Module):
    """A last layer: the values of an agent's actions, as it has learned them one by one, and by what is known of them.

    An action's value is its own, plus what it shares with actions of the same features, plus its costs, weighted by
    what the first layer sees of the observation. What is learned of one action then tells of the others. Section 8.1
    of the MAD2RL paper has the first part alone.
    """

    features: Tensor | None

    def __init__(self, num_agents: int, in_features: int, seen_features: int, num_actions: int, known: Known) -> None:
        super().__init__()
        self.own = AgentLinear(num_agents, in_features, num_actions)
        self.shared, self.weighing, self.costs = None, None, known.costs
        if known.features is not None:
            self.shared = nn.Parameter(torch.zeros(num_agents, in_features, known.features.shape[2]))
        if known.costs is not None:
            self.weighing = AgentLinear(num_agents, seen_features, known.costs.num_kinds)
            nn.init.zeros_(self.weighing.weight)
            nn.init.zeros_(self.weighing.bias)
        features = None if known.features is None else known.features.float().transpose(1, 2)
        self.register_buffer("features", features, persistent=False)

    def folded(self, local: Tensor, seen: Tensor) -> Folded:
        """Returns the layer as it is for these observations, whatever it is then given.

        Takes them, and what the first layer makes of them: both `[agents, batch, features]`.
        """
        bias, weight = self.own.bias, self.own.weight
        if self.shared is not None and self.features is not None:
            weight = torch.baddbmm(weight, self.shared, self.features)
        if self.weighing is not None and self.costs is not None:
            for kind, of_kind in zip(self.costs(local), self.weighing(seen).split(1, dim=-1), strict=True):
                bias = torch.addcmul(bias, of_kind, kind)
        return Folded(bias, weight)

    def forward(self, x: Tensor, folded: Folded) -> Tensor:
        """Returns `[agents, batch, actions]` values of `x` [agents, batch, in]."""
        return torch.baddbmm(folded.bias, x, folded.weight)


class AgentMLP(nn.Module):
    """An MLP per agent with these layer sizes, ReLU between."""

    def __init__(self, num_agents: int, sizes: Sequence[int], known: Known) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AgentLinear(num_agents, *fan) for fan in pairwise(sizes[:-1]))
        self.head = AgentHead(num_agents, sizes[-2], sizes[1], sizes[-1], known)

    def forward(self, hidden: Tensor, folded: Folded) -> Tensor:
        """Returns `[agents, batch, actions]` values by what the first layer gave, and the folded head."""
        for layer in islice(self.layers, 1, None):
            hidden = torch.relu(layer(hidden))
        return self.head(hidden, folded)


class MLPAgents(nn.Module):
    """The agent network of P-QMIX: an MLP per agent from its observation to its actions' values."""

    predicts_noise = False

    def __init__(
        self,
        *,
        num_agents: int,
        observation_size: int,
        num_actions: int,
        hidden: int,
        hidden_layers: int,
        known: Known = NOTHING,
    ) -> None:
        super().__init__()
        self.values = AgentMLP(num_agents, [observation_size, *[hidden] * hidden_layers, num_actions], known)

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """Returns `[batch, agents, actions]` values of `observation` [batch, agents, features]; draws nothing."""
        local = observation.transpose(0, 1)
        hidden = torch.relu(self.values.layers[0](local))
        return self.values(hidden, self.values.head.folded(local, hidden)).transpose(0, 1)

    def fit(self, observation: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns, both `[batch, agents, actions]`, what is predicted and what should be: the values of `target`."""
        return self(observation, generator), target
