"""Progress on a terminal: a bar, or a line that moves. Where standard error is no terminal, both are silent."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from tqdm import tqdm

_CLEAR = "\r\x1b[K"


def bar(total: int, *, unit: str) -> tqdm[Any]:
    """Returns a bar that disappears at its end."""
    return tqdm(total=total, unit=unit, leave=False, disable=not sys.stderr.isatty())


class MovingLine:
    """A line of the terminal that says what is being done; each text replaces the one before."""

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Shows a text, cut at the width of the terminal."""
        if self.is_shown:
            width = shutil.get_terminal_size().columns - 1
            print(f"{_CLEAR}{text[:width]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Removes the line."""
        if self.is_shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
