"""Policies of Tianshou in the training loop, and as policies of this project."""

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
    """A Tianshou policy that the training loop can play.

    The replay buffer stores actions in the form of the algorithm, which can differ from the environment's.
    """

    action_space: gymnasium.Space[Any]
    """The space of one stored action."""
    exploration: float
    """The probability of a random action, or the weight of entropy; the training loop sets it."""
    generators: Generators
    """The random numbers of the policy."""

    def __call__(self, batch: Any) -> Any:
        """Returns a `Batch` whose `act` holds stored actions for `batch.obs`."""
        ...

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Returns stored actions with exploration."""
        ...

    def environment_action(
        self, act: Shaped[np.ndarray, "batch ..."], observation: Float32[np.ndarray, "batch deciders features"]
    ) -> Shaped[np.ndarray, "batch deciders ..."]:
        """Returns the environment's actions for stored actions."""
        ...


class LearnedPolicy:
    """A learned policy, which decides from the observation alone."""

    def __init__(
        self, decide: Callable[[np.ndarray], np.ndarray], network: torch.nn.Module, generators: Generators
    ) -> None:
        """Wraps the function that decides.

        Args:
            decide: Returns the actions for observations.
            network: The network that `decide` uses; an exported checkpoint holds its weights.
            generators: The random numbers that `decide` uses.
        """
        self.network = network
        self._decide = decide
        self._generators = generators

    def reset(self, seed: int) -> None:
        """Seeds the noise of the decisions, if there is any."""
        self._generators.torch.manual_seed(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch deciders features"], view: View | None = None
    ) -> Shaped[np.ndarray, "batch deciders ..."]:
        """Returns the agents' actions. The view is not used."""
        with torch.inference_mode():
            return self._decide(observation)
