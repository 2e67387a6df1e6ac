"""The commands of the quick start, one after the other; trainings are made short."""

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
PAGE = (ROOT / "docs" / "quick-start.md").read_text()
COMMANDS = re.findall(r"^    python -m (.*)$", PAGE, re.MULTILINE)
SHORT = shlex.split(
    "--env.mobility replay --env.episode-slots 6 --num-envs 2 --episodes 4 --evaluation-episodes 2 "
    "--learner.warm-up-episodes 0 --learner.batch-size 8"
)


@pytest.mark.slow
def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    for package in ("altair", "moviepy", "pygame"):
        pytest.importorskip(package)
    as_a_user = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    for copied, folder in re.findall(r"\bcp (\S+) (\S+)", PAGE):
        (tmp_path / folder).mkdir(exist_ok=True)
        shutil.copy(ROOT / copied, tmp_path / folder)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    for command in COMMANDS:
        module, *arguments = shlex.split(command)
        short = SHORT if module in {"trainers.qmix", "trainers.qmix_diffusion"} else []
        run = subprocess.run(
            [sys.executable, "-m", module, *arguments, *short],
            cwd=tmp_path / "submission" if module.startswith("benchmarks") else tmp_path,
            env={**as_a_user, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (command, run.stderr)
    for made in ("runs/seven", "runs/five", "runs/small", "episode.html", "episode.gif", "curves.png", "small.json"):
        assert (tmp_path / made).exists(), made
    assert "my_policy:WholeTasks" in (tmp_path / "site" / "index.html").read_text()
    assert len(COMMANDS) >= 12
