"""A Tianshou policy as the training loop plays it, and as a policy of this project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from jaxtyping import Float32, Shaped

from trainers.tianshou_bridge.draws import Generators
from vec_envs.problems.base import View


class ExploringPolicy(Protocol):
    """What the training loop asks of a Tianshou policy.

    `action_space` is the space of one stored action; what the environment takes may be another.
    """

    action_space: gymnasium.Space[Any]
    exploration: float
    """How much is explored, which the loop sets: the probability of a random action, or what entropy is worth."""
    generators: Generators

    def __call__(self, batch: Any) -> Any: ...
    def add_exploration_noise(self, act: Any, batch: Any) -> Any: ...
    def taken(
        self, act: Shaped[np.ndarray, "batch ..."], observation: Float32[np.ndarray, "batch deciders features"]
    ) -> Shaped[np.ndarray, "batch deciders ..."]:
        """Returns stored actions as the environment takes them."""
        ...


class LearnedPolicy:
    """What a learner has learned: decides from the observation alone, by a network."""

    def __init__(
        self, decide: Callable[[np.ndarray], np.ndarray], network: torch.nn.Module, generators: Generators
    ) -> None:
        self.network = network
        self._decide = decide
        self._generators = generators

    def reset(self, seed: int) -> None:
        """Draws the noise of the decisions, where they have any, from `seed` on."""
        self._generators.torch.manual_seed(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch deciders features"], view: View | None = None
    ) -> Shaped[np.ndarray, "batch deciders ..."]:
        """Returns the actions; does not look at the view."""
        with torch.inference_mode():
            return self._decide(observation)
