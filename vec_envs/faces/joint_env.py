"""The core as a `gymnasium.Env`: one centralised decision for all agents, or for the one whose turn it is."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from jaxtyping import Float32
from numpy.typing import ArrayLike

from vec_envs.faces.one_lane import OneLane
from vec_envs.faces.packing import action_space, as_seen, as_taken, check_action_shape, first_lane, observation_space
from vec_envs.faces.rendering import RENDER_MODES
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.problem import Problem, View

Observation = Float32[np.ndarray, "..."]


class JointEnv(gymnasium.Env[Observation, np.ndarray]):
    """One decision maker acts for all agents.

    Where all agents decide together, the observation has a row and the action an entry for each; where they decide one
    at a time, both are of the agent whose turn it is. The reward is the agents' common reward. An episode is truncated
    when no point is left and never terminates. `close` ends the traffic too, where the environment made it
    (`owns_mobility`).
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}

    def __init__(
        self, problem: Problem, mobility: Mobility, *, owns_mobility: bool = False, render_mode: str | None = None
    ) -> None:
        self.problem = problem
        self._one = OneLane(problem, mobility, owns_mobility=owns_mobility, render_mode=render_mode)
        self.render_mode, self._lanes = self._one.render_mode, self._one.lanes
        self.observation_space = observation_space(problem)
        self.action_space = action_space(problem)
        self._shape = tuple(self.action_space.shape or ())
        self._seeded = False

    @property
    def view(self) -> View:
        """This point's problem, state and exogenous, with one lane: for reference policies."""
        return self._lanes.view

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode; the first one of no seed has `np_random_seed`, which repeats it.

        Raises `TrafficError` where the traffic cannot serve one.
        """
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            own = self.np_random_seed  # -1 where the generator was handed in
            seed = int(self.np_random.integers(2**63)) if own == -1 else own
        self._lanes.reset([0], [seed])
        self._seeded = True
        return self._observation(), {}

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves on by a point. Raises `ValueError` for an action of wrong shape, type or range.

        Raises `RuntimeError` before the first reset and after the last point.
        """
        if self._lanes.ended[0]:
            raise RuntimeError("no episode is running: call reset() first")
        action = np.asarray(action)
        check_action_shape(self.problem, action, self._shape)
        outcome = self._lanes.step(as_taken(self.problem, action)[None])
        info = first_lane(self.problem.figures(self._lanes.state, outcome))
        return self._observation(), float(outcome.reward[0]), False, bool(self._lanes.ended[0]), info

    def render(self) -> Any:
        """Returns the present point as an RGB array where `render_mode="rgb_array"`."""
        return self._one.render()

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        self._one.close()

    def _observation(self) -> Observation:
        return as_seen(self.problem, self._lanes.observe()[0])
