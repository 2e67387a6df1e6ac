"""Rules of thumb for `CooperativeInference`: the paper's baselines, whose resources are allocated as anybody's are.

They choose cuts, so they play where the problem solves for the resources, not where actions give those.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.policy import Constant, needs_view

Observation = Float32[np.ndarray, "batch agents features"]
Action = Int[np.ndarray, "batch agents"]


class RandomCuts:
    """Every device draws uniformly from the cuts that it has."""

    def __init__(self, problem: CooperativeInference) -> None:
        needs_cuts(problem, self)
        self._problem = problem
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Draws from `seed` on."""
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random cuts. Raises `ValueError` without a view."""
        return self._rng.integers(0, _counts(self._problem, needs_view(view, self, observation)))


class LargestCut:
    """Every device runs as many layers as it can: all of them, or where it could not keep up, the most it can."""

    def __init__(self, problem: CooperativeInference) -> None:
        needs_cuts(problem, self)
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Has nothing to start anew."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the largest cuts. Raises `ValueError` without a view."""
        return _counts(self._problem, needs_view(view, self, observation)) - 1


def AllEdge(problem: CooperativeInference) -> Constant:
    """Returns the policy under which every device sends its input to the server."""
    needs_cuts(problem, AllEdge)
    return Constant(np.zeros(problem.num_devices, dtype=np.int64))


def needs_cuts(problem: CooperativeInference, policy: object) -> None:
    """Raises `ValueError` where actions are more than cuts."""
    if problem.allocation != "exact":
        name = getattr(policy, "__name__", type(policy).__name__)
        raise ValueError(f"{name} chooses cuts alone: it needs allocation='exact', not {problem.allocation!r}")


def _counts(problem: CooperativeInference, view: View) -> Action:
    """Returns how many cuts each device has; a longer part is more work, so these are the first ones."""
    return problem.action_mask(view.state, view.exogenous).sum(axis=-1)
