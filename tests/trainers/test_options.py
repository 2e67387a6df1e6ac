"""The command line and the presets: wrong options end with one message, and pages say what presets do."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.runs import MODULES, run
from trainers import qmix, qmix_diffusion, sac
from trainers.runs.command_line import parse
from trainers.runs.env_options import env_options_type
from vec_envs.field_docs import field_docs
from vec_envs.interfaces.factories import TRAFFIC_DOCS
from vec_envs.registration import factory_of


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env.reward", "money"], "must be one of 'drift_bound', 'drift', 'delay', got 'money'"),
        (["--env.mobility", "teleport"], "teleport"),
        (["--env.mobility", "replay", "--env.scenario", "route-66"], "fdr-drive"),
        (["--preset", "best"], "known are: 'tuned', 'paper'"),
        (
            ["--env-id", "VEC-Nothing-v0"],
            "the environment 'VEC-Nothing-v0' is unknown; there are 'VEC-DNNPartition-v0'",
        ),
        (["--env-id", "no_such_module:My-Env-v0"], "the module of the environment"),
        (["--learner.discount", "2"], "discount"),
        (["--episodes", "-1"], "episodes"),
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
        env, learner = presets[name].env["VEC-DNNPartition-v0"], presets[name].learner
        run_options = presets[name].run
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


def test_each_paper_preset_has_the_numbers_of_its_paper() -> None:
    """MAD2RL, Sections 8.1 and 8.3.1."""
    preset = qmix_diffusion.LEARNER.presets["paper"]
    env, learner = preset.env["VEC-DNNPartition-v0"], preset.learner
    said = {"learning_rate": 5e-4, "discount": 0.99, "target_update_rate": 0.001, "hidden": 256, "hidden_layers": 3}
    said |= {"hypernetwork_hidden": 64, "hypernetwork_layers": 2}
    assert {name: value for name, value in asdict(learner.qmix).items() if name in said} == said
    assert (learner.denoiser.denoising_steps, learner.denoiser.noise, learner.denoiser.softmax) == (7, 1.0, True)
    problem = factory_of("VEC-DNNPartition-v0").problem(**env)
    assert (problem.reward, problem.observation, problem.lyapunov_v, problem.episode_slots) == (
        "drift_bound",
        "paper",
        10.0,
        30,
    )


def test_a_learner_that_needs_another_environment_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="sac cannot train on 'VEC-DNNPartition-v0'"):
        parse(sac.LEARNER, ["--env-id", "VEC-DNNPartition-v0"])
    with pytest.raises(SystemExit, match="diversion='chosen'"):
        run("dqn", tmp_path / "run", "--env.diversion", "nearest")
    with pytest.raises(ValueError, match="'VEC-Nothing-v0' is unknown; there are 'VEC-DNNPartition-v0'"):
        factory_of("VEC-Nothing-v0")


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
def test_the_command_line_is_read_before_torch_is_imported(learner: str) -> None:
    code = (
        f"import sys, trainers.evaluate, trainers.{learner} as entry; from trainers.runs.command_line import parse; "
        "parse(entry.LEARNER, []); assert not {'torch', 'tianshou'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("env_id", ["VEC-DNNPartition-v0", "VEC-TaskDiversion-v0"])
def test_help_explains_the_options_of_the_environment(env_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    learner = {"VEC-DNNPartition-v0": "qmix", "VEC-TaskDiversion-v0": "sac"}[env_id]
    with pytest.raises(SystemExit):
        parse(MODULES[learner].LEARNER, ["--help"])
    shown = "".join(capsys.readouterr().out.replace("│", "").split())
    factory = factory_of(env_id)
    docs = TRAFFIC_DOCS | field_docs(factory.problem_type)
    for name in env_options_type(factory).__dataclass_fields__:
        assert f"--env.{name.replace('_', '-')}" in shown
        assert "".join(docs[name].split()) in shown


def test_option_names_with_underscores_are_accepted() -> None:
    with pytest.raises(SystemExit, match="cannot train on 'VEC-TaskDiversion-v0'"):
        parse(qmix.LEARNER, ["--env_id", "VEC-TaskDiversion-v0"])
    assert parse(qmix.LEARNER, ["--env.num_client_vehicles=3", "--num_envs", "2"]).num_envs == 2


def test_seeds_beyond_what_generators_take_are_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(qmix.LEARNER, ["--evaluation-seed", str(2**63)])
    assert "evaluation_seed=9223372036854775808 must be below 2**63" in capsys.readouterr().err
