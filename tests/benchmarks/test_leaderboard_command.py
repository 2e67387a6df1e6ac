"""What the leaderboard's command finds out before it builds the page."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.jobs.plan import custom_policy_job
from benchmarks.leaderboard import command
from benchmarks.suites import SUITES


class Played:
    """Results of a custom policy that nobody has published, on every case of an environment."""

    def __init__(self, suite: str) -> None:
        policy = {"given": "my_policy:Mine", "sha256": "0"}
        cases = [case for of in SUITES[suite] for case in of.cases if case.env_id == "VEC-DNNPartition-v0"]
        self._found = {job.name: job for job in (custom_policy_job(case, policy) for case in cases)}

    @property
    def names(self) -> set[str]:
        return set(self._found)

    def find(self, name: str) -> Any:
        return SimpleNamespace(definition=self._found[name].definition)


@pytest.mark.parametrize("suite", ["main", "main-1", "quick"])
def test_the_suite_is_the_one_whose_cases_were_played(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    published = command.open_results(command.PUBLISHED)
    monkeypatch.setattr(command, "open_results", {Path("mine"): Played(suite), command.PUBLISHED: published}.get)
    assert command.suite_in([Path("mine")], SUITES, [command.PUBLISHED]) == suite


def test_a_missing_extra_is_found_before_the_page_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(command, "open_results", lambda path: pytest.fail("it began to work"))
    assert command.main([]) == 2
    assert 'pip install "vec-envs[leaderboard]"' in capsys.readouterr().err
