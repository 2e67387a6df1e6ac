"""A single lane, as the faces that play one episode at a time hold it."""

from __future__ import annotations

from typing import Any

from vec_envs.core.lanes import Lanes
from vec_envs.faces.rendering import checked_render_mode, draw_lane
from vec_envs.mobility.traffic import Mobility
from vec_envs.problems.problem import Problem


class OneLane:
    """One lane with its pictures, and the traffic, which ends with it where it was made for it (`owns_mobility`)."""

    def __init__(self, problem: Problem, mobility: Mobility, *, owns_mobility: bool, render_mode: str | None) -> None:
        self.render_mode = checked_render_mode(render_mode)
        self.lanes = Lanes(problem, mobility, 1)
        self._owns_mobility = owns_mobility

    def render(self) -> Any:
        """Returns the present point as an RGB array where `render_mode="rgb_array"`."""
        return None if self.render_mode is None else draw_lane(self.lanes, 0)

    def close(self) -> None:
        """Ends the traffic; idempotent."""
        if self._owns_mobility:
            self.lanes.mobility.close()
