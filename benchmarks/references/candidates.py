"""The actions that a search tries: all those that differ from an action in one agent's decision."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Shaped

from vec_envs.problems.base import ContinuousActions, DiscreteProblem, Problem, action_exists

GRID = np.linspace(-1.0, 1.0, 9)
"""The numbers that are tried for each number of a continuous action."""
STEPS = (-0.05, -0.01, 0.01, 0.05)
"""Changes of a number that are tried beside the grid."""


def neighbours(
    action: Shaped[np.ndarray, "..."], mask: Bool[np.ndarray, "agents actions"] | None
) -> Shaped[np.ndarray, "neighbours ..."]:
    """Returns the actions that differ in one agent's decision, or in one number of it.

    `mask` says which decisions are tried; None where actions are continuous.
    """
    if mask is None:
        return _other_numbers(action)
    agents, choices = np.nonzero(mask & (np.arange(mask.shape[1]) != action[:, None]))
    tried = np.repeat(action[None], len(agents), axis=0)
    tried[np.arange(len(agents)), agents] = choices
    return tried


def legal_now(problem: Problem, state: Any, exogenous: Any) -> Bool[np.ndarray, "agents actions"] | None:
    """Returns the legal decisions in a state, whose records have a batch axis of length 1; None for continuous ones."""
    if isinstance(problem.actions, ContinuousActions):
        return None
    return cast(DiscreteProblem, problem).action_mask(state, exogenous)[0]


def legal_ever(problem: Problem) -> Bool[np.ndarray, "agents actions"] | None:
    """Returns the decisions that a table may hold: all that exist, as no state is known; None for continuous ones."""
    return None if isinstance(problem.actions, ContinuousActions) else action_exists(cast(DiscreteProblem, problem))


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
