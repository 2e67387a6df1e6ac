"""Hybrid actions for SAC from the continuous actions of any problem: one alternative with all numbers as parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int

from vec_envs.problems.base import Problem, action_shape

Observation = Float32[np.ndarray, "batch deciders features"]


class JointNumbers:
    """All numbers of a continuous action as the parameters of a single alternative.

    With these actions SAC is plain: its actor is a normal distribution before a tanh, and its critics are Q(s, a). No
    part of the reward is known before training. SAC is centralised: it gets the observations of all deciders and
    returns the actions of all. It is used for problems without `hybrid`, and with `actor="gaussian"`.
    """

    count = 1
    """There is a single alternative."""

    def __init__(self, problem: Problem) -> None:
        self._shape = action_shape(problem)
        self.num_parameters = int(np.prod(self._shape))
        self.num_effects = self.num_parameters

    def present(self, observation: Observation) -> Bool[np.ndarray, "batch 1"]:
        """Returns the action mask: the single alternative is always legal."""
        return np.ones((len(observation), 1), dtype=np.bool_)

    def terms(self, observation: Observation) -> Float32[np.ndarray, "batch 1 0"]:
        """Returns an array without terms, since `consequences` needs none."""
        return np.zeros((len(observation), 1, 0), dtype=np.float32)

    def action(
        self,
        alternative: Int[np.ndarray, "batch"],
        parameters: Float32[np.ndarray, "batch parameters"],
        observation: Observation,
    ) -> Float32[np.ndarray, "batch deciders numbers"]:
        """Returns the actions of the deciders: the parameters in the shape of the environment's actions."""
        return parameters.reshape(len(parameters), *self._shape)

    def consequences(self, terms: Any, parameters: Any) -> tuple[Any, Any]:
        """Returns a known reward of 0, and the parameters as effects, from which critics learn the value."""
        return 0.0 * parameters[:, 0], parameters
