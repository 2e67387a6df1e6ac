"""Whole runs: they learn, can be interrupted and continued exactly, and are evaluated."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainers import dqn, ppo, qmix, qmix_diffusion, sac
from trainers.env_options import door_of, env_options_type
from trainers.evaluate import Stages, evaluate_run
from trainers.evaluate import main as evaluate_main
from trainers.export import main as export_main
from trainers.options import parse
from trainers.run_directory import RunDirectory, new_path
from trainers.training import main
from vec_envs.faces.doors import TRAFFIC_DOCS
from vec_envs.field_docs import field_docs

SMALL = [
    *("--env.mobility", "straight", "--env.num-client-vehicles", "2", "--env.num-service-vehicles", "1"),
    *("--learner.hidden", "16", "--learner.batch-size", "16", "--learner.warm-up-episodes", "0", "--num-envs", "4"),
    *("--learner.hypernetwork-hidden", "8", "--threads", "1", "--device", "cpu", "--env.episode-slots", "6"),
]
SMALL_TASKS = [
    *("--env.mobility", "replay", "--env.num-client-vehicles", "3", "--env.episode-slots", "8", "--num-envs", "4"),
    *("--learner.hidden", "16", "--learner.batch-size", "16", "--learner.warm-up-episodes", "4"),
    *("--threads", "1", "--device", "cpu"),
]
SMALL_STREAMS = [
    *("--env.episode-slots", "6", "--num-envs", "4", "--learner.hidden", "8", "--learner.batch-size", "8"),
    *("--learner.steps", "4", "--threads", "1", "--device", "cpu"),
]
MODULES = {"qmix": qmix, "qmix_diffusion": qmix_diffusion, "sac": sac, "dqn": dqn, "ppo": ppo}
ARGUMENTS = {"qmix": SMALL, "qmix_diffusion": SMALL, "sac": SMALL_TASKS, "dqn": SMALL_TASKS}
ARGUMENTS["ppo"] = SMALL_STREAMS
FIGURES = {
    "qmix": ("completion_time_s_mean", "backlog_gcycles_mean", "backlog_gcycles_final"),
    "sac": ("cost_mean", "time_s_mean", "energy_j_mean", "vehicle_energy_j_mean", "missed_mean", "offloaded_mean"),
}
FIGURES["ppo"] = ("delay_s_mean", "energy_j_mean", "memory_gb_mean", "energy_queue_mean", "energy_queue_final")
FIGURES |= {"qmix_diffusion": FIGURES["qmix"], "dqn": FIGURES["sac"]}
TO_BEAT = {"qmix": "best-response-drift", "sac": "gbs-best", "ppo": "optimum"}
TO_BEAT |= {"qmix_diffusion": TO_BEAT["qmix"], "dqn": TO_BEAT["sac"]}


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = RunDirectory(path).load_checkpoint()["algorithm"]
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def optimisers(path: Path) -> str:
    return str(RunDirectory(path).load_checkpoint()["algorithm"]["_optimizers"])


def metrics(path: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "round_s"} for row in rows]


def run(learner: str, output: Path, *more: str) -> None:
    known = MODULES[learner].LEARNER
    main(known, parse(known, [*ARGUMENTS[learner], "--output", str(output), *more]))


@pytest.mark.parametrize("learner", list(MODULES))
def test_a_run_leaves_all_its_files(learner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(learner, tmp_path / "run", "--episodes", "16", "--evaluation-episodes", "2")
    names = {path.name.split(".")[0] for path in (tmp_path / "run").iterdir()}
    assert names == {"config", "checkpoint", "metrics", "events", "evaluation"}
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    for figures in (evaluation, *evaluation["references"].values()):
        assert figures["episodes"] == 2
        for name in ("return_mean", *FIGURES[learner]):
            assert np.isfinite(figures[name])
        for name in FIGURES[learner]:
            if name.endswith("_mean"):
                assert len(figures[name.replace("_mean", "_of_episodes")]) == 2
        assert figures["decision_ms_p50"] > 0.0
    printed = capsys.readouterr().out
    assert f"to that of {TO_BEAT[learner]}" in printed
    assert f"{learner} (tuned)" in printed
    logged = {name.removesuffix("_mean") for name in FIGURES[learner] if name.endswith("_mean")}
    assert logged | {"return_mean", "exploration", "updates"} <= set(metrics(tmp_path / "run")[-1])
    assert len(metrics(tmp_path / "run")) == 4


@pytest.mark.parametrize("learner", list(MODULES))
def test_same_seed_same_run_and_another_seed_another(learner: str, tmp_path: Path) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        run(learner, tmp_path / name, "--episodes", "16", "--evaluation-episodes", "0", "--seed", seed)
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


@pytest.mark.parametrize("learner", list(MODULES))
def test_the_learning_rate_of_a_run_falls_as_its_options_say(learner: str, tmp_path: Path) -> None:
    """The last of four rounds is at 3/4 of the run: half of the way down."""
    options = ("--learner.final-learning-rate", "0.2", "--learner.learning-rate", "0.01")
    run(learner, tmp_path / "run", "--episodes", "16", "--evaluation-episodes", "0", *options)
    rates = set(re.findall(r"'lr': ([0-9.e-]+)", optimisers(tmp_path / "run")))
    assert [float(rate) for rate in rates] == [pytest.approx(0.006)]


@pytest.mark.parametrize(("per_step", "updates"), [("0.5", 9), ("2", 36)])
def test_a_run_learns_as_often_as_its_options_say(per_step: str, updates: int, tmp_path: Path) -> None:
    """Four rounds of six steps, the first of them to warm up."""
    options = ("--learner.updates-per-step", per_step, "--learner.warm-up-episodes", "4")
    run("qmix", tmp_path / "run", "--episodes", "16", "--evaluation-episodes", "0", *options)
    assert metrics(tmp_path / "run")[-1]["updates"] == updates


@pytest.mark.parametrize("learner", list(MODULES))
@pytest.mark.parametrize("preset", ["tuned", "paper"])
def test_a_resumed_run_is_the_run_that_was_never_interrupted(
    learner: str, preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainers.training import Training

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


@pytest.mark.parametrize("learner", ["qmix", "sac", "ppo"])
def test_a_killed_run_goes_on_from_its_checkpoint(learner: str, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(learner, whole, "--episodes", "60", "--evaluation-episodes", "0")
    command = [sys.executable, "-m", f"trainers.{learner}", *ARGUMENTS[learner], "--output", str(killed)]
    process = subprocess.Popen(
        [*command, "--checkpoint-s", "0", "--episodes", "60", "--evaluation-episodes", "0"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    while not (killed / "metrics.jsonl").exists() or len(metrics(killed)) < 4:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert len(metrics(killed)) < 15
    run(learner, killed, "--resume")
    ours, theirs = weights(whole), weights(killed)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert metrics(whole) == metrics(killed)


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


def test_an_evaluation_of_other_episodes_is_written_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0")
    for seed, name in ((1000, "evaluation.json"), (7, "evaluation-7-2.json"), (1000, "evaluation.json")):
        evaluate_main([str(tmp_path / "run"), "--episodes", "2", "--seed", str(seed)])
        assert capsys.readouterr().out.endswith(f"written to {tmp_path / 'run' / name}\n")
        assert json.loads((tmp_path / "run" / name).read_text())["seed"] == seed


def test_references_that_take_long_play_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "1")
    usual = json.loads((tmp_path / "run" / "evaluation.json").read_text())["references"]
    evaluate_main([str(tmp_path / "run"), "--episodes", "1", "--slow"])
    every = json.loads((tmp_path / "run" / "evaluation.json").read_text())["references"]
    assert every.keys() - usual.keys() == {"genetic-paper", "genetic-drift", "optimum-bound", "optimum-drift"}
    assert "optimum-drift" in capsys.readouterr().out


def test_references_play_on_their_own_fields_of_the_environment(tmp_path: Path) -> None:
    given = parse(sac.LEARNER, ["--env.mobility", "replay"])
    with Stages(given, 2) as stages:
        own, nearest = stages.env({}), stages.env({"diversion": "nearest"})
        assert (own.problem.diversion, nearest.problem.diversion) == ("probability", "nearest")
        assert stages.env({"diversion": "nearest"}) is nearest
        assert stages.env({"diversion": "probability"}) is own


def test_evaluation_can_be_repeated_and_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "2")
    before = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    evaluate_main([str(tmp_path / "run"), "--episodes", "2", "--seed", "1000"])
    after = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert before["completion_time_s_mean"] == after["completion_time_s_mean"]
    other = evaluate_run(tmp_path / "run", episodes=2, seed=2000)
    assert other["completion_time_s_mean"] != before["completion_time_s_mean"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env.reward", "money"], "there are 'drift_bound', 'drift', 'delay'"),
        (["--env.mobility", "teleport"], "teleport"),
        (["--env.mobility", "replay", "--env.scenario", "route-66"], "fdr-drive"),
        (["--preset", "best"], "there are 'tuned', 'paper'"),
        (["--env-id", "VEC-Nothing-v0"], "qmix does not train on 'VEC-Nothing-v0', but on 'VEC-DNNPartition-v0'"),
        (["--env-id", "VEC-TaskDiversion-v0"], "but on 'VEC-DNNPartition-v0'"),
        (["--learner.discount", "2"], "discount"),
        (["--episodes", "0"], "episodes"),
        (["--device", "abacus"], "abacus"),
        (["--resume"], "holds no run"),
    ],
)
def test_wrong_options_end_with_one_message(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("qmix", tmp_path / "run", *arguments)
    captured = capsys.readouterr()
    assert message in f"{stopped.value.code} {captured.err} {captured.out}"


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    with pytest.raises(SystemExit, match="holds a run already"):
        run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_resuming_with_another_learner_is_refused(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    with pytest.raises(SystemExit, match="not one of qmix_diffusion"):
        run("qmix_diffusion", tmp_path / "run", "--resume")


def test_a_run_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    for wrong in (["--device", "abacus"], ["--env.num-client-vehicles", "0"], ["--env.episode-slots", "900"]):
        with pytest.raises(SystemExit):
            run("qmix", tmp_path / "run", *wrong)
        assert not (tmp_path / "run").exists()
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")


def test_resume_refuses_what_it_cannot_change_and_takes_what_it_can(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0")
    with pytest.raises(SystemExit, match="episodes cannot be changed, only device"):
        run("qmix", tmp_path / "run", "--resume", "--episodes", "40")
    run("qmix", tmp_path / "run", "--resume", "--episodes", "8", "--evaluation-episodes", "3", "--evaluation-seed", "7")
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (evaluation["episodes"], evaluation["seed"]) == (3, 7)


def test_resume_sees_what_is_asked_for_though_it_be_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not said is as configured; what is said counts, whether or not the preset would have it too."""
    from trainers.options import configured, parse, resumed
    from trainers.qmix import LEARNER

    few = ("--checkpoint-s", "7", "--evaluation-episodes", "0", "--learner.discount", "0.5")
    run("qmix", tmp_path / "run", "--episodes", "8", *few)
    begun = configured(LEARNER, tmp_path / "run")
    at = ["--resume", "--output", str(tmp_path / "run")]
    assert resumed(begun, parse(LEARNER, at)) == begun
    assert resumed(begun, parse(LEARNER, [*at, "--checkpoint-s", "60"])).checkpoint_s == 60.0
    with pytest.raises(ValueError, match=r"as configured: learner.discount, episodes cannot be changed"):
        resumed(begun, parse(LEARNER, [*at, "--learner.discount", "0.9", "--episodes", "1920"]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="there is no run under"):
        parse(LEARNER, ["--resume"])


@pytest.mark.parametrize("learner", list(MODULES))
def test_an_exported_policy_plays_as_its_run_does_and_cannot_go_on(learner: str, tmp_path: Path) -> None:
    whole, exported = tmp_path / "run", tmp_path / "exported"
    run(learner, whole, "--episodes", "16", "--evaluation-episodes", "2")
    export_main([str(whole), str(exported)])
    assert {path.name for path in exported.iterdir()} == {"config.json", "metrics.jsonl", "checkpoint.pt"}
    assert RunDirectory(exported).load_checkpoint().keys() == {"round", "policy"}
    before, after = json.loads((whole / "evaluation.json").read_text()), evaluate_run(exported, episodes=2, seed=1000)
    assert all(before[name] == after[name] for name in ("return_mean", *FIGURES[learner]))
    with pytest.raises(SystemExit, match="exported holds a policy alone: a run cannot go on from it"):
        run(learner, exported, "--resume")
    with pytest.raises(SystemExit, match="holds a run already"):
        export_main([str(whole), str(exported)])


@pytest.mark.parametrize("name", ["checkpoint.pt", "config.json"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    (tmp_path / "run" / name).write_text("junk")
    for again in (lambda: run("qmix", tmp_path / "run", "--resume"), lambda: evaluate_main([str(tmp_path / "run")])):
        with pytest.raises(SystemExit, match=f"{name} is damaged"):
            again()


def test_metrics_are_strict_json(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "8", "--evaluation-episodes", "0", "--learner.warm-up-episodes", "4")
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "NaN" not in text
    assert ["loss" in row for row in metrics(tmp_path / "run")] == [False, True]


def test_a_run_too_short_to_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing is learned"):
        run("qmix", tmp_path / "run", "--episodes", "3", "--learner.warm-up-episodes", "4")


STATED = {
    "drift_bound": "drift bound",
    "drift": "exact drift",
    "paper": "Eq. 52",
    "huber": "Huber",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    True: "yes",
    False: "no",
}


def stated(value: Any, cell: str) -> bool:
    """Whether a cell of the decision's table says this value: a word, or a number as people write it."""
    if isinstance(value, bool | str):
        return STATED.get(value, str(value)) in cell or (value is True and "log(1" in cell)
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?", cell)]
    return value in numbers or (value == 0 and "none" in cell)


def test_the_decision_page_states_every_option_that_the_presets_differ_in() -> None:
    page = (Path(__file__).parents[2] / "docs" / "decisions" / "0003-the-tuned-preset.md").read_text()
    presets = qmix_diffusion.LEARNER.presets
    flat: dict[str, dict[str, Any]] = {}
    for name in ("tuned", "paper"):
        env, learner, run_options = presets[name]
        flat[name] = {**env, **asdict(learner.qmix), **asdict(learner.denoiser), **asdict(learner.replay)}
        flat[name] |= {"reward": "drift_bound", "observation": "paper"} | env
        flat[name] |= {"episodes": 1920, "num_envs": 16, "threads": 1} | run_options
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    of = {option: row for row in rows for option in re.findall(r"`(\w+)`", row[0])}
    differing = {option for option, value in flat["tuned"].items() if flat["paper"][option] != value}
    assert differing - {"huber_beta"} <= set(of)
    for option, row in of.items():
        assert stated(flat["paper"][option], row[1]), (option, flat["paper"][option], row[1])
        assert stated(flat["tuned"][option], row[2]), (option, flat["tuned"][option], row[2])


def test_the_paper_preset_has_the_papers_numbers() -> None:
    """MAD2RL, Sections 8.1 and 8.3.1."""
    env, learner, _ = qmix_diffusion.LEARNER.presets["paper"]
    said = {"learning_rate": 5e-4, "discount": 0.99, "target_update_rate": 0.001, "hidden": 256, "hidden_layers": 3}
    said |= {"hypernetwork_hidden": 64, "hypernetwork_layers": 2}
    assert {name: value for name, value in asdict(learner.qmix).items() if name in said} == said
    assert (learner.denoiser.denoising_steps, learner.denoiser.noise, learner.denoiser.softmax) == (7, 1.0, True)
    problem = door_of("VEC-DNNPartition-v0").problem(**env)
    assert (problem.reward, problem.observation, problem.lyapunov_v, problem.episode_slots) == (
        "drift_bound",
        "paper",
        10.0,
        30,
    )


def test_a_learner_that_needs_another_environment_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="sac does not train on 'VEC-DNNPartition-v0', but on 'VEC-TaskDiversion-v0'"):
        parse(sac.LEARNER, ["--env-id", "VEC-DNNPartition-v0"])
    with pytest.raises(SystemExit, match="must be 'chosen'"):
        run("dqn", tmp_path / "run", "--env.diversion", "nearest")
    with pytest.raises(ValueError, match="'VEC-Nothing-v0' is unknown; there are 'VEC-DNNPartition-v0'"):
        door_of("VEC-Nothing-v0")


def test_the_first_round_warms_up_also_where_it_has_more_lanes_than_that_takes(tmp_path: Path) -> None:
    run("sac", tmp_path / "run", "--num-envs", "6", "--episodes", "12", "--learner.warm-up-episodes", "4")
    rounds = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(r["exploration"] == 1.0, r["updates"] > 0) for r in rounds] == [(True, False), (False, True)]


def test_a_learner_without_warm_up_waits_for_its_first_transition(tmp_path: Path) -> None:
    run("dqn", tmp_path / "run", "--num-envs", "2", "--episodes", "4", "--learner.warm-up-episodes", "0")
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])["updates"] > 0


