"""Scores, ranks and rliable's statistics, from results whose values are known."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rliable import metrics

from benchmarks.jobs.plan import custom_policy_job, jobs_of
from benchmarks.leaderboard import command
from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.command import main
from benchmarks.leaderboard.schema import Board, Track
from benchmarks.leaderboard.scores import _wins, aggregates, improvements, profiles
from benchmarks.results import result as results
from benchmarks.suites.suite import Reference
from tests.benchmarks.known import (
    BASE,
    EPISODES,
    GROWING,
    MEANS,
    POLICIES,
    SEEDS,
    SUITE,
    SWEEP,
    THEIRS,
    TWIN,
    UNSEEN,
    entries,
    write,
)

pytestmark = pytest.mark.usefixtures("few_resamples")
BEGIN, END = "<!-- measured: leaderboard -->", "<!-- end: leaderboard -->"


def test_scores_are_0_for_random_and_1_for_the_optimum(board: Board) -> None:
    of = entries(board)
    assert of["random"].scores["mean"] == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert of["optimum-drift"].scores["mean"] == pytest.approx((1.0, 1.0, 1.0), abs=1e-9)
    assert of[THEIRS["given"]].scores["mean"][0] == pytest.approx(np.log(10.0) / np.log(11.0), abs=1e-3)
    value, low, high = of["mine"].scores["mean"]
    by_hand = np.mean(np.log(110.0 / np.array([12.0, 12.5, 13.0])) / np.log(11.0))
    assert value == pytest.approx(by_hand, abs=1e-3)
    assert low < value < high
    assert of["mine"].scores["optimality_gap"][0] == pytest.approx(1.0 - by_hand, abs=1e-3)
    assert of["mine"].times_best == pytest.approx(1.25, abs=1e-3)
    assert of["worse"].times_best == pytest.approx(np.sqrt(2.05 * 2.45), abs=1e-3)  # 20.5 and 24.5 over 10


def test_a_scores_interval_is_paired_with_0_and_1(board: Board) -> None:
    (track,) = board.tracks
    rows = {row.policy: row for row in case_of(track, "seen").rows}
    assert rows["random"].score == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert rows["optimum-drift"].score == pytest.approx((1.0, 1.0, 1.0), abs=1e-9)
    assert rows["mine"].decision_ms == 0.5


def test_policies_with_equal_printed_scores_share_a_rank(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        write(other, case, "as good", 11.001, growing=False, definitions=[custom_policy_job(case, TWIN).definition])
    of = entries(board_of((SUITE,), SEEDS, other))
    assert of[THEIRS["given"]].scores["mean"] != of[TWIN["given"]].scores["mean"]
    ranks = {name: entry.rank for name, entry in of.items()}
    assert ranks[THEIRS["given"]] == ranks[TWIN["given"]] == 2
    assert (ranks["optimum-drift"], ranks["mine"], ranks["least-delay"]) == (1, 4, 7)


@pytest.mark.parametrize(
    ("growing", "says"),
    [
        ({"optimum-drift": True, "least-delay": False}, ""),
        ({"optimum-drift": True}, "the random policy is as good as random"),
        ({"optimum-drift": True, "random": True}, "the queues of all references grow"),
    ],
)
def test_where_no_optimums_queue_settles_the_best_reference_is_1(
    folder: Path, tmp_path: Path, growing: dict[str, bool], says: str
) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for name, grows in growing.items():
        definitions = [job.definition for job in jobs_of(BASE, Reference(name=name), SEEDS)]
        write(other, BASE, name, MEANS[name], growing=grows, definitions=definitions)
    board = board_of((SUITE,), SEEDS, other)
    assert [rejected.what for rejected in board.left_out if says in rejected.why] == (["seen"] if says else [])
    assert ("seen", "least-delay") in {(case.name, case.best) for case in board.tracks[0].cases} or says


def test_a_metric_that_is_not_above_0_cannot_be_scored(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    write(other, BASE, "theirs", -1.0, growing=False, definitions=[custom_policy_job(BASE, THEIRS).definition])
    board = board_of((SUITE,), SEEDS, other)
    assert "on average, which is not above 0" in board.left_out[0].why
    assert entries(board)[THEIRS["given"]].rank is None


def test_another_result_of_the_same_name_is_reported(folder: Path, board: Board, tmp_path: Path) -> None:
    (job,) = jobs_of(BASE, Reference(name="least-delay"), SEEDS)
    write(tmp_path, BASE, "least-delay", 9.0, growing=True, definitions=[job.definition])
    both = board_of((SUITE, SWEEP), SEEDS, folder, tmp_path)
    assert both.tracks == board.tracks
    (rejected,) = both.left_out
    assert rejected.what == f"{job.name}.json"
    assert f"has other values in {tmp_path} than in {folder}, which is used" in rejected.why


def test_growing_queues_rank_below_stable_ones(board: Board) -> None:
    (track,) = board.tracks
    ranks = [(entry.rank, entry.name) for entry in track.entries]
    stable = ["optimum-drift", THEIRS["given"], "mine", "worse", "random"]
    assert ranks == list(enumerate([*stable, "least-delay", "all-local"], start=1))
    of = entries(board)
    assert not of["least-delay"].stable
    assert "its queue grows on every case" in of["least-delay"].note
    assert of["mine"].stable
    assert (of["mine"].kind, of["random"].kind, of[THEIRS["given"]].kind) == ("learned", "reference", "custom")
    assert of["worse"].options["hidden"] == 9
    assert of["mine"].command.endswith("benchmarks.run two --policies mine --seeds 3")


def case_of(track: Track, name: str) -> Any:
    return next(case for case in track.cases if case.name == name)


def test_a_case_shows_metrics_and_regret(board: Board) -> None:
    (track,) = board.tracks
    case = case_of(track, "new road")
    assert (case.unseen, case.best, case.options["mobility"]) == ("road", "optimum-drift", "replay")
    rows = {row.policy: row for row in case.rows}
    assert rows["worse"].regret[0] == pytest.approx(14.5, abs=0.02)
    assert rows["worse"].regret[1] < rows["worse"].regret[0] < rows["worse"].regret[2]
    assert rows["optimum-drift"].regret == pytest.approx((0.0, 0.0, 0.0))
    assert rows["least-delay"].growing
    assert [row.policy for row in case.rows][-3:] == ["worse", "all-local", "random"]
    assert rows["mine"].score[1] < rows["mine"].score[0] < rows["mine"].score[2]


def test_curves_queues_and_trade_offs(board: Board) -> None:
    (track,) = board.tracks
    (curves,) = track.curves  # of the case that is trained on
    assert {line.name for line in curves.lines} == {"mine", "worse"}
    assert curves.lines[0].value == (9.0, 8.0, 7.0, 6.0, 5.0)
    assert {line.name for line in track.queues[0].lines}.isdisjoint(GROWING)
    (sweep,) = track.sweeps
    assert (sweep.x_label, sweep.lines[0].x) == ("V", (1, 2))


def test_a_policy_that_lacks_a_result_is_not_ranked(folder: Path, tmp_path: Path) -> None:
    less = tmp_path / "less"
    shutil.copytree(folder, less)
    (job,) = [job for job in jobs_of(UNSEEN, POLICIES[0], SEEDS) if job.definition["policy"]["seed"] == 1]
    (less / f"{job.name}.json").unlink()
    of = entries(board_of((SUITE,), SEEDS, less))
    assert of["mine"].rank is None
    assert of["mine"].scores == {}
    assert of["mine"].note == "not ranked: incomplete on new road (2 of 3 seeds)"
    assert of["worse"].rank == 3


def test_all_references_that_may_score_1_must_have_results(folder: Path, tmp_path: Path) -> None:
    """Otherwise the meaning of score 1 would depend on which results are present."""
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    (job,) = jobs_of(BASE, Reference(name="optimum-drift"), 1)
    (other / f"{job.name}.json").unlink()
    board = board_of((SUITE,), SEEDS, other)
    assert [case.name for case in board.tracks[0].cases] == ["new road"]
    assert "no result of optimum-drift, whose score may be 1" in board.left_out[0].why


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slopes", "stable"),
    [
        ((0.6, 0.61, 0.62), False),  # over 30 epochs these add 0.90 to 0.93 of the mean, 20
        ((0.4, 0.41, 0.42), True),  # 0.60 to 0.63 of it
        ((0.0, 0.0, 1.2), True),  # a single run of three shows nothing about the next
        ((-0.1, -0.11, -0.12), True),
    ],
)
def test_whether_a_queue_grows_is_judged_on_all_runs_together(
    slopes: tuple[float, ...], stable: bool, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for job, slope in zip(jobs_of(BASE, POLICIES[0], SEEDS), slopes, strict=True):
        of = results.read(other / f"{job.name}.json")
        values = {**of.values, "trend_backlog_gcycles": np.full(EPISODES, slope)}
        results.write(
            other, of.definition, of.kept, values=values, decisions=of.decisions, curve=of.curve, traces=of.traces,
            training_s=1.0, evaluation_s=1.0,
        )  # fmt: skip
    assert entries(board_of((SUITE,), SEEDS, other))["mine"].stable == stable
    assert entries(board_of((SUITE,), SEEDS, folder))["mine"].stable


def test_the_same_results_give_the_same_board(folder: Path, board: Board) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert board_of((SUITE, SWEEP), SEEDS, folder) == board
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


# Rliable's -----------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
RUNS = {"a": RNG.normal(0.9, 0.1, (5, 4)), "b": RNG.normal(0.7, 0.2, (3, 4)), "c": RNG.normal(0.9, 0.0, (1, 4))}


def test_the_probability_of_improvement_is_rliables() -> None:
    for x in RUNS.values():
        for y in RUNS.values():
            if x is not y:
                assert _wins(x, y)[0] == pytest.approx(metrics.probability_of_improvement(x, y))
    of = improvements(RUNS)
    assert of["a", "b"][0] + of["b", "a"][0] == pytest.approx(1.0)
    assert of["a", "b"][1] <= of["a", "b"][0] <= of["a", "b"][2]


def test_aggregates_and_profiles() -> None:
    of = aggregates(RUNS)
    assert of["a"]["iqm"][0] == pytest.approx(metrics.aggregate_iqm(RUNS["a"]))
    assert of["a"]["iqm"][1] < of["a"]["iqm"][0] < of["a"]["iqm"][2]
    assert of["c"]["iqm"][1] == of["c"]["iqm"][2] == pytest.approx(of["c"]["iqm"][0])  # a single run does not vary
    many = aggregates({"c": np.repeat(RUNS["c"], 5, axis=0)})
    assert of["c"] == many["c"]  # a single run counts as often as others have runs
    line = profiles(RUNS, (0.0, 0.8, 5.0))[0]
    assert line.value == pytest.approx((1.0, float((RUNS["a"] > 0.8).mean()), 0.0), abs=1e-4)


@pytest.mark.slow
def test_results_of_a_custom_policy_alone_are_ranked_among_the_published_ones(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published, own, site = tmp_path / "published", tmp_path / "own", tmp_path / "site"
    shutil.copytree(folder, published)
    own.mkdir()
    for path in published.glob("given-*.json"):
        path.rename(own / path.name)
    monkeypatch.setattr(command, "PUBLISHED", published)
    asked = ["--output", str(site), "--seeds", str(SEEDS)]
    known = {"two": (SUITE, SWEEP)}
    assert main([str(own), "--no-published", *asked], known) == 2
    assert "has no results of the policies of two" in capsys.readouterr().err
    assert main([str(own), *asked], known) == 0
    assert f"| 2 | {THEIRS['given']} |" in (site / "leaderboard.md").read_text()
    assert main([str(published), *asked], known) == 0  # which is not read twice
    assert THEIRS["given"] not in (site / "leaderboard.md").read_text()
    assert "left out" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_page_is_written(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {"two": (SUITE, SWEEP)}
    (tmp_path / "README.md").write_text(
        "# Mine\n\n<!-- measured: leaderboard -->\nold\n<!-- end: leaderboard -->\n\nMore."
    )
    asked = ["--output", str(tmp_path / "site"), "--seeds", str(SEEDS), "--into", str(tmp_path / "README.md")]
    assert main([str(folder), *asked], known) == 0
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith(f"# Mine\n\n{BEGIN}\n\nSuite two, version 7")
    assert "\n### Cutting and offloading DNNs (MAD2RL)\n\n| rank | policy" in readme
    assert "| 1 | optimum-drift | 1.000" in readme
    assert readme.endswith(f"{END}\n\nMore.")
    assert "worse" in (tmp_path / "site" / "index.html").read_text()
    assert "| 1 | optimum-drift | 1.000" in (tmp_path / "site" / "leaderboard.md").read_text()
    (tmp_path / "empty").mkdir()
    for arguments, says in (
        (["nowhere"], "nowhere holds no results"),
        ([str(tmp_path / "empty")], "empty holds no results"),
        ([str(folder), "--suite", "three"], "the suite 'three' is unknown"),
        ([str(folder), "--seeds", str(SEEDS), "--into", str(tmp_path / "no.md")], "no.md"),
    ):
        assert main([*arguments, "--output", str(tmp_path / "none")], known) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
