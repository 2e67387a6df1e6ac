"""The work of a leaderboard's tracks: in several processes, with progress, and with what each policy is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.leaderboard import track_work
from benchmarks.leaderboard.case_results import CaseResults, custom_policies, read_all
from benchmarks.leaderboard.command import main
from benchmarks.leaderboard.entries import about_of
from benchmarks.leaderboard.schema import Board, Track
from benchmarks.leaderboard.track_work import TrackWork, tracks_of
from benchmarks.leaderboard.tracks import TrackResults
from benchmarks.results.stores import open_results
from benchmarks.suites import SUITES
from benchmarks.suites.suite import CustomPolicy
from tests.benchmarks.known import SEEDS, SUITE, SWEEP, entries


def _work(folder: Path, *titles: str) -> list[TrackWork]:
    found, _ = read_all([open_results(folder)], SUITE.cases)
    custom = custom_policies(found, SUITE.cases)
    of_cases = [CaseResults.of(case, SEEDS, found, custom) for case in SUITE.cases]
    results = TrackResults.of(SUITE.cases[0].env_id, of_cases, suite=SUITE.name, seeds=SEEDS)
    return [TrackWork(results=results, title=title, sweeps=()) for title in titles]


@pytest.mark.slow
def test_processes_return_the_tracks_in_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    here = tracks_of(_work(folder, "first", "second"), workers=1, report=said.append)
    assert [line.rpartition(": ")[2] for line in said[1:]] == ["first", "second"]
    monkeypatch.setattr(track_work, "FEW_RESULTS", 0)
    there = tracks_of(_work(folder, "first", "second"), workers=2, report=said.append)
    assert [track.title for track in there] == ["first", "second"]
    assert [_without_intervals(track) for track in there] == [_without_intervals(track) for track in here]


def _without_intervals(track: Track) -> Track:
    """The track without what depends on the number of resamples, which is smaller in this process."""
    return replace(track, entries=(), improvements=(), profiles=replace(track.profiles, lines=()))


@pytest.mark.slow
def test_the_command_says_how_far_it_is(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert")
    arguments = [str(folder), "--output", str(tmp_path), "--suite", "two"]
    assert main(arguments, {"two": (SUITE, SWEEP)}) == 0
    errors = capsys.readouterr().err
    number = len(open_results(folder).entries)
    assert f"reading {number} results ..." in errors
    assert "ranking the policies of 1 environment ..." in errors
    assert errors.rstrip().endswith("writing the page ...")


def test_an_entry_has_the_code_of_its_results(board: Board) -> None:
    assert {entry.code.partition(" ")[0] for entry in entries(board).values()} == {"version"}


@pytest.mark.parametrize("name", list(SUITES))
def test_every_policy_of_a_suite_is_described_by_its_documentation(name: str) -> None:
    described = {
        (case.env_id, policy.name): about_of(policy, case.env_id)
        for suite in SUITES[name]
        for case in suite.cases
        for policy in case.policies
    }
    assert all(about.endswith(".") and "`" not in about and "\n" not in about for about in described.values())
    assert not [key for key, about in described.items() if about.startswith(("The learner ", "The reference policy "))]


def test_a_policy_of_a_user_is_described_by_its_source() -> None:
    assert "my_module:Mine" in about_of(CustomPolicy(name="mine", source="my_module:Mine"), "VEC-DNNPartition-v0")
