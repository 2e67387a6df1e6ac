"""The core as a `gymnasium.Env`: one centralised decision for all agents."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Int
from numpy.typing import ArrayLike

from vec_envs.core.lanes import Lanes
from vec_envs.faces.packing import first_lane, observation_box
from vec_envs.faces.rendering import RENDER_MODES, checked_render_mode, draw_lane
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.problem import Problem, View


class JointEnv(gymnasium.Env[Float32[np.ndarray, "agents features"], Int[np.ndarray, "agents"]]):
    """One decision maker acts for all agents; the observation has a row for each.

    The reward is the agents' common reward. An episode is truncated after `problem.episode_slots` steps and never
    terminates. `close` ends the traffic too, where the environment made it (`owns_mobility`).
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}

    def __init__(
        self, problem: Problem, mobility: Mobility, *, owns_mobility: bool = False, render_mode: str | None = None
    ) -> None:
        self.problem = problem
        self.render_mode = checked_render_mode(render_mode)
        self.observation_space = observation_box(len(problem.agent_names), problem.observation_size)
        self.action_space = spaces.MultiDiscrete(np.array(problem.action_counts))
        self._lanes = Lanes(problem, mobility, 1)
        self._owns_mobility = owns_mobility
        self._seeded = False

    @property
    def view(self) -> View:
        """This slot's problem, state and exogenous, with one lane: for reference policies."""
        return self._lanes.view

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32[np.ndarray, "agents features"], dict[str, Any]]:
        """Starts an episode. Raises `TrafficError` where the traffic cannot serve one."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**63))
        self._lanes.reset([0], [seed])
        self._seeded = True
        return self._lanes.observe()[0], {}

    def step(
        self, action: ArrayLike
    ) -> tuple[Float32[np.ndarray, "agents features"], float, bool, bool, dict[str, Any]]:
        """Moves on by a slot. Raises `ValueError` for an action of wrong shape, type or range.

        Raises `RuntimeError` before the first reset and after the last slot.
        """
        if self._lanes.ended[0]:
            raise RuntimeError("no episode is running: call reset() first")
        action = np.asarray(action)
        agents = len(self.problem.agent_names)
        if action.shape != (agents,):
            raise ValueError(f"an action is {agents} integers, one for each agent, got shape {action.shape}")
        outcome = self._lanes.step(action[None])
        info = first_lane(self.problem.figures(self._lanes.state, outcome))
        truncated = bool(self._lanes.slot[0] >= self.problem.episode_slots)
        return self._lanes.observe()[0], float(outcome.reward[0]), False, truncated, info

    def render(self) -> Any:
        """Returns the present slot as an RGB array where `render_mode="rgb_array"`."""
        return None if self.render_mode is None else draw_lane(self._lanes, 0)

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        if self._owns_mobility:
            self._lanes.mobility.close()
