"""Functions that the interfaces share: spaces, checks of actions, and conversions of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32

from vec_envs.problems.base import DiscreteActions, Problem


def observation_box(*shape: int) -> spaces.Box:
    """Returns the space of float32 observations of that shape: of order one, but unbounded."""
    return spaces.Box(-np.inf, np.inf, shape, np.float32)


def observation_space(problem: Problem) -> spaces.Box:
    """Returns the space of an epoch's observation: a row for each agent, or one for the agent whose turn it is."""
    features = problem.observation_size
    return observation_box(features) if problem.one_at_a_time else observation_box(len(problem.agent_names), features)


def action_space(problem: Problem) -> spaces.MultiDiscrete | spaces.Box:
    """Returns the space of an epoch's action, for all agents or for the one whose turn it is."""
    actions = problem.actions
    if isinstance(actions, DiscreteActions):
        return spaces.MultiDiscrete(np.array(actions.counts))
    agents = () if problem.one_at_a_time else (len(problem.agent_names),)
    return spaces.Box(-1.0, 1.0, (*agents, actions.size), np.float32)


def least_action(problem: Problem) -> float:
    """Returns an action that is always legal for every agent: the first choice, or the lowest numbers."""
    return 0 if isinstance(problem.actions, DiscreteActions) else -1.0


def check_action_shape(problem: Problem, action: np.ndarray, wanted: tuple[int, ...]) -> None:
    """Raises `ValueError` for an action whose shape is not `wanted`; the action may have a batch axis."""
    if action.shape == wanted:
        return
    kind = "integers, one for each agent" if isinstance(problem.actions, DiscreteActions) else "numbers in [-1, 1]"
    each = f"an action is {wanted[-1]} {kind}"
    raise ValueError(f"{each}; expected shape {wanted}, got {action.shape}")


def check_mapping(actions: object) -> None:
    """Raises `ValueError` for actions that are not a dictionary."""
    if not isinstance(actions, Mapping):
        raise ValueError(f"actions must be a dict, of agent to action, got {actions!r}")


def check_numbers(agent: str, action: np.ndarray, size: int) -> None:
    """Raises `ValueError` with the agent for an action that is not `size` numbers in [-1, 1]."""
    if action.shape != (size,) or action.dtype.kind not in "fiu" or not ((action >= -1.0) & (action <= 1.0)).all():
        raise ValueError(f"the action of {agent} must be {size} numbers in [-1, 1], got {action}")


def encode_observation(
    problem: Problem, observation: Float32[np.ndarray, "*batch deciders features"]
) -> Float32[np.ndarray, "..."]:
    """Returns an observation of the core in the shape of `observation_space`."""
    return observation[..., 0, :] if problem.one_at_a_time else observation


def decode_action(problem: Problem, action: np.ndarray) -> np.ndarray:
    """Returns an action of `action_space`, with or without a batch axis, in the shape of the core."""
    return action[..., None, :] if problem.one_at_a_time else action


def first_environment(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metrics of a batch of one environment as numbers."""
    return {
        name: first_environment(value) if isinstance(value, Mapping) else value.item()  # pyright: ignore[reportUnknownArgumentType]
        for name, value in metrics.items()
    }


def own_copy(info: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of an info, with copies of the dictionaries in it."""
    return {name: value.copy() if type(value) is dict else value for name, value in info.items()}
