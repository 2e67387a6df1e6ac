"""A suite with a network of one's own, from the module to a verified submission and a leaderboard's page."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.leaderboard.command import main as leaderboard
from benchmarks.results import result as results
from benchmarks.run import main as run
from benchmarks.verify import main as verify
from tests.dnn.test_command import INPUT, SOURCE
from trainers.evaluate import main as evaluate
from trainers.export import main as export
from vec_envs.dnn import DNNProfile
from vec_envs.dnn.__main__ import main as dnn

SUITE = "suite_of_own_network:MINE"
MODULE = """
from pathlib import Path

from benchmarks.suites.suite import Case, Learned, Reference, Suite

QMIX = Learned(
    name="mine",
    learner="qmix",
    options={"hidden": 8, "hypernetwork_hidden": 8, "batch_size": 8, "warm_up_episodes": 4},
    run={"episodes": 8, "num_envs": 4},
)
CASE = Case(
    name="two",
    env_id="VEC-DNNPartition-v0",
    env={
        "dnns": (str(Path(__file__).with_name("my.json")), "nin"),
        "num_client_vehicles": 2,
        "num_service_vehicles": 1,
        "episode_slots": 6,
        "mobility": "straight",
    },
    policies=(Reference(name="random"), QMIX),
    episodes=4,
)
MINE = Suite(name="mine", title="Mine", cases=(CASE,), version="1")
"""


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A submission's folder, in which the learner of a suite with a network of one's own has been trained."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "suite_of_own_network", raising=False)
    (tmp_path / "suite_of_own_network.py").write_text(MODULE)
    dnn(["profile", SOURCE, *INPUT, "--exit", "1:0.5", "-o", str(tmp_path / "my.json")])
    folder = tmp_path / "played"
    assert run([SUITE, "--policies", "mine", "--seeds", "1", "--workers", "1", "--output", str(folder)]) == 0
    (folder / "submission.json").write_text(json.dumps({"suite": SUITE, "policy": "mine", "seeds": 1}))
    return folder


@pytest.mark.slow
def test_a_submission_to_a_suite_with_a_network_of_ones_own(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = DNNProfile.read(tmp_path / "my.json")
    (trained,) = (path for path in (played / "runs").iterdir() if path.is_dir())
    assert verify([str(played)]) == 2
    assert f"give --suite {SUITE} for a suite of yours" in capsys.readouterr().err
    assert verify([str(played), "--suite", "main"]) == 2
    assert f"--suite must be the suite of submission.json, '{SUITE}', got 'main'" in capsys.readouterr().err

    handed_in = tmp_path / "handed-in"
    export([str(trained), str(handed_in / "runs" / trained.name)])
    shutil.copytree(played / "results", handed_in / "results")
    shutil.copy(played / "submission.json", handed_in)
    evaluate([str(handed_in / "runs" / trained.name), "--episodes", "1"])
    (handed_in / "runs" / trained.name / "evaluation.json").unlink(missing_ok=True)
    assert verify([str(handed_in), "--suite", SUITE]) == 0
    assert leaderboard([str(handed_in), "--suite", SUITE, "--output", str(tmp_path / "site")]) == 0
    assert "mine" in (tmp_path / "site" / "leaderboard.md").read_text()
    (result,) = (results.read(path) for path in (handed_in / "results").iterdir())
    assert result.definition["evaluation"]["env"]["dnns"][0]["exits"] == [{"after_layer": 1, "accuracy": 0.5}]

    replace(own, input_mbit=9.0).write(tmp_path / "my.json")
    assert verify([str(handed_in), "--suite", SUITE]) == 1
    assert "does not belong to this submission" in capsys.readouterr().err
