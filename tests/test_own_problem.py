"""A problem that is defined in this file alone plays, is learned, evaluated and ranked: no row elsewhere names it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test

import vec_envs
from benchmarks.suites.suite import Case, CustomPolicy, Suite
from vec_envs.mobility import EpisodeShape, Road, TrafficBlock
from vec_envs.policies import references
from vec_envs.problems.base import ContinuousActions, DiscreteActions, Frame, Metric, View
from vec_envs.problems.policy import Constant, Reference, References
from vec_envs.registration import factory_of

ROOT = Path(__file__).parents[1]
HERE = "tests.test_own_problem"
DISCRETE, CONTINUOUS = "Test-OffloadOrNot-v0", "Test-HowMuch-v0"


@dataclass(frozen=True, kw_only=True)
class State:
    """Work that waits at the roadside unit, in s of its time."""

    queue_s: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The size of every task, in s of a vehicle's time."""

    task_s: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """Each vehicle's task, and the time that its link takes to send it."""

    task_s: np.ndarray
    sending_s: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Outcome:
    delay_s: np.ndarray
    reward: np.ndarray


@dataclass(frozen=True, kw_only=True)
class OffloadOrNot:
    """Every vehicle runs its task itself, or sends it to a unit that is four times as fast and serves one by one."""

    num_client_vehicles: int = 3
    """Vehicles, each with a task in every slot."""
    episode_slots: int = 8
    """Slots of an episode."""

    one_at_a_time = False

    @property
    def episode_epochs(self) -> int:
        return self.episode_slots

    @property
    def agent_names(self) -> tuple[str, ...]:
        return tuple(f"vehicle_{n}" for n in range(self.num_client_vehicles))

    @property
    def actions(self) -> DiscreteActions | ContinuousActions:
        return DiscreteActions(counts=(2,) * self.num_client_vehicles)

    observation_size = 3

    @property
    def traffic_shape(self) -> EpisodeShape:
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles,
            num_service_vehicles=0,
            num_slots=self.episode_slots + 1,
            slot_s=1.0,
        )

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        return Metric(name="delay_s", unit="s"), Metric(name="queue_s", unit="s", final=True)

    def initial_state(self, batch_shape: tuple[int, ...]) -> State:
        return State(queue_s=np.zeros(batch_shape))

    def sample(self, rng: np.random.Generator) -> Draws:
        return Draws(task_s=rng.uniform(0.5, 2.0, (self.episode_slots + 1, self.num_client_vehicles)))

    def exogenous(self, draws: Draws, traffic: TrafficBlock, road: Road) -> Exogenous:
        distance_m = np.hypot(*np.moveaxis(traffic.client_xy_m - np.array(road.rsu_xyz_m[:2]), -1, 0))
        return Exogenous(task_s=draws.task_s, sending_s=0.05 + distance_m / 1000.0)

    def observe(self, state: State, exogenous: Exogenous) -> np.ndarray:
        queue_s = np.broadcast_to(state.queue_s[..., None], exogenous.task_s.shape)
        return np.stack([exogenous.task_s, exogenous.sending_s, queue_s], axis=-1).astype(np.float32)

    def action_mask(self, state: State, exogenous: Exogenous) -> np.ndarray:
        return np.ones((*exogenous.task_s.shape, 2), dtype=np.bool_)

    def share_sent(self, action: np.ndarray) -> np.ndarray:
        if action.dtype.kind not in "iu" or ((action < 0) | (action > 1)).any():
            raise ValueError(f"actions must be 0 or 1, got {action}")
        return action.astype(np.float64)

    def transition(self, state: State, action: np.ndarray, exogenous: Exogenous) -> tuple[State, Outcome]:
        sent = self.share_sent(np.asarray(action))
        service_s = sent * exogenous.task_s / 4.0
        waiting_s = state.queue_s[..., None] + np.cumsum(service_s, axis=-1)
        delay_s = (1.0 - sent) * exogenous.task_s + np.where(sent > 0.0, exogenous.sending_s + waiting_s, 0.0)
        queue_s = np.maximum(state.queue_s + service_s.sum(axis=-1) - 1.0, 0.0)
        return State(queue_s=queue_s), Outcome(delay_s=delay_s, reward=-delay_s.sum(axis=-1))

    def metrics(self, next_state: State, outcome: Outcome) -> dict[str, Any]:
        return {"delay_s": outcome.delay_s.mean(axis=-1), "queue_s": next_state.queue_s}


@dataclass(frozen=True, kw_only=True)
class HowMuch(OffloadOrNot):
    """The same with a continuous action: the share of the task that is sent, from -1 (nothing) to 1 (all)."""

    num_client_vehicles: int = 2

    @property
    def actions(self) -> ContinuousActions:
        return ContinuousActions(size=1)

    def share_sent(self, action: np.ndarray) -> np.ndarray:
        if action.shape[-1] != 1 or (np.abs(action) > 1.0).any():
            raise ValueError(f"an action must be one number from -1 to 1 for each vehicle, got {action}")
        return 0.5 * (action[..., 0] + 1.0)


def send_all(problem: OffloadOrNot) -> Constant:
    return Constant(np.ones(problem.num_client_vehicles, dtype=np.int64))


def keep_all(problem: OffloadOrNot) -> Constant:
    return Constant(np.zeros(problem.num_client_vehicles, dtype=np.int64))


