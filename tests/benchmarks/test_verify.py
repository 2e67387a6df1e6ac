"""A submission is accepted if its episodes can be reproduced, and rejected with reasons otherwise."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.reports.policy_results import run_grows
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.results.result import Result
from benchmarks.run import main as run
from benchmarks.suites.suite import Case, Learned, Reference, Suite
from benchmarks.verify import differences, main
from trainers.export import export
from trainers.runs.directory import RunDirectory

CASE = Case(
    name="two",
    env_id="VEC-DNNPartition-v0",
    env={"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 6, "mobility": "straight"},
    policies=(
        Reference(name="random"),
        Learned(
            name="mine",
            learner="qmix",
            options={"hidden": 8, "hypernetwork_hidden": 8, "batch_size": 8, "warm_up_episodes": 4},
            run={"episodes": 8, "num_envs": 4},
        ),
    ),
    episodes=6,
)
_SHOWN = {"title": "S", "baseline": "", "picture": "none", "shows": ""}
SUITES = {"s": (Suite(name="s", cases=(CASE,), version="1", **_SHOWN),)}
_GREATER_V = replace(CASE, name="V = 30", env={**CASE.env, "lyapunov_v": 30.0})
BESIDE = {"s": (*SUITES["s"], Suite(name="v", cases=(_GREATER_V,), **_SHOWN))}
MODULE = """
import numpy as np


class Hers:
    files = ("hers.npy",)

    def __init__(self, problem):
        self.problem, self.weights = problem, np.load("hers.npy")

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)

    def act(self, observation, view=None):
        return self.rng.integers(0, self.problem.action_counts, observation.shape[:2])
"""


@pytest.fixture(scope="module")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Good submissions: a learner's, somebody's own, and one that has also played a suite which ranks nobody."""
    folders: dict[str, Path] = {}
    with pytest.MonkeyPatch.context() as patch:
        own = "hers_in_test:Hers"
        for name, policy, suites in (("learned", "mine", SUITES), ("own", own, SUITES), ("beside", own, BESIDE)):
            folder = folders[name] = tmp_path_factory.mktemp(name)
            (folder / "hers_in_test.py").write_text(MODULE)
            np.save(folder / "hers.npy", np.zeros(3))
            (folder / "submission.json").write_text(json.dumps({"suite": "s", "policy": policy, "seeds": 1}))
            patch.chdir(folder)
            patch.syspath_prepend(folder)
            arguments = ["s", "--policies", policy, "--seeds", "1", "--workers", "1", "--output", str(folder)]
            assert run(arguments, suites) == 0
    return folders


@pytest.fixture
def copy(submissions: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))

    def copied(name: str) -> Path:
        return Path(shutil.copytree(submissions[name], tmp_path / name))

    return copied


@pytest.mark.parametrize("name", ["learned", "own"])
def test_what_can_be_had_again_is_accepted(
    name: str, copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(copy(name))], SUITES) == 0
    assert "\naccepted, with --seed " in capsys.readouterr().out


