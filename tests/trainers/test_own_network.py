"""Networks of one's own, as files or profiles, in every learner's run: the run keeps them without their files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.dnn.test_profile import tiny
from tests.trainers.runs import ARGUMENTS, MODULES, run
from trainers.export import export
from trainers.loop.evaluation import evaluate_run
from trainers.loop.training import main
from trainers.runs.command_line import parse
from trainers.runs.configuration import as_json, from_json
from trainers.runs.directory import RunDirectory
from trainers.runs.env_options import problem_of
from vec_envs.dnn import DNNProfile, MeasuredTimes

OWN = dataclasses.replace(tiny(), name="own", measured=(MeasuredTimes(device="board", layer_s=(0.1, 0.3)),))
FITS = {
    "qmix": ("VEC-DNNPartition-v0", "VEC-CooperativeInference-v0", "VEC-MobileInference-v0"),
    "qmix_diffusion": ("VEC-DNNPartition-v0",),
    "sac": ("VEC-TaskDiversion-v0",),
    "dqn": ("VEC-TaskDiversion-v0",),
    "ppo": ("VEC-DNNPartition-v0", "VEC-CooperativeInference-v0", "VEC-MobileInference-v0"),
}
CASES = [(learner, env_id) for learner, ids in FITS.items() for env_id in ids]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    OWN.write(tmp_path / "own.json")
    return tmp_path / "own.json"


def profiles(run: Any) -> tuple[DNNProfile, ...]:
    problem: Any = problem_of(run.env_id, dataclasses.asdict(run.env))
    return problem.profiles


@pytest.mark.parametrize(("learner", "env_id"), CASES)
def test_a_run_holds_the_networks_of_its_files(learner: str, env_id: str, own: Path) -> None:
    known = MODULES[learner].LEARNER
    given = parse(known, ["--env-id", env_id, "--env.dnns", str(own), "vgg16"])
    own.unlink()
    written = as_json(given, learner)
    assert str(own) not in written
    read = from_json(written, known)
    assert as_json(read, learner) == written
    assert read.env == given.env
    assert profiles(read) == profiles(given)
    assert profiles(read)[0] == OWN
    in_python = dataclasses.replace(given, env=dataclasses.replace(given.env, dnns=(OWN, "vgg16")))
    assert as_json(in_python, learner) == written


@pytest.mark.parametrize(
    ("dnn", "says"),
    [
        ("none.json", "dnns names the file 'none.json', which does not exist"),
        ("lenet99", "must be one of 'alexnet'"),
        ("wrong.json", "gmacs of layers[0] must be a finite number of at least 0, got -1"),
    ],
)
def test_a_wrong_network_is_refused_by_a_sentence(
    dnn: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    layer = {"name": "a", "gflops": 1, "gmacs": -1, "output_mbit": 1, "parameter_mbyte": 1}
    Path("wrong.json").write_text(json.dumps({"name": "wrong", "input_mbit": 1, "layers": [layer]}))
    with pytest.raises(SystemExit):
        parse(MODULES["qmix"].LEARNER, ["--env.dnns", dnn, "vgg16"])
    shown = "".join(capsys.readouterr().err.replace("│", "").split())
    assert "".join(says.split()) in shown


@pytest.mark.slow
@pytest.mark.parametrize("learner", list(MODULES))
def test_a_run_is_resumed_evaluated_and_exported_without_the_files(learner: str, own: Path, tmp_path: Path) -> None:
    budgets = ("--env.memory-budget-gb", "0.1", "0.1") if learner == "ppo" else ()
    few = ("--episodes", "8", "--evaluation-episodes", "0")
    run(learner, tmp_path / "run", "--env.dnns", str(own), "vgg16", *budgets, *few)
    own.unlink()
    known = MODULES[learner].LEARNER
    main(known, parse(known, ["--resume", "--output", str(tmp_path / "run"), "--evaluation-episodes", "1"]))
    export(tmp_path / "run", tmp_path / "exported")
    assert RunDirectory(tmp_path / "exported").config() == RunDirectory(tmp_path / "run").config()
    evaluated = [evaluate_run(tmp_path / name, episodes=1, seed=7)["return_mean"] for name in ("run", "exported")]
    assert evaluated[0] == evaluated[1]


def test_arguments_of_this_file_cover_every_learner() -> None:
    assert set(FITS) == set(ARGUMENTS)
