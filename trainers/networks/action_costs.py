"""A torch module that computes the known action costs of a problem (`HasActionCosts`)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vec_envs.problems.abilities import ActionCosts

SOFT_LIMIT = 5.0
"""Costs well above this limit grow only with their logarithm, so that growing queues do not dominate the values."""


class KnownActionCosts(nn.Module):
    """Computes a problem's known action costs from observations, and compresses them above `SOFT_LIMIT`.

    The arrays of the problem's `ActionCosts` become buffers, which move with the module to its device. The formulas are
    those of the problem.
    """

    def __init__(self, costs: ActionCosts, *, compressed: bool) -> None:
        """Registers the arrays of the costs as buffers.

        Args:
            costs: The action costs of the problem.
            compressed: Whether observations are given as sign(x) log(1 + |x|), which the module then inverts.
        """
        super().__init__()
        self.compressed, self.num_kinds = compressed, costs.num_kinds
        self._kind: type[Any] = type(costs)
        self._names = [f.name for f in fields(costs)]  # pyright: ignore[reportArgumentType]
        for name in self._names:
            self.register_buffer(name, torch.as_tensor(np.asarray(getattr(costs, name))), persistent=False)

    def forward(self, local: Tensor) -> tuple[Tensor, ...]:
        """Returns costs `[agents, batch, actions]` of each kind, for observations `local` [agents, batch, features]."""
        observation = local.sign() * local.abs().expm1() if self.compressed else local
        costs = self._kind(**{name: getattr(self, name) for name in self._names}).of(observation)
        return tuple(SOFT_LIMIT * torch.log1p(cost / SOFT_LIMIT) for cost in costs)
