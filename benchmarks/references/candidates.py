"""The actions that a search tries: all those that differ from an action in one agent's decision."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from jaxtyping import Shaped

from vec_envs.problems.base import ContinuousActions, DiscreteProblem, Problem

GRID = np.linspace(-1.0, 1.0, 9)
"""The numbers that are tried for each number of a continuous action."""
STEPS = (-0.05, -0.01, 0.01, 0.05)
"""Changes of a number that are tried beside the grid."""


def neighbours(
    problem: Problem, action: Shaped[np.ndarray, "..."], state: Any, exogenous: Any
) -> Shaped[np.ndarray, "neighbours ..."]:
    """Returns the legal actions that differ in one agent's decision, or in one number of it.

    `action` is of one environment; the records have a batch axis of length 1.
    """
    if isinstance(problem.actions, ContinuousActions):
        return _other_numbers(action)
    mask = cast(DiscreteProblem, problem).action_mask(state, exogenous)[0]
    agents, choices = np.nonzero(mask & (np.arange(mask.shape[1]) != action[:, None]))
    tried = np.repeat(action[None], len(agents), axis=0)
    tried[np.arange(len(agents)), agents] = choices
    return tried


def _other_numbers(action: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "neighbours ..."]:
    flat = action.ravel()
    tried: list[np.ndarray] = []
    for index, value in enumerate(flat):
        for other in (*GRID, *np.clip([value + step for step in STEPS], -1.0, 1.0)):
            if other != value:
                row = flat.copy()
                row[index] = other
                tried.append(row)
    return np.array(tried).reshape(-1, *action.shape)
