"""The core as a `pettingzoo.ParallelEnv`: every client vehicle is an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32
from pettingzoo import ParallelEnv

from vec_envs.interfaces.rendering import RENDER_MODES, LoadDrawing, no_drawing
from vec_envs.interfaces.single_episode import SingleEpisode
from vec_envs.interfaces.spaces import (
    check_mapping,
    check_numbers,
    first_environment,
    least_action,
    observation_box,
    own_copy,
)
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import ContinuousActions, DiscreteActions, DiscreteProblem, Problem, View, action_shape
from vec_envs.validation import check_bool


class SimultaneousEnv(ParallelEnv[str, Any, int]):
    """All agents act at once and share one reward.

    Each agent has its own `Discrete` space, or a `Box` where it gives numbers. With `padded=True` all have the largest
    one, and observe a dictionary of `"observation"` and `"action_mask"` (int8, 1 where the action exists). All agents
    are truncated together.
    """

    metadata: dict[str, Any] = {
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        problem: Problem,
        mobility: Mobility,
        *,
        name: str,
        padded: bool = False,
        owns_mobility: bool = False,
        render_mode: str | None = None,
        load_drawing: LoadDrawing = no_drawing,
    ) -> None:
        check_bool(padded=padded)
        self.metadata = {**type(self).metadata, "name": name}
        self.problem = cast(DiscreteProblem, problem)
        self._one = SingleEpisode(
            problem, mobility, owns_mobility=owns_mobility, render_mode=render_mode, load_drawing=load_drawing
        )
        self.render_mode, self._batch = self._one.render_mode, self._one.batch
        self.possible_agents = list(problem.agent_names)
        self.agents = []
        self._padded = padded
        self._action_spaces = self._spaces_of_actions()
        self._observation_spaces = {agent: self._observation_space() for agent in self.possible_agents}
        self.state_space = observation_box(len(self.possible_agents) * problem.observation_size)

    @property
    def view(self) -> View:
        """The present epoch as a batch of one environment, for reference policies."""
        return self._batch.view

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's space, the same object at each call."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's space, the same object at each call."""
        return self._action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Starts an episode. Raises `TrafficError` where the traffic cannot serve one."""
        self._batch.reset([0], [seed])
        self.agents = list(self.possible_agents)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Moves on by a slot. Raises `ValueError` naming the agent and the bound for an action out of range."""
        if not self.agents:
            raise RuntimeError("no episode is running: call reset() first")
        agents = self.agents
        self._check_agents(actions)
        outcome = self._batch.step(np.array([[actions[agent] for agent in agents]]))
        info = first_environment(self.problem.metrics(self._batch.state, outcome))
        reward = float(outcome.reward[0])
        truncated = bool(self._batch.ended[0])
        observations = self._observations()
        if truncated:
            self.agents = []
        return (
            observations,
            dict.fromkeys(agents, reward),
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, truncated),
            {agent: own_copy(info) for agent in agents},
        )

    def check_action(self, agent: str, action: Any) -> None:
        """Raises the `ValueError` that `step` would for an action of one agent, whatever the others do; plays nothing.

        A transition is a pure function: it is tried.
        """
        self._check_kind(agent, action)
        tried = np.full((1, *action_shape(self.problem)), least_action(self.problem))
        tried[0, self.possible_agents.index(agent)] = action
        self.problem.transition(self.view.state, tried, self.view.exogenous)

    def state(self) -> Float32[np.ndarray, "features"]:
        """Returns all agents' observations in a row."""
        return self._batch.observe().ravel()

    def render(self) -> Any:
        """Returns the present epoch as an RGB array where `render_mode="rgb_array"`."""
        return self._one.render()

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        self._one.close()

    def _spaces_of_actions(self) -> dict[str, spaces.Space[Any]]:
        actions, agents = cast(DiscreteActions | ContinuousActions, self.problem.actions), self.possible_agents
        if isinstance(actions, ContinuousActions):
            if self._padded:
                raise ValueError("padded=True is for actions that are choices; these are numbers")
            return {agent: spaces.Box(-1.0, 1.0, (actions.size,), np.float32) for agent in agents}
        counts = [max(actions.counts)] * len(agents) if self._padded else actions.counts
        return {agent: spaces.Discrete(int(n)) for agent, n in zip(agents, counts, strict=True)}

    def _observation_space(self) -> spaces.Space[Any]:
        observation = observation_box(self.problem.observation_size)
        if not self._padded:
            return observation
        mask = spaces.Box(0, 1, (max(self.problem.actions.counts),), np.int8)
        return spaces.Dict({"observation": observation, "action_mask": mask})

    def _check_agents(self, actions: Mapping[str, Any]) -> None:
        check_mapping(actions)
        if actions.keys() != self._action_spaces.keys():
            missing = [agent for agent in self.agents if agent not in actions]
            unknown = [agent for agent in actions if agent not in self._action_spaces]
            raise ValueError(f"every agent must act, and no other: missing {missing}, unknown {unknown}")
        for agent, action in actions.items():
            self._check_kind(agent, action)

    def _check_kind(self, agent: str, action: Any) -> None:
        actions = cast(DiscreteActions | ContinuousActions, self.problem.actions)
        if isinstance(actions, ContinuousActions):
            check_numbers(agent, np.asarray(action), actions.size)
        elif not isinstance(action, int | np.integer) and (
            np.shape(action) or np.asarray(action).dtype.kind not in "iu"
        ):
            raise ValueError(f"the action of {agent} must be one integer, got {action!r}")

    def _observations(self) -> dict[str, Any]:
        rows = self._batch.observe()[0]
        if not self._padded:
            return dict(zip(self.possible_agents, rows, strict=True))
        masks = self.problem.action_mask(self._batch.state, self._batch.exogenous)[0].astype(np.int8)
        return {
            agent: {"observation": row, "action_mask": mask}
            for agent, row, mask in zip(self.possible_agents, rows, masks, strict=True)
        }
