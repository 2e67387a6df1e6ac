"""The tiny suite, and one run of it that nothing disturbed."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs import locked

TINY = Path(__file__).with_name("tiny.py")


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
