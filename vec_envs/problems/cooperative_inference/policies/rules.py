"""Simple rules for `CooperativeInference`: the paper's baselines.

They choose cuts only. So they need `allocation="exact"`, where the problem allocates the resources.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.policy import Constant, needs_view
from vec_envs.problems.row_generators import RowGenerators

Observation = Float32[np.ndarray, "batch agents features"]
Action = Int[np.ndarray, "batch agents"]


class RandomCuts:
    """Every device draws its cut uniformly from its legal cuts."""

    def __init__(self, problem: CooperativeInference) -> None:
        needs_cuts(problem, self)
        self._problem = problem
        self._generators = RowGenerators(0)

    def reset(self, seed: int) -> None:
        """Seeds the random numbers; environment b uses `seed` + b."""
        self._generators = RowGenerators(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random cuts. Raises `ValueError` without a view."""
        counts = _counts(self._problem, needs_view(view, self, observation))
        rows = zip(self._generators.of(len(counts)), counts, strict=True)
        drawn: list[np.ndarray] = [rng.integers(0, row) for rng, row in rows]
        return np.stack(drawn)


class LargestCut:
    """Every device takes its largest legal cut: all layers, or as many as it can carry."""

    def __init__(self, problem: CooperativeInference) -> None:
        needs_cuts(problem, self)
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the largest legal cuts. Raises `ValueError` without a view."""
        return _counts(self._problem, needs_view(view, self, observation)) - 1


def AllEdge(problem: CooperativeInference) -> Constant:
    """Returns the policy under which every device sends its input to the server."""
    needs_cuts(problem, AllEdge)
    return Constant(np.zeros(problem.num_devices, dtype=np.int64))


def needs_cuts(problem: CooperativeInference, policy: object) -> None:
    """Raises `ValueError` unless the actions of the problem are cuts only."""
    if problem.allocation != "exact":
        name = getattr(policy, "__name__", type(policy).__name__)
        raise ValueError(f"{name} chooses cuts only: it needs allocation='exact', got {problem.allocation!r}")


def _counts(problem: CooperativeInference, view: View) -> Action:
    """Returns the number of legal cuts of each device. Later cuts have more local work, so these are the first ones."""
    return problem.action_mask(view.state, view.exogenous).sum(axis=-1)
