"""A torch module that computes the known action costs of a problem (`HasActionCosts`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vec_envs.problems.abilities import ActionCosts, ActionInputs

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
        self.num_inputs = costs.num_inputs if isinstance(costs, ActionInputs) else 0
        """The number of inputs that `inputs` returns; 0 where the problem has none."""
        self._kind: type[Any] = type(costs)
        self._names = [f.name for f in fields(costs)]  # pyright: ignore[reportArgumentType]
        for name in self._names:
            self.register_buffer(name, torch.as_tensor(np.asarray(getattr(costs, name))), persistent=False)

    def forward(self, local: Tensor) -> tuple[Tensor, ...]:
        """Returns costs `[agents, batch, actions]` of each kind, for observations `local` [agents, batch, features]."""
        return self.limited(self.of(local))

    def of(self, local: Tensor) -> Sequence[Tensor]:
        """Returns the costs as the problem gives them: not compressed."""
        return self._as_tensors().of(self._raw(local))

    @staticmethod
    def limited(costs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Returns compressed costs."""
        return tuple(SOFT_LIMIT * torch.log1p(cost / SOFT_LIMIT) for cost in costs)

    def inputs(self, local: Tensor) -> Tensor:
        """Returns the inputs of all actions, `[agents, batch, actions, inputs]`, of costs that are `ActionInputs`."""
        return torch.stack(self._as_tensors().inputs_of(self._raw(local)), dim=-1)

    def _raw(self, local: Tensor) -> Tensor:
        """Returns observations as the problem gives them."""
        return local.sign() * local.abs().expm1() if self.compressed else local

    def _as_tensors(self) -> Any:
        """Returns the problem's `ActionCosts` with the buffers in place of its arrays."""
        return self._kind(**{name: getattr(self, name) for name in self._names})
