"""Whole runs: they leave their files, learn as their options say, and can be interrupted and continued exactly."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainers.runs import ARGUMENTS, FIGURES, MODULES, TO_BEAT, metrics, optimisers, run, weights
from tests.waiting import wait_until
from vec_envs.mobility import Scenario


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
def test_a_run_writes_all_its_files(learner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(learner, tmp_path / "run", "--episodes", "16", "--evaluation-episodes", "2")
    names = {path.name.split(".")[0] for path in (tmp_path / "run").iterdir()}
    assert names == {"config", "checkpoint", "metrics", "events", "evaluation"}
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    for values in (evaluation, *evaluation["references"].values()):
        assert values["episodes"] == 2
        for name in ("return_mean", *FIGURES[learner]):
            assert np.isfinite(values[name])
        for name in FIGURES[learner]:
            if name.endswith("_mean"):
                assert len(values[name.replace("_mean", "_of_episodes")]) == 2
        assert values["decision_ms_p50"] > 0.0
    printed = capsys.readouterr().out
    assert f"to that of {TO_BEAT[learner]}" in printed
    assert f"{learner} (tuned)" in printed
    logged = {name.removesuffix("_mean") for name in FIGURES[learner] if name.endswith("_mean")}
    assert logged | {"return_mean", "exploration", "updates"} <= set(metrics(tmp_path / "run")[-1])
    assert len(metrics(tmp_path / "run")) == 4


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
def test_equal_seeds_give_equal_runs_and_other_seeds_give_others(learner: str, tmp_path: Path) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        run(learner, tmp_path / name, "--episodes", "16", "--evaluation-episodes", "0", "--seed", seed)
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
def test_the_learning_rate_of_a_run_falls_as_its_options_say(learner: str, tmp_path: Path) -> None:
    """The last of four rounds is at 3/4 of the run: half of the way down."""
    options = ("--learner.final-learning-rate", "0.2", "--learner.learning-rate", "0.01")
    run(learner, tmp_path / "run", "--episodes", "16", "--evaluation-episodes", "0", *options)
    rates = set(re.findall(r"'lr': ([0-9.e-]+)", optimisers(tmp_path / "run")))
    assert [float(rate) for rate in rates] == [pytest.approx(0.006)]


@pytest.mark.slow
@pytest.mark.parametrize(("per_step", "updates"), [("0.5", 9), ("2", 36)])
def test_a_run_learns_as_often_as_its_options_say(per_step: str, updates: int, tmp_path: Path) -> None:
    """Four rounds of six steps, the first of them to warm up."""
    options = ("--learner.updates-per-step", per_step, "--learner.warm-up-episodes", "4")
    run("qmix", tmp_path / "run", "--episodes", "16", "--evaluation-episodes", "0", *options)
    assert metrics(tmp_path / "run")[-1]["updates"] == updates


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
@pytest.mark.parametrize("preset", ["tuned", "paper"])
def test_a_resumed_run_equals_an_uninterrupted_run(
    learner: str, preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainers.loop.training import Training

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = ("--preset", preset, "--episodes", "32", "--evaluation-episodes", "0")
    run(learner, whole, *options)
    play_round = Training.play_round

    def interrupted(self: Training) -> dict[str, float]:
        if self.round == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return play_round(self)

    monkeypatch.setattr(Training, "play_round", interrupted)
    with pytest.raises(SystemExit) as stopped:
        run(learner, broken, *options)
    assert stopped.value.code == 130
    assert len(metrics(broken)) == 4
    monkeypatch.setattr(Training, "play_round", play_round)
    run(learner, broken, "--resume")
    ours, theirs = weights(whole), weights(broken)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert metrics(whole) == metrics(broken)
    assert optimisers(whole) == optimisers(broken)


@pytest.mark.slow
def test_a_run_continues_where_the_demand_of_its_road_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainers.loop.training import Training

    road = tmp_path / "road"
    shutil.copytree(Scenario.load("fdr-drive").net_file.parent, road)
    flow = '<flow id="f" type="car" begin="0" end="30" period="2.5" route="all"/>'
    routes = f'<routes><vType id="car"/><route id="all" edges="road"/>{flow}</routes>'
    (road / "rou.xml").write_text(routes, encoding="utf-8")
    toml = (road / "scenario.toml").read_text(encoding="utf-8")
    (road / "scenario.toml").write_text(toml.replace("warm_up_s = 5.0", "warm_up_s = 60.0"), encoding="utf-8")
    # A simulation has about ten windows: the tape of episodes 14 to 29 needs a second one, and is resumed within it.
    options = ("--env.mobility", "sumo", "--env.scenario", str(road), "--num-envs", "1", "--evaluation-episodes", "0")
    options = (*options, "--episodes", "32", "--learner.updates-per-step", "0.2")
    run("qmix", tmp_path / "whole", *options)
    play_round = Training.play_round

    def interrupted(self: Training) -> dict[str, float]:
        if self.round == 26:
            os.kill(os.getpid(), signal.SIGINT)
        return play_round(self)

    monkeypatch.setattr(Training, "play_round", interrupted)
    with pytest.raises(SystemExit):
        run("qmix", tmp_path / "broken", *options)
    monkeypatch.setattr(Training, "play_round", play_round)
    assert len(metrics(tmp_path / "broken")) == 27
    run("qmix", tmp_path / "broken", *options, "--resume")
    assert len(metrics(tmp_path / "broken")) == 32
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "broken")


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["qmix", "sac", "ppo"])
def test_a_killed_run_continues_from_its_checkpoint(learner: str, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(learner, whole, "--episodes", "60", "--evaluation-episodes", "0")
    command = [sys.executable, "-m", f"trainers.{learner}", *ARGUMENTS[learner], "--output", str(killed)]
    process = subprocess.Popen(
        [*command, "--checkpoint-s", "0", "--episodes", "60", "--evaluation-episodes", "0"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )

    def has_played() -> bool:
        assert process.poll() is None, "the run ended before it could be killed"
        return (killed / "metrics.jsonl").exists() and len(metrics(killed)) >= 4

    wait_until(has_played, "four rounds of training")
    process.kill()
    process.wait()
    assert len(metrics(killed)) < 15
    run(learner, killed, "--resume")
    ours, theirs = weights(whole), weights(killed)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert metrics(whole) == metrics(killed)


@pytest.mark.slow
def test_a_short_run_halves_randoms_completion_time(tmp_path: Path) -> None:
    run(
        "qmix",
        tmp_path / "run",
        *("--episodes", "240", "--evaluation-episodes", "16", "--env.num-client-vehicles", "3", "--num-envs", "8"),
        *("--env.num-service-vehicles", "2", "--env.episode-slots", "20", "--env.mobility", "replay"),
        *("--learner.hidden", "64", "--learner.batch-size", "64", "--learner.warm-up-episodes", "16"),
    )
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    random = evaluation["references"]["random"]["completion_time_s_mean"]
    assert evaluation["completion_time_s_mean"] <= 0.5 * random


def test_metrics_are_strict_json(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0", "--learner.warm-up-episodes", "4")
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "NaN" not in text
    assert ["loss" in row for row in metrics(tmp_path / "run")] == [False, True]


def test_a_run_too_short_to_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing is learned"):
        run("qmix", tmp_path / "run", "--episodes", "3", "--learner.warm-up-episodes", "4")


@pytest.mark.parametrize("learner", MODULES)
def test_without_episodes_a_run_keeps_the_initial_weights(
    learner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(learner, tmp_path / "first", "--episodes", "0", "--evaluation-episodes", "2")
    assert learner in capsys.readouterr().out.split("held-out")[-1], "the table has a row of the learner"
    assert not metrics(tmp_path / "first")
    run(learner, tmp_path / "first", "--resume", "--evaluation-episodes", "0")
    more = ("--seed", "1", "--init-from", str(tmp_path / "first"), "--evaluation-episodes", "0")
    run(learner, tmp_path / "second", "--episodes", "0", *more)
    ours, theirs = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
def test_the_first_round_warms_up_also_where_it_has_more_environments_than_needed(tmp_path: Path) -> None:
    run("sac", tmp_path / "run", "--num-envs", "6", "--episodes", "12", "--learner.warm-up-episodes", "4")
    rounds = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(r["exploration"] == 1.0, r["updates"] > 0) for r in rounds] == [(True, False), (False, True)]


@pytest.mark.slow
def test_a_learner_without_warm_up_waits_for_its_first_transition(tmp_path: Path) -> None:
    run("dqn", tmp_path / "run", "--num-envs", "2", "--episodes", "4", "--learner.warm-up-episodes", "0")
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])["updates"] > 0


@pytest.mark.slow
def test_diverging_training_ends_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"training has diverged: .* lower --learner\.learning-rate"):
        run("dqn", tmp_path / "run", "--episodes", "40", "--learner.learning-rate", "1e30")
