"""The sections of pages that come from the code, and the pages of the API reference."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.test_public_api import MODULES
from trainers.registry import LEARNERS
from vec_envs.registration import ENVIRONMENTS, factory_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    """Returns the names of `docs/generate.py`."""
    return runpy.run_path(str(DOCS / "generate.py"))


def test_the_generated_sections_are_up_to_date(generate: dict[str, Any]) -> None:
    stale = [path.name for path, text in generate["pages"]().items() if path.read_text() != text]
    assert stale == [], "run python docs/generate.py"


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_the_options_of_a_page_are_those_of_the_dataclass(generate: dict[str, Any], env_id: str) -> None:
    factory = factory_of(env_id)
    rows = generate["environment_sections"](env_id)["options"].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [name for name, _, _ in factory.options()]
    assert set(factory.problem_type.__dataclass_fields__) <= {row.split("`")[1] for row in rows}
    assert [row for row in rows if row.replace("\\|", "").split("|")[3].strip() == ""] == [], "an option has no text"


def test_every_learner_has_a_page_with_all_its_options(generate: dict[str, Any]) -> None:
    assert {path.stem for path in (DOCS / "learners").glob("*.md")} - {"index"} == set(LEARNERS)
    for name in LEARNERS:
        text = (DOCS / "learners" / f"{name}.md").read_text()
        assert f"python -m trainers.{name}" in text
        assert "Paper:" in text
        assert "python -m benchmarks.run" in text


def test_the_reference_covers_every_public_module() -> None:
    text = "".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    factories = set(ENVIRONMENTS.values())
    documented = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", text, re.MULTILINE))
    assert set(MODULES) - factories - documented == {"vec_envs"}, "its names have pages of their own"


def test_a_pipe_in_a_text_does_not_end_a_cell(generate: dict[str, Any]) -> None:
    assert generate["table"](("a", "b"), [("1", "log(1 + |x|)")]).splitlines()[2] == "| 1 | log(1 + \\|x\\|) |"
