"""Screens for `render_mode="human"`: a window of pygame, or the output of a notebook's cell."""

from __future__ import annotations

import io
import os
import sys
import time
import warnings
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from vec_envs.interfaces.canvas import load_pillow
from vec_envs.validation import missing_extra

TITLE = "VEC-Envs"
HEADLESS = (
    "render_mode='human' found no display, so no window opens: use render_mode='rgb_array', or write a video with "
    "python -m trainers.watch"
)


@runtime_checkable
class Screen(Protocol):
    """A window or cell that shows pictures. It is not open if there is no display, or after its user has closed it."""

    @property
    def is_open(self) -> bool:
        """Whether pictures can be seen."""
        ...

    def show(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Shows a picture, and waits so that pictures keep their rate."""
        ...

    def close(self) -> None:
        """Closes the screen; may be called again."""
        ...


def screen_for(frames_per_s: float) -> Screen:
    """Returns the output of the cell in a notebook, and a window elsewhere.

    Raises `ImportError` naming the extra where pygame is missing.
    """
    load_pillow()
    return Notebook(frames_per_s) if _in_notebook() else Window(frames_per_s)


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which shows pictures in its cells."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return shell is not None and hasattr(shell, "kernel")


def has_display() -> bool:
    """Whether a window can open: on Linux, whether a display or SDL's driver is named in the environment."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
    return named or not sys.platform.startswith("linux")


class Window:
    """A window of pygame. Without a display it warns once, in one sentence, and shows nothing."""

    def __init__(self, frames_per_s: float) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        try:
            import pygame
        except ImportError as error:
            raise ImportError(missing_extra("render_mode='human'", "pygame", "render")) from error
        self._pygame: Any = pygame
        self._pace = _Pace(frames_per_s)
        self._surface: Any = None
        self.is_open = has_display()
        if not self.is_open:
            warnings.warn(HEADLESS, RuntimeWarning, stacklevel=2)

    def __reduce__(self) -> tuple[type[Window], tuple[float]]:
        """Copies only the rate of pictures: a copy opens a window of its own."""
        return Window, (self._pace.frames_per_s,)

    def show(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Shows a picture. The window opens with the first one, and closes where its user closes it."""
        pygame, size = self._pygame, picture.shape[1::-1]
        if self._surface is None or self._surface.get_size() != size:
            try:
                pygame.display.init()
                pygame.display.set_caption(TITLE)
                self._surface = pygame.display.set_mode(size)
            except pygame.error as error:
                self.is_open = False
                warnings.warn(f"{HEADLESS} ({error})", RuntimeWarning, stacklevel=2)
                return
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
            return
        self._surface.blit(pygame.image.frombuffer(picture.tobytes(), size, "RGB"), (0, 0))
        pygame.display.flip()
        self._pace.wait()

    def close(self) -> None:
        """Closes the window."""
        if self._surface is not None:
            self._pygame.display.quit()
        self._surface, self.is_open = None, False


class Notebook:
    """The output of a notebook's cell, in which each picture replaces the one before."""

    is_open = True

    def __init__(self, frames_per_s: float) -> None:
        self._pace = _Pace(frames_per_s)

    def show(self, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Shows a picture in the cell that is being run."""
        from IPython.display import Image, clear_output, display  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

        images, _, _, _ = load_pillow()
        png = io.BytesIO()
        images.fromarray(picture).save(png, format="PNG")
        clear_output(wait=True)
        display(Image(data=png.getvalue()))
        self._pace.wait()

    def close(self) -> None:
        """Leaves the last picture in the cell."""


class _Pace:
    """Waits until the time of the next picture."""

    def __init__(self, frames_per_s: float) -> None:
        self.frames_per_s = frames_per_s
        self._due = 0.0

    def wait(self) -> None:
        """Waits so that pictures appear at most `frames_per_s` times a second."""
        time.sleep(max(self._due - time.monotonic(), 0.0))
        self._due = time.monotonic() + 1.0 / self.frames_per_s
