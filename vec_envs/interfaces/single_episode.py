"""A single environment with rendering, for the interfaces that play one episode at a time."""

from __future__ import annotations

from typing import Any

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.rendering import LoadDrawing, checked_render_mode, draw_environment
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.base import Problem


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
        self._load_drawing = load_drawing

    def render(self) -> Any:
        """Returns the present epoch as an RGB array where `render_mode="rgb_array"`."""
        return None if self.render_mode is None else draw_environment(self.batch, 0, self._load_drawing)

    def close(self) -> None:
        """Ends the traffic; idempotent."""
        if self._owns_mobility:
            self.batch.mobility.close()
