"""A wrapper for policies with continuous actions: cuts from a tanh of unbounded numbers."""

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
    """Replaces the `MultiDiscrete` cuts of an environment by `Box(-inf, inf, (devices,))`.

    A tanh maps each number to [-1, 1], and `cut_of` maps the result to a cut.

    Raises:
        ValueError: the environment is not VEC-CooperativeInference-v0 with `allocation="exact"`.
    """

    def __init__(self, env: gymnasium.Env[Any, np.ndarray]) -> None:
        super().__init__(env)
        problem: Any = getattr(env.unwrapped, "problem", None)
        if not isinstance(problem, CooperativeInference) or not isinstance(problem.actions, DiscreteActions):
            raise ValueError(
                f"TanhCuts needs VEC-CooperativeInference-v0 with exact allocation (allocation='exact'), got {env}"
            )
        self._last_cut = np.array(problem.action_counts) - 1
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, self._last_cut.shape, np.float32)

    def action(self, action: ArrayLike) -> Int[np.ndarray, "devices"]:
        """Returns the cuts of these numbers. Raises `ValueError` for a wrong shape, and for NaN."""
        numbers: Float[np.ndarray, "devices"] = np.asarray(action, dtype=np.float64)
        if numbers.shape != self._last_cut.shape or np.isnan(numbers).any():
            raise ValueError(f"an action is {len(self._last_cut)} numbers, none of them NaN; got {action}")
        return cut_of(np.tanh(numbers), self._last_cut)
