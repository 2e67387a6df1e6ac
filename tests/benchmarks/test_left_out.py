"""What the leaderboard leaves out or only notes: damaged files, names that are none, cases without a scale."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs.plan import custom_policy_job, jobs_of
from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.case_results import read_all
from benchmarks.leaderboard.command import main
from benchmarks.leaderboard.schema import Board
from benchmarks.results import result as results
from benchmarks.results.stores import open_results
from benchmarks.suites.leaderboard import MAIN
from benchmarks.suites.suite import Reference
from tests.benchmarks.known import BASE, EPISODES, SEEDS, SUITE, SWEEP, THEIRS, UNSEEN, entries, kept_by, write


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
    "another curve": lambda of: of.update(curve={"return_mean": [1.0]}),
    "curve of returns": lambda of: of.update(curve={"episodes": [1.0], "return_mean": [1.0]}),
    "recorded": lambda of: of.update(recording=RECORDING),
}


@pytest.mark.parametrize(
    "frame", [{**FRAME, "links": [[0, 1, "alexnet"]]}, {**FRAME, "waits": []}, {**FRAME, "waits": [0.0, 1.0]}]
)
def test_a_recording_of_other_nodes_is_rejected(tmp_path: Path, frame: dict[str, Any]) -> None:
    (job,) = jobs_of(replace(BASE, recorded=True), Reference(name="least-delay"), 1)
    values = {name: np.ones(EPISODES) for name in job.kept.values}
    path = results.write(
        tmp_path, job.definition, job.kept, values=values, decisions=np.ones(EPISODES), curve=None,
        traces={"backlog_gcycles": np.ones(30)}, training_s=0.0, evaluation_s=0.0,
        recording={**RECORDING, "frames": [frame]},
    )  # fmt: skip
    with pytest.raises(ValueError, match="a frame of its recording does not have 1 nodes"):
        results.read(path)


def test_warnings_of_a_policy_are_noted(folder: Path, tmp_path: Path) -> None:
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


def test_a_policy_with_other_sees_is_another_policy(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        definition = custom_policy_job(case, {**THEIRS, "sees": {"observation": "extended"}}).definition
        write(other, case, "theirs", 13.0, growing=False, definitions=[definition])
    ranked = [name for name, entry in entries(board_of((SUITE,), SEEDS, other)).items() if entry.rank]
    assert sum(name.startswith(THEIRS["given"]) for name in ranked) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a:b; touch x #", "https://somewhere/x:P", "a:", "x y:P"])
def test_a_policy_has_a_name_that_can_be_imported(folder: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    definition = custom_policy_job(BASE, {**THEIRS, "given": name}).definition
    write(other, BASE, "theirs", 11.0, growing=False, definitions=[definition])
    board = board_of((SUITE,), SEEDS, other)
    (rejected,) = board.left_out
    assert "must match pattern" in rejected.why or "cannot be validated" in rejected.why
    assert not any(name in entry.name for entry in entries(board).values())


@pytest.mark.slow
def test_a_curve_need_not_have_the_metric_of_its_case(folder: Path, tmp_path: Path) -> None:
    """A case may be ranked by a metric that runs do not report, such as the cost with penalties."""
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    (job,) = jobs_of(BASE, Reference(name="least-delay"), 1)
    damage(other / f"{job.name}.json", "curve of returns")
    board = board_of((SUITE,), SEEDS, other)
    assert board.left_out == ()
    assert entries(board)["least-delay"].rank is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("not a number", "NaN is not a number"),
        ("more figures", "it lists the values backlog_gcycles, "),
        ("ragged curve", "columns of different lengths"),
        ("short trace", "its trace of backlog_gcycles has 29 values, an episode 30 epochs"),
        ("huge", "too large for a number of at most 1e+15"),
        ("huge and whole", "a number must have at most 40 characters, got 301"),
        ("endless", "1e999 is too large for a number of at most 1e+15"),
        ("another curve", "its learning curve has no column episodes"),
        ("recorded", "it has a recording, other than it lists"),
        ("deep", "it nests lists and objects deeper than 32 levels"),
        ("truncated", "damaged or of other content"),
        ("edited", "its digest is not the hash of its content: it has been edited"),
        ("foreign", "must contain"),
        ("copied", "it is the result least-delay-"),
    ],
)
def test_invalid_result_files_are_left_out_and_reported(folder: Path, tmp_path: Path, how: str, why: str) -> None:
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


@pytest.mark.slow
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


def test_a_case_that_cannot_be_ranked_is_left_out(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    for case in (BASE, UNSEEN):
        (job,) = jobs_of(case, Reference(name="timetable", stored=True), 1)
        (other / f"{job.name}.json").unlink()
        if case is BASE:
            board = board_of((SUITE,), SEEDS, other)
            assert [case.name for case in board.tracks[0].cases] == ["new road"]
            assert "no results of timetable" in board.left_out[0].why
            for entry in board.tracks[0].entries:
                assert (entry.rank, "not ranked: seen cannot be ranked" in entry.note) == (None, True)
    with pytest.raises(ValueError, match="no results of the suite two that can be ranked"):
        board_of((SUITE,), SEEDS, other)
    with pytest.raises(ValueError, match="no suite has a ranking"):
        board_of((SWEEP,), SEEDS, folder)


def test_the_metric_of_every_case_must_be_above_0(tmp_path: Path) -> None:
    """A track may have cases with several metrics; a value of 0 would be an infinite skill."""
    (case,) = (case for case in MAIN.cases if case.name == "tight deadlines")
    jobs = jobs_of(case, Reference(name="leo-best"), 1)
    values = {name: np.full(case.episodes, 1.0) for name in jobs[0].kept.values} | {
        "penalised_cost": np.zeros(case.episodes)
    }
    results.write(
        tmp_path, jobs[0].definition, jobs[0].kept, values=values, decisions=np.full(case.episodes, 9), traces={},
        curve=None, training_s=0.0, evaluation_s=1.0,
    )  # fmt: skip
    found, rejected = read_all([open_results(tmp_path)], MAIN.cases)
    assert found == {}
    assert "its penalised cost is 0 on average, which is not above 0" in rejected[0].why


def put(folder: Path, definition: dict[str, Any]) -> Path:
    """Writes a result, whatever it is of."""
    values = {name: np.full(EPISODES, 5000.0) for name in ("completion_time_s", "backlog_gcycles")}
    return results.write(
        folder, definition, kept_by(BASE), values=values | {"trend_backlog_gcycles": np.zeros(EPISODES)},
        decisions=np.full(EPISODES, 30), curve=None, traces={"backlog_gcycles": np.zeros(30)},
        training_s=0.0, evaluation_s=0.0,
    )  # fmt: skip


def test_results_with_forged_definitions_or_provenance_are_rejected(folder: Path, tmp_path: Path) -> None:
    whole = jobs_of(BASE, Reference(name="random"), 1)[0].definition
    learned = {"learner_name": "x", "learner": {}, "env": {}, "episodes": 1, "seed": 0}
    for name, of in (("given", {"given": "random", "sha256": "0" * 16}), ("reference", {"reference": "random"})):
        path = put(tmp_path / name, {**whole, "policy": {**learned, **of}})
        with pytest.raises(ValueError, match="damaged or of other content"):
            results.read(path)
    for said in ({"version": "1.0 (all verified, https://evil.example)"}, {"commit": "see https://evil.example"}):
        (job,) = jobs_of(BASE, Reference(name="least-delay"), 1)
        path = Path(shutil.copy(folder / f"{job.name}.json", tmp_path))
        content = json.loads(path.read_text())
        content["provenance"].update(said)
        content["digest"] = results.digest_of(content)
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="provenance"):
            results.read(path)


def test_text_with_a_lone_surrogate_is_rejected(folder: Path, tmp_path: Path) -> None:
    (job,) = jobs_of(BASE, Reference(name="least-delay"), 1)
    path = Path(shutil.copy(folder / f"{job.name}.json", tmp_path))
    content = json.loads(path.read_text())
    content["warnings"] = ["\ud800"]
    content["digest"] = results.digest_of(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="surrogates not allowed"):
        results.read(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"evaluation": {"env": {"nothing_of_it": 1}}}, "unexpected keyword argument 'nothing_of_it'"),
        ({"policy": {"sees": {"dnn_of_client": [0] * 7}}}, "one entry for each client, got 7 entries"),
    ],
    ids=["an option that is gone", "sees by fields of another size"],
)
def test_results_with_invalid_environment_options_are_left_out(
    folder: Path, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    other = tmp_path / "results"
    shutil.copytree(folder, other)
    who = {"given": "theirs:Other", "sha256": "0" * 16}
    definition = {**custom_policy_job(BASE, who).definition}
    for part, of in change.items():
        definition[part] = {**definition[part], **of}
    path = put(other, definition)
    smaller = replace(BASE, name="three", env={**BASE.env, "num_client_vehicles": 3}, policies=())
    board = board_of((replace(SUITE, cases=(*SUITE.cases, smaller)),), SEEDS, other)
    rejected = next(of for of in board.left_out if of.what == path.name)
    assert why in rejected.why
