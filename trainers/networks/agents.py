"""Networks of all agents at once: each agent has its own weights, all are one batched matrix product.

Shapes: `[batch, agents, features]` outside; within, agents lead, so that a layer is one `torch.baddbmm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class AgentLinear(nn.Module):
    """A linear layer per agent: `[agents, batch, in] -> [agents, batch, out]`."""

    def __init__(self, num_agents: int, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(num_agents, in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_agents, 1, out_features).uniform_(-bound, bound))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Returns the layer as one bias, `[agents, 1, out]`, and one matrix, `[agents, in, out]`."""
        return self.bias, self.weight

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class AgentHead(nn.Module):
    """A last layer: an action's value is what it alone has, plus what it shares with actions of the same features.

    What is seen of one action then tells of those like it. `[agents, batch, in] -> [agents, batch, actions]`.

    Section 8.1 of the MAD2RL paper has an output that is an action's own alone.
    """

    features: Tensor

    def __init__(self, num_agents: int, in_features: int, features: Tensor) -> None:
        """Takes the features of actions, `[agents, actions, features]`."""
        super().__init__()
        self.own = AgentLinear(num_agents, in_features, features.shape[1])
        self.shared = nn.Parameter(torch.zeros(num_agents, in_features, features.shape[2]))
        self.register_buffer("features", features.float().transpose(1, 2).contiguous(), persistent=False)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Returns the layer as one bias, `[agents, 1, actions]`, and one matrix, `[agents, in, actions]`."""
        return self.own.bias, torch.baddbmm(self.own.weight, self.shared, self.features)

    def forward(self, x: Tensor) -> Tensor:
        bias, weight = self.folded()
        return torch.baddbmm(bias, x, weight)


def agent_mlp(num_agents: int, sizes: Sequence[int], features: Tensor | None = None) -> nn.Sequential:
    """Returns an MLP per agent with these layer sizes, ReLU between: `[agents, batch, in] -> [agents, batch, out]`.

    With features of actions its last layer is an `AgentHead`.
    """
    layers: list[nn.Module] = []
    for n, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        layers += [nn.ReLU()] if n else []
        layers.append(AgentLinear(num_agents, fan_in, fan_out))
    if features is not None:
        layers[-1] = AgentHead(num_agents, sizes[-2], features)
    return nn.Sequential(*layers)


class MLPAgents(nn.Module):
    """The agent network of P-QMIX: an MLP per agent from its observation to its actions' values."""

    def __init__(
        self,
        *,
        num_agents: int,
        observation_size: int,
        num_actions: int,
        hidden: int,
        hidden_layers: int,
        features: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.values = agent_mlp(num_agents, [observation_size, *[hidden] * hidden_layers, num_actions], features)

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """Returns `[batch, agents, actions]` values of `observation` [batch, agents, features]; draws nothing."""
        return self.values(observation.transpose(0, 1)).transpose(0, 1)

    def fit(self, observation: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns, both `[batch, agents, actions]`, what is predicted and what should be: the values of `target`."""
        return self(observation, generator), target
