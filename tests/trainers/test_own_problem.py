"""A problem that is registered in a user's module is trained, evaluated without references, and exported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from trainers import qmix
from trainers.evaluate import main as evaluate_main
from trainers.loop.training import main
from trainers.runs.command_line import parse
from trainers.runs.tables import print_table

MODULE = '''
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vec_envs import register
from vec_envs.mobility.traffic import EpisodeShape
from vec_envs.problems.base import DiscreteActions, Metric


@dataclass(frozen=True)
class State:
    backlog: Any


@dataclass(frozen=True)
class Arrivals:
    work: Any


@dataclass(frozen=True)
class Outcome:
    reward: Any
    backlog: Any


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Two agents add work to queues or drop it."""

    episode_slots: int = 4
    """Decisions of an episode."""
    arrival: float | Callable[[int], float] = 1.0
    """Work of a slot, or a function of the slot."""
    penalty: Callable[[float], float] | None = None
    """Not for a command line."""

    one_at_a_time = False
    agent_names = ("a", "b")
    actions = DiscreteActions(counts=(2, 3))
    observation_size = 2
    reported_metrics = (Metric(name="backlog_gcycles", unit="Gc", final=True),)

    @property
    def episode_epochs(self):
        return self.episode_slots

    @property
    def traffic_shape(self):
        return EpisodeShape(num_client_vehicles=2, num_service_vehicles=0, num_slots=self.episode_slots + 1, slot_s=1.0)

    def initial_state(self, batch_shape):
        return State(np.zeros((*batch_shape, 2)))

    def sample(self, rng):
        return Arrivals(rng.exponential(size=(self.episode_slots + 1, 2)))

    def exogenous(self, draws, traffic, road):
        return draws

    def observe(self, state, exogenous):
        return np.stack((state.backlog, exogenous.work), axis=-1).astype(np.float32)

    def action_mask(self, state, exogenous):
        exists = np.arange(3) < np.array(self.actions.counts)[:, None]
        return np.broadcast_to(exists, (*state.backlog.shape, 3))

    def transition(self, state, action, exogenous):
        backlog = np.maximum(state.backlog + self.arrival * exogenous.work - action, 0.0)
        return State(backlog), Outcome(-backlog.sum(-1), backlog.sum(-1))

    def metrics(self, next_state, outcome):
        return {"backlog_gcycles": outcome.backlog}


register("Made-Up-Choice-v0", Choice)
'''
ENV_ID = "choice_of_a_user:Made-Up-Choice-v0"
FEW = ["--env-id", ENV_ID, "--num-envs", "4", "--episodes", "12", "--learner.warm-up-episodes", "4"]
SMALL = ["--learner.hidden", "8", "--learner.batch-size", "8", "--evaluation-episodes", "2", "--device", "cpu"]


@pytest.fixture
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "choice_of_a_user" not in sys.modules:
        (tmp_path / "choice_of_a_user.py").write_text(MODULE)
        monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("_module")
def test_a_problem_without_references_is_trained_and_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    main(qmix.LEARNER, parse(qmix.LEARNER, [*FEW, *SMALL, "--output", str(path)]))
    printed = capsys.readouterr().out
    assert "This problem has no reference policies to compare with." in printed
    assert "ratio" not in printed
    evaluation = json.loads((path / "evaluation.json").read_text())
    assert (evaluation["references"], evaluation["to_beat"]) == ({}, "")
    assert evaluation["backlog_gcycles_mean"] >= 0.0
    assert evaluation["backlog_gcycles_final"] >= 0.0
    evaluate_main([str(path), "--episodes", "2"])
    again = json.loads((path / "evaluation.json").read_text())
    assert again["backlog_gcycles_mean"] == evaluation["backlog_gcycles_mean"]


@pytest.mark.usefixtures("_module")
def test_fields_that_a_command_line_cannot_give_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    run = parse(qmix.LEARNER, [*FEW, "--env.arrival", "2.5"])
    assert run.env.arrival == 2.5
    assert not hasattr(run.env, "penalty")
    with pytest.raises(SystemExit):
        parse(qmix.LEARNER, ["--env-id", ENV_ID, "--env.arrival", "many"])
    assert "arrival" in capsys.readouterr().err


def test_a_table_without_the_reference_to_beat_has_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    """The reference to beat can be slow, and is then not played."""
    values = {"delay_s_mean": 1.0, "return_mean": -1.0, "decision_ms_p50": 0.5}
    evaluation = {"policy": "qmix", "preset": "tuned", "episodes": 2, "seed": 0, "to_beat": "slow", **values}
    reported = [{"name": "delay_s", "unit": "s", "final": False}]
    print_table({**evaluation, "reported": reported, "references": {"random": values | {"delay_s_mean": 0.5}}})
    printed = capsys.readouterr().out
    assert "ratio" not in printed
    assert "no reference policies" not in printed
    assert printed.index("random") < printed.index("qmix")