class Threshold:
    """Sends the tasks that are longer than a second; decides from the observation."""

    def __init__(self, problem: OffloadOrNot) -> None:
        self.problem = problem

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        return (observation[..., 0] > 1.0).astype(np.int64)


def draw(figure: Any, frame: Frame) -> None:
    figure.subplots().bar(range(len(frame.exogenous.task_s)), frame.exogenous.task_s)


vec_envs.register(DISCRETE, OffloadOrNot, drawing=draw)
vec_envs.register(CONTINUOUS, HowMuch)
SUITE = Suite(
    name="own",
    title="A problem of one's own",
    version="1",
    cases=(
        Case(
            name="three vehicles",
            env_id=f"{HERE}:{DISCRETE}",
            policies=(
                CustomPolicy(name="keep-all", source=f"{HERE}:keep_all"),
                CustomPolicy(name="threshold", source=f"{HERE}:Threshold"),
            ),
            episodes=16,
        ),
    ),
    baseline="keep-all",
    picture="none",
    shows="",
    seeds=1,
)


@pytest.mark.parametrize("env_id", [DISCRETE, CONTINUOUS])
def test_the_problem_plays_through_every_interface(env_id: str) -> None:
    env = gymnasium.make(env_id)
    check_env(env.unwrapped, skip_render_check=True)
    parallel_api_test(pettingzoo.make("parallel", env_id), num_cycles=20)
    api_test(pettingzoo.make("aec", env_id), num_cycles=20)
    envs = gymnasium.make_vec(env_id, num_envs=5)
    envs.reset(seed=3)
    for _ in range(8):
        *_, truncated, infos = envs.step(envs.action_space.sample())
    assert truncated.all()
    assert infos["delay_s"].shape == (5,)
    one = gymnasium.make(env_id)
    np.testing.assert_array_equal(envs.reset(seed=3)[0][2], one.reset(seed=5)[0])


def test_the_problem_uses_its_own_drawing_and_rendering_without_one_is_refused() -> None:
    pytest.importorskip("matplotlib")
    env = gymnasium.make(DISCRETE, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape[2] == 3
    without = gymnasium.make(CONTINUOUS, render_mode="rgb_array")
    without.reset(seed=0)
    with pytest.raises(NotImplementedError, match="HowMuch has no drawing"):
        without.render()


def test_wrong_registrations_are_refused() -> None:
    with pytest.raises(ValueError, match="'VEC-DNNPartition-v0' is registered already"):
        vec_envs.register("VEC-DNNPartition-v0", OffloadOrNot)
    with pytest.raises(TypeError, match="State lacks action"):
        vec_envs.register("Test-Nothing-v0", State)
    with pytest.raises(ValueError, match="OffloadOrNot has no reference policies"):
        references(OffloadOrNot)
    assert vec_envs.register(DISCRETE, OffloadOrNot, drawing=draw) is factory_of(DISCRETE)  # importing twice is fine


def test_references_can_be_registered_with_it() -> None:
    known = References(policies={"send-all": Reference(make=send_all)}, to_beat="send-all")
    factory = vec_envs.register("Test-WithReferences-v0", OffloadOrNotToo, references=known)
    assert references(OffloadOrNotToo()).to_beat == "send-all"
    with closing(factory.vector_env(num_envs=2)) as env:
        observation, _ = env.reset(seed=0)
        assert references(env.problem).named("send-all").make(env.problem).act(observation).all()


@dataclass(frozen=True, kw_only=True)
class OffloadOrNotToo(OffloadOrNot):
    """The same problem under another id."""


def run(*command: str, cwd: Path = ROOT) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learner", "env_id", "options"),
    [
        ("qmix_diffusion", DISCRETE, ("--learner.warm-up-episodes", "4", "--learner.hidden", "16")),
        ("ppo", DISCRETE, ("--learner.steps", "32")),
        ("sac", CONTINUOUS, ("--learner.warm-up-episodes", "4", "--learner.hidden", "16")),
    ],
)
def test_learners_train_on_the_problem_and_evaluate_it(
    learner: str, env_id: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    given = ("--env-id", f"{HERE}:{env_id}", "--episodes", "16", "--num-envs", "4", "--output", str(folder))
    printed = run(f"trainers.{learner}", *given, "--evaluation-episodes", "4", *options)
    assert "no reference policies" in printed
    assert "delay" in printed
    repeated = run("trainers.evaluate", str(folder), "--episodes", "6")
    assert "no reference policies" in repeated
    figures = json.loads((folder / "evaluation.json").read_text())
    assert figures["references"] == {}
    assert figures["delay_s_mean"] > 0.0


@pytest.mark.slow
def test_a_learner_that_does_not_fit_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for learner, env_id, why in (("sac", DISCRETE, "numbers from -1 to 1"), ("qmix", CONTINUOUS, "an integer")):
        command = [sys.executable, "-m", f"trainers.{learner}", "--env-id", f"{HERE}:{env_id}"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert why in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_problem_is_benchmarked_and_ranked(tmp_path: Path) -> None:
    results, site = tmp_path / "results", tmp_path / "site"
    run("benchmarks.run", f"{HERE}:SUITE", "--output", str(results))
    run("benchmarks.leaderboard", str(results), "--suite", f"{HERE}:SUITE", "--output", str(site))
    page = (site / "leaderboard.md").read_text()
    assert "keep-all" in page
    assert page.index("threshold") < page.index("keep-all")  # it decides from what it observes, and is faster
    assert "threshold" in (site / "index.html").read_text()
