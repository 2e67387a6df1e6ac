"""A problem and a suite of the user's own need no row in this project: they run, and have a leaderboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.command import main as leaderboard
from benchmarks.leaderboard.schema import Board
from benchmarks.references.__main__ import main as find
from benchmarks.report import main as report
from benchmarks.run import main as run
from benchmarks.suites import SUITES, suites_of
from tests.benchmarks import own_problem

MODULE = own_problem.__name__
SOURCE = f"{MODULE}:SUITE"
OWN = f"{MODULE}:{own_problem.OWN}"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of the user's suite."""
    directory = tmp_path_factory.mktemp("own")
    budget = ["--tables-s", "2", "--seer-s", "1", "--episodes", "4"]
    find(["find", f"{MODULE}:{own_problem.COMPARED}", "--suite", SOURCE, *budget])
    assert run([SOURCE, "--output", str(directory), "--workers", "2"]) == 0
    return directory


@pytest.fixture(scope="module")
def own_board(played: Path) -> Board:
    return board_of((own_problem.SUITE,), 1, played / "results", suite_name=SOURCE)


def test_results_keep_the_id_with_its_module(played: Path) -> None:
    definitions = [json.loads(path.read_text())["definition"] for path in (played / "results").glob("*.json")]
    assert len(definitions) == 10
    assert {of["env_id"] for of in definitions} == {OWN, f"{MODULE}:{own_problem.COMPARED}"}
    assert not any("recorded" in of["evaluation"] for of in definitions), "a problem that cannot be recorded is not"
    assert "| send |" in (played / "own.md").read_text()


def test_without_references_the_first_metric_ranks(own_board: Board) -> None:
    assert own_board.left_out == ()
    track = own_board.tracks[0]
    assert (track.env_id, track.title) == (OWN, own_problem.OWN)
    assert track.metric is not None
    assert (track.metric.name, track.metric.unit) == ("delay_s", "s")
    metrics = [entry.metric[0] for entry in track.entries if entry.metric is not None]
    assert len(metrics) == 3
    assert metrics == sorted(metrics)
    assert [entry.rank for entry in track.entries] == [1, 2, 3]
    assert {entry.name: entry.kind for entry in track.entries} == {
        "compute": "custom",
        "send": "custom",
        "qmix": "learned",
    }
    assert all(entry.skill == {} for entry in track.entries)
    compute = next(entry for entry in track.entries if entry.name == "compute")
    assert compute.metric == pytest.approx((4.0, 4.0, 4.0)), "1 s for each of three vehicles, and of five"
    assert compute.command == f"python -m benchmarks.run {SOURCE} --policies compute"
    assert all(row.skill is None for case in track.cases for row in case.rows)
    best = {(of.better, of.than): of.probability[0] for of in track.improvements}
    assert best["compute", "send"] + best["send", "compute"] == pytest.approx(1.0)


def test_stored_references_give_skill(own_board: Board) -> None:
    track = own_board.tracks[1]
    assert (track.title, track.metric) == (own_problem.COMPARED, None)
    (case,) = track.cases
    assert case.ranked
    assert (case.room.blind, case.room.episodes) == ("static", 4)
    skill = {entry.name: entry.skill["mean"][0] for entry in track.entries}
    assert skill["static"] == pytest.approx(0.0)
    assert set(skill) == {"random", "compute", "send", "static"}
    assert max(skill["compute"], skill["send"]) < 0.3, "both are blind, and tuned on no episodes"


def test_the_page_explains_a_ranking_without_references(
    played: Path, tmp_path: Path, open_url: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert leaderboard([str(played), "--suite", SOURCE, "--output", str(tmp_path)]) == 0
    text = (tmp_path / "leaderboard.md").read_text()
    assert "The blind policies and the seer of these cases are not known" in text
    assert "| rank | policy | delay (s), 95% | decision | note |" in text
    tab = open_url((tmp_path / "index.html").as_uri())
    ranking = tab.locator("section", has=tab.get_by_role("heading", name="Ranking", exact=True))
    assert ranking.get_by_text("are not known").is_visible()
    assert "Skill" not in [head.inner_text() for head in ranking.locator("thead th").all()]
    ranking.get_by_role("link", name="compute").click()
    assert "4.000" in tab.locator("dl.tiles").inner_text()


def test_a_report_is_named_after_the_suite(played: Path, tmp_path: Path) -> None:
    report([SOURCE, "--results", str(played), "--output", str(tmp_path)])
    assert "| send |" in (tmp_path / "own.md").read_text()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (f"{MODULE}:NO_SUITE", "must be a benchmarks.suites.suite.Suite or a tuple of them, got int"),
        (f"{MODULE}:MISSING", "cannot be imported: AttributeError"),
        ("nowhere:SUITE", "cannot be imported: ModuleNotFoundError"),
        ("own", "your own as package.module:NAME"),
    ],
)
def test_a_wrong_suite_is_refused(source: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        suites_of(source, SUITES)
