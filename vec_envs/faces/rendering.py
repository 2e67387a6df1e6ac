"""A top-down picture of a slot: the road, its vehicles, and how much work waits where."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.core.lanes import Lanes

RENDER_MODES = ("rgb_array",)

_SIZE_INCHES = (9.0, 3.2)
_DPI = 100


def checked_render_mode(mode: str | None) -> str | None:
    """Returns the mode. Raises `ValueError` where it is unknown."""
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode={mode!r} is unknown; there are None, {', '.join(map(repr, RENDER_MODES))}")
    return mode


def draw_lane(lanes: Lanes, row: int) -> Any:
    """Returns the present slot of a lane as an RGB array [height, width, 3].

    Vehicles stand at their position along the road, coloured by role, as large as their backlog. Raises
    `ImportError` naming the extra where matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "vec-envs[render]"') from error
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    lanes.problem.picture(figure.subplots(), lanes.view, row)
    figure.axes[0].set_title(f"{lanes.mobility.road.name}, slot {lanes.slot[row]}", loc="left")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
