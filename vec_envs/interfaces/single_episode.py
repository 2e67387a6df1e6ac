"""A single environment with rendering, for the interfaces that play one episode at a time."""

from __future__ import annotations

from typing import Any

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.rendering import RENDER_FPS, LoadDrawing, Renderer, checked_render_mode
from vec_envs.interfaces.window import Screen, screen_for
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import Problem

CLOSED = "the environment is closed: make a new one"
"""The error of a method that is called after `close`."""


class SingleEpisode:
    """A batch of one environment, with rendering. `close` closes the traffic too if `owns_mobility` is True."""

    def __init__(
        self,
        problem: Problem,
        mobility: Mobility,
        *,
        owns_mobility: bool,
        render_mode: str | None,
        load_drawing: LoadDrawing,
    ) -> None:
        self.render_mode = checked_render_mode(render_mode)
        self.batch = EnvironmentBatch(problem, mobility, 1)
        self._owns_mobility = owns_mobility
        self._closed = False
        self._renderer = Renderer(self.batch, load_drawing)
        self._screen: Screen | None = screen_for(RENDER_FPS) if render_mode == "human" else None

    def check_open(self) -> None:
        """Raises `RuntimeError` after `close`."""
        if self._closed:
            raise RuntimeError(CLOSED)

    def render(self) -> Any:
        """Returns the present epoch as an RGB array where `render_mode="rgb_array"`; shows it where it is "human"."""
        if self.render_mode == "rgb_array":
            return self._renderer.picture()
        return self.show()

    def show(self) -> None:
        """Shows the present epoch in a window where `render_mode="human"`; interfaces call it after each epoch."""
        if self._screen is not None and self._screen.is_open:
            self._screen.show(self._renderer.picture())

    def close(self) -> None:
        """Ends the traffic and closes the window; idempotent."""
        self._closed = True
        if self._screen is not None:
            self._screen.close()
        if self._owns_mobility:
            self.batch.mobility.close()
