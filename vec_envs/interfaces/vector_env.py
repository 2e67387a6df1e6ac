"""The core as a natively batched `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float32
from numpy.typing import ArrayLike

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.infos import vector_infos
from vec_envs.interfaces.rendering import (
    BATCH_RENDER_MODES,
    RENDER_FPS,
    LoadDrawing,
    Renderer,
    checked_render_mode,
    no_drawing,
)
from vec_envs.interfaces.single_episode import CLOSED
from vec_envs.interfaces.spaces import JointLayout, check_action_shape, least_action
from vec_envs.interfaces.specs import EpisodeSpec
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import Problem, View
from vec_envs.validation import MOST_ENVIRONMENTS, check_at_most, check_bool, check_integer, did_you_mean

Observations = Float32[np.ndarray, "batch ..."]


class BatchVectorEnv(VectorEnv[Observations, np.ndarray, np.ndarray]):
    """Many joint environments that step as one array.

    An environment seeded with s equals the joint environment seeded with s, bit for bit. With the default
    `AutoresetMode.NEXT_STEP`, an environment that has ended is reset by the next step, which ignores its action. With
    `DISABLED`, `reset(options={"reset_mask": bool[num_envs]})` resets environments that have ended.

    A copy (`copy.deepcopy`, `pickle`) continues exactly as the original would.
    """

    metadata: dict[str, Any] = {"render_modes": list(BATCH_RENDER_MODES), "render_fps": RENDER_FPS}
    spec: Any = EpisodeSpec()

    def __init__(
        self,
        problem: Problem,
        mobility: Mobility,
        *,
        num_envs: int,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        flatten: bool = False,
        owns_mobility: bool = False,
        render_mode: str | None = None,
        load_drawing: LoadDrawing = no_drawing,
    ) -> None:
        super().__init__()
        check_integer(1, num_envs=num_envs)
        check_at_most(MOST_ENVIRONMENTS, num_envs=num_envs)
        check_bool(flatten=flatten)
        self.problem = problem
        self.num_envs = int(num_envs)
        self.render_mode = checked_render_mode(render_mode, BATCH_RENDER_MODES)
        self.autoreset_mode = autoreset_mode_of(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self._layout = JointLayout(problem=problem, flatten=flatten)
        self.single_observation_space = self._layout.observation_space()
        self.single_action_space = self._layout.action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.batch = EnvironmentBatch(problem, mobility, num_envs)
        self._owns_mobility = owns_mobility
        self._renderer = Renderer(self.batch, load_drawing)

    @property
    def view(self) -> View:
        """The present epoch of all environments, for reference policies."""
        return self.batch.view

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Starts episodes in all environments, or in those of `options["reset_mask"]`.

        An integer seed s seeds environment b with s + b. Raises `ValueError` for another option, `TrafficError` where
        the traffic cannot serve an episode.
        """
        self._check_open()
        if unknown := sorted(set(options or {}) - {"reset_mask"}):
            raise ValueError(f"options has {', '.join(map(repr, unknown))}; there is 'reset_mask' alone")
        mask = (options or {}).get("reset_mask")
        rows = np.arange(self.num_envs) if mask is None else np.flatnonzero(self._checked_mask(mask))
        seeds = self._seeds(seed)
        self.batch.reset([int(row) for row in rows], [seeds[row] for row in rows])
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
        return self._observations(), {}

    def step(self, actions: ArrayLike) -> tuple[Observations, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Moves every environment to its next epoch. Raises `ValueError` for actions of wrong shape, type or range."""
        self._check_open()
        if not self.batch.begun:
            raise RuntimeError("no episode is running: call reset() first")
        had_ended, actions = self.batch.ended, np.asarray(actions)
        if had_ended.any():
            self._check_autoreset(had_ended)
            if actions.shape == self.action_space.shape:
                actions = actions.copy()
                actions[had_ended] = least_action(self.problem)
        check_action_shape(self.problem, actions, (self.num_envs, *(self.single_action_space.shape or ())))
        outcome = self.batch.step(self._layout.decode(actions))
        metrics = self.problem.metrics(self.batch.state, outcome)
        reward = np.array(outcome.reward)
        truncated = self.batch.ended
        if had_ended.any():
            reward[had_ended], truncated = 0.0, truncated & ~had_ended
            self._restart(had_ended)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and truncated.any():
            infos = vector_infos(metrics, ~truncated) | self._final(truncated, metrics)
            self._restart(truncated)
        else:
            infos = vector_infos(metrics, ~had_ended)
        return self._observations(), reward, np.zeros(self.num_envs, dtype=np.bool_), truncated, infos

    def render(self) -> Any:
        """Returns a tuple of RGB arrays, one for each environment, where `render_mode="rgb_array"`."""
        return None if self.render_mode is None else tuple(map(self._renderer.picture, range(self.num_envs)))

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the traffic that the environment made."""
        if self._owns_mobility:
            self.batch.mobility.close()

    def _check_open(self) -> None:
        if self.closed:
            raise RuntimeError(CLOSED)

    def _check_autoreset(self, had_ended: Bool[np.ndarray, "batch"]) -> None:
        if self.autoreset_mode is AutoresetMode.DISABLED:
            rows = np.flatnonzero(had_ended).tolist()
            shown = f"{rows}" if len(rows) <= 8 else f"{rows[:8]} and {len(rows) - 8} more"
            raise ValueError(
                f"environments {shown} have ended; reset them with "
                'options={"reset_mask": ...}, or make the environment without autoreset_mode="DISABLED"'
            )

    def _restart(self, mask: Bool[np.ndarray, "batch"]) -> None:
        rows = [int(row) for row in np.flatnonzero(mask)]
        self.batch.reset(rows, [None] * len(rows))

    def _observations(self) -> Observations:
        return self._layout.encode(self.batch.observe())

    def _final(self, mask: Bool[np.ndarray, "batch"], metrics: Mapping[str, Any]) -> dict[str, Any]:
        observations = self._observations()
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(mask):
            final_obs[row] = observations[row]
        final_info = vector_infos(metrics, mask)
        return {"final_obs": final_obs, "_final_obs": mask.copy(), "final_info": final_info, "_final_info": mask.copy()}

    def _seeds(self, seed: Any) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(cast(int, seed)) + b for b in range(self.num_envs)]
        seeds: list[int | None] = [] if isinstance(seed, str) or not isinstance(seed, Iterable) else list(seed)  # pyright: ignore[reportUnknownArgumentType]
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed={seed!r} must be an integer, or one for each of {self.num_envs} environments")
        return seeds

    def _checked_mask(self, mask: Any) -> Bool[np.ndarray, "batch"]:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f'options["reset_mask"] must be a boolean array of shape ({self.num_envs},), got {mask!r}')
        if not mask.any():
            raise ValueError('options["reset_mask"] selects no environment')
        return np.asarray(mask, dtype=np.bool_)


def autoreset_mode_of(mode: AutoresetMode | str) -> AutoresetMode:
    """Returns the mode by its value, name or itself. Raises `ValueError` listing what exists."""
    for known in AutoresetMode:
        if mode is known or (isinstance(mode, str) and mode in (known.value, known.name)):
            return known
    names = [known.name for known in AutoresetMode]
    near = did_you_mean(mode, names)
    raise ValueError(f"autoreset_mode={mode!r} is unknown; there are {', '.join(map(repr, names))}{near}")
