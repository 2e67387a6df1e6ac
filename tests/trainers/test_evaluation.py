"""Runs are evaluated, again and on other episodes, beside references, and exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainers.runs import FIGURES, MODULES, run
from trainers import sac
from trainers.evaluate import main as evaluate_main
from trainers.export import main as export_main
from trainers.loop.evaluation import EvaluationEnvironments, evaluate_run
from trainers.runs.command_line import parse
from trainers.runs.directory import RunDirectory


@pytest.mark.slow
def test_an_evaluation_of_other_episodes_is_written_to_another_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0")
    for seed, name in ((500000, "evaluation.json"), (7, "evaluation-7-2.json"), (500000, "evaluation.json")):
        evaluate_main([str(tmp_path / "run"), "--episodes", "2", "--seed", str(seed)])
        assert capsys.readouterr().out.endswith(f"written to {tmp_path / 'run' / name}\n")
        assert json.loads((tmp_path / "run" / name).read_text())["seed"] == seed


@pytest.mark.slow
def test_slow_references_play_only_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "1")
    usual = json.loads((tmp_path / "run" / "evaluation.json").read_text())["references"]
    evaluate_main([str(tmp_path / "run"), "--episodes", "1", "--slow"])
    every = json.loads((tmp_path / "run" / "evaluation.json").read_text())["references"]
    assert every.keys() - usual.keys() == {"genetic-paper", "genetic-drift", "optimum-bound", "optimum-drift"}
    assert "optimum-drift" in capsys.readouterr().out


def test_references_play_with_their_own_environment_options(tmp_path: Path) -> None:
    given = parse(sac.LEARNER, ["--env.mobility", "replay"])
    with EvaluationEnvironments(given, 2) as environments:
        own, nearest = environments.env({}), environments.env({"diversion": "nearest"})
        assert (own.problem.diversion, nearest.problem.diversion) == ("probability", "nearest")
        assert environments.env({"diversion": "nearest"}) is nearest
        assert environments.env({"diversion": "probability"}) is own


@pytest.mark.slow
def test_evaluation_can_be_repeated_and_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "2")
    before = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    evaluate_main([str(tmp_path / "run"), "--episodes", "2"])
    assert before["seed"] == 500000, "the seeds from 1000 on are for benchmarks alone"
    after = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert before["completion_time_s_mean"] == after["completion_time_s_mean"]
    other = evaluate_run(tmp_path / "run", episodes=2, seed=2000)
    assert other["completion_time_s_mean"] != before["completion_time_s_mean"]


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
def test_an_exported_policy_equals_its_run_and_cannot_be_trained(learner: str, tmp_path: Path) -> None:
    whole, exported = tmp_path / "run", tmp_path / "exported"
    run(learner, whole, "--episodes", "16", "--evaluation-episodes", "2")
    export_main([str(whole), str(exported)])
    assert {path.name for path in exported.iterdir()} == {"config.json", "metrics.jsonl", "checkpoint.pt"}
    assert RunDirectory(exported).load_checkpoint().keys() == {"round", "policy"}
    before = json.loads((whole / "evaluation.json").read_text())
    after = evaluate_run(exported, episodes=2, seed=before["seed"])
    assert all(before[name] == after[name] for name in ("return_mean", *FIGURES[learner]))
    with pytest.raises(SystemExit, match="exported holds an exported policy, which cannot be trained"):
        run(learner, exported, "--resume")
    with pytest.raises(SystemExit, match="holds a run already"):
        export_main([str(whole), str(exported)])
