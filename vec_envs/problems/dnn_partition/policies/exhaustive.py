"""The exact optimum of a slot of `DNNPartition` by enumeration of all joint actions, for small problems."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import Objective
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view

MAX_JOINT_ACTIONS = 1_000_000
ACTIONS_AT_ONCE = 1 << 14


class ExhaustiveSearch:
    """Evaluates every joint action of a slot and takes the one of least cost: exact for any objective.

    `objective` is a name, a function of `SlotTerms`, or by default the problem's own objective. Raises `ValueError` for
    a problem of more than a million joint actions.
    """

    def __init__(self, problem: DNNPartition, *, objective: str | Objective | None = None) -> None:
        count = math.prod(problem.action_counts)
        if count > MAX_JOINT_ACTIONS:
            raise ValueError(
                f"the problem has {count} joint actions; ExhaustiveSearch takes at most {MAX_JOINT_ACTIONS}: "
                "use BestResponse, or fewer clients"
            )
        self._problem, self._count = problem, count
        self._objective = problem.objective(objective)

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the actions of least cost, the first of several. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        best = np.zeros((len(observation), len(self._problem.action_counts)), dtype=np.int64)
        least = np.full(len(observation), np.inf)
        for start in range(0, self._count, ACTIONS_AT_ONCE):
            number = np.arange(start, min(start + ACTIONS_AT_ONCE, self._count))
            joint = np.stack(np.unravel_index(number, self._problem.action_counts), axis=-1)
            cost = self._problem.cost(view, np.broadcast_to(joint, (len(observation), *joint.shape)), self._objective)
            index = cost.argmin(axis=1)
            found = cost[np.arange(len(cost)), index]
            best = np.where((found < least)[:, None], joint[index], best)
            least = np.minimum(least, found)
        return self._problem.as_played(best, view.exogenous)
