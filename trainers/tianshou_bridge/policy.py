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
from vec_envs.problems.policy import batch_size_of, with_axes_of


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
        self,
        decide: Callable[[np.ndarray], np.ndarray],
        network: torch.nn.Module,
        generators: Generators,
        *,
        in_turn: bool = False,
    ) -> None:
        """Wraps the function that decides.

        Args:
            decide: Returns the actions for observations.
            network: The network that `decide` uses; an exported checkpoint holds its weights.
            generators: The random numbers that `decide` uses.
            in_turn: Whether agents decide one at a time. Then observations and actions may lack the axis of agents.
        """
        self.network = network
        self._decide = decide
        self._generators = generators
        self._in_turn = in_turn

    def reset(self, seed: int) -> None:
        """Seeds the noise of the decisions, if there is any."""
        self._generators.torch.manual_seed(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch *deciders features"], view: View | None = None
    ) -> Shaped[np.ndarray, "batch ..."]:
        """Returns the agents' actions. The view is not used."""
        batch = batch_size_of(observation, in_turn=self._in_turn)
        with torch.inference_mode():
            decided = self._decide(observation.reshape(batch, -1, observation.shape[-1]))
        return with_axes_of(observation, decided)
