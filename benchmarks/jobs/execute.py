"""Executes a job: `python -m benchmarks.jobs.execute JOB_FILE`.

A policy that learns is trained first. Then the held-out episodes are played.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs.files import is_done, lock_of, read_job, result_of, run_of
from benchmarks.jobs.own_files import check_unchanged
from benchmarks.jobs.plan import Job, pretraining_of, problem_of
from benchmarks.jobs.playing import START_LIMITS, Played, play
from benchmarks.policies.custom import make_policy
from benchmarks.policies.time_limits import at_most
from benchmarks.results import result as results
from trainers.loop.evaluation import learned_policy, load_run
from trainers.registry import Learner, learner_named
from trainers.runs.checkpoints import UnfitCheckpointError, read_checkpoint
from trainers.runs.compute import set_up_torch
from trainers.runs.configuration import as_json, as_tuples, from_json
from trainers.runs.directory import CHECKPOINT, METRICS, RunDirectory, free_beside
from trainers.runs.options import Run
from vec_envs.mobility import TrafficError
from vec_envs.policies import references
from vec_envs.problems.base import Problem
from vec_envs.problems.policy import Policy
from vec_envs.problems.timetable import Timetable
from vec_envs.registration import factory_of

INTERRUPTED = 130
DRAW_STRIDE = 1_000_000
"""The distance between the seeds of a reference's random numbers in one draw and in the next."""


def execute(job: Job, directory: Path) -> None:
    """Executes a job, continuing an earlier training, and writes its result; returns at once where the job is done.

    Waits while another process executes the job. Raises `ValueError` or `TrafficError` where the job fails, and
    `SystemExit` where it was asked to stop.
    """
    with locked(lock_of(job, directory)):
        path, run = result_of(job, directory), run_of(job, directory) if job.training else None
        if is_done(job, directory):
            print(f"{path} exists already")
            return
        check_unchanged(job.definition)
        results.provenance()  # of the running code: the checkout may change before the job ends
        curve, training_s, trained_by = None, 0.0, None
        if run is not None:
            with unfit_put_aside(run):
                train_run(job, run)
            if job.training_episodes:
                curve, training_s = results.learning_curve(run / METRICS)
            trained_by = begun_by(run)
        began = time.monotonic()
        with unfit_put_aside(run):
            played = evaluate(job, run)
        results.write(
            path.parent,
            job.definition,
            job.kept,
            values=played.values,
            decisions=played.decisions,
            traces=played.traces,
            decision_ms=played.decision_ms,
            recording=played.recording,
            warnings=played.warnings,
            curve=curve,
            training_s=training_s,
            evaluation_s=time.monotonic() - began,
            trained_by=trained_by,
        )


def train_run(job: Job, path: Path) -> None:
    """Trains a run to its end, from its last checkpoint where it has one. A run that cannot be read is put aside."""
    text = json.dumps(job.training)
    learner = learner_named(json.loads(text)["learner_name"])
    planned = from_json(text, learner)
    rounds = rounds_played(path, learner, lambda found: other_options(job, planned, found))
    if rounds is not None and rounds >= planned.rounds:
        return
    from trainers.loop.training import open_run, train

    begun = rounds is not None
    first = None if begun else pretrained(job, learner, planned, pretraining_beside(path))
    start: dict[str, Any] = {} if begun else {"init_from": first}
    options = {"output": path, "resume": begun, "checkpoint_s": job.checkpoint_s, "evaluation_episodes": 0}
    directory, run = open_run(learner, dataclasses.replace(planned, **options, **start))
    if train(learner, run, directory):
        sys.exit(INTERRUPTED)


def pretrained(job: Job, learner: Learner, run: Run, path: Path) -> Path | None:
    """Returns the checkpoint of the job's pre-training, made where it is missing; None for a job without one."""
    from trainers.imitation.fitting import episodes_of, pretrain

    fields = (job.training or {}).get("pretraining")
    if fields is None:
        return None
    if not is_readable(path / CHECKPOINT):
        began = time.monotonic()
        shutil.rmtree(path, ignore_errors=True)
        first, directory = pretraining_of(run, learner.name, fields), RunDirectory(path)
        directory.create(as_json(first, learner.name))
        experts = path.with_name(f"experts-{results.key_of(episodes_of(first))}")
        pretrain(learner, first, directory, experts)
        print(f"pre-training took {time.monotonic() - began:.0f} s", flush=True)
    return path / CHECKPOINT


def is_readable(checkpoint: Path) -> bool:
    """Whether there is a checkpoint and it can be read; prints why it cannot."""
    try:
        return bool(read_checkpoint(checkpoint))
    except FileNotFoundError:
        return False
    except ValueError as error:
        print(error)
        return False


