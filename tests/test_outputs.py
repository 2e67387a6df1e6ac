"""Every command finds an output that cannot be written before it begins to work."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.anatomy.__main__ import main as anatomy
from benchmarks.leaderboard.command import main as leaderboard
from benchmarks.references.__main__ import main as references
from benchmarks.report import main as report
from benchmarks.run import main as run
from sumo_scenarios.check import main as check
from sumo_scenarios.convert import main as convert
from sumo_scenarios.import_scenario import main as import_scenario
from sumo_scenarios.record import main as record
from tests.test_command_parser import commands
from trainers import evaluate as evaluate_module
from trainers.compare import main as compare
from trainers.evaluate import main as evaluate
from trainers.export import main as export
from trainers.imitation.fitting import main as fitting
from trainers.loop.training import main
from trainers.pretrain import read_arguments
from trainers.qmix import LEARNER
from trainers.registry import LEARNERS
from trainers.runs.command_line import parse
from trainers.watch import main as watch
from vec_envs import files
from vec_envs.dnn.__main__ import main as dnn


def train(arguments: list[str]) -> None:
    """Trains as `python -m trainers.qmix` does; the other learners' commands are made of the same two calls."""
    main(LEARNER, parse(LEARNER, arguments))


def pretrain(arguments: list[str]) -> None:
    """Pre-trains as `python -m trainers.pretrain` does."""
    fitting(*read_arguments(arguments))


COMMANDS: tuple[tuple[Callable[[list[str]], Any], list[str], str], ...] = (
    (watch, ["--policy", "random", "--output"], ".html"),
    (compare, ["run", "--output"], ".png"),
    (export, ["run"], ""),
    (run, ["quick", "--output"], ""),
    (leaderboard, ["--output"], ""),
    (leaderboard, ["--into"], ".md"),
    (report, ["quick", "--results", "run", "--output"], ""),
    (references, ["find", "--output"], ".jsonl"),
    (anatomy, ["--output"], ".jsonl"),
    (anatomy, ["--pages"], ""),
    (train, ["--output"], ""),
    (pretrain, ["--output"], ""),
    (record, ["fdr-drive", "--output"], ".npz"),
    (convert, ["trace.csv", "--output"], ".npz"),
    (check, ["fdr-drive", "--picture"], ".png"),
    (import_scenario, ["net.xml", "--output"], ""),
    (dnn, ["profile", "vgg16", "--output"], ".json"),
    (dnn, ["show", "vgg16", "--plot"], ".png"),
    (evaluate, [], ""),
)
IN_THE_PACKAGE = {"sumo_scenarios.build", "vec_envs.dnn.build_library"}
"""Commands that write files of this project, and have no option for another folder."""
WRITES_NOTHING = {"vec_envs", "benchmarks.speed", "benchmarks.verify", "sumo_scenarios.compare_seeds"}


def test_every_command_is_tried_here() -> None:
    tried = {re.sub(r"\.(__main__|command)$", "", command.__module__) for command, *_ in COMMANDS}
    trainers = {f"trainers.{name}" for name in (*LEARNERS, "pretrain")}
    assert {*tried - {__name__}, *trainers, *IN_THE_PACKAGE, *WRITES_NOTHING} == set(commands())


@pytest.mark.parametrize("name", sorted(IN_THE_PACKAGE))
def test_a_package_that_cannot_be_written_is_found_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(name)
    monkeypatch.setattr(module, "render" if "dnn" in name else "files", lambda *of: pytest.fail("it began to work"))
    monkeypatch.setattr(files, "reason_not_to_write", lambda folder: "the disk is read-only")
    with pytest.raises(SystemExit, match=r"the file .* cannot be written: the disk is read-only"):
        module.main([])


def test_a_run_that_cannot_be_written_is_found_before_its_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_module, "evaluate_run", lambda *of, **options: pytest.fail("it began to work"))
    monkeypatch.setattr(files, "reason_not_to_write", lambda folder: "the disk is read-only")
    with pytest.raises(SystemExit, match=r"RUN_DIR .* cannot be written: the disk is read-only"):
        evaluate([str(tmp_path)])


@pytest.mark.parametrize(("command", "arguments", "ending"), COMMANDS)
def test_an_output_that_cannot_be_written_is_found_first(
    command: Callable[[list[str]], Any],
    arguments: list[str],
    ending: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    try:
        left: Any = command([*arguments, f"file/output{ending}"])
    except SystemExit as exit_:
        left = exit_.code
    said = f"{left} {capsys.readouterr().err}"
    assert left not in (None, 0), "the command went on"
    assert re.search("is not a folder|must be (in )?a folder", said), said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
