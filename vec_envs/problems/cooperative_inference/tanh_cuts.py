"""Cuts by a tanh of unbounded numbers, for policies whose actions are continuous."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from vec_envs.problems.base import DiscreteActions
from vec_envs.problems.cooperative_inference.actions import cut_of
from vec_envs.problems.cooperative_inference.problem import CooperativeInference


class TanhCuts(gymnasium.ActionWrapper[Any, np.ndarray, np.ndarray]):
    """Takes `Box(-inf, inf, (devices,))` for the `MultiDiscrete` cuts of an environment, by `inference_action.cut_of`.

    Raises `ValueError` for an environment without such, and for numbers that are none.
    """

    def __init__(self, env: gymnasium.Env[Any, np.ndarray]) -> None:
        super().__init__(env)
        problem: Any = getattr(env.unwrapped, "problem", None)
        if not isinstance(problem, CooperativeInference) or not isinstance(problem.actions, DiscreteActions):
            raise ValueError(f"TanhCuts needs VEC-CooperativeInference-v0 with exact allocation, not {env}")
        self._last = np.array(problem.action_counts) - 1
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, self._last.shape, np.float32)

    def action(self, action: ArrayLike) -> Int[np.ndarray, "devices"]:
        """Returns the cuts that these numbers stand for."""
        numbers: Float[np.ndarray, "devices"] = np.asarray(action, dtype=np.float64)
        if numbers.shape != self._last.shape or np.isnan(numbers).any():
            raise ValueError(f"an action is {len(self._last)} numbers, got {action}")
        return cut_of(np.tanh(numbers), self._last)
