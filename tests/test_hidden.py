"""Folders of the user that have the names of this project's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vec_envs
from vec_envs.hidden import COMMAND_PACKAGES, hidden_by

ROOT = Path(vec_envs.__file__).parents[1]
SAFE = {"PYTHONSAFEPATH": "1"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the packages, as a wheel installs them."""
    site = tmp_path_factory.mktemp("site")
    for package in ("vec_envs", *COMMAND_PACKAGES):
        shutil.copytree(ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__", "published"))
    return site


def run(site: Path, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder of the user, with the packages of `site`."""
    environ = {**os.environ, "PYTHONPATH": str(site), **environment}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def own_folder(parent: Path, *packages: str) -> Path:
    """Returns a folder of a user who has packages of those names."""
    for package in packages:
        (parent / "own" / package).mkdir(parents=True)
        (parent / "own" / package / "__init__.py").touch()
    return parent / "own"


def test_scenarios_are_found_whatever_is_in_the_current_folder(installed: Path, tmp_path: Path) -> None:
    folder = own_folder(tmp_path, "sumo_scenarios")
    code = "from vec_envs.mobility import *; print(*scenario_names(), Scenario.load('motorway').net_file)"
    found = run(installed, folder, "-c", code)
    names = "arterial berlin-district bremen-motorway city-grid fdr-drive fdr-drive-dense motorway two-way-road"
    assert found.stdout.strip() == f"{names} {installed}/sumo_scenarios/motorway/net.xml", found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("package", COMMAND_PACKAGES)
def test_the_report_says_what_hides_the_commands(installed: Path, tmp_path: Path, package: str) -> None:
    folder = own_folder(tmp_path, package)
    hidden = run(installed, folder, "-m", "vec_envs")
    assert f"{package}: {folder / package} hides the package {package} of VEC-Envs: " in hidden.stdout, hidden.stderr
    assert hidden.returncode == 1
    safe = run(installed, folder, "-m", "vec_envs", **SAFE)
    assert (safe.returncode, safe.stdout.count(": found")) == (0, len(COMMAND_PACKAGES))


@pytest.mark.slow
def test_a_command_that_needs_a_hidden_package_says_so(installed: Path, tmp_path: Path) -> None:
    folder = own_folder(tmp_path, "trainers")
    hidden = run(installed, folder, "-m", "benchmarks.run", "--list")
    assert hidden.returncode != 0
    assert f"RuntimeWarning: {folder / 'trainers'} hides the package trainers" in hidden.stderr
    safe = run(installed, folder, "-m", "benchmarks.run", "--list", **SAFE)
    assert safe.returncode == 0, safe.stderr
    assert "hides" not in safe.stderr


def test_nothing_is_hidden_here() -> None:
    assert [hidden_by(package) for package in COMMAND_PACKAGES] == [None, None, None]
