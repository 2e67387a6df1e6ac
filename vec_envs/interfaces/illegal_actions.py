"""The effect of an action that the mask of a padded environment excludes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from vec_envs.problems.abilities import HasIdleAction
from vec_envs.problems.base import DiscreteActions, Problem
from vec_envs.validation import check_one_of

ILLEGAL = ("clip", "noop", "raise")
"""`"clip"` plays the nearest legal action below it, or the lowest one. `"noop"` plays the agent's idle action.
`"raise"` passes the action on to the problem, which raises `ValueError`."""


def check_illegal(problem: Problem, *, illegal: str, padded: bool) -> None:
    """Raises `ValueError` for an unknown value, for one without padding, and for `"noop"` without idle actions."""
    check_one_of(ILLEGAL, illegal=illegal)
    if not padded and illegal != ILLEGAL[0]:
        raise ValueError(f"illegal={illegal!r} needs padded=True: only padded environments show a mask")
    if illegal == "noop" and isinstance(problem.actions, DiscreteActions) and not isinstance(problem, HasIdleAction):
        raise ValueError(f"illegal='noop' needs idle actions, and {type(problem).__name__} has none: use 'clip'")


def clipped(action: Int[np.ndarray, "agents"], mask: Bool[np.ndarray, "agents actions"]) -> Int[np.ndarray, "agents"]:
    """Returns, for each agent, the largest legal action that is at most `action`; the lowest legal one if none is."""
    num_choices: int = mask.shape[1]
    below = mask & np.less_equal(np.arange(num_choices), action[:, None])
    largest: Int[np.ndarray, "agents"] = num_choices - 1 - below[:, ::-1].argmax(axis=1)
    return np.where(below.any(axis=1), largest, mask.argmax(axis=1))


def replaced(
    action: Int[np.ndarray, "agents"],
    mask: Bool[np.ndarray, "agents actions"],
    *,
    illegal: str,
    problem: Any,
    state: Any,
    exogenous: Any,
) -> Int[np.ndarray, "agents"]:
    """Returns the actions with the illegal ones replaced as `illegal` says. The records are of one environment."""
    is_legal = mask[np.arange(len(action)), action]
    if illegal == "raise" or is_legal.all():
        return action
    instead = clipped(action, mask) if illegal == "clip" else problem.idle_action(state, exogenous)[0]
    return np.where(is_legal, action, instead)
