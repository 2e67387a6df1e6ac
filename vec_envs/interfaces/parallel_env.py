"""The core as a `pettingzoo.ParallelEnv`: every client vehicle is an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float32
from pettingzoo import ParallelEnv

from vec_envs.interfaces.illegal_actions import check_illegal, replaced
from vec_envs.interfaces.infos import info_of_row, own_copy
from vec_envs.interfaces.rendering import RENDER_FPS, RENDER_MODES, LoadDrawing, no_drawing
from vec_envs.interfaces.single_episode import SingleEpisode
from vec_envs.interfaces.spaces import (
    IGNORED_OPTIONS,
    MASK_PLACES,
    check_mapping,
    check_no_options,
    checked_numbers,
    observation_box,
    unbounded_box,
)
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.abilities import HasGlobalState
from vec_envs.problems.base import ContinuousActions, DiscreteActions, DiscreteProblem, Problem, View, action_shape
from vec_envs.validation import check_bool, check_one_of


class SimultaneousEnv(ParallelEnv[str, Any, int]):
    """All agents act at once and share one reward.

    Each agent has its own `Discrete` space, or a `Box` if its actions are numbers. All agents are truncated together.

    With `padded=True` all agents have the largest `Discrete` space, and observe a dictionary of `"observation"` and
    `"action_mask"` (int8), which is 1 where the action is legal. It has no effect on actions that are numbers.
    `illegal` says what an action with mask 0 does. `"clip"` plays the nearest legal action below it, `"noop"` plays the
    agent's idle action, and `"raise"` raises `ValueError`. With `mask="info"` the mask is in the infos of `reset` and
    `step`, and with `mask="none"` it is nowhere; then an observation is an array of features.

    A copy (`copy.deepcopy`, `pickle`) continues exactly as the original would.
    """

    metadata: dict[str, Any] = {
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        problem: Problem,
        mobility: Mobility,
        *,
        name: str,
        padded: bool = False,
        illegal: str = "clip",
        mask: str = "observation",
        owns_mobility: bool = False,
        render_mode: str | None = None,
        load_drawing: LoadDrawing = no_drawing,
    ) -> None:
        check_bool(padded=padded)
        check_illegal(problem, illegal=illegal, padded=padded)
        check_one_of(MASK_PLACES, mask=mask)
        self.metadata = {**type(self).metadata, "name": name}
        self.problem = cast(DiscreteProblem, problem)
        self._one = SingleEpisode(
            problem, mobility, owns_mobility=owns_mobility, render_mode=render_mode, load_drawing=load_drawing
        )
        self.render_mode, self._batch = self._one.render_mode, self._one.batch
        self.possible_agents = list(problem.agent_names)
        self.agents = []
        self._actions = problem.actions
        self._padded, self._illegal = padded and isinstance(problem.actions, DiscreteActions), illegal
        self._observes_mask = self._padded and mask == "observation"
        self._informs_of_mask = self._padded and mask == "info"
        self._lenient = self._padded and illegal != "raise"
        self._mask: Bool[np.ndarray, "agents actions"] | None = None
        self._action_spaces = self._spaces_of_actions()
        self._observation_spaces = {agent: self._observation_space() for agent in self.possible_agents}
        self._with_state = problem if isinstance(problem, HasGlobalState) else None
        in_a_row = len(self.possible_agents) * problem.observation_size
        self.state_space = unbounded_box(in_a_row if self._with_state is None else self._with_state.global_state_size)

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
        self._one.check_open()
        check_no_options(options, ignored=IGNORED_OPTIONS)
        self._batch.reset([0], [seed])
        self.agents, self._mask = list(self.possible_agents), None
        self._one.show()
        return self._observations(), self._infos({})

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Moves to the next slot. Raises `ValueError` with the agent and the bound for an action out of range."""
        self._one.check_open()
        if not self.agents:
            raise RuntimeError("no episode is running: call reset() first")
        agents = self.agents
        check_mapping(actions)
        outcome = self._batch.step(self._joint_action(actions)[None])
        self._mask = None
        self._one.show()
        info = info_of_row(self.problem.metrics(self._batch.state, outcome))
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
            self._infos(info),
        )

    def check_action(self, agent: str, action: Any) -> None:
        """Raises the `ValueError` that `step` would raise for one agent's action; plays nothing."""
        numbers = self._checked_action(agent, action)
        if self._lenient or isinstance(self._actions, ContinuousActions):
            return
        index = self.possible_agents.index(agent)
        mask = self._masks()[index]
        if 0 <= numbers < len(mask) and mask[numbers]:
            return
        # The mask excludes the action. The problem says why: a transition is a pure function, so it is tried.
        tried = np.zeros((1, *action_shape(self.problem)), dtype=np.int64)
        tried[0, index] = numbers
        self.problem.transition(self.view.state, tried, self.view.exogenous)

    def state(self) -> Float32[np.ndarray, "features"]:
        """Returns the problem's global state; all agents' observations in a row if it has none."""
        if self._with_state is None:
            return self._batch.observe().ravel()
        return self._with_state.global_state(self._batch.state, self._batch.exogenous)[0]

    def render(self) -> Any:
        """Returns the present epoch as an RGB array, or shows it in a window, as `render_mode` says."""
        return self._one.render()

    def check_open(self) -> None:
        """Raises `RuntimeError` after `close`."""
        self._one.check_open()

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        self._one.close()

    def _spaces_of_actions(self) -> dict[str, spaces.Space[Any]]:
        actions, agents = self._actions, self.possible_agents
        if isinstance(actions, ContinuousActions):
            return {agent: spaces.Box(-1.0, 1.0, (actions.size,), np.float32) for agent in agents}
        counts = [max(actions.counts)] * len(agents) if self._padded else actions.counts
        return {agent: spaces.Discrete(int(n)) for agent, n in zip(agents, counts, strict=True)}

    def _observation_space(self) -> spaces.Space[Any]:
        observation = observation_box(self.problem)
        if not self._observes_mask:
            return observation
        mask = spaces.Box(0, 1, (max(self.problem.actions.counts),), np.int8)
        return spaces.Dict({"observation": observation, "action_mask": mask})

    def _joint_action(self, actions: Mapping[str, Any]) -> np.ndarray:
        """Returns the action of all agents, of the shape `action_shape(problem)`, as it is played."""
        if actions.keys() != self._action_spaces.keys():
            missing = [agent for agent in self.agents if agent not in actions]
            unknown = [agent for agent in actions if agent not in self._action_spaces]
            raise ValueError(f"every agent must act, and no other: missing {missing}, unknown {unknown}")
        joint = np.array([self._checked_action(agent, actions[agent]) for agent in self.possible_agents])
        if not self._lenient:
            return joint
        return replaced(
            joint,
            self._masks(),
            illegal=self._illegal,
            problem=self.problem,
            state=self._batch.state,
            exogenous=self._batch.exogenous,
        )

    def _checked_action(self, agent: str, action: Any) -> Any:
        """Returns an agent's action. Raises `ValueError` for a wrong type or shape, and outside a padded space."""
        actions = self._actions
        if isinstance(actions, ContinuousActions):
            return checked_numbers(agent, action, actions.size)
        is_integer = isinstance(action, int) or (np.ndim(action) == 0 and np.asarray(action).dtype.kind in "iu")
        if not is_integer:
            raise ValueError(f"the action of {agent} must be one integer, got {action!r}")
        if self._lenient and not 0 <= int(action) < max(actions.counts):
            raise ValueError(f"the action of {agent} must be from 0 to {max(actions.counts) - 1}, got {action}")
        return int(action)

    def _masks(self) -> Bool[np.ndarray, "agents actions"]:
        """Returns which actions are legal in the present slot."""
        mask = self._mask
        if mask is None:
            mask = self._mask = self.problem.action_mask(self._batch.state, self._batch.exogenous)[0]
        return mask

    def _infos(self, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Returns a copy of the info for each agent, with its mask where infos have it."""
        infos = {agent: own_copy(info) for agent in self.possible_agents}
        if self._informs_of_mask:
            for agent, mask in zip(infos, self._masks().astype(np.int8), strict=True):
                infos[agent]["action_mask"] = mask
        return infos

    def _observations(self) -> dict[str, Any]:
        rows = self._batch.observe()[0]
        if not self._observes_mask:
            return dict(zip(self.possible_agents, rows, strict=True))
        return {
            agent: {"observation": row, "action_mask": mask}
            for agent, row, mask in zip(self.possible_agents, rows, self._masks().astype(np.int8), strict=True)
        }
