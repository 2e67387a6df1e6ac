"""A single network for all agents, where these have the same actions.

Where actions differ, agents have common weights instead (`trainers/networks/agents.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class SharedAgents(nn.Module):
    """Applies one agent's network to the observations of all agents, so that it learns from all of them.

    In the MAD2RL paper, each agent has weights of its own.
    """

    def __init__(self, network: nn.Module) -> None:
        """Wraps a network that was made with `num_agents=1`."""
        super().__init__()
        self.network = network

    @property
    def predicts_noise(self) -> bool:
        """Whether the network predicts noise instead of values."""
        single: Any = self.network
        return single.predicts_noise

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """Returns values `[batch, agents, actions]` for `observation` [batch, agents, features]."""
        return _split(self.network(_merged(observation), generator), observation)

    def fit(self, observation: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns a prediction and its target, both `[batch, agents, actions]`, to fit the network by regression."""
        single: Any = self.network
        predicted, fit_target = single.fit(_merged(observation), _merged(target), generator)
        return _split(predicted, observation), _split(fit_target, observation)


def _merged(x: Tensor) -> Tensor:
    """Returns `[batch * agents, 1, n]`: the agents become rows of the batch."""
    return x.reshape(-1, 1, x.shape[-1])


def _split(x: Tensor, observation: Tensor) -> Tensor:
    return x.reshape(*observation.shape[:2], x.shape[-1])
