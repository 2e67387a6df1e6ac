"""Networks of all agents at once: each agent has its own weights, all are one batched matrix product.

Shapes: `[batch, agents, features]` outside; within, agents lead, so that a layer is one `torch.baddbmm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainers.networks.delays import SeenDelays


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
    delays: SeenDelays | None = None
    """How long each action would take, by what its client sees."""


NOTHING = Known()


class Folded(NamedTuple):
    """A head as it is for some observations: one matrix, and the delays of their actions."""

    bias: Tensor
    """`[agents, 1, out]`"""
    weight: Tensor
    """`[agents, in, out]`"""
    delays: Tensor | None
    """`[agents, batch, kinds, actions]`"""


class AgentHead(nn.Module):
    """A last layer: the values of an agent's actions, as it has learned them one by one, and by what is known of them.

    An action's value is its own, plus what it shares with actions of the same features, plus its delays, weighted by
    what the layer sees. What is learned of one action then tells of the others. Section 8.1 of the MAD2RL paper has
    the first part alone.
    """

    features: Tensor | None

    def __init__(self, num_agents: int, in_features: int, num_actions: int, known: Known) -> None:
        super().__init__()
        self.delays = known.delays
        self.kinds = known.delays.num_kinds if known.delays else 0
        self.own = AgentLinear(num_agents, in_features, num_actions + self.kinds)
        with torch.no_grad():
            for part in (self.own.weight, self.own.bias):
                part[..., num_actions:] = 0.0
        self.shared, features = None, None
        if known.features is not None:
            self.shared = nn.Parameter(torch.zeros(num_agents, in_features, known.features.shape[2]))
            features = nn.functional.pad(known.features.float().transpose(1, 2), (0, self.kinds))
        self.register_buffer("features", features, persistent=False)

    def folded(self, local: Tensor) -> Folded:
        """Returns the layer as it is for these observations, `[agents, batch, features]`, whatever it is then given."""
        weight = self.own.weight
        if self.shared is not None and self.features is not None:
            weight = torch.baddbmm(weight, self.shared, self.features)
        return Folded(self.own.bias, weight, self.delays(local) if self.delays else None)

    def forward(self, x: Tensor, folded: Folded) -> Tensor:
        """Returns `[agents, batch, actions]` values of `x` [agents, batch, in]."""
        out = torch.baddbmm(folded.bias, x, folded.weight)
        if folded.delays is None:
            return out
        own, weights = out[..., : -self.kinds], out[..., -self.kinds :]
        return own + torch.matmul(weights.unsqueeze(-2), folded.delays).squeeze(-2)


class AgentMLP(nn.Module):
    """An MLP per agent with these layer sizes, ReLU between."""

    def __init__(self, num_agents: int, sizes: Sequence[int], known: Known) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AgentLinear(num_agents, *fan) for fan in pairwise(sizes[:-1]))
        self.head = AgentHead(num_agents, sizes[-2], sizes[-1], known)

    def forward(self, x: Tensor, folded: Folded, *, after: int = 0) -> Tensor:
        """Returns `[agents, batch, actions]` values by the layers `after` so many, and the folded head."""
        for layer in self.layers[after:]:
            x = torch.relu(layer(x))
        return self.head(x, folded)


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
        known: Known = NOTHING,
    ) -> None:
        super().__init__()
        self.values = AgentMLP(num_agents, [observation_size, *[hidden] * hidden_layers, num_actions], known)

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """Returns `[batch, agents, actions]` values of `observation` [batch, agents, features]; draws nothing."""
        local = observation.transpose(0, 1)
        return self.values(local, self.values.head.folded(local)).transpose(0, 1)

    def fit(self, observation: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns, both `[batch, agents, actions]`, what is predicted and what should be: the values of `target`."""
        return self(observation, generator), target
