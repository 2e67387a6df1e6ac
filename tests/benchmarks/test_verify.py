"""A submission holds where its episodes can be had again, and is rejected, with reasons, where they cannot."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.run import main as run
from benchmarks.suite import Case, Learned, Reference, Suite
from benchmarks.verify import main

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
SUITES = {"s": (Suite(name="s", title="S", cases=(CASE,), baseline="", picture="none", shows="", version="1"),)}
MODULE = """
import numpy as np


class Hers:
    def __init__(self, problem):
        self.problem = problem

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)

    def act(self, observation, view=None):
        return self.rng.integers(0, self.problem.action_counts, observation.shape[:2])
"""


@pytest.fixture(scope="module")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two good submissions: a learner's and somebody's own."""
    folders: dict[str, Path] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, policy in (("learned", "mine"), ("own", "hers_in_test:Hers")):
            folder = folders[name] = tmp_path_factory.mktemp(name)
            (folder / "hers_in_test.py").write_text(MODULE)
            (folder / "submission.json").write_text(json.dumps({"suite": "s", "policy": policy, "seeds": 1}))
            patch.chdir(folder)
            patch.syspath_prepend(folder)
            arguments = ["s", "--policies", policy, "--seeds", "1", "--workers", "1", "--output", str(folder)]
            assert run(arguments, SUITES) == 0
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
    assert capsys.readouterr().out.endswith("accepted\n")


def rewritten(path: Path, by: float) -> None:
    """Writes a result anew with better values, so that only playing it again can tell."""
    of = results.read(path)
    better = {name: values * by for name, values in of.values.items()}
    results.write(
        path.parent, of.definition, values=better, decisions=of.decisions, curve=of.curve, traces=of.traces,
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


@pytest.mark.parametrize(
    ("name", "harm", "says"),
    [
        ("own", lambda folder: next((folder / "results").glob("*.json")).unlink(), "is missing: VEC-DNNPartition-v0"),
        ("learned", lambda folder: shutil.rmtree(folder / "runs"), "its trained run, runs/qmix-seed0-"),
        ("own", lambda folder: next((folder / "results").glob("*.json")).write_text("{}"), "damaged or of other"),
    ],
)
def test_what_is_not_there_is_said(
    name: str, harm: Callable[[Path], None], says: str, copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy(name)
    harm(folder)
    assert main([str(folder)], SUITES) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "has no submission.json"),
        ("{", "does not say"),
        ('{"suite": "s"}', "does not say"),
        ('{"suite": "s", "policy": "mine", "seeds": 0}', "seeds is a number from 1 on"),
        ('{"suite": "t", "policy": "mine", "seeds": 1}', "the suite 't' is unknown"),
        ('{"suite": "s", "policy": "his", "seeds": 1}', "the policy 'his' is not in s"),
        ('{"suite": "s", "policy": "nowhere:His", "seeds": 1}', "cannot be imported"),
    ],
)
def test_what_is_no_submission(text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if text is not None:
        (tmp_path / "submission.json").write_text(text)
    assert main([str(tmp_path)], SUITES) == 2
    assert says in capsys.readouterr().err
