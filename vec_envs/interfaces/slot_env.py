"""The core as a `pettingzoo.ParallelEnv` where agents decide one at a time: a step is a slot, and few act in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Int, Int8
from pettingzoo import ParallelEnv

from vec_envs.interfaces.illegal_actions import check_illegal
from vec_envs.interfaces.infos import info_of_row
from vec_envs.interfaces.rendering import RENDER_FPS, RENDER_MODES, LoadDrawing, no_drawing
from vec_envs.interfaces.single_episode import SingleEpisode
from vec_envs.interfaces.spaces import (
    IGNORED_OPTIONS,
    MASK_PLACES,
    JointLayout,
    check_mapping,
    check_no_options,
    checked_numbers,
    observation_box,
    unbounded_box,
)
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.abilities import HasSlotState
from vec_envs.problems.base import ContinuousActions, Problem, SequentialProblem, View
from vec_envs.validation import check_bool, check_one_of


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """An agent's turn in the present slot: its exogenous record, and its observation."""

    exogenous: Any
    observation: Float32[np.ndarray, "features"]


class SlotEnv(ParallelEnv[str, Any, Any]):
    """All agents stay for the whole episode. In each slot only the agents whose turn falls in it decide.

    Each agent observes a dictionary of `"observation"` and `"agent_mask"` (int8, one entry), which is 1 where the agent
    decides. The observations of other agents are zeros; their actions are ignored and may be left out. All agents of a
    slot decide from the state at its beginning, and their decisions take effect one after the other. An agent
    gets the reward of its own decision. All agents are truncated together. All have equal spaces, so `padded` and
    `illegal` have no effect.

    With `mask="info"` the mask is in the infos of `reset` and `step`, and with `mask="none"` it is nowhere; then an
    observation is an array of features.

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
        self.problem = cast(SequentialProblem, problem)
        self._one = SingleEpisode(
            problem, mobility, owns_mobility=owns_mobility, render_mode=render_mode, load_drawing=load_drawing
        )
        self.render_mode = self._one.render_mode
        self.possible_agents = list(problem.agent_names)
        self.agents = []
        self._slot = 0
        self._due: dict[str, _Turn] = {}
        self._observes_mask, self._informs_of_mask = mask == "observation", mask == "info"
        self._observation_spaces = {agent: self._observation_space() for agent in self.possible_agents}
        layout = JointLayout(problem=problem)
        self._action_spaces = {agent: layout.action_space() for agent in self.possible_agents}
        self._with_state = problem if isinstance(problem, HasSlotState) else None
        in_a_row = len(self.possible_agents) * problem.observation_size
        self.state_space = unbounded_box(in_a_row if self._with_state is None else self._with_state.slot_state_size)

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
        self._one.check_open()
        check_no_options(options, ignored=IGNORED_OPTIONS)
        self._one.batch.reset([0], [seed])
        self.agents = list(self.possible_agents)
        self._slot, self._due = 0, self._whose_turn(0)
        self._one.show()
        infos = {agent: dict[str, Any]() for agent in self.agents}
        return self._observations(), self._with_masks(infos)

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Moves on by a slot. Raises `ValueError` naming the agent for an action that is missing or wrong."""
        self._one.check_open()
        if not self.agents:
            raise RuntimeError("no episode is running: call reset() first")
        agents = self.agents
        rewards, infos = dict.fromkeys(agents, 0.0), {agent: dict[str, Any]() for agent in agents}
        for agent, action in self._checked(actions).items():
            outcome = self._one.batch.step(action[None, None])
            self._one.show()
            rewards[agent] = float(outcome.reward[0])
            infos[agent] = info_of_row(self.problem.metrics(self._one.batch.state, outcome))
        self._slot += 1
        truncated = self._slot >= self.problem.episode_slots
        self._due = {} if truncated else self._whose_turn(self._slot)
        observations = self._observations()
        if truncated:
            self.agents = []
        return (
            observations,
            rewards,
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, truncated),
            self._with_masks(infos),
        )

    def check_action(self, agent: str, action: Any) -> None:
        """Raises the `ValueError` that `step` would raise for an agent's action if the agent decides; plays nothing."""
        if agent in self._due:
            self._checked_action(agent, action)

    def state(self) -> Float32[np.ndarray, "features"]:
        """Returns the global state at the beginning of the slot; all observations in a row if the problem has none."""
        if self._with_state is None:
            return np.concatenate([agent["observation"] for agent in self._observations().values()])
        batch = self._one.batch
        due = [turn.exogenous for turn in self._due.values()]
        return self._with_state.slot_state(batch.state, due, batch.traffic(0), self._slot)

    def render(self) -> Any:
        """Returns the present epoch as an RGB array, or shows it in a window, as `render_mode` says."""
        return self._one.render()

    def check_open(self) -> None:
        """Raises `RuntimeError` after `close`."""
        self._one.check_open()

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        self._one.close()

    def _whose_turn(self, slot: int) -> dict[str, _Turn]:
        """Returns the turns of a slot by agent, in their order, as they stand at its beginning."""
        batch, due = self._one.batch, dict[str, _Turn]()
        epoch: Int[np.ndarray, "batch"] = batch.epoch
        while epoch[0] < self.problem.episode_epochs:
            exogenous = batch.exogenous_at(epoch)
            of_slot, agent = self.problem.turn(exogenous)
            if of_slot[0] != slot:
                break
            observation = self.problem.observe(batch.state, exogenous)[0, 0]
            due[self.possible_agents[int(agent[0])]] = _Turn(exogenous=exogenous, observation=observation)
            epoch = batch.next_epoch(epoch + 1)
        return due

    def _checked(self, actions: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the actions of the agents that decide, in the order of turns."""
        check_mapping(actions)
        missing = [agent for agent in self._due if agent not in actions]
        unknown = [agent for agent in actions if agent not in self._action_spaces]
        if missing or unknown:
            raise ValueError(f"every agent whose mask is 1 must act: missing {missing}, unknown {unknown}")
        return {agent: self._checked_action(agent, actions[agent]) for agent in self._due}

    def _checked_action(self, agent: str, action: Any) -> np.ndarray:
        return checked_numbers(agent, action, cast(ContinuousActions, self.problem.actions).size)

    def _observation_space(self) -> spaces.Space[Any]:
        box = observation_box(self.problem)
        if not self._observes_mask:
            return box
        return spaces.Dict({"observation": box, "agent_mask": spaces.Box(0, 1, (1,), np.int8)})

    def _masks(self) -> dict[str, Int8[np.ndarray, "1"]]:
        return {agent: np.array([agent in self._due], dtype=np.int8) for agent in self.possible_agents}

    def _with_masks(self, infos: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Returns infos with each agent's mask, if infos have it."""
        if not self._informs_of_mask:
            return infos
        return {agent: infos[agent] | {"agent_mask": mask} for agent, mask in self._masks().items()}

    def _observations(self) -> dict[str, Any]:
        absent = np.zeros(self.problem.observation_size, np.float32)
        features = {
            agent: self._due[agent].observation.copy() if agent in self._due else absent.copy()
            for agent in self.possible_agents
        }
        if not self._observes_mask:
            return features
        return {agent: {"observation": features[agent], "agent_mask": mask} for agent, mask in self._masks().items()}
