"""The leaderboard of `main` that is committed: complete, as tables in docs, and as an interactive page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs.plan import jobs_of
from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.command import within
from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site.page import page
from benchmarks.results.stores import open_results
from benchmarks.suites import SUITES, seeds_of

for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PUBLISHED = tuple(ROOT / "benchmarks" / "published" / f"{name}.jsonl" for name in ("main", "main-1", "mad2rl"))
MAIN = SUITES["main"]


@pytest.fixture(scope="module")
def board() -> Board:
    return board_of(MAIN, seeds_of(MAIN), *PUBLISHED)


SLOW = {"optimum-bound", "optimum-drift", "genetic-drift"}
"""References that are too slow for the cases with 5.9 GHz, and have no rank."""


def test_every_policy_of_the_project_has_played_every_case_with_all_seeds() -> None:
    published = {name for path in PUBLISHED for name in open_results(path).names}
    for case in MAIN[0].cases:
        for policy in case.policies:
            assert {job.name for job in jobs_of(case, policy, 5)} <= published, (case.name, policy.name)


def test_every_complete_policy_is_ranked(board: Board) -> None:
    assert board.left_out == ()
    assert [len(track.cases) for track in board.tracks] == [9, 8, 7]
    for track in board.tracks:
        unranked = {entry.name for entry in track.entries if entry.rank is None}
        assert unranked <= SLOW
        assert all(entry.skill for entry in track.entries if entry.rank is not None)
        assert sum(case.ranked for case in track.cases) >= 2


def test_seeing_pays_on_the_ranked_cases_and_a_track_leaves_room_for_foresight(board: Board) -> None:
    for track in board.tracks[:2]:
        rooms = [case.room for case in track.cases if case.ranked and case.room is not None]
        worth = [1.0 - room.seer_value / room.present_value for room in rooms if room.present_value is not None]
        assert sum(share >= 0.05 for share in worth) >= 2, track.env_id


def test_the_docs_have_the_ranking_that_follows_from_the_results(board: Board) -> None:
    committed = (ROOT / "docs" / "results" / "leaderboard.md").read_text()
    assert within(committed, board) == committed, "run benchmarks.leaderboard with --into docs/results/leaderboard.md"


def test_the_docs_have_the_ranking_of_the_suite_mobile() -> None:
    mobile = SUITES["mobile"]
    of_suite = board_of(mobile, seeds_of(mobile), PUBLISHED[0].with_name("mobile.jsonl"))
    committed = (ROOT / "docs" / "results" / "mobile.md").read_text()
    assert within(committed, of_suite) == committed, "run benchmarks.leaderboard with --into docs/results/mobile.md"
    (track,) = of_suite.tracks
    assert all(case.ranked for case in track.cases)
    assert {entry.name for entry in track.entries if entry.rank is None} == {"p-qmix-pretrained"}


def test_its_page_shows_all_tracks(board: Board, open_url: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(page(board))
    for track in board.tracks:
        tab = open_url((tmp_path / "index.html").as_uri() + f"#track/{track.env_id}")
        ranking, cases = (
            tab.locator("section", has=tab.get_by_role("heading", name=title, exact=True))
            for title in ("Ranking", "Cases")
        )
        assert ranking.locator("tbody tr").count() == len(track.entries)
        assert cases.get_by_label("Case").locator("option").count() == len(track.cases)
        tab.locator(".chart").first.scroll_into_view_if_needed()
        tab.locator(".chart canvas").first.wait_for()
