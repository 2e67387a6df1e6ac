"""Pictures of the present decision epoch, made from a problem's scenes or by a drawing that a user has registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.canvas import load_pillow
from vec_envs.interfaces.present_scene import present_scene
from vec_envs.interfaces.scene_picture import ScenePictures
from vec_envs.mobility.street import street_of
from vec_envs.problems.abilities import HasScenes
from vec_envs.problems.base import Frame
from vec_envs.validation import did_you_mean

RENDER_FPS = 4
BATCH_RENDER_MODES = ("rgb_array",)
RENDER_MODES = ("human", *BATCH_RENDER_MODES)
"""The render modes of a single environment. A batch of environments has no window, so it has only those above."""

Draw = Callable[[Any, Frame], None]
"""Draws a frame into an empty figure of matplotlib, whose size it may change."""
LoadDrawing = Callable[[], Draw | None]
"""Returns a problem's own drawing, imported at the first picture; None where scenes are drawn."""
Picture = UInt8[np.ndarray, "height width 3"]

_SIZE_INCHES, _DPI = (11.0, 5.0), 100


def no_drawing() -> None:
    """Returns no drawing: the default of a problem whose scenes are drawn."""


def checked_render_mode(mode: str | None, modes: tuple[str, ...] = RENDER_MODES) -> str | None:
    """Returns the mode. Raises `ValueError` where it is unknown."""
    if mode is not None and mode not in modes:
        near = did_you_mean(mode, modes)
        raise ValueError(f"render_mode must be None or {' or '.join(map(repr, modes))}, got {mode!r}{near}")
    return mode


class Renderer:
    """Draws the environments of a batch. The background is drawn once and kept.

    A copy draws it again, so that copies and pickles stay small.
    """

    def __init__(self, batch: EnvironmentBatch, load_drawing: LoadDrawing = no_drawing) -> None:
        self._batch, self._load_drawing = batch, load_drawing
        self._pictures: ScenePictures | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Returns the attributes without the kept background."""
        return self.__dict__ | {"_pictures": None}

    def picture(self, row: int = 0) -> Picture:
        """Returns a picture of one environment of the batch, given by its row.

        Raises `ImportError` naming the extra where a library is missing, `NotImplementedError` for a problem without
        scenes and drawing, and `RuntimeError` before the first reset.
        """
        load_pillow()
        draw = self._load_drawing()
        problem = self._batch.problem
        if draw is None and not isinstance(problem, HasScenes):
            raise NotImplementedError(
                f"{type(problem).__name__} has no drawing: make the environment with render_mode=None, give the "
                "problem scenes (HasScenes in vec_envs/problems/abilities.py), or register it with drawing=..."
            )
        if not self._batch.begun:
            raise RuntimeError("there is nothing to draw yet: call reset() first")
        if draw is not None:
            return _drawn(draw, self._batch.frame(row))
        if self._pictures is None:
            self._pictures = ScenePictures(street=street_of(self._batch.mobility))
        return self._pictures.picture(present_scene(self._batch, row), row)


def _drawn(draw: Draw, frame: Frame) -> Picture:
    """Returns the picture that a user's own drawing makes with matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure, frame)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