def test_results_of_a_suite_that_ranks_nobody_may_be_there(
    copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy("beside")
    read = {path: results.read(path).definition["evaluation"]["env"] for path in folder.glob("results/*")}
    paths = {env["lyapunov_v"]: path for path, env in read.items()}
    assert main([str(folder)], BESIDE) == 0
    rewritten(paths[30.0], 0.9)
    assert main([str(folder)], BESIDE) == 1
    paths[30.0].unlink()
    assert main([str(folder)], BESIDE) == 0
    assert main([str(folder)], SUITES) == 0
    paths[10.0].unlink()
    assert main([str(folder)], BESIDE) == 1


def test_results_of_before_a_case_was_recorded_stay_valid(copy: Callable[[str], Path]) -> None:
    (suite,) = SUITES["s"]
    recorded = {"s": (replace(suite, cases=(replace(CASE, recorded=True),)),)}
    folder = copy("own")
    assert main([str(folder)], recorded) == 0
    (path,) = (folder / "results").iterdir()
    content = json.loads(path.read_text())
    assert "recording" not in content
    content["kept"]["metrics"] = content["kept"]["metrics"][:1]
    content["values"] = {name: content["values"][name] for name in content["kept"]["metrics"]}
    path.write_text(results.line_of({**content, "digest": results.digest_of(content)}))
    assert main([str(folder)], recorded) == 1, "a metric may not be left out"


def test_a_policy_alone_is_enough_to_be_played_again(copy: Callable[[str], Path]) -> None:
    folder = copy("learned")
    (run,) = (path for path in (folder / "runs").iterdir() if path.is_dir())
    whole = run.rename(folder / "whole")
    export(whole, run)
    shutil.rmtree(whole)
    assert main([str(folder)], SUITES) == 0


def rewritten(path: Path, by: float) -> None:
    """Writes a result anew with better values, so that only playing it again can tell."""
    of = results.read(path)
    better = {name: values * by for name, values in of.values.items()}
    results.write(
        path.parent, of.definition, of.kept, values=better, decisions=of.decisions, curve=of.curve, traces=of.traces,
        training_s=of.training_s, evaluation_s=of.evaluation_s, decision_ms=of.decision_ms,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["learned", "own"])
def test_better_values_than_it_plays_are_rejected(
    name: str, copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy(name)
    (path,) = (folder / "results").glob("*.json")
    rewritten(path, 0.9)
    assert main([str(folder)], SUITES) == 1
    errors = capsys.readouterr().err
    assert "6 of 6 episodes differ: completion_time_s of the episode of seed 1000 is" in errors


def test_another_file_of_a_results_name_does_not_stand_for_it(
    copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """If it were read last, a valid X.txt would replace the result that the leaderboard reads from X.json."""
    folder = copy("own")
    path = result_in(folder)
    shutil.copy(path, path.with_suffix(".txt"))
    (path.parent / f"{path.name}.17.new").write_text("{")
    rewritten(path, 0.9)
    assert main([str(folder)], SUITES) == 1
    errors = capsys.readouterr().err
    assert f"it is the result {path.name}" in errors
    assert f"{path.name}.17.new was left by a write that was stopped: delete it" in errors
    assert "6 of 6 episodes differ" in errors


def result_of(values: np.ndarray, trend: np.ndarray) -> Result:
    return Result(
        definition={"evaluation": {"seed": 1000}},
        kept=Kept(metrics=("backlog_gcycles",), trends=("backlog_gcycles",)),
        values={"backlog_gcycles": values, "trend_backlog_gcycles": trend},
        decisions=np.full(len(values), 30.0),
        curve=None, traces={}, training_s=0.0, evaluation_s=0.0, provenance={}, path=Path(),
    )  # fmt: skip


def test_a_few_episodes_that_differ_may_not_differ_by_anything() -> None:
    """Opposite changes in two episodes leave the mean unchanged, and could hide a growing queue."""
    rng = np.random.default_rng(0)
    values, slopes = rng.normal(10.0, 1.0, 64), rng.normal(0.5, 0.05, 64)
    apart = np.zeros(64)
    apart[:2] = 1e5, -1e5
    played = result_of(values, slopes)
    assert run_grows("backlog_gcycles", played)
    hidden = result_of(values, slopes + apart)
    assert not run_grows("backlog_gcycles", hidden)
    words = differences(hidden, played)
    assert any(word.startswith("2 of 64 episodes differ: trend_backlog_gcycles") for word in words)
    assert "backlog grows when the policy is played again, but not in the result" in words
    near_tie = result_of(values + 1e-7 * apart, slopes)
    assert differences(near_tie, played) == []


def test_a_recording_is_compared_where_there_is_one() -> None:
    plain = result_of(np.ones(4), np.zeros(4))
    one, other = (replace(plain, recording={"frames": [slot]}) for slot in (1, 2))
    assert differences(one, other) == ["the recorded episode differs"]
    assert differences(one, one) == differences(plain, one) == []


def test_a_warning_of_the_policy_cannot_be_left_out() -> None:
    plain = result_of(np.ones(4), np.zeros(4))
    assert "it warned when played: no gap" in differences(plain, replace(plain, warnings=("no gap",)))
    assert not differences(replace(plain, warnings=("no gap",)), plain)


def config_of(folder: Path, **changes: Any) -> None:
    (path,) = (folder / "runs").glob("*/config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def half_trained(folder: Path) -> None:
    (path,) = (path for path in (folder / "runs").iterdir() if path.is_dir())
    run = RunDirectory(path)
    run.save_checkpoint({**run.load_checkpoint(), "round": 1})


def without_digest(folder: Path) -> None:
    (path,) = (folder / "results").glob("*.json")
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content))


def result_in(folder: Path) -> Path:
    (path,) = (folder / "results").glob("*.json")
    return path


def module(folder: Path, text: str) -> None:
    (folder / "hers_in_test.py").write_text(text)


HARMS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "none": ("own", lambda folder: result_in(folder).unlink(), "holds no result of hers_in"),
    "no run": ("learned", lambda folder: shutil.rmtree(folder / "runs"), "its trained run, runs/qmix-seed0-"),
    "no result": ("own", lambda folder: result_in(folder).write_text("{}"), "damaged or of"),
    "no digest": ("own", without_digest, "must contain"),
    "longer": ("learned", lambda folder: config_of(folder, episodes=80), "is of another episodes"),
    "begun elsewhere": ("learned", lambda folder: config_of(folder, init_from="x.pt"), "is of another init_from"),
    "half trained": ("learned", half_trained, "has trained 1 of 2 rounds"),
    "one seed for all": ("learned", lambda folder: config_of(folder, seed=3), "is of another seed"),
    "other module": ("own", lambda folder: module(folder, f"{MODULE}#"), "have changed since this job was planned"),
    "leaves": ("own", lambda folder: module(folder, "import sys; sys.exit(0)"), "SystemExit"),
    "ends": ("own", lambda folder: module(folder, "import os; os._exit(0)"), "cannot be played"),
}


@pytest.mark.parametrize("harm", list(HARMS))
def test_what_is_wrong_is_said(harm: str, copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    name, do, says = HARMS[harm]
    folder = copy(name)
    do(folder)
    assert main([str(folder)], SUITES) == 1
    assert says in capsys.readouterr().err


def test_a_submissions_files_do_not_take_the_place_of_our_modules(copy: Callable[[str], Path]) -> None:
    folder = copy("own")
    (folder / "benchmarks" / "jobs").mkdir(parents=True)
    for name in ("benchmarks/__init__.py", "benchmarks/jobs/execute.py", "queue.py"):
        (folder / name).write_text("raise SystemExit(0)")
    assert main([str(folder)], SUITES) == 0


def test_what_has_no_run_is_not_trained_here(copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy("learned")
    shutil.rmtree(folder / "runs")
    assert main([str(folder)], SUITES) == 1
    assert "again" not in capsys.readouterr().out


def test_a_result_of_somebody_else_is_none_of_a_submission(
    submissions: dict[str, Path], copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy("own")
    (other,) = (submissions["learned"] / "results").glob("*.json")
    shutil.copy(other, folder / "results")
    assert main([str(folder)], SUITES) == 1
    assert f"{other.name} does not belong to this submission" in capsys.readouterr().err


def test_forged_decisions_are_rejected(copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy("own")
    (path,) = (folder / "results").glob("*.json")
    of = results.read(path)
    results.write(
        path.parent, of.definition, of.kept, values=of.values, decisions=np.zeros(6), curve=None, traces=of.traces,
        training_s=0.0, evaluation_s=of.evaluation_s,
    )  # fmt: skip
    assert main([str(folder)], SUITES) == 1
    assert "decisions of the episode of seed 1000 is 0 in the result, 6 when played" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "has no submission.json"),
        ("{", "must be JSON"),
        ('{"suite": "s"}', "does not say"),
        ('{"suite": "s", "policy": "mine", "seeds": 0}', "seeds must be an integer from 1 to 1000"),
        ('{"suite": "t", "policy": "mine", "seeds": 1}', "the suite 't' is unknown"),
        ('{"suite": "s", "policy": "his", "seeds": 1}', "the policy 'his' is not in s"),
    ],
)
def test_what_is_no_submission(text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if text is not None:
        (tmp_path / "submission.json").write_text(text)
    assert main([str(tmp_path)], SUITES) == 2
    assert says in capsys.readouterr().err


def test_what_a_run_links_to_is_not_copied(copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy("learned")
    (run,) = (path for path in (folder / "runs").glob("qmix-*") if path.is_dir())
    (run / "elsewhere").symlink_to("/")
    assert main([str(folder)], SUITES) == 0
    kept = run / "config.json"
    kept.rename(folder / "config.json")
    kept.symlink_to(folder / "config.json")
    assert main([str(folder)], SUITES) == 1
    assert f"runs/{run.name}, is not a folder of config.json" in capsys.readouterr().err


@pytest.mark.parametrize("content", [[1], {"round": None}, {"round": float("inf")}], ids=str)
def test_a_checkpoint_of_anything_is_a_reason(
    content: object, copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy("learned")
    (run,) = (path for path in (folder / "runs").glob("qmix-*") if path.is_dir())
    torch.save(content, run / "checkpoint.pt")
    assert main([str(folder)], SUITES) == 1
    assert "cannot be read" in capsys.readouterr().err
