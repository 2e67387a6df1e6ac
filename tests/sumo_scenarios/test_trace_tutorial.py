"""The commands of a tutorial, and then its Python, run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = ("own-trace",)


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_runs_from_its_file_to_a_trained_policy(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "tutorials", tmp_path / "docs" / "tutorials")
    text = (ROOT / "docs" / "tutorials" / f"{name}.md").read_text()
    commands, code = ("".join(re.findall(rf"^```{of}\n(.*?)^```$", text, re.M | re.S)) for of in ("sh", "python"))
    folder = str(Path(sys.executable).parent)
    surroundings = os.environ | {"PYTHONPATH": str(ROOT), "PATH": os.pathsep.join([folder, os.environ["PATH"]])}
    for command in (["bash", "-e", "-c", commands], [sys.executable, "-c", code]):
        done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d\d s\n", done.stdout)
    again = [sys.executable, *shlex.split(commands.splitlines()[0])[1:], "--overwrite"]
    said = subprocess.run(again, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=True)
    assert said.stdout in text
