"""What the documentation says can be done: its Python, as it stands."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.vector import VectorEnv
from pettingzoo import ParallelEnv

from trainers.algorithms import options
from trainers.runs.options import Run
from vec_envs.field_docs import field_docs
from vec_envs.registration import ENVIRONMENTS

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/dnn-partition.md",
    "docs/task-diversion.md",
    "docs/cooperative-inference.md",
    "docs/extending.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    for made in names.values():
        if isinstance(made, gymnasium.Env | VectorEnv | ParallelEnv):
            made.close()


@pytest.mark.parametrize("page", [*PAGES, *(f"docs/{name}" for name in ("architecture.md", "leaderboard.md"))])
def test_files_that_a_page_names_exist(page: str) -> None:
    named = re.findall(
        r"`((?:docs|benchmarks|trainers|vec_envs|tests|sumo_scenarios)/[\w./-]+)`", (ROOT / page).read_text()
    )
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("module", ENVIRONMENTS.values())
def test_help_of_an_environment_lists_every_option_with_its_meaning(module: str) -> None:
    of = importlib.import_module(module)
    shown = " ".join(of.__doc__.split("**Options**")[1].split())
    docs = field_docs(of.factory.problem_type)
    for field in fields(of.factory.problem_type):
        value = getattr(field.default, "__name__", repr(field.default))
        assert f"{field.name} = {value}: {docs[field.name]}" in shown


OPTIONS = [Run, *(kind for name, kind in vars(options).items() if name.endswith("Options"))]


@pytest.mark.parametrize("kind", OPTIONS, ids=lambda kind: kind.__name__)
def test_every_option_of_a_run_says_what_it_is(kind: type[Any]) -> None:
    assert [f.name for f in fields(kind) if not field_docs(kind).get(f.name)] == []
