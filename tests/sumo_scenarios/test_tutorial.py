"""The tutorial on own roads: its commands run, on small inputs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mobility.conftest import needs_sumo
from tests.sumo_scenarios.small_city import write_city, write_map

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorials" / "own-road.md"
COMMANDS = re.findall(r"^```bash\n(python .*)\n```$", PAGE.read_text(), re.MULTILINE)


@needs_sumo
@pytest.mark.slow
def test_the_commands_of_the_tutorial_run(tmp_path: Path) -> None:
    write_city(tmp_path)
    write_map(tmp_path / "extract.osm")
    assert len(COMMANDS) == 7
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    for command in COMMANDS:
        short = ["--measure", "300"] if "sumo_scenarios" in command else []
        run = subprocess.run(
            [sys.executable, *shlex.split(command)[1:], *short],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (command, run.stderr)
        assert not command.endswith("--street") or "'River Road Eastbound'" in run.stdout
    for name in ("river", "district", "city"):
        files = {path.name for path in (tmp_path / name).iterdir()}
        assert {"scenario.toml", "report.md"} <= files
    assert (tmp_path / "runs" / "city").is_dir()
