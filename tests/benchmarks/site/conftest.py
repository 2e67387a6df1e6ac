"""The pages of the made-up boards, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.leaderboard.schema import Board, Line
from benchmarks.leaderboard.site.page import page
from tests.benchmarks.site.tabs import BOARD, BOARDS, TRACK, Open, of_environments


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The made-up boards' pages, and others that differ in one thing."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: page(BOARDS[name]()) for name in ("full", "empty", "harmful")}
    texts["chartless"] = texts["full"].replace('"$schema"', '"$broken"').replace('"layer":[', '"layer":[7,')
    pair = replace(BOARD.recordings[1], case=BOARD.recordings[0].case)
    texts["two"] = page(replace(BOARD, recordings=(BOARD.recordings[0], pair, BOARD.recordings[2])))
    texts["late"] = page(_differing_at_one_place(BOARD))
    texts["environments"] = page(replace(BOARD, recordings=tuple(of_environments().values())))
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


def _differing_at_one_place(board: Board) -> Board:
    """A board whose performance profiles differ at a score of 0.97 only, which evenly spread places miss."""
    x = tuple(round(0.01 * n, 2) for n in range(120))
    of_lines = {name: tuple(1.0 - (at == 0.97) * part for at in x) for name, part in (("lymdo", 0.2), ("edge", 0.7))}
    lines = tuple(Line(name=name, x=x, value=value, low=value, high=value) for name, value in of_lines.items())
    track = replace(TRACK, profiles=replace(TRACK.profiles, lines=lines))
    return replace(board, tracks=(track,))


@pytest.fixture
def open_page(open_url: Open, pages: dict[str, Path]) -> Open:
    """Opens one of the made-up boards' pages."""

    def opened(name: str = "full", at: str = "", **options: Any) -> Any:
        return open_url(pages[name].as_uri() + at, **options)

    return opened
