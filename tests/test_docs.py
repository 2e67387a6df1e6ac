"""What the documentation says can be done: its Python, as it stands."""

from __future__ import annotations

import re
import runpy
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

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/environments.md",
    "docs/dnn-partition.md",
    "docs/task-diversion.md",
    "docs/cooperative-inference.md",
    "docs/mobile-inference.md",
    "docs/index.md",
    "docs/quick-start.md",
    "docs/tutorials/own-policy.md",
    "docs/tutorials/own-problem.md",
]


@pytest.mark.slow
@pytest.mark.parametrize("page", [*PAGES, "docs/extending.md"])
def test_the_python_of_a_page_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks:
        exec(compile(block, page, "exec", dont_inherit=True), names)
    for made in names.values():
        if isinstance(made, gymnasium.Env | VectorEnv | ParallelEnv):
            made.close()


EVERY_PAGE = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_files_that_a_page_names_or_links_to_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:docs|benchmarks|trainers|vec_envs|tests|sumo_scenarios)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((?!https?://)([^)#\s]+)", text)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_sections_that_a_page_links_to_exist(page: str) -> None:
    for link, section in re.findall(r"\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)", (ROOT / page).read_text()):
        linked = (ROOT / page).parent.joinpath(link) if link else ROOT / page
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
        assert section in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.slow
def test_the_script_of_the_pictures_makes_the_committed_ones(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    script = runpy.run_path(str(ROOT / "docs" / "pictures" / "make.py"))
    for name in script["PICTURES"]:
        committed = ROOT / "docs" / "pictures" / f"{name}.gif"
        assert 50_000 < committed.stat().st_size < 1_000_000
        assert f"(pictures/{name}.gif)" in (ROOT / "docs" / f"{name}.md").read_text()
    written = script["make"]("dnn-partition", tmp_path)
    committed = ROOT / "docs" / "pictures" / "dnn-partition.gif"
    assert 0.8 < written.stat().st_size / committed.stat().st_size < 1.25


OPTIONS = [Run, *(kind for name, kind in vars(options).items() if name.endswith("Options"))]


@pytest.mark.parametrize("kind", OPTIONS, ids=lambda kind: kind.__name__)
def test_every_option_of_a_run_says_what_it_is(kind: type[Any]) -> None:
    assert [f.name for f in fields(kind) if not field_docs(kind).get(f.name)] == []
