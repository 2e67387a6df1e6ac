"""Networks of a decider that chooses one of several alternatives, and gives some numbers beside it.

A critic sees what an alternative means, not its number: neighbours may differ as a layer's raw input does from what
is left of it after pooling, and no smooth function of a rounded number tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from trainers.networks.dense import Seen

LEAST = -1e9
"""The log-probability of what is not there, before it is normalised."""
LOG_SCALES = -6.0, 1.0
"""The range of the normals' log-scales."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What deciders see, which alternatives they have, and what each of these means."""

    observation: Float32[Tensor, "batch 1 features"]
    present: Bool[Tensor, "batch count"]
    effects: Float32[Tensor, "batch count effects"]


class HybridActor(nn.Module):
    """How likely each alternative is taken, and with each a normal distribution of the numbers beside it."""

    def __init__(self, body: Seen, *, count: int, numbers: int) -> None:
        super().__init__()
        self.body, self._shape = body, (count, numbers)
        self.last = nn.Linear(body.get_output_dim(), count * (1 + 2 * numbers))

    def forward(
        self, situation: Situation
    ) -> tuple[
        Float[Tensor, "batch count"], Float[Tensor, "batch count numbers"], Float[Tensor, "batch count numbers"]
    ]:
        """Returns log-probabilities, those of absent alternatives very low, and means and log-scales of the normals."""
        count, numbers = self._shape
        given = self.last(self.body(situation.observation)[0])
        logits, mean, log_scale = given.split((count, count * numbers, count * numbers), dim=-1)
        log_part = logits.masked_fill(~situation.present, LEAST).log_softmax(-1)
        log_scale = log_scale.unflatten(-1, self._shape).clamp(*LOG_SCALES)
        return log_part, mean.unflatten(-1, self._shape), log_scale


class HybridCritic(nn.Module):
    """The value of an alternative, by what it means, with the numbers beside it."""

    def __init__(self, seen: Seen, *, effects: int, numbers: int, hidden: int, hidden_layers: int) -> None:
        super().__init__()
        self.seen = seen
        self.of_seen = nn.Linear(seen.get_output_dim(), hidden)
        self.of_effects = nn.Linear(effects, hidden, bias=False)
        self.of_numbers = nn.Linear(numbers, hidden, bias=False)
        layers: list[nn.Module] = [nn.ReLU()]
        for _ in range(hidden_layers - 1):
            layers += [nn.Linear(hidden, hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, 1))

    def forward(self, situation: Situation, act: Float32[Tensor, "batch stored"]) -> Float32[Tensor, "batch"]:
        """Returns the values of stored actions: an alternative's number, and the numbers beside it."""
        index = act[:, 0].long()
        return self.of(situation, torch.arange(len(index), device=index.device), index, act[:, 1:])

    def of(
        self,
        situation: Situation,
        row: Int[Tensor, "asked"],
        index: Int[Tensor, "asked"],
        numbers: Float32[Tensor, "asked numbers"],
    ) -> Float32[Tensor, "asked"]:
        """Returns the value of alternative `index` of situation `row`, for each pair of them."""
        seen = self.of_seen(self.seen(situation.observation)[0])
        hidden = seen[row] + self.of_effects(situation.effects[row, index]) + self.of_numbers(numbers)
        return self.layers(hidden)[:, 0]
