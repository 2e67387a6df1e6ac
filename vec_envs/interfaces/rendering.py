"""Pictures of the present decision epoch: the canvas on which a problem's own drawing draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.base import Frame

RENDER_MODES = ("rgb_array",)

Draw = Callable[[Any, Frame], None]
"""Draws a frame into an empty figure of matplotlib, whose size it may change."""
LoadDrawing = Callable[[], Draw | None]
"""Returns a problem's drawing, imported at the first picture; None where the problem has none."""

_SIZE_INCHES, _DPI = (11.0, 5.0), 100


def no_drawing() -> None:
    """Returns no drawing: the default of a problem that has none."""


def checked_render_mode(mode: str | None) -> str | None:
    """Returns the mode. Raises `ValueError` where it is unknown."""
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode={mode!r} is unknown; there are None, {', '.join(map(repr, RENDER_MODES))}")
    return mode


def draw_environment(
    batch: EnvironmentBatch, row: int, load_drawing: LoadDrawing
) -> UInt8[np.ndarray, "height width 3"]:
    """Returns a picture of one environment of a batch, given by its row, as an RGB array.

    Raises `ImportError` naming the extra where matplotlib is missing, `NotImplementedError` for a problem without a
    drawing, `RuntimeError` before the first reset.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "vec-envs[render]"') from error
    draw = load_drawing()
    if draw is None:
        raise NotImplementedError(
            f"{type(batch.problem).__name__} has no drawing: make the environment with render_mode=None, "
            "or register the problem with drawing=..."
        )
    if not batch.begun:
        raise RuntimeError("there is nothing to draw yet: call reset() first")
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure, batch.frame(row))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
