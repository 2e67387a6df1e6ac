"""The agent networks of MAD2RL, which generate action values by denoising, for all agents at once."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainers.networks.agents import NO_KNOWLEDGE, ActionKnowledge, AgentMLP, Folded
from trainers.networks.diffusion import (
    mean_from_noise,
    mean_from_x0,
    noised,
    reverse_step,
    variance_preserving_schedule,
)
from trainers.networks.options import DenoiserOptions


class _SharedBySteps(NamedTuple):
    """The parts of the network's output that are the same at every step."""

    x_weight: Tensor
    """The rows of the first layer's weight that x is multiplied with."""
    step_weight: Tensor
    """The rows that the embedding of the step is multiplied with."""
    of_observation: Tensor
    """The first layer's output for the observation, bias included."""
    head: Folded
    """The last layer for the observation."""


class DenoisingAgents(nn.Module):
    """Generates action values by reverse diffusion: M steps from noise towards the values that the network predicts.

    Paper: MAD2RL Eq. (41).
    Differs: by default the network predicts x0 instead of the noise, within a smooth bound, and no softmax follows.
    Dividing by the small alpha_bar_M amplifies the first prediction until the softmax saturates and its gradient
    vanishes. By default no noise is drawn either (`noise=0`): the recursion starts at zeros, the mean of the noise, and
    is deterministic. Agents with common weights read the means of x times each feature of the actions, instead of x.
    """

    embedding: Tensor
    absent: Tensor
    x_features: Tensor | None

    def __init__(
        self,
        *,
        num_agents: int,
        observation_size: int,
        action_mask: Tensor,
        hidden: int,
        hidden_layers: int,
        options: DenoiserOptions,
        knowledge: ActionKnowledge = NO_KNOWLEDGE,
    ) -> None:
        super().__init__()
        self.options = options
        self.num_actions = action_mask.shape[-1]
        self.schedule = variance_preserving_schedule(
            options.denoising_steps, beta_min=options.beta_min, beta_max=options.beta_max
        )
        self.register_buffer("x_features", _x_features(action_mask, knowledge), persistent=False)
        inputs = self.num_actions if self.x_features is None else self.x_features.shape[-1]
        self._parts = inputs, options.step_embedding, observation_size
        sizes = [sum(self._parts), *[hidden] * hidden_layers, self.num_actions]
        self.predict = AgentMLP(num_agents, sizes, knowledge)
        steps = torch.arange(1, options.denoising_steps + 1)
        self.register_buffer("embedding", sinusoidal(steps, options.step_embedding), persistent=False)
        self.register_buffer("absent", torch.where(action_mask, 0.0, -torch.inf)[:, None], persistent=False)

    @property
    def predicts_noise(self) -> bool:
        """Whether the network predicts the noise instead of the values."""
        return self.options.prediction == "noise"

    def forward(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """Returns `[batch, agents, actions]` values of `observation` [batch, agents, features]."""
        local = observation.transpose(0, 1)
        shared = self._shared_by_steps(local)
        of_steps = torch.bmm(self.embedding.expand(len(local), -1, -1), shared.step_weight).split(1, dim=1)
        x = self._noise(local, generator)
        draws = self.options.noise > 0.0
        for m in range(self.options.denoising_steps, 0, -1):
            zeros = m == self.options.denoising_steps and not draws
            x = self._step(x, m, self._predicted(None if zeros else x, of_steps[m - 1], shared))
            if m > 1 and draws:
                x = reverse_step(self.schedule, x, m, self._noise(local, generator))
        if self.options.softmax:
            x = torch.softmax(x + self.absent, dim=-1)
        return x.transpose(0, 1)

    def fit(self, observation: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns a prediction and its target, both `[batch, agents, actions]`, to fit the network by regression.

        The forward process noises `target`, which is x0, to a random step for each row of the batch. The network then
        predicts x0, or the noise.

        Args:
            observation: `[batch, agents, features]`.
            target: Action values, `[batch, agents, actions]`.
            generator: Draws the steps and the noise.
        """
        local, x0 = observation.transpose(0, 1), target.transpose(0, 1)
        device = generator.device
        m = torch.randint(1, self.options.denoising_steps + 1, (x0.shape[1],), generator=generator, device=device)
        noise = torch.randn(x0.shape, generator=generator, device=device).to(x0.device)
        m = m.to(x0.device)
        x = noised(self.schedule, x0, m[:, None], noise)
        shared = self._shared_by_steps(local)
        predicted = self._predicted(x, self.embedding[m - 1] @ shared.step_weight, shared)
        fit_target = noise if self.predicts_noise else x0
        return self._bounded(predicted).transpose(0, 1), fit_target.transpose(0, 1)

    def _shared_by_steps(self, local: Tensor) -> _SharedBySteps:
        first: Any = self.predict.layers[0]
        weight = first.weight.expand(len(local), -1, -1)
        x_weight, step_weight, observation_weight = weight.split(self._parts, dim=1)
        if self.x_features is not None:
            x_weight = self.x_features @ x_weight
        of_observation = torch.baddbmm(first.bias, local, observation_weight)
        head = self.predict.head.folded(local, torch.relu(of_observation))
        return _SharedBySteps(x_weight, step_weight, of_observation, head)

    def _predicted(self, x: Tensor | None, of_step: Tensor, shared: _SharedBySteps) -> Tensor:
        """Returns the network's output for the concatenation of x (None for zeros), the step and the observation."""
        hidden = shared.of_observation + of_step
        if x is not None:
            hidden = torch.baddbmm(hidden, x, shared.x_weight)
        return self.predict(torch.relu(hidden), shared.head)

    def _bounded(self, predicted: Tensor) -> Tensor:
        """Returns a prediction within the bound, where x0 is predicted and a bound is set."""
        bound = 0.0 if self.predicts_noise else self.options.bound
        return bound * torch.tanh(predicted / bound) if bound else predicted

    def _step(self, x: Tensor, m: int, predicted: Tensor) -> Tensor:
        if self.predicts_noise:
            return mean_from_noise(self.schedule, x, m, predicted)
        return mean_from_x0(self.schedule, x, m, self._bounded(predicted))

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        shape = (*like.shape[:2], self.num_actions)
        if self.options.noise == 0.0:
            return like.new_zeros(shape)
        drawn = torch.randn(shape, generator=generator, device=generator.device)
        return self.options.noise * drawn.to(like.device)


def _x_features(action_mask: Tensor, knowledge: ActionKnowledge) -> Tensor | None:
    """Returns the matrices `[agents, actions, features]` that turn noisy values x into inputs of the network.

    An input is the mean of x times a feature, over the agent's actions. So the number of inputs does not depend on the
    number of actions. None where weights are not common: then each action's x is an input of its own.
    """
    if not knowledge.common or knowledge.features is None:
        return None
    return knowledge.features.float() / action_mask.sum(dim=-1)[:, None, None]


def sinusoidal(steps: Tensor, size: int) -> Tensor:
    """Returns the sine and cosine embedding of integers, `[len(steps), size]`."""
    frequency = torch.exp(-math.log(1e4) * torch.arange(size // 2) / (size // 2))
    angle = steps[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1)
