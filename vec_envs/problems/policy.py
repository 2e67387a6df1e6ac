"""Policies, learned or not, and the reference policies that a problem is compared with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped

from vec_envs.problems.base import DiscreteActions, View
from vec_envs.validation import did_you_mean


@runtime_checkable
class Policy(Protocol):
    """Decides for all agents of a batch of environments at once. Built as `Policy(problem)`.

    A policy whose `act` takes the keyword `action_mask` is given the legal actions of the present epoch, where actions
    are integers: `[batch, agents, actions]`, as `problem.action_mask` returns them.
    """

    def reset(self, seed: int) -> None:
        """Resets the policy, and seeds its random numbers if it draws any."""
        ...

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Shaped[np.ndarray, "batch agents ..."]:
        """Returns the agents' actions. Raises `ValueError` if the policy needs a view and gets none."""
        ...


@runtime_checkable
class Clairvoyance(Protocol):
    """Decides for all agents of a batch of environments, with the exogenous records of whole episodes."""

    def plan(self, state: Any, episodes: Any, epoch: int) -> Int[np.ndarray, "batch agents"]:
        """Returns the actions at an epoch, from records `[batch, epochs + 1, ...]`."""
        ...


class Constant:
    """Takes the same actions at every decision epoch."""

    def __init__(self, action: Int[np.ndarray, "agents"]) -> None:
        self._action = action

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the constant actions."""
        return np.tile(self._action, (batch_size_of(observation), 1))


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A policy to compare with, and the environment options that it overrides."""

    make: Callable[[Any], Policy]
    env: Mapping[str, Any] = field(default_factory=dict[str, Any])
    slow: bool = False
    """Whether the policy is slow or needs an extra. Such a policy is played only on request."""
    selfish: bool = False
    """Whether each agent minimises its own cost alone, where other references decide jointly."""


@dataclass(frozen=True, kw_only=True)
class References:
    """The reference policies of a problem by name, and the one that a learner should beat ("" for none)."""

    policies: Mapping[str, Reference] = field(default_factory=dict[str, Reference])
    to_beat: str = ""
    clairvoyant: Callable[[Any], Clairvoyance] | None = None
    """Makes a reference that knows the future, which shows the value of foresight. It is not a policy."""

    def named(self, name: str) -> Reference:
        """Returns the reference of that name. Raises `ValueError` with the known names for an unknown one."""
        if name not in self.policies:
            known = ", ".join(map(repr, self.policies)) or "none"
            near = did_you_mean(name, self.policies)
            raise ValueError(f"the reference policy {name!r} is unknown; known are: {known}{near}")
        return self.policies[name]


def mask_keyword(policy: Policy, view: View) -> dict[str, Bool[np.ndarray, "batch agents actions"]]:
    """Returns the keyword `action_mask` of a policy whose `act` takes it, and no keyword for other policies.

    Example: `policy.act(observation, view, **mask_keyword(policy, view))`.
    """
    takes_mask = "action_mask" in inspect.signature(policy.act).parameters
    if not takes_mask or not isinstance(view.problem.actions, DiscreteActions):
        return {}
    return {"action_mask": view.problem.action_mask(view.state, view.exogenous)}


def random_legal(
    rng: np.random.Generator, mask: Bool[np.ndarray, "batch agents actions"]
) -> Int[np.ndarray, "batch agents"]:
    """Returns an action of each agent, drawn uniformly from those that the mask allows; it must allow one."""
    count: Int[np.ndarray, "batch agents"] = mask.sum(axis=-1)
    rank = rng.integers(0, count)
    return (mask.cumsum(axis=-1) > rank[..., None]).argmax(axis=-1)


def batch_size_of(observation: np.ndarray, *, in_turn: bool = False) -> int:
    """Returns the number of environments. Raises `ValueError` unless the axes are batch, agents and features.

    Where agents decide one at a time (`in_turn`), the axis of agents may be missing, as in Gymnasium's observations.
    """
    if observation.ndim != 3 and not (in_turn and observation.ndim == 2):
        raise ValueError(
            f"policies need observations of shape [batch, agents, features], got shape {observation.shape}; for a "
            "single environment call policy.act(observation[None], env.unwrapped.view)[0]"
        )
    return len(observation)


def with_axes_of(observation: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Returns actions `[batch, 1, ...]` without the axis of agents where the observation has none either."""
    return actions[:, 0] if observation.ndim == 2 else actions


def needs_view(view: View | None, policy: object, observation: np.ndarray, *, in_turn: bool = False) -> View:
    """Returns the view. Raises `ValueError` where it is None, or the observation has no batch axis."""
    batch_size_of(observation, in_turn=in_turn)
    if view is None:
        raise ValueError(
            f"{type(policy).__name__} looks at the whole state: call policy.act(observation, env.unwrapped.view)"
        )
    return view
