"""Doing a job: training, where the policy learns, and the held-out episodes. `python -m benchmarks.jobs JOB_FILE`"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results
from benchmarks.plan import Job, learner_named, problem_of
from trainers.env_options import door_of
from trainers.episodes import Step, Tally, Trend, play_out
from trainers.evaluate import learned_policy, load_run
from trainers.learner import Learner
from trainers.options import as_tuples, from_json
from trainers.run_directory import CHECKPOINT, METRICS, RunDirectory
from vec_envs.faces.vector_env import LanesVectorEnv
from vec_envs.mobility import TrafficError
from vec_envs.policies import references
from vec_envs.policies.policy import Policy
from vec_envs.problems.problem import Figure, Problem, View

INTERRUPTED = 130


def execute(job: Job, directory: Path) -> None:
    """Runs a job, from where an earlier try has left it, and writes its result; returns at once where there is one.

    A job that somebody else is at is waited for. Raises `ValueError` or `TrafficError` where it fails, `SystemExit`
    where it was told to stop.
    """
    with locked(directory / "runs" / f"{job.run_name if job.training else job.name}.lock"):
        path = directory / "results" / f"{job.name}.json"
        if path.exists():
            print(f"{path} is there already")
            return
        curve, training_s = None, 0.0
        if job.training is not None:
            train_run(job, directory / "runs" / job.run_name)
            curve, training_s = results.learning_curve(directory / "runs" / job.run_name / METRICS)
        began = time.monotonic()
        played = evaluate(job, directory / "runs" / job.run_name if job.training else None)
        results.write(
            path.parent,
            job.definition,
            values=played.values,
            decisions=played.decisions,
            traces=played.traces,
            curve=curve,
            training_s=training_s,
            evaluation_s=time.monotonic() - began,
        )


def train_run(job: Job, path: Path) -> None:
    """Trains a run to its end, from its last checkpoint where there is one. A run that cannot be read is put aside."""
    from trainers.training import open_run, train

    text = json.dumps(job.training)
    learner = learner_named(json.loads(text)["learner_name"])
    begun = is_begun(path, learner)
    given = from_json(text, learner)
    given = dataclasses.replace(given, output=path, resume=begun, checkpoint_s=job.checkpoint_s, evaluation_episodes=0)
    directory, run = open_run(learner, given)
    if train(learner, run, directory):
        sys.exit(INTERRUPTED)


def is_begun(path: Path, learner: Learner) -> bool:
    """Returns whether a folder holds a run to go on with; what else it holds is put aside."""
    if not (path / CHECKPOINT).exists():
        shutil.rmtree(path, ignore_errors=True)
        return False
    try:
        from_json(RunDirectory(path).config(), learner)
        RunDirectory(path).load_checkpoint()
    except (OSError, ValueError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        print(f"{error}; the run is put aside as {aside.name}, and trained anew")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a policy's held-out episodes brought."""

    values: dict[str, np.ndarray]
    """Figures of each episode, means over its decisions."""
    decisions: np.ndarray
    """How many there were in each."""
    traces: dict[str, np.ndarray]
    """Figures point by point, means over the episodes."""


def evaluate(job: Job, run: Path | None) -> Played:
    """Plays a job's held-out episodes, by the policy of its run or its reference."""
    env_id, of = job.definition["env_id"], job.definition["evaluation"]
    with contextlib.closing(door_of(env_id).vector_env(num_envs=of["episodes"], **as_tuples(of["env"]))) as env:
        sees = env.problem if of["sees"] is None else problem_of(env_id, of["sees"])
        if run is None:
            known = references(env.problem).named(job.definition["policy"]["reference"])
            return play(known.make(env.problem), env, sees, of)
        import torch

        torch.set_num_threads(1)
        learner, options, state = load_run(run)
        return play(learned_policy(learner, options, state, sees), env, sees, of)


def play(policy: Policy, env: LanesVectorEnv, sees: Problem, of: Mapping[str, Any]) -> Played:
    """Plays an episode in each lane, seeded from the evaluation's seed on, by a policy that sees by the problem `sees`.

    Raises `ValueError` listing what exists for an unknown figure.
    """
    policy.reset(of["seed"])
    env.reset(seed=of["seed"])

    def decide(observation: np.ndarray, view: View) -> np.ndarray:
        seen = observation if sees is view.problem else sees.observe(view.state, view.exogenous)
        return policy.act(seen, view)

    late, trends = Tally(_figures(of.get("late", [])), env.num_envs), Trend(of.get("trends", []), env.num_envs)
    traced: dict[str, list[float]] = {name: [] for name in of.get("traces", [])}
    points = itertools.count()

    def watch(played: Step) -> None:
        point = next(points)
        if point >= env.problem.episode_points // 2:
            late.add(played)
        if point >= env.problem.episode_points // 3:
            trends.add(point, played)
        for name, trace in traced.items():
            trace.append(float(np.mean(played.figures[name][played.running])))

    tally = play_out(env.lanes, decide, _figures(of["figures"]), watch=watch)
    return Played(
        values=tally.means()
        | {f"late_{name}": means for name, means in late.means().items()}
        | {f"trend_{name}": slopes for name, slopes in trends.slopes().items()},
        decisions=tally.decisions,
        traces={name: np.array(trace) for name, trace in traced.items()},
    )


def _figures(names: Sequence[str]) -> tuple[Figure, ...]:
    return tuple(Figure(name=name, unit="") for name in names)


# In a process of its own ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Holds a lock among processes, which ends with this one whatever its end is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def stop_with_parent() -> None:
    """Asks this process to stop when its parent ends, whatever that parent's end is: standard input is a pipe of it."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Runs the job in a file that `benchmarks.run` wrote, DIR/jobs/NAME.json."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m benchmarks.jobs DIR/jobs/NAME.json [--stop-with-parent]")
    path = Path(sys.argv[1])
    if sys.argv[2:] == ["--stop-with-parent"]:
        stop_with_parent()
    print(f"process {os.getpid()}", flush=True)
    try:
        execute(Job(**json.loads(path.read_text())), path.parents[1])
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
