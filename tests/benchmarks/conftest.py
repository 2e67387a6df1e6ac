"""The tiny suite, one run of it that nothing disturbed, and a browser."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs.execute import locked
from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.schema import Board
from tests.benchmarks.known import SEEDS, SUITE, SWEEP, write_all
from tests.waiting import LIMIT_S

TINY = Path(__file__).with_name("tiny.py")
LOCAL = ("file:", "data:", "blob:")


SLOW_FIXTURES = {"browser", "nodes", "played", "submissions", "whole"}
"""Fixtures that run a suite, or start Ray or a browser."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that need a slow fixture as slow."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """What stands in `tiny.py`."""
    return runpy.run_path(str(TINY))


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts the runner on the tiny suites."""

    def started(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(TINY), *map(str, arguments), "--workers", "2"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return started


@pytest.fixture(scope="session")
def whole(start: Callable[..., subprocess.Popen[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the tiny suites, which the processes of one test run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "whole"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "printed.txt").exists():
            process = start("tiny", "--seeds", 2, "--output", folder)
            printed, errors = process.communicate()
            assert process.returncode == 0, errors
            (folder / "printed.txt").write_text(printed)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the suites of `known`."""
    folder = tmp_path_factory.mktemp("results")
    write_all(folder)
    return folder


@pytest.fixture(scope="module")
def board(folder: Path) -> Board:
    """What stands in them."""
    return board_of((SUITE, SWEEP), SEEDS, folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        assert os.environ.get("CI") != "true", "CI must have chromium: the leaderboard's page is tested in it"
        pytest.skip("there is no chromium to look at the page with")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_url(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; in the end there must be no error, no warning that was not expected, and no request elsewhere."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def opened(url: str, *, expected: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"color_scheme": "light", "reduced_motion": "no-preference", **options})
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(1000 * LIMIT_S)
        tab.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        tab.on("console", lambda said: None if expected and expected in said.text else wrong.append(said.text))
        tab.on("request", lambda asked: None if asked.url.startswith(LOCAL) else wrong.append(asked.url))
        tab.goto(url)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
