"""Functions that the interfaces share: spaces, checks of actions, and conversions of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32

from vec_envs.problems.abilities import HasObservationBounds
from vec_envs.problems.base import DiscreteActions, Problem, action_shape

MASK_PLACES = ("observation", "info", "none")
"""Where PettingZoo's agents find their masks, if anywhere."""
IGNORED_OPTIONS = ("options",)
"""Options of `reset` that have no effect: PettingZoo's own tests of environments give this one."""
ROUNDING = 1e-5
"""How far beyond [-1, 1] a number of an action may be: it is taken as the bound. Outputs of float32 networks can exceed
the bounds by a rounding error."""


def observation_box(problem: Problem, *axes: int) -> spaces.Box:
    """Returns the space of float32 features with some axes before them, within the bounds that the problem knows."""
    low, high = -np.inf, np.inf
    if isinstance(problem, HasObservationBounds):
        low, high = (np.broadcast_to(bound, (*axes, len(bound))) for bound in problem.observation_bounds)
    return spaces.Box(low, high, (*axes, problem.observation_size), np.float32)


def unbounded_box(size: int) -> spaces.Box:
    """Returns the space of that many float32 numbers."""
    return spaces.Box(-np.inf, np.inf, (size,), np.float32)


@dataclass(frozen=True, kw_only=True)
class JointLayout:
    """The shapes of observations and actions of one decision maker, with or without a batch axis before them.

    Where all agents decide together, an observation has a row and an action an entry for each agent. Where they decide
    one at a time, both are of the agent whose turn it is. With `flatten`, observations and actions have one axis.
    """

    problem: Problem
    flatten: bool = False

    def observation_space(self) -> spaces.Box:
        """Returns the space of observations."""
        box = observation_box(self.problem, *self._agents)
        return spaces.Box(box.low.ravel(), box.high.ravel(), dtype=np.float32) if self.flatten else box

    def action_space(self) -> spaces.MultiDiscrete | spaces.Box:
        """Returns the space of actions."""
        actions = self.problem.actions
        if isinstance(actions, DiscreteActions):
            return spaces.MultiDiscrete(np.array(actions.counts))
        shape = (*self._agents, actions.size)
        return spaces.Box(-1.0, 1.0, (prod(shape),) if self.flatten else shape, np.float32)

    def encode(self, observation: Float32[np.ndarray, "*batch deciders features"]) -> Float32[np.ndarray, "..."]:
        """Returns an observation of the core in the shape of `observation_space`."""
        if self.problem.one_at_a_time:
            return observation[..., 0, :]
        return observation.reshape(*observation.shape[:-2], -1) if self.flatten else observation

    def decode(self, action: np.ndarray) -> np.ndarray:
        """Returns an action of `action_space` in the shape of the core, with numbers rounded onto their bounds."""
        if isinstance(self.problem.actions, DiscreteActions):
            return action
        action = rounded_to_bounds(action)
        if self.problem.one_at_a_time:
            return action[..., None, :]
        return action.reshape(*action.shape[:-1], *action_shape(self.problem)) if self.flatten else action

    @property
    def _agents(self) -> tuple[int, ...]:
        return () if self.problem.one_at_a_time else (len(self.problem.agent_names),)


def rounded_to_bounds(action: np.ndarray) -> np.ndarray:
    """Returns the numbers. A number that exceeds [-1, 1] by a rounding error only becomes the bound."""
    if action.dtype.kind != "f" or not (np.abs(action) > 1.0).any():
        return action
    return np.where(np.abs(action) <= 1.0 + ROUNDING, action.clip(-1.0, 1.0), action)


def least_action(problem: Problem) -> float:
    """Returns an action that is always in the action space: the first choice, or the lowest numbers."""
    return 0 if isinstance(problem.actions, DiscreteActions) else -1.0


def check_action_shape(problem: Problem, action: np.ndarray, wanted: tuple[int, ...]) -> None:
    """Raises `ValueError` for an action whose shape is not `wanted`; the action may have a batch axis."""
    if action.shape == wanted:
        return
    kind = "integers, one for each agent" if isinstance(problem.actions, DiscreteActions) else "numbers in [-1, 1]"
    each = f"an action is {wanted[-1]} {kind}"
    raise ValueError(f"{each}; expected shape {wanted}, got {action.shape}")


def check_no_options(options: Mapping[str, Any] | None, *, ignored: tuple[str, ...] = ()) -> None:
    """Raises `ValueError` for options of `reset` that are not ignored, because an episode has none."""
    if unknown := [name for name in options or () if name not in ignored]:
        raise ValueError(
            f"options of reset() must be None or empty, got {', '.join(map(repr, unknown))}: give options when you "
            "make the environment"
        )


def check_mapping(actions: object) -> None:
    """Raises `ValueError` for actions that are not a dictionary."""
    if not isinstance(actions, Mapping):
        raise ValueError(f"actions must be a dict from agent to action, got {actions!r}")


def checked_numbers(agent: str, action: Any, size: int) -> np.ndarray:
    """Returns an agent's action. Raises `ValueError` naming the agent if it is not `size` numbers in [-1, 1]."""
    numbers = rounded_to_bounds(np.asarray(action))
    if numbers.shape != (size,) or numbers.dtype.kind not in "fiu" or not ((numbers >= -1) & (numbers <= 1)).all():
        raise ValueError(f"the action of {agent} must be {size} numbers in [-1, 1], got {action}")
    return numbers
