"""Simple rules for `MobileInference`: random starts, all layers at the client, all layers at the nearest server."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.mobile_inference.actions import WAIT
from vec_envs.problems.mobile_inference.dynamics import decides
from vec_envs.problems.mobile_inference.problem import MobileInference
from vec_envs.problems.policy import needs_view, random_legal
from vec_envs.problems.row_generators import RowGenerators

Observation = Float32[np.ndarray, "batch agents features"]
Action = Int[np.ndarray, "batch agents"]


class Random:
    """Every client draws its action uniformly from its legal actions."""

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem
        self._generators = RowGenerators(0)

    def reset(self, seed: int) -> None:
        """Seeds the random numbers; environment b uses `seed` + b."""
        self._generators = RowGenerators(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random actions. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        mask = self._problem.action_mask(view.state, view.exogenous)
        rows = zip(self._generators.of(len(mask)), mask, strict=True)
        return np.concatenate([random_legal(rng, row[None]) for rng, row in rows])


class Local:
    """Every client starts its task at once, and runs all layers itself."""

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the rule's actions. Raises `ValueError` without a view."""
        state = needs_view(view, self, observation).state
        return np.where(decides(state), self._problem.starts.all_local(state.waiting_type), WAIT)


class Access:
    """Every client sends the whole of its task at once to the server of the unit that it hears best."""

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the rule's actions. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        unit = view.exogenous.v2i_efficiency.argmax(axis=-1)
        return np.where(decides(view.state), self._problem.starts.encode(np.zeros_like(unit), unit), WAIT)
