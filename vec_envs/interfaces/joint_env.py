"""The core as a `gymnasium.Env`: one centralised decision for all agents, or for the one whose turn it is."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
from jaxtyping import Bool, Float32
from numpy.typing import ArrayLike

from vec_envs.interfaces.infos import info_of_row
from vec_envs.interfaces.rendering import RENDER_FPS, RENDER_MODES, LoadDrawing, no_drawing
from vec_envs.interfaces.single_episode import SingleEpisode
from vec_envs.interfaces.spaces import JointLayout, check_action_shape, check_no_options
from vec_envs.interfaces.specs import EpisodeSpec
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import DiscreteActions, DiscreteProblem, Problem, View
from vec_envs.validation import check_bool

Observation = Float32[np.ndarray, "..."]


class JointEnv(gymnasium.Env[Observation, np.ndarray]):
    """One decision maker acts for all agents.

    Where all agents decide together, the observation has a row and the action an entry for each; where they decide one
    at a time, both are of the agent whose turn it is. With `flatten=True`, both have a single axis. The reward is the
    agents' common reward. An episode is truncated when no epoch is left and never terminates. `close` ends the traffic
    too, where the environment made it (`owns_mobility`).

    A copy (`copy.deepcopy`, `pickle`) continues exactly as the original would.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": RENDER_FPS}
    spec: Any = EpisodeSpec()

    def __init__(
        self,
        problem: Problem,
        mobility: Mobility,
        *,
        flatten: bool = False,
        owns_mobility: bool = False,
        render_mode: str | None = None,
        load_drawing: LoadDrawing = no_drawing,
    ) -> None:
        check_bool(flatten=flatten)
        self.problem = problem
        self._one = SingleEpisode(
            problem, mobility, owns_mobility=owns_mobility, render_mode=render_mode, load_drawing=load_drawing
        )
        self.render_mode, self._batch = self._one.render_mode, self._one.batch
        self._layout = JointLayout(problem=problem, flatten=flatten)
        self.observation_space = self._layout.observation_space()
        self.action_space = self._layout.action_space()
        self._shape = tuple(self.action_space.shape or ())
        self._seeded = False

    @property
    def view(self) -> View:
        """The present epoch as a batch of one environment, for reference policies."""
        return self._batch.view

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode. If the first reset has no seed, `np_random_seed` is the seed that repeats its episode.

        Raises `TrafficError` where the traffic cannot serve one, and `ValueError` for any of `options`: there are none.
        """
        self._one.check_open()
        check_no_options(options)
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            own = self.np_random_seed  # -1 where the generator was handed in
            seed = int(self.np_random.integers(2**63)) if own == -1 else own
        self._batch.reset([0], [seed])
        self._seeded = True
        self._one.show()
        return self._observation(), {}

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves to the next epoch. Raises `ValueError` for an action of wrong shape, type or range.

        Raises `RuntimeError` before the first reset and after the last epoch.
        """
        self._one.check_open()
        if self._batch.ended[0]:
            raise RuntimeError("no episode is running: call reset() first")
        action = np.asarray(action)
        check_action_shape(self.problem, action, self._shape)
        outcome = self._batch.step(self._layout.decode(action[None]))
        info = info_of_row(self.problem.metrics(self._batch.state, outcome))
        self._one.show()
        return self._observation(), float(outcome.reward[0]), False, bool(self._batch.ended[0]), info

    def action_masks(self) -> Bool[np.ndarray, "choices"]:
        """Returns which actions are legal: the masks of all agents in a row, for `MaskablePPO` of sb3-contrib.

        Raises `TypeError` where actions are numbers.
        """
        actions = self.problem.actions
        if not isinstance(actions, DiscreteActions):
            raise TypeError(f"action_masks() needs discrete actions; {type(self.problem).__name__} has numbers")
        mask = cast(DiscreteProblem, self.problem).action_mask(self._batch.state, self._batch.exogenous)[0]
        return np.concatenate([legal[:count] for legal, count in zip(mask, actions.counts, strict=True)])

    def render(self) -> Any:
        """Returns the present epoch as an RGB array, or shows it in a window, as `render_mode` says."""
        return self._one.render()

    def close(self) -> None:
        """Ends the traffic that the environment made; idempotent."""
        self._one.close()

    def _observation(self) -> Observation:
        return self._layout.encode(self._batch.observe())[0]
