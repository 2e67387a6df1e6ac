"""The monotonic mixing network of QMIX, whose weights are the outputs of hypernetworks over the joint state."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS = {"elu": functional.elu, "leaky_relu": functools.partial(functional.leaky_relu, negative_slope=0.2)}


class Mixer(nn.Module):
    """`Q_tot = |W2(S)| act(|W1(S)| q + b3(S)) + b4(S)`, which increases with every agent's value.

    Paper: MAD2RL Eq. (57).
    Differs: absolute values of the weights make the mixer monotonic, and an activation between its layers makes it
    nonlinear. QMIX uses an ELU, which is flat far below zero: large costs of the first episodes push all values there,
    and the agents stop learning. A leaky ReLU is nowhere flat. The last bias comes from a network with a hidden layer,
    as in QMIX.
    """

    def __init__(
        self,
        num_agents: int,
        state_size: int,
        *,
        embedding: int = 32,
        hidden: int = 64,
        hidden_layers: int = 2,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        self.num_agents, self.embedding = num_agents, embedding
        self.activation = ACTIVATIONS[activation]

        def hypernetwork(out: int) -> nn.Sequential:
            layers: list[nn.Module] = []
            size = state_size
            for _ in range(hidden_layers):
                layers += [nn.Linear(size, hidden), nn.ReLU()]
                size = hidden
            return nn.Sequential(*layers, nn.Linear(size, out))

        self.weight_1 = hypernetwork(num_agents * embedding)
        self.weight_2 = hypernetwork(embedding)
        self.bias_1 = hypernetwork(embedding)
        self.bias_2 = hypernetwork(1)

    def forward(self, values: Tensor, state: Tensor) -> Tensor:
        """Returns `[batch]` joint values of `values` [batch, agents] in `state` [batch, features]."""
        weight_1 = self.weight_1(state).abs().view(-1, self.num_agents, self.embedding)
        hidden = self.activation(torch.einsum("ba,bae->be", values, weight_1) + self.bias_1(state))
        return (hidden * self.weight_2(state).abs()).sum(-1) + self.bias_2(state).squeeze(-1)
