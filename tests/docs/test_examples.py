"""The programs and notebooks of `docs/examples`: they run on recorded traffic, and the index lists them."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
OF_CLIENTS = {"benchmarl_mappo.py", "rllib_ppo.py"}
"""Programs that need a library of `tests/clients`, whose tests run them."""
ARGUMENTS = {
    "my_learner.py": [
        *("--env.mobility", "replay", "--env.num-client-vehicles", "2", "--env.num-service-vehicles", "1"),
        *("--episodes", "32", "--num-envs", "8", "--learner.warm-up-episodes", "8", "--evaluation-episodes", "1"),
    ]
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in OF_CLIENTS])
def test_a_program_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "sb3_ppo.py":
        pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *ARGUMENTS.get(name, [])])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    if name not in ("my_policy.py", "my_nets.py"):  # they define what another command takes
        assert re.search(r"\d\.\d+ s", capsys.readouterr().out)


def test_there_are_programs_and_notebooks() -> None:
    assert len(PROGRAMS) >= 9
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_committed_without_outputs_and_begins_with_a_title(name: str) -> None:
    cells = json.loads((EXAMPLES / name).read_text())["cells"]
    assert "".join(cells[0]["source"]).startswith("# ")
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert [cell["outputs"] for cell in code if cell["outputs"]] == []
    assert {cell["execution_count"] for cell in code} == {None}


def test_the_index_lists_every_program() -> None:
    text = (EXAMPLES / "index.md").read_text()
    assert [name for name in PROGRAMS if f"]({name})" not in text] == []
