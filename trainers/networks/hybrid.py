"""Networks of a decider that chooses one of several alternatives, and gives some numbers beside it.

A critic is told what an alternative brings at once, and how it leaves what decides the future, not the alternative's
number: neighbours may differ as a layer's raw input does from what is left of it after pooling, and no smooth function
of a rounded number tells them apart. So a critic has only to learn what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

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
    terms: Float32[Tensor, "batch count terms"]


class Consequences(Protocol):
    """What an alternative with some numbers beside it brings."""

    @property
    def num_left(self) -> int: ...
    def __call__(
        self, terms: Float32[Tensor, "asked terms"], numbers: Float32[Tensor, "asked numbers"]
    ) -> tuple[Float32[Tensor, "asked"], Float32[Tensor, "asked left"]]:
        """Returns the reward, and how things are left, in numbers of order one; both differentiable."""
        ...


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


@dataclass(frozen=True, kw_only=True)
class Immediate:
    """What decisions bring at once, as critics count it: rewards scaled, and held at a floor."""

    consequences: Consequences
    scale: float
    floor: float

    def of(
        self,
        situation: Situation,
        row: Int[Tensor, "asked"],
        index: Int[Tensor, "asked"],
        numbers: Float32[Tensor, "asked numbers"],
    ) -> tuple[Float32[Tensor, "asked"], Float32[Tensor, "asked left"]]:
        """Returns the reward of alternative `index` of situation `row`, for each pair of them, and what it leaves."""
        reward, left = self.consequences(situation.terms[row, index], numbers)
        return (self.scale * reward).clamp_min(self.floor), left


class HybridCritic(nn.Module):
    """The value of an alternative, with the numbers beside it: what it brings at once, and what follows."""

    def __init__(self, seen: Seen, *, immediate: Immediate, hidden: Sequence[int]) -> None:
        super().__init__()
        self.seen, self._immediate = seen, immediate
        first, pairs = hidden[0], pairwise(hidden)
        self.of_seen = nn.Linear(seen.get_output_dim(), first)
        self.of_left = nn.Linear(immediate.consequences.num_left, first, bias=False)
        layers = (layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU()))
        self.layers = nn.Sequential(nn.ReLU(), *layers, nn.Linear(hidden[-1], 1))

    def forward(self, situation: Situation, act: Float32[Tensor, "batch stored"]) -> Float32[Tensor, "batch"]:
        """Returns the values of stored actions: an alternative's number, and the numbers beside it."""
        index = act[:, 0].long()
        row = torch.arange(len(index), device=index.device)
        reward, left = self._immediate.of(situation, row, index, act[:, 1:])
        return reward + self.following(situation, row, left)

    def following(
        self, situation: Situation, row: Int[Tensor, "asked"], left: Float32[Tensor, "asked left"]
    ) -> Float32[Tensor, "asked"]:
        """Returns the value of what follows where situation `row` is left so."""
        seen = self.of_seen(self.seen(situation.observation)[0])
        return self.layers(seen[row] + self.of_left(left))[:, 0]
