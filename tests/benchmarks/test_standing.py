"""Scores, ranks and what is left out, from results whose values are known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rliable import metrics

from benchmarks import results, scores
from benchmarks.board import Board, Entry, Track
from benchmarks.leaderboard import main
from benchmarks.plan import given_job, jobs_of
from benchmarks.scores import _wins, aggregates, improvements, profiles
from benchmarks.standing import board_of
from benchmarks.suite import Case, Learned, Reference, Suite

EPISODES, SEEDS = 12, 3
BEGIN, END = "<!-- measured: leaderboard -->", "<!-- end: leaderboard -->"
POLICIES = (
    Learned(name="mine", learner="qmix"),
    Learned(name="worse", learner="qmix", options={"hidden": 9}),
    *(Reference(name=name) for name in ("optimum-drift", "least-delay", "all-local", "random")),
)
BASE = Case(
    name="seen",
    env_id="VEC-DNNPartition-v0",
    env={"mobility": "straight"},
    policies=POLICIES,
    trends=("backlog_gcycles",),
    traces=("backlog_gcycles",),
    queues=("backlog_gcycles",),
    optima=("optimum-drift",),
    episodes=EPISODES,
)
UNSEEN = replace(BASE, name="new road", env={"mobility": "replay"}, trained_on=BASE.env, unseen="road")
SUITE = Suite(name="two", title="Two", cases=(BASE, UNSEEN), baseline="", picture="none", shows="", version="7")
SWEEP = Suite(
    name="v", title="V", cases=tuple(replace(BASE, name=f"V{v}", x=v, env={"lyapunov_v": float(v)}) for v in (1, 2)),
    baseline="", picture="sweep", shows="", axis="V", columns=("completion_time_s",),
)  # fmt: skip
MEANS = {"mine": 12.0, "worse": 20.0, "optimum-drift": 10.0, "least-delay": 11.0, "all-local": 60.0, "random": 110.0}
GROWING = {"least-delay", "all-local"}
THEIRS = {"given": "hers:Policy", "sha256": "ab" * 8}
TWIN = {"given": "his:Policy", "sha256": "cd" * 8}


def write(folder: Path, case: Case, name: str, mean: float, *, growing: bool, definitions: list[Any]) -> None:
    rng = np.random.default_rng(len(name))
    for seed, definition in enumerate(definitions):
        of_episodes = mean + rng.normal(0.0, 0.01, EPISODES) + 0.5 * seed
        queue = np.full(EPISODES, 20.0)
        results.write(
            folder,
            definition,
            values={
                "completion_time_s": of_episodes,
                "backlog_gcycles": queue,
                "trend_backlog_gcycles": queue * (0.06 if growing else 0.001),
            },
            decisions=np.full(EPISODES, 30),
            curve={"episodes": np.arange(5.0), "completion_time_s": 9.0 - np.arange(5.0)}
            if len(definitions) > 1
            else None,
            traces={"backlog_gcycles": np.arange(30.0)},
            training_s=1.0,
            evaluation_s=1.0,
            decision_ms=0.5,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for case in (BASE, UNSEEN, *SWEEP.cases):
        for policy in case.policies:
            mean = MEANS[policy.name] + 4.0 * (policy.name == "worse" and bool(case.unseen))
            definitions = [job.definition for job in jobs_of(case, policy, SEEDS)]
            write(folder, case, policy.name, mean, growing=policy.name in GROWING, definitions=definitions)
    for case in (BASE, UNSEEN):
        write(folder, case, "theirs", 11.0, growing=False, definitions=[given_job(case, THEIRS).definition])
    return folder


@pytest.fixture(autouse=True, scope="module")
def few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "RESAMPLES", 100)
        yield


@pytest.fixture(scope="module")
def board(folder: Path) -> Board:
    return board_of((SUITE, SWEEP), SEEDS, folder)


def entries(board: Board) -> dict[str, Entry]:
    (track,) = board.tracks
    return {entry.name: entry for entry in track.entries}


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


def test_who_has_the_same_score_in_print_shares_a_rank(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        write(other, case, "as good", 11.001, growing=False, definitions=[given_job(case, TWIN).definition])
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
        ({"optimum-drift": True, "random": True}, "no reference's queue settles"),
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


def test_a_figure_that_is_not_above_0_cannot_be_scored(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    write(other, BASE, "theirs", -1.0, growing=False, definitions=[given_job(BASE, THEIRS).definition])
    board = board_of((SUITE,), SEEDS, other)
    assert "on average, which is not above 0" in board.left_out[0].why
    assert entries(board)[THEIRS["given"]].rank is None


def test_another_result_of_a_name_is_said(folder: Path, board: Board, tmp_path: Path) -> None:
    (job,) = jobs_of(BASE, Reference(name="least-delay"), SEEDS)
    write(tmp_path, BASE, "least-delay", 9.0, growing=True, definitions=[job.definition])
    both = board_of((SUITE, SWEEP), SEEDS, folder, tmp_path)
    assert both.tracks == board.tracks
    (rejected,) = both.left_out
    assert rejected.what == f"{job.name}.json"
    assert f"in {tmp_path} has other values than in {folder}, which count" in rejected.why


def test_growing_queues_rank_below_stable_ones(board: Board) -> None:
    (track,) = board.tracks
    ranks = [(entry.rank, entry.name) for entry in track.entries]
    stable = ["optimum-drift", THEIRS["given"], "mine", "worse", "random"]
    assert ranks == list(enumerate([*stable, "least-delay", "all-local"], start=1))
    of = entries(board)
    assert not of["least-delay"].stable
    assert "its queue grows on every case" in of["least-delay"].note
    assert of["mine"].stable
    assert (of["mine"].kind, of["random"].kind, of[THEIRS["given"]].kind) == ("learned", "reference", "given")
    assert of["worse"].options["hidden"] == 9
    assert of["mine"].command.endswith("benchmarks.run two --policies mine --seeds 3")


def case_of(track: Track, name: str) -> Any:
    return next(case for case in track.cases if case.name == name)


def test_a_case_shows_figures_and_regret(board: Board) -> None:
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


def test_who_lacks_a_result_is_not_ranked(folder: Path, tmp_path: Path) -> None:
    less = tmp_path / "less"
    shutil.copytree(folder, less)
    (job,) = [job for job in jobs_of(UNSEEN, POLICIES[0], SEEDS) if job.definition["policy"]["seed"] == 1]
    (less / f"{job.name}.json").unlink()
    of = entries(board_of((SUITE,), SEEDS, less))
    assert of["mine"].rank is None
    assert of["mine"].scores == {}
    assert of["mine"].note == "not ranked: incomplete on new road (2 of 3 seeds)"
    assert of["worse"].rank == 3


def test_all_that_could_be_1_must_be_there(folder: Path, tmp_path: Path) -> None:
    """Or what 1 means would hang on which results happen to be there."""
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    (job,) = jobs_of(BASE, Reference(name="optimum-drift"), 1)
    (other / f"{job.name}.json").unlink()
    board = board_of((SUITE,), SEEDS, other)
    assert [case.name for case in board.tracks[0].cases] == ["new road"]
    assert "no result of optimum-drift: one of these may be 1" in board.left_out[0].why


def test_a_policy_grows_where_one_of_its_runs_does(folder: Path, tmp_path: Path) -> None:
    """However far its other runs are from it: with two or three seeds their mean's interval would hide it."""
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    job = jobs_of(BASE, POLICIES[0], SEEDS)[2]
    of = results.read(other / f"{job.name}.json")
    values = {**of.values, "trend_backlog_gcycles": np.full(EPISODES, 1.2)}
    results.write(
        other, of.definition, values=values, decisions=of.decisions, curve=of.curve, traces=of.traces,
        training_s=1.0, evaluation_s=1.0,
    )  # fmt: skip
    assert not entries(board_of((SUITE,), SEEDS, other))["mine"].stable
    assert entries(board_of((SUITE,), SEEDS, folder))["mine"].stable


