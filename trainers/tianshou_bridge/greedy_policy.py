"""A learned Tianshou policy as a policy of this project."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import nn

from trainers.learners.qmix import QMIXPolicy
from vec_envs.problems.problem import View


class GreedyPolicy:
    """Takes the actions of highest value, each agent from its own observation alone."""

    def __init__(self, policy: QMIXPolicy, network: nn.Module) -> None:
        self._policy = policy
        self._network = network

    def reset(self, seed: int) -> None:
        """Draws the noise of the decisions, where the network has any, from `seed` on."""
        self._policy.generator.manual_seed(seed)

    def act(
        self, observation: Float32[np.ndarray, "lanes agents features"], view: View | None = None
    ) -> Int[np.ndarray, "lanes agents"]:
        """Returns the actions; does not look at the view."""
        with torch.no_grad():
            values = self._policy.values(self._network, self._policy.seen(observation))
        return values.argmax(-1).cpu().numpy()