def begun_by(path: Path) -> str | None:
    """Returns the commit of the code that began a run; None where the run does not record it."""
    versions = json.loads(RunDirectory(path).config()).get("versions")
    commit = versions.get("commit") if isinstance(versions, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return commit if isinstance(commit, str) and re.fullmatch("[0-9a-f]{7,40}", commit) else None


def other_options(job: Job, planned: Run, found: Run) -> list[str]:
    """Returns the names of options that change what is learned, and that differ between a run and its job."""
    first = () if "pretraining" in (job.training or {}) else ("init_from",)
    names = ("env", "learner", "env_id", "seed", "episodes", "num_envs", *first)
    of_job, of_run = dataclasses.asdict(planned), dataclasses.asdict(found)
    return [name for name in names if of_job[name] != of_run[name]]


def rounds_played(path: Path, learner: Learner, others: Callable[[Run], list[str]]) -> int | None:
    """Returns the number of rounds that the run of a folder has played; None where there is no run.

    A run is put aside where it cannot be read, where its metrics lack rounds, or where `others` returns names of
    options that differ.
    """
    if not (path / CHECKPOINT).exists():
        shutil.rmtree(path, ignore_errors=True)
        return None
    directory = RunDirectory(path)
    try:
        run = from_json(directory.config(), learner)
        if names := others(run):
            raise ValueError(f"{path} is of another {', '.join(names)}")
        rounds = int(directory.load_checkpoint()["round"])
        kept = directory.keep_metrics(rounds, num_envs=run.num_envs)
        if kept < rounds:
            raise ValueError(f"{path / METRICS} is damaged: it has {kept} of {rounds} rounds")
    except (OSError, KeyError, ValueError) as error:
        print(f"{error}; the run is put aside as {put_aside(path).name}, and trained again")
        return None
    return rounds


def put_aside(path: Path) -> Path:
    """Renames the folder of a run that cannot be used, and returns its new path."""
    return path.rename(free_beside(path))


@contextlib.contextmanager
def unfit_put_aside(run: Path | None) -> Generator[None]:
    """Puts a run aside whose checkpoint belongs to another run, or its pre-training where there is no run yet.

    Raises the error with these words. The next attempt at the job trains the run again.
    """
    try:
        yield
    except UnfitCheckpointError as error:
        if run is None:
            raise
        aside = put_aside(run if run.exists() else pretraining_beside(run))
        raise ValueError(f"{error}; put aside as {aside.name}: repeat the command to train again") from error


def pretraining_beside(run: Path) -> Path:
    """Returns the folder of a run's pre-training."""
    return run.with_name(f"{run.name}.pretraining")


def evaluate(job: Job, run: Path | None) -> Played:
    """Plays a job's held-out episodes with the policy of a trained run, a reference, or a custom policy."""
    env_id, evaluation = job.definition["env_id"], job.definition["evaluation"]
    environments = factory_of(env_id).vector_env(num_envs=evaluation["episodes"], **as_tuples(evaluation["env"]))
    with contextlib.closing(environments) as env:
        observed = env.problem if evaluation["sees"] is None else problem_of(env_id, evaluation["sees"])
        make = _maker(job.definition["policy"], run, observed)
        with at_most(START_LIMITS * job.decision_limit_s, "making the policy"):
            policy, timed = make(), make()
        seed, limit_s = evaluation["seed"], job.decision_limit_s
        draws = seed + DRAW_STRIDE * job.definition["policy"].get("draw", 0)
        return play(policy, env, observed, job.kept, seed=seed, policy_seed=draws, limit_s=limit_s, timed=timed)


def _maker(policy: Mapping[str, Any], run: Path | None, problem: Problem) -> Callable[[], Policy]:
    """Returns a function that makes a new policy of a definition at every call."""
    if "table" in policy:
        return partial(Timetable, problem, np.array(policy["table"]))
    if "reference" in policy:
        return partial(references(problem).named(policy["reference"]).make, problem)
    if run is None:
        return partial(make_policy, policy, problem)
    set_up_torch(1)
    return partial(learned_policy, *load_run(run), problem)


# In a process of its own ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Holds a lock among processes. The lock ends with this process, also where it is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def stop_with_parent() -> None:
    """Asks this process to stop when its parent ends. Standard input must be a pipe of the parent."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Executes the job in a file that `benchmarks.run` wrote, DIR/jobs/NAME.json."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m benchmarks.jobs.execute DIR/jobs/NAME.json [--stop-with-parent]")
    path = Path(sys.argv[1])
    if sys.argv[2:] == ["--stop-with-parent"]:
        stop_with_parent()
    print(f"process {os.getpid()}", flush=True)
    try:
        execute(read_job(path), path.parents[1])
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
