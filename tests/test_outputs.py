"""Every command finds an output that cannot be written before it begins to work."""

from __future__ import annotations

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
from trainers.compare import main as compare
from trainers.export import main as export
from trainers.watch import main as watch
from vec_envs.dnn.__main__ import main as dnn

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
    (record, ["fdr-drive", "--output"], ".npz"),
    (convert, ["trace.csv", "--output"], ".npz"),
    (check, ["fdr-drive", "--picture"], ".png"),
    (import_scenario, ["net.xml", "--output"], ""),
    (dnn, ["profile", "vgg16", "--output"], ".json"),
    (dnn, ["show", "vgg16", "--plot"], ".png"),
)


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
    assert "is not a folder" in said or "must be in a folder that exists" in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
