"""Progress is shown on a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from trainers.loop.evaluation import PolicyBar
from trainers.runs.progress import MovingLine


class Terminal(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def shown(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> str:
    errors = Terminal(is_terminal=is_terminal)
    monkeypatch.setattr(sys, "stderr", errors)
    line = MovingLine()
    line.show("reading " + 500 * "x")
    line.show("ranking")
    line.clear()
    with PolicyBar(2, 10) as bar:
        bar.begin("random")(10)
        bar.begin("best")(5)
        assert bar._bar.n == (15 if is_terminal else 0)
    return errors.getvalue()


def test_a_terminal_shows_a_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, is_terminal=True)
    assert "reading xxx" in text
    assert 300 * "x" not in text, "a line is cut at the width of the terminal"
    assert "\n" not in text
    assert "random" in text
    assert "best" in text


def test_a_file_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, is_terminal=False) == ""
