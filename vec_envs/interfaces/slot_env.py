"""The core as a `pettingzoo.ParallelEnv` where agents decide one at a time: a step is a slot, and few act in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Int
from pettingzoo import ParallelEnv

from vec_envs.interfaces.rendering import RENDER_MODES, LoadDrawing, no_drawing
from vec_envs.interfaces.single_episode import SingleEpisode
from vec_envs.interfaces.spaces import action_space, check_mapping, check_numbers, first_environment, observation_box
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import ContinuousActions, Problem, SequentialProblem, View


class SlotEnv(ParallelEnv[str, Any, Any]):
    """All agents stay for the whole episode. In each slot only the agents whose turn falls in it decide.

    Each observes a dictionary of `"observation"` and `"agent_mask"` (int8, one entry): 1 where it decides. The others'
    observations are zeros, their actions are ignored and may be left out. All decide from what is known when the slot
    begins; then their turns come in the core's order. A reward is that of the agent's own decision. All agents are
    truncated together.
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
        if padded:
            raise ValueError(f"padded=True does not apply to {name}: all agents have the same spaces, with a mask")
        self.metadata = {**type(self).metadata, "name": name}
        self.problem = cast(SequentialProblem, problem)
        self._one = SingleEpisode(
            problem, mobility, owns_mobility=owns_mobility, render_mode=render_mode, load_drawing=load_drawing
        )
        self.render_mode = self._one.render_mode
        self.possible_agents = list(problem.agent_names)
        self.agents = []
        self._slot = 0
        self._due: dict[str, Float32[np.ndarray, "features"]] = {}
        observed = {"observation": observation_box(problem.observation_size)}
        mask = spaces.Box(0, 1, (1,), np.int8)
        self._observation_spaces = {a: spaces.Dict({**observed, "agent_mask": mask}) for a in self.possible_agents}
        self._action_spaces = {agent: action_space(problem) for agent in self.possible_agents}
        self.state_space = observation_box(len(self.possible_agents) * problem.observation_size)

    @property
    def view(self) -> View:
        """The present epoch as a batch of one environment, for reference policies."""
        return self._one.batch.view

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
        self._one.batch.reset([0], [seed])
        self.agents = list(self.possible_agents)
        self._slot, self._due = 0, self._whose_turn(0)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Moves on by a slot. Raises `ValueError` naming the agent for an action that is missing or wrong."""
        if not self.agents:
            raise RuntimeError("no episode is running: call reset() first")
        agents = self.agents
        rewards, infos = dict.fromkeys(agents, 0.0), {agent: dict[str, Any]() for agent in agents}
        for agent, action in self._checked(actions).items():
            outcome = self._one.batch.step(action[None, None])
            rewards[agent] = float(outcome.reward[0])
            infos[agent] = first_environment(self.problem.metrics(self._one.batch.state, outcome))
        self._slot += 1
        truncated = self._slot >= self.problem.episode_slots
        self._due = {} if truncated else self._whose_turn(self._slot)
        observations = self._observations()
        if truncated:
            self.agents = []
        return observations, rewards, dict.fromkeys(agents, False), dict.fromkeys(agents, truncated), infos

    def check_action(self, agent: str, action: Any) -> None:
        """Raises the `ValueError` that `step` would for an action of one agent, where it counts; plays nothing."""
        if agent in self._due:
            check_numbers(agent, np.asarray(action), cast(ContinuousActions, self.problem.actions).size)

    def state(self) -> Float32[np.ndarray, "features"]:
        """Returns all agents' observations in a row."""
        return np.concatenate([agent["observation"] for agent in self._observations().values()])

    def render(self) -> Any:
        """Returns the present epoch as an RGB array where `render_mode="rgb_array"`."""
        return self._one.render()

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        self._one.close()

    def _whose_turn(self, slot: int) -> dict[str, Float32[np.ndarray, "features"]]:
        """Returns the agents that decide in a slot, in their order, and what they see at its beginning."""
        batch, due = self._one.batch, dict[str, Float32[np.ndarray, "features"]]()
        epoch: Int[np.ndarray, "batch"] = batch.epoch
        while epoch[0] < self.problem.episode_epochs:
            exogenous = batch.exogenous_at(epoch)
            of_slot, agent = self.problem.turn(exogenous)
            if of_slot[0] != slot:
                break
            due[self.possible_agents[int(agent[0])]] = self.problem.observe(batch.state, exogenous)[0, 0]
            epoch = batch.next_epoch(epoch + 1)
        return due

    def _checked(self, actions: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the actions that count, in the order of turns."""
        check_mapping(actions)
        missing = [agent for agent in self._due if agent not in actions]
        unknown = [agent for agent in actions if agent not in self._action_spaces]
        if missing or unknown:
            raise ValueError(f"every agent whose mask is 1 must act: missing {missing}, unknown {unknown}")
        for agent in self._due:
            self.check_action(agent, actions[agent])
        return {agent: np.asarray(actions[agent]) for agent in self._due}

    def _observations(self) -> dict[str, Any]:
        blank = self.problem.observation_size
        return {
            agent: {
                "observation": self._due[agent].copy() if agent in self._due else np.zeros(blank, np.float32),
                "agent_mask": np.array([agent in self._due], dtype=np.int8),
            }
            for agent in self.possible_agents
        }