def test_the_same_results_give_the_same_board(folder: Path, board: Board) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert board_of((SUITE, SWEEP), SEEDS, folder) == board
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def damage(path: Path, how: str) -> Path:
    text = path.read_text()
    if how == "truncated":
        path.write_text(text[: len(text) // 2])
    elif how == "edited":
        content = json.loads(text)
        content["values"]["completion_time_s"][0] = 1.0
        path.write_text(json.dumps(content))
    elif how == "endless":  # a number that JSON may hold, and no float
        path.write_text(text.replace('"traces":{"backlog_gcycles":[0.0', '"traces":{"backlog_gcycles":[1e999'))
    elif how == "foreign":
        path.write_text('{"score": 1}')
    elif how in CONTENTS:
        content = json.loads(text)
        CONTENTS[how](content)
        content["digest"] = results.digest_of(content)
        path.write_text(json.dumps(content))
    elif how == "deep":
        path.write_text("[" * 100_000)
    else:
        path = path.with_name(f"{path.stem} (copy).json")
        path.write_text(text)
    return path


FRAME = {"x_m": [0.0], "y_m": [0.0], "waits": [0.0], "links": [], "caption": ""}
RECORDING = {"case": "", "policy": "", "slot_s": 1.0, "unit": "", "nodes": [{"name": "c0", "kind": "client"}],
             "frames": [FRAME]}  # fmt: skip
CONTENTS: dict[str, Callable[[Any], object]] = {
    "not a number": lambda of: of["traces"]["backlog_gcycles"].append(float("nan")),
    "more figures": lambda of: of["values"].update(more=[1.0] * EPISODES),
    "ragged curve": lambda of: of.update(curve={"episodes": [1.0, 2.0], "completion_time_s": [1.0]}),
    "short trace": lambda of: of["traces"]["backlog_gcycles"].pop(),
    "huge": lambda of: of["values"]["completion_time_s"].__setitem__(0, 1.7e308),
    "huge and whole": lambda of: of["values"]["completion_time_s"].__setitem__(0, 10**300),
    "another curve": lambda of: of.update(curve={"episodes": [1.0], "return_mean": [1.0]}),
    "recorded": lambda of: of.update(recording=RECORDING),
}


@pytest.mark.parametrize("frame", [{**FRAME, "links": [[0, 1, "alexnet"]]}, {**FRAME, "waits": []}])
def test_a_recording_of_other_nodes_is_none(tmp_path: Path, frame: dict[str, Any]) -> None:
    (job,) = jobs_of(replace(BASE, recorded=True), Reference(name="least-delay"), 1)
    values = {name: np.ones(EPISODES) for name in (*job.definition["evaluation"]["figures"], "trend_backlog_gcycles")}
    path = results.write(
        tmp_path, job.definition, values=values, decisions=np.ones(EPISODES), curve=None,
        traces={"backlog_gcycles": np.ones(30)}, training_s=0.0, evaluation_s=0.0,
        recording={**RECORDING, "frames": [frame]},
    )  # fmt: skip
    with pytest.raises(ValueError, match="a frame that is not of its 1 nodes"):
        results.read(path)


def test_what_a_policy_warned_of_is_noted(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    (job,) = jobs_of(BASE, Reference(name="optimum-drift"), SEEDS)
    path = other / f"{job.name}.json"
    content = json.loads(path.read_text())
    content["warnings"] = ["2 of 64 slots are not proven", "1 of 64 slots is not proven"]
    content["digest"] = results.digest_of(content)
    path.write_text(json.dumps(content))
    noted = entries(board_of((SUITE,), SEEDS, other))["optimum-drift"].note
    assert noted.count("it warned: 2 of 64 slots are not proven (and 1 more)") == 1
    assert "1 of 64" not in noted


def test_the_same_policy_that_sees_more_is_another(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        definition = given_job(case, {**THEIRS, "sees": {"observation": "extended"}}).definition
        write(other, case, "theirs", 13.0, growing=False, definitions=[definition])
    ranked = [name for name, entry in entries(board_of((SUITE,), SEEDS, other)).items() if entry.rank]
    assert sum(name.startswith(THEIRS["given"]) for name in ranked) == 2


@pytest.mark.parametrize("name", ["a:b; touch x #", "https://somewhere/x:P", "a:", "x y:P"])
def test_a_policy_has_a_name_that_can_be_imported(folder: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    definition = given_job(BASE, {**THEIRS, "given": name}).definition
    write(other, BASE, "theirs", 11.0, growing=False, definitions=[definition])
    board = board_of((SUITE,), SEEDS, other)
    (rejected,) = board.left_out
    assert "must match pattern" in rejected.why or "cannot be validated" in rejected.why
    assert not any(name in entry.name for entry in entries(board).values())


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("not a number", "NaN is no number"),
        ("more figures", "it should hold backlog_gcycles, "),
        ("ragged curve", "columns of other lengths"),
        ("short trace", "its trace of backlog_gcycles has 29 points, an episode 30"),
        ("huge", "too large for a number of an episode"),
        ("huge and whole", "too large for a number of an episode"),
        ("endless", "too large for a number of an episode"),
        ("another curve", "has no episodes, no completion_time_s"),
        ("recorded", "a recording is there where none is asked for"),
        ("deep", "damaged or of other content"),
        ("truncated", "damaged or of other content"),
        ("edited", "its digest is not that of what it holds"),
        ("foreign", "must contain"),
        ("copied", "it is the result least-delay-"),
    ],
)
def test_files_that_are_no_results_are_left_out_and_said(folder: Path, tmp_path: Path, how: str, why: str) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    (job,) = jobs_of(BASE, Reference(name="least-delay"), 1)
    before = {path: path.read_bytes() for path in other.iterdir()}
    path = damage(other / f"{job.name}.json", how)
    board = board_of((SUITE,), SEEDS, other)
    (rejected,) = board.left_out
    assert rejected.what == path.name
    assert why in rejected.why
    assert (entries(board)["least-delay"].rank is None) == (how != "copied")
    assert {file: file.read_bytes() for file in other.iterdir() if file != path} == {
        file: of for file, of in before.items() if file != path
    }


def test_several_folders_are_read_as_one(folder: Path, board: Board, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for half in (first, second):
        half.mkdir()
    for n, path in enumerate(sorted(folder.iterdir())):
        for half in ((first,), (second,), (first, second))[n % 3]:
            shutil.copy(path, half)
    assert board_of((SUITE, SWEEP), SEEDS, first, second) == board
    known = {"two": (SUITE, SWEEP)}
    assert main([str(first), str(second), "--output", str(tmp_path / "site"), "--seeds", str(SEEDS)], known) == 0


def test_a_case_that_cannot_be_scored_is_left_out(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        (job,) = jobs_of(case, Reference(name="random"), 1)
        (other / f"{job.name}.json").unlink()
        if case is BASE:
            board = board_of((SUITE,), SEEDS, other)
            assert [case.name for case in board.tracks[0].cases] == ["new road"]
            assert "no result of the random policy" in board.left_out[0].why
            for entry in board.tracks[0].entries:
                assert (entry.rank, "not ranked: seen cannot be scored" in entry.note) == (None, True)
    with pytest.raises(ValueError, match="nothing of two that could be scored"):
        board_of((SUITE,), SEEDS, other)
    with pytest.raises(ValueError, match="none of these ranks anybody"):
        board_of((SWEEP,), SEEDS, folder)


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
        (["nowhere"], "nowhere is no folder of results"),
        ([str(tmp_path / "empty")], "has no results of two"),
        ([str(folder), "--suite", "three"], "the suite 'three' is unknown"),
        ([str(folder), "--seeds", str(SEEDS), "--into", str(tmp_path / "no.md")], "no.md"),
    ):
        assert main([*arguments, "--output", str(tmp_path / "none")], known) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
