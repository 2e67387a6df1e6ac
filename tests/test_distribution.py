"""Wheel and source archive: what they hold, what they say of themselves, and that they work without the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLAYS = """
import json, gymnasium, vec_envs
from vec_envs.registration import ENVIRONMENTS
for env_id in ENVIRONMENTS:
    road = "still" if "Cooperative" in env_id else "replay"
    env = gymnasium.make(env_id, mobility=road)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
print(vec_envs.__file__)
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the source archive, and the wheel that was built from it."""
    pytest.importorskip("build.__main__", reason="needs the extra release")  # a folder build has none
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), folder=folder)
    return folder


def run(*command: str, folder: Path, **environment: str) -> str:
    """Runs a command, and returns what it prints; fails with its errors."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_archives_describe_themselves(archives: Path) -> None:
    pytest.importorskip("twine", reason="needs the extra release")
    printed = run(sys.executable, "-m", "twine", "check", "--strict", *map(str, archives.iterdir()), folder=archives)
    assert printed.count("PASSED") == 2


@pytest.mark.slow
def test_the_archives_hold_what_is_used_and_nothing_else(archives: Path) -> None:
    with zipfile.ZipFile(next(archives.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
    tops = {name.partition("/")[0] for name in inside if ".dist-info" not in name}
    assert tops == {"vec_envs", "trainers", "benchmarks", "sumo_scenarios"}
    listed = subprocess.run(["git", "ls-files", *sorted(tops)], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        committed = {name for name in listed.stdout.split() if not name.startswith("benchmarks/published/")}
        assert committed - inside == set()
    with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "constraints.txt", "LICENSE", "docs/conf.py", "tests/conftest.py"} <= source


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_an_archive_works_without_the_checkout(archives: Path, tmp_path: Path, pattern: str) -> None:
    place, archive = tmp_path / "site", next(archives.glob(pattern))
    pip = ("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(place))
    run(sys.executable, *pip, str(archive), folder=tmp_path)
    installed = {"PYTHONPATH": str(place)}
    assert run(sys.executable, "-c", PLAYS, folder=tmp_path, **installed).startswith(str(place))
    report = json.loads(run(sys.executable, "-m", "vec_envs", "--json", folder=tmp_path, **installed))
    assert report["folder"] == str(place / "vec_envs")
    assert report["hidden"] == {}
    assert "main" in run(sys.executable, "-m", "benchmarks.run", "--list", folder=tmp_path, **installed)


def instructions() -> list[tuple[str, str]]:
    """Returns the instructions of the Dockerfile with their arguments, each on one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def test_the_image_is_slim_and_its_user_has_no_rights() -> None:
    lines = instructions()
    assert next(rest for word, rest in lines if word == "FROM").startswith("python:3.")
    assert "-slim" in lines[0][1]
    users = [rest for word, rest in lines if word == "USER"]
    assert users
    assert all(user not in ("root", "0") for user in users)
    assert lines[-1][0] in ("CMD", "ENTRYPOINT")


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    copied = [name for word, rest in instructions() if word == "COPY" for name in rest.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(copied) <= set(allowed)


def test_the_image_has_the_system_libraries_that_the_readme_names() -> None:
    named = re.search(r"apt-get install ([\w. -]+)", (ROOT / "README.md").read_text())
    assert named is not None
    installed = " ".join(rest for word, rest in instructions() if word == "RUN" and "apt-get" in rest)
    assert [library for library in named[1].split() if library not in installed.split()] == []
