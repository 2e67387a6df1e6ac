"""Skill, ranks and the statistics over runs, from results whose values are known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rliable import metrics

from benchmarks.jobs.plan import custom_policy_job, jobs_of
from benchmarks.leaderboard import command
from benchmarks.leaderboard.aggregates import aggregates, improvements, profiles
from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.command import main
from benchmarks.leaderboard.schema import Board, Track
from benchmarks.leaderboard.site.markdown import markdown
from benchmarks.results import result as results
from benchmarks.suites.suite import Reference, Suite
from tests.benchmarks.known import (
    BASE,
    EPISODES,
    GROWING,
    MEANS,
    POLICIES,
    SEEDS,
    SEER,
    SUITE,
    SWEEP,
    THEIRS,
    TWIN,
    UNSEEN,
    entries,
    write,
    write_references,
)

BEGIN, END = "<!-- measured: leaderboard -->", "<!-- end: leaderboard -->"


def skill_of(value: Any) -> Any:
    """Returns the skill by hand: the blind table takes 30 s, the seer 8 s."""
    return np.log(MEANS["timetable"] / value) / np.log(MEANS["timetable"] / SEER)


def test_skill_is_0_for_the_best_blind_policy_and_1_for_the_seer(board: Board) -> None:
    of = entries(board)
    assert of["timetable"].skill["mean"] == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert of["optimum-drift"].skill["mean"] == pytest.approx([skill_of(10.0)] * 3, abs=1e-3)
    assert of["random"].skill["mean"][0] == pytest.approx(skill_of(110.0), abs=1e-3)
    assert of["random"].skill["mean"][0] < 0.0
    value, low, high = of["mine"].skill["mean"]
    by_hand = np.mean(skill_of(np.array([12.0, 12.5, 13.0])))
    assert value == pytest.approx(by_hand, abs=1e-3)
    assert low < value < high
    assert of["mine"].skill["optimality_gap"][0] == pytest.approx(1.0 - by_hand, abs=1e-3)
    assert of["mine"].times_seer == pytest.approx(12.5 / SEER, abs=1e-3)
    assert of["worse"].times_seer == pytest.approx(np.sqrt(20.5 * 24.5) / SEER, abs=1e-3)


def test_the_interval_of_a_skill_is_paired_with_the_blind_policy(board: Board) -> None:
    (track,) = board.tracks
    rows = {row.policy: row for row in case_of(track, "seen").rows}
    assert rows["timetable"].skill == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert rows["mine"].decision_ms == 0.5


def with_seer(tmp_path: Path, seer: float) -> Suite:
    """Returns the suite with another value of the seer on the case "seen"."""
    path = tmp_path / "references.jsonl"
    write_references(path, BASE, seer=seer)
    return replace(SUITE, cases=(replace(BASE, references=str(path)), UNSEEN))


@pytest.mark.parametrize(("seer", "ranked"), [(26.9, True), (27.1, False), (35.0, False)])
def test_a_case_is_ranked_if_seeing_pays_a_tenth(seer: float, ranked: bool, folder: Path, tmp_path: Path) -> None:
    board = board_of((with_seer(tmp_path, seer),), SEEDS, folder)
    (track,) = board.tracks
    case = case_of(track, "seen")
    assert case.ranked == ranked
    assert {row.skill is None for row in case.rows} == {not ranked}
    room = case.room
    assert (room.blind, room.blind_grows, room.present) == ("timetable", False, "optimum-drift")
    assert (room.blind_value, room.present_value, room.seer_value) == pytest.approx((30.0, 10.0, seer), abs=0.02)
    skills = [np.log(30.0 / 10.0) / np.log(30.0 / of) for of in ([seer, SEER] if ranked else [SEER])]
    assert entries(board)["optimum-drift"].skill["mean"][0] == pytest.approx(np.mean(skills), abs=0.02)
    assert ("| seen | yes |" in markdown(board)) == ranked


def test_a_track_in_which_seeing_never_pays_ranks_nobody(folder: Path, tmp_path: Path) -> None:
    suite = replace(with_seer(tmp_path, 29.0), cases=with_seer(tmp_path, 29.0).cases[:1])
    board = board_of((suite,), SEEDS, folder)
    assert {entry.rank for entry in entries(board).values()} == {None}
    assert "No case of this environment is ranked" in markdown(board)
    assert "| seen | no | timetable, 30.00 s |" in markdown(board)


def test_a_case_without_stored_references_is_left_out(folder: Path, tmp_path: Path) -> None:
    suite = replace(SUITE, cases=(replace(BASE, references=str(tmp_path / "none.jsonl")), UNSEEN))
    board = board_of((suite,), SEEDS, folder)
    assert [case.name for case in board.tracks[0].cases] == ["new road"]
    assert "python -m benchmarks.references find" in board.left_out[0].why
    alone = replace(suite, cases=suite.cases[:1])
    (track,) = board_of((alone,), SEEDS, folder).tracks  # ranked by completion time, as no references are known
    assert track.metric is not None
    assert [entry.name for entry in track.entries][:2] == ["optimum-drift", THEIRS["given"]]


def test_every_blind_policy_of_a_case_must_have_results(folder: Path, tmp_path: Path) -> None:
    """Otherwise the meaning of skill 0 would depend on which results are present."""
    policies = (*BASE.policies, Reference(name="static", stored=True))
    suite = replace(SUITE, cases=(replace(BASE, policies=policies), UNSEEN))
    board = board_of((suite,), SEEDS, folder)
    assert [case.name for case in board.tracks[0].cases] == ["new road"]
    assert "no results of static" in board.left_out[0].why
    assert "No case of this environment is ranked" not in markdown(board)
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    definitions = [job.definition for job in jobs_of(BASE, policies[-1], 1)]
    write(other, BASE, "static", 25.0, growing=False, definitions=definitions)
    assert case_of(board_of((suite,), SEEDS, other).tracks[0], "seen").room.blind == "static"


def test_a_policy_may_have_more_runs_on_one_case_than_on_another(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    drawn = Reference(name="random", draws=2)
    write(other, BASE, "random", 110.0, growing=False, definitions=[j.definition for j in jobs_of(BASE, drawn, 1)])
    suite = replace(SUITE, cases=(replace(BASE, policies=(*BASE.policies[:-1], drawn)), UNSEEN))
    of = entries(board_of((suite,), SEEDS, other))["random"]
    assert (of.rank is None, of.seeds) == (False, 2)
    with pytest.raises(ValueError, match="draws must be an integer of at least 1, got 0"):
        jobs_of(BASE, Reference(name="random", draws=0), 1)


def test_policies_with_equal_printed_skills_share_a_rank(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        write(other, case, "as good", 11.001, growing=False, definitions=[custom_policy_job(case, TWIN).definition])
    of = entries(board_of((SUITE,), SEEDS, other))
    assert of[THEIRS["given"]].skill["mean"] != of[TWIN["given"]].skill["mean"]
    ranks = {name: entry.rank for name, entry in of.items()}
    assert ranks[THEIRS["given"]] == ranks[TWIN["given"]] == 2
    assert (ranks["optimum-drift"], ranks["mine"], ranks["least-delay"]) == (1, 4, 8)


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
    stable = ["optimum-drift", THEIRS["given"], "mine", "worse", "timetable", "random"]
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
    assert (case.unseen, case.ranked, case.options["mobility"]) == ("road", True, "replay")
    rows = {row.policy: row for row in case.rows}
    assert rows["worse"].regret[0] == pytest.approx(14.5, abs=0.02)
    assert rows["worse"].regret[1] < rows["worse"].regret[0] < rows["worse"].regret[2]
    assert rows["optimum-drift"].regret == pytest.approx((0.0, 0.0, 0.0))
    assert rows["least-delay"].growing
    assert [row.policy for row in case.rows][-4:] == ["worse", "timetable", "all-local", "random"]
    assert rows["mine"].skill[1] < rows["mine"].skill[0] < rows["mine"].skill[2]


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
    assert of["mine"].skill == {}
    assert of["mine"].note == "not ranked: incomplete on new road (2 of 3 seeds)"
    assert of["worse"].rank == 3


def test_a_blind_policy_must_have_results(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    (job,) = jobs_of(BASE, Reference(name="timetable", stored=True), 1)
    (other / f"{job.name}.json").unlink()
    board = board_of((SUITE,), SEEDS, other)
    assert [case.name for case in board.tracks[0].cases] == ["new road"]
    assert "no results of timetable, whose skill may be 0" in board.left_out[0].why


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
    assert board_of((SUITE, SWEEP), SEEDS, folder) == board


# Aggregates over runs -------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
RUNS = {"a": RNG.normal(0.9, 0.1, (5, 4)), "b": RNG.normal(0.7, 0.2, (3, 4)), "c": RNG.normal(0.9, 0.0, (1, 4))}


def test_the_probability_of_improvement_is_rliables() -> None:
    of = improvements(RUNS)
    for (one, other), (value, low, high) in of.items():
        assert value == pytest.approx(metrics.probability_of_improvement(RUNS[one], RUNS[other]))
        assert 0.0 <= low <= value <= high <= 1.0
    assert of["a", "b"][0] + of["b", "a"][0] == pytest.approx(1.0)


def test_aggregates_and_profiles() -> None:
    of = aggregates(RUNS)
    assert of["a"]["iqm"][0] == pytest.approx(metrics.aggregate_iqm(RUNS["a"]))
    assert of["a"]["mean"][0] == pytest.approx(metrics.aggregate_mean(RUNS["a"]))
    assert of["a"]["optimality_gap"][0] == pytest.approx(metrics.aggregate_optimality_gap(RUNS["a"]))
    assert of["a"]["iqm"][1] < of["a"]["iqm"][0] < of["a"]["iqm"][2]
    assert aggregates({"a": np.array([[1.0], [0.9], [1.3]])})["a"]["optimality_gap"][1] == 0.0, "no gap is below 0"
    assert of["c"]["iqm"][1] == of["c"]["iqm"][2] == pytest.approx(of["c"]["iqm"][0])  # a single run does not vary
    many = aggregates({"c": np.repeat(RUNS["c"], 5, axis=0)})
    for kind, value in many["c"].items():  # a single run counts as often as others have runs
        assert of["c"][kind] == pytest.approx(value)
    line = profiles(RUNS, (0.0, 0.8, 5.0))[0]
    assert line.value == pytest.approx((1.0, float((RUNS["a"] > 0.8).mean()), 0.0), abs=1e-4)


@pytest.mark.slow
def test_the_interval_of_a_mean_covers_95_of_100() -> None:
    """Runs that are good or bad on all cases alike: their number is that of the runs, not of runs times cases."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        runs = 0.5 + 0.1 * rng.normal(size=(5, 1)) + 0.01 * rng.normal(size=(5, 8))
        _, low, high = aggregates({"a": runs})["a"]["mean"]
        covered += low <= 0.5 <= high
    assert 0.91 <= covered / 400 <= 0.985


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
    assert "\n### Cutting and offloading DNNs (MAD2RL)\n" in readme
    assert "\n\n| rank | policy" in readme.split("### Cutting and offloading DNNs (MAD2RL)")[1]
    assert "| 1 | optimum-drift | 0.831" in readme
    assert readme.endswith(f"{END}\n\nMore.")
    assert "worse" in (tmp_path / "site" / "index.html").read_text()
    assert "| 1 | optimum-drift | 0.831" in (tmp_path / "site" / "leaderboard.md").read_text()
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
