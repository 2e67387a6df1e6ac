"""The commands of the tutorials, as they stand; training runs are made short."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs.plan import jobs_of
from benchmarks.suites import cases_of
from trainers.loop.training import main as train
from trainers.registry import learner_named
from trainers.runs.command_line import parse
from vec_envs.dnn import DNNProfile
from vec_envs.dnn.__main__ import main as dnn_command

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/tutorials/own-network.md").read_text()
SHORT = {
    "qmix": ("--learner.warm-up-episodes", "0", "--learner.batch-size", "8", "--env.episode-slots", "6"),
    "ppo": ("--learner.steps", "4", "--learner.batch-size", "4", "--env.episode-slots", "6"),
}
SHORTER = ("--env.mobility", "straight", "--num-envs", "2", "--episodes", "2", "--evaluation-episodes", "0")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands(module: str) -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    found = [shlex.split(line)[3:] for line in lines if line.startswith(f"python -m {module} ")]
    assert found, module
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("my_nets", None)
    Path("my_nets.py").write_text(blocks("python")[0])
    return tmp_path


def run(learner: str, arguments: list[str], *more: str) -> None:
    known = learner_named(learner)
    train(known, parse(known, [*arguments, *SHORTER, *SHORT[learner], *more]))


def test_every_command_of_the_page_is_one_of_the_project() -> None:
    for module in re.findall(r"^python -m ([\w.]+)", "\n".join(blocks("sh")), re.MULTILINE):
        importlib.import_module(module)


def test_the_file_by_hand_is_a_profile(folder: Path) -> None:
    (text,) = blocks("json")
    Path("by-hand.json").write_text(text)
    assert DNNProfile.read("by-hand.json").name == json.loads(text)["name"]


@pytest.mark.slow
def test_a_module_comes_to_a_training_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile, show = (c for c in commands("vec_envs.dnn") if "small.json" in c)
    dnn_command(profile)
    capsys.readouterr()
    dnn_command(show)
    assert capsys.readouterr().out in PAGE
    training = next(c for c in commands("trainers.qmix") if "small.json" in c)
    run("qmix", training)
    Path("small.json").rename("moved.json")
    assert json.loads(Path("runs/small/config.json").read_text())["env"]["dnns"][0]["name"] == "small"
    Path("moved.json").rename("small.json")
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[1], "page", "exec", dont_inherit=True), names)
    names["env"].close()


def test_the_suite_of_the_page_has_jobs_with_the_network(folder: Path) -> None:
    dnn_command(next(c for c in commands("vec_envs.dnn") if "exits.json" in c))
    Path("exits.json").rename("small.json")
    sys.modules.pop("my_suite", None)
    Path("my_suite.py").write_text(blocks("python")[2])
    (case,) = cases_of(commands("benchmarks.run")[0][0])
    first, *_ = (job for policy in case.policies for job in jobs_of(case, policy, 1))
    own = first.definition["evaluation"]["env"]["dnns"][0]
    assert [early["after_layer"] for early in own["exits"]] == [1, 3]


@pytest.mark.slow
def test_an_onnx_file_comes_to_a_training_run(folder: Path) -> None:
    pytest.importorskip("onnx")
    shutil.copyfile(ROOT / "tests/dnn/onnx/branches.onnx", "my_net.onnx")
    (profile,) = (c for c in commands("vec_envs.dnn") if "my_net.onnx" in c)
    dnn_command(profile)
    (training,) = (c for c in commands("trainers.ppo") if "my_net.json" in c)
    run("ppo", training, "--output", "runs/onnx")
    assert json.loads(Path("runs/onnx/config.json").read_text())["env"]["dnns"][0]["name"] == "my_net"
