"""What every policy is, learned or not."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.problem import View


@runtime_checkable
class Policy(Protocol):
    """Decides for all agents of all lanes at once. Built as `Policy(problem)`."""

    def reset(self, seed: int) -> None:
        """Starts anew, with its own randomness, where it has any, drawn from `seed`."""
        ...

    def act(
        self, observation: Float32[np.ndarray, "lanes agents features"], view: View | None = None
    ) -> Int[np.ndarray, "lanes agents"]:
        """Returns the agents' actions. Raises `ValueError` where the policy needs the view and has none."""
        ...


def lanes_of(observation: np.ndarray) -> int:
    """Returns how many lanes are seen. Raises `ValueError` for what is not of lanes, agents and features."""
    if observation.ndim != 3:
        raise ValueError(
            f"policies see [lanes, agents, features], got shape {observation.shape}: give the axes that lack, such as "
            "policy.act(observation[None], env.unwrapped.view)[0] of a single environment"
        )
    return len(observation)


def needs_view(view: View | None, policy: object, observation: np.ndarray) -> View:
    """Returns the view. Raises `ValueError` where there is none, or the observation is not of lanes."""
    lanes_of(observation)
    if view is None:
        raise ValueError(f"{type(policy).__name__} looks at the whole slot: pass act(observation, env.unwrapped.view)")
    return view
