"""A picture of the present point: the canvas, and which problem is drawn by which module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vec_envs.core.lanes import Lanes
from vec_envs.faces import picture_cooperative_inference, picture_dnn_partition, picture_task_diversion
from vec_envs.problems.cooperative_inference import CooperativeInference
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.task_diversion import TaskDiversion

RENDER_MODES = ("rgb_array",)

Draw = Callable[[Any, Lanes, int], None]
"""Draws the present point of a lane, given by its row, into an empty figure of matplotlib, whose size it may change."""

PICTURES: dict[type[Any], Draw] = {
    DNNPartition: picture_dnn_partition.draw,
    TaskDiversion: picture_task_diversion.draw,
    CooperativeInference: picture_cooperative_inference.draw,
}
"""A problem's drawing: `picture_<problem>.py` here, and a row of this table."""

_SIZE_INCHES, _DPI = (11.0, 5.0), 100


def checked_render_mode(mode: str | None) -> str | None:
    """Returns the mode. Raises `ValueError` where it is unknown."""
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode={mode!r} is unknown; there are None, {', '.join(map(repr, RENDER_MODES))}")
    return mode


def draw_lane(lanes: Lanes, row: int) -> UInt8[np.ndarray, "height width 3"]:
    """Returns the present point of a lane as an RGB array.

    Raises `ImportError` naming the extra where matplotlib is missing, `NotImplementedError` for a problem that has no
    drawing, `RuntimeError` before the first reset.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "vec-envs[render]"') from error
    draw = _drawing_of(lanes.problem)
    if not lanes.begun:
        raise RuntimeError("there is nothing to draw yet: call reset() first")
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure, lanes, row)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _drawing_of(problem: Any) -> Draw:
    for kind, draw in PICTURES.items():
        if isinstance(problem, kind):
            return draw
    raise NotImplementedError(
        f"there is no picture of {type(problem).__name__}; there are those of "
        f"{', '.join(kind.__name__ for kind in PICTURES)}. Take render_mode=None"
    )