def test_learning_that_diverges_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"learning has diverged: .* lower --learner\.learning-rate"):
        run("dqn", tmp_path / "run", "--episodes", "40", "--learner.learning-rate", "1e30")


@pytest.mark.parametrize("learner", list(MODULES))
def test_the_command_line_is_read_before_torch_is_imported(learner: str) -> None:
    code = (
        f"import sys, trainers.evaluate, trainers.{learner} as entry; from trainers.options import parse; "
        "parse(entry.LEARNER, []); assert not {'torch', 'tianshou'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("env_id", ["VEC-DNNPartition-v0", "VEC-TaskDiversion-v0"])
def test_help_tells_what_the_fields_of_the_environment_are(env_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    learner = {"VEC-DNNPartition-v0": "qmix", "VEC-TaskDiversion-v0": "sac"}[env_id]
    with pytest.raises(SystemExit):
        parse(MODULES[learner].LEARNER, ["--help"])
    shown = "".join(capsys.readouterr().out.replace("│", "").split())
    door = door_of(env_id)
    docs = TRAFFIC_DOCS | field_docs(door.problem_type)
    for name in env_options_type(door).__dataclass_fields__:
        assert f"--env.{name.replace('_', '-')}" in shown
        assert "".join(docs[name].split()) in shown


def test_a_run_is_one_processs_at_a_time(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create("{}")
    with directory.claimed():
        other = RunDirectory(tmp_path / "run").claimed()
        with pytest.raises(BlockingIOError, match="another process is training the run in"):
            other.__enter__()
    with directory.claimed():
        pass


def test_every_new_run_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [new_path("qmix") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.is_dir() for path in paths)


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="must be above warm_up_episodes=32"):
        main(qmix.LEARNER, parse(qmix.LEARNER, [*SMALL, "--learner.warm-up-episodes", "32", "--episodes", "8"]))
    assert list((tmp_path / "runs" / "qmix").iterdir()) == []


def test_names_of_options_are_taken_with_underscores_too() -> None:
    with pytest.raises(SystemExit, match="does not train on 'VEC-TaskDiversion-v0'"):
        parse(qmix.LEARNER, ["--env_id", "VEC-TaskDiversion-v0"])
    assert parse(qmix.LEARNER, ["--env.num_client_vehicles=3", "--num_envs", "2"]).num_envs == 2


def test_seeds_beyond_what_generators_take_are_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(qmix.LEARNER, ["--evaluation-seed", str(2**63)])
    assert "evaluation_seed=9223372036854775808 must be below 2**63" in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
    torch.save([1, 2], tmp_path / "run" / "checkpoint.pt")
    for wrong in (lambda: evaluate_main([str(tmp_path / "run")]), lambda: run("qmix", tmp_path / "run", "--resume")):
        with pytest.raises(SystemExit, match=r"checkpoint\.pt holds something else: it is no checkpoint of a run"):
            wrong()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the full disk is Linux's")
def test_a_full_disk_ends_a_run_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt.new").symlink_to("/dev/full")
    with pytest.raises(SystemExit, match=r"checkpoint\.pt\.new cannot be written"):
        run("qmix", tmp_path / "run", "--episodes", "4", "--evaluation-episodes", "0")
