"""Actor and critic networks for hybrid actions: an alternative with continuous parameters.

The input of a critic is not the index of the alternative, but its known effects on the state. Alternatives with
neighbouring indices can differ much: the data after a cut, for example, shrink at a pooling layer. A smooth function of
the index cannot represent that. The known part of the reward is added to the critic's output, so that the critic learns
the future value alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from trainers.networks.dense import ObservationEncoder
from vec_envs.problems.abilities import HybridActions

LEAST = -1e9
"""The logit of an illegal alternative."""
LOG_SCALES = -6.0, 1.0
"""The range of the log of the normal distributions' standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A batch of observations, with the action mask and the terms of each alternative."""

    observation: Float32[Tensor, "batch deciders features"]
    present: Bool[Tensor, "batch count"]
    """Which alternatives are legal."""
    terms: Float32[Tensor, "batch count terms"]
    """The numbers of each alternative that `HybridActions.consequences` needs."""


class HybridActor(nn.Module):
    """Computes the probability of each alternative, and a normal distribution of its parameters."""

    def __init__(self, body: ObservationEncoder, *, count: int, numbers: int) -> None:
        super().__init__()
        self.body, self._shape = body, (count, numbers)
        self.last = nn.Linear(body.get_output_dim(), count * (1 + 2 * numbers))

    def forward(
        self, situation: Situation
    ) -> tuple[
        Float[Tensor, "batch count"], Float[Tensor, "batch count numbers"], Float[Tensor, "batch count numbers"]
    ]:
        """Returns the log-probabilities of the alternatives, and the means and log-scales of their parameters.

        The log-probabilities of illegal alternatives are close to `LEAST`. The parameters are those before the tanh.
        """
        count, numbers = self._shape
        outputs = self.last(self.body(situation.observation)[0])
        logits, mean, log_scale = outputs.split((count, count * numbers, count * numbers), dim=-1)
        log_part = logits.masked_fill(~situation.present, LEAST).log_softmax(-1)
        log_scale = log_scale.unflatten(-1, self._shape).clamp(*LOG_SCALES)
        return log_part, mean.unflatten(-1, self._shape), log_scale


@dataclass(frozen=True, kw_only=True)
class KnownConsequences:
    """Computes the known part of an action's reward, scaled and bounded below, and its known effects on the state."""

    hybrid: HybridActions
    scale: float
    """The factor of rewards."""
    floor: float
    """The lower bound of scaled rewards."""

    def of(
        self,
        situation: Situation,
        row: Int[Tensor, "actions"],
        index: Int[Tensor, "actions"],
        numbers: Float32[Tensor, "actions numbers"],
    ) -> tuple[Float32[Tensor, "actions"], Float32[Tensor, "actions effects"]]:
        """Returns the scaled rewards and the effects of actions.

        Args:
            situation: A batch of situations.
            row: The row of the batch that each action belongs to; a row can have any number of actions.
            index: The alternative of each action.
            numbers: The parameters of each action, from -1 to 1.
        """
        reward, effects = self.hybrid.consequences(situation.terms[row, index], numbers)
        return (self.scale * reward).clamp_min(self.floor), effects


class HybridCritic(nn.Module):
    """The value of a hybrid action: its known reward plus a learned future value.

    The future value depends on the observation and on the known effects of the action.
    """

    def __init__(self, encoder: ObservationEncoder, *, known: KnownConsequences, hidden: Sequence[int]) -> None:
        """Makes the layers.

        Args:
            encoder: Encodes the observations.
            known: Computes the known rewards and effects of actions.
            hidden: The number of neurons of each hidden layer; at least one.
        """
        super().__init__()
        self.seen, self._known = encoder, known
        first, pairs = hidden[0], pairwise(hidden)
        self.of_seen = nn.Linear(encoder.get_output_dim(), first)
        self.of_left = nn.Linear(known.hybrid.num_effects, first, bias=False)
        layers = (layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU()))
        self.layers = nn.Sequential(nn.ReLU(), *layers, nn.Linear(hidden[-1], 1))

    def forward(self, situation: Situation, act: Float32[Tensor, "batch stored"]) -> Float32[Tensor, "batch"]:
        """Returns the values of stored actions: the index of an alternative, followed by its parameters."""
        index = act[:, 0].long()
        row = torch.arange(len(index), device=index.device)
        reward, effects = self._known.of(situation, row, index, act[:, 1:])
        return reward + self.future_value(situation, row, effects)

    def future_value(
        self, situation: Situation, row: Int[Tensor, "actions"], effects: Float32[Tensor, "actions effects"]
    ) -> Float32[Tensor, "actions"]:
        """Returns the future value of actions, given their effects and the rows of their situations."""
        # The observation passes through its layer once for each situation, and not for each action.
        of_observation = self.of_seen(self.seen(situation.observation)[0])
        return self.layers(of_observation[row] + self.of_left(effects))[:, 0]
