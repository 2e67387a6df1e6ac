"""Doing a job: training, where the policy learns, and the held-out episodes. `python -m benchmarks.jobs.execute JOB_FILE`"""

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

from benchmarks.jobs.files import lock_of, result_of, run_of
from benchmarks.jobs.plan import Job, learner_named, pretraining_of, problem_of
from benchmarks.jobs.playing import START_LIMITS, Played, play
from benchmarks.policies import custom as given
from benchmarks.policies.time_limits import at_most
from benchmarks.results import result as results
from trainers.evaluate import learned_policy, load_run
from trainers.registry import Learner
from trainers.runs.compute import set_up_torch
from trainers.runs.directory import CHECKPOINT, METRICS, RunDirectory, free_beside
from trainers.runs.options import Run, as_json, as_tuples, from_json
from vec_envs.mobility import TrafficError
from vec_envs.policies import references
from vec_envs.problems.base import Problem
from vec_envs.problems.policy import Policy
from vec_envs.registration import factory_of

INTERRUPTED = 130


def execute(job: Job, directory: Path) -> None:
    """Runs a job, from where an earlier try has left it, and writes its result; returns at once where there is one.

    A job that somebody else is at is waited for. Raises `ValueError` or `TrafficError` where it fails, `SystemExit`
    where it was told to stop.
    """
    with locked(lock_of(job, directory)):
        path, run = result_of(job, directory), run_of(job, directory) if job.training else None
        if path.exists():
            print(f"{path} is there already")
            return
        results.provenance()  # of the code that is running, not of what the checkout has become when it ends
        curve, training_s, trained_by = None, 0.0, None
        if run is not None:
            train_run(job, run)
            curve, training_s = results.learning_curve(run / METRICS)
            trained_by = begun_by(run)
        began = time.monotonic()
        played = evaluate(job, run)
        results.write(
            path.parent,
            job.definition,
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
    """Trains a run to its end, from its last checkpoint where there is one. A run that cannot be read is put aside."""
    text = json.dumps(job.training)
    learner = learner_named(json.loads(text)["learner_name"])
    asked = from_json(text, learner)
    played = rounds_played(path, learner, lambda has: other_options(job, asked, has))
    if played is not None and played >= asked.rounds:
        return
    from trainers.loop.training import open_run, train

    begun = played is not None
    first = None if begun else pretrained(job, learner, asked, path.with_name(f"{path.name}.pretraining"))
    how: dict[str, Any] = {} if begun else {"init_from": first}
    told = {"output": path, "resume": begun, "checkpoint_s": job.checkpoint_s, "evaluation_episodes": 0}
    directory, run = open_run(learner, dataclasses.replace(asked, **told, **how))
    if train(learner, run, directory):
        sys.exit(INTERRUPTED)


def pretrained(job: Job, learner: Learner, run: Run, path: Path) -> Path | None:
    """Returns the checkpoint of the job's pre-training, made where it is not there; None where it has none."""
    from trainers.imitation.fitting import episodes_of, pretrain

    fields = (job.training or {}).get("pretraining")
    if fields is None:
        return None
    if not (path / CHECKPOINT).exists():
        began = time.monotonic()
        shutil.rmtree(path, ignore_errors=True)
        first, directory = pretraining_of(run, learner.name, fields), RunDirectory(path)
        directory.create(as_json(first, learner.name))
        experts = path.with_name(f"experts-{results.key_of(episodes_of(first))}")
        pretrain(learner, first, directory, experts)
        print(f"pre-training took {time.monotonic() - began:.0f} s", flush=True)
    return path / CHECKPOINT


def begun_by(path: Path) -> str | None:
    """Returns the commit by which a run began; None where it does not say so."""
    versions = json.loads(RunDirectory(path).config()).get("versions")
    commit = versions.get("commit") if isinstance(versions, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return commit if isinstance(commit, str) and re.fullmatch("[0-9a-f]{7,40}", commit) else None


def other_options(job: Job, asked: Run, has: Run) -> list[str]:
    """Returns the names of what a run has otherwise than its job asks for, of all that changes what is learned."""
    first = () if "pretraining" in (job.training or {}) else ("init_from",)
    names = ("env", "learner", "env_id", "seed", "episodes", "num_envs", *first)
    asked_of, has_of = dataclasses.asdict(asked), dataclasses.asdict(has)
    return [name for name in names if asked_of[name] != has_of[name]]


def rounds_played(path: Path, learner: Learner, others: Callable[[Run], list[str]]) -> int | None:
    """Returns how far the run of a folder has come; None where it holds none. What else it holds is put aside.

    That is a run of which `others` returns names, too.
    """
    if not (path / CHECKPOINT).exists():
        shutil.rmtree(path, ignore_errors=True)
        return None
    try:
        if names := others(from_json(RunDirectory(path).config(), learner)):
            raise ValueError(f"{path} is of another {', '.join(names)}")
        return int(RunDirectory(path).load_checkpoint()["round"])
    except (OSError, KeyError, ValueError) as error:
        aside = free_beside(path)
        print(f"{error}; the run is put aside as {aside.name}, and trained anew")
        path.rename(aside)
        return None


def evaluate(job: Job, run: Path | None) -> Played:
    """Plays a job's held-out episodes, by the policy of its run, its reference, or somebody's own."""
    env_id, of = job.definition["env_id"], job.definition["evaluation"]
    with contextlib.closing(factory_of(env_id).vector_env(num_envs=of["episodes"], **as_tuples(of["env"]))) as env:
        sees = env.problem if of["sees"] is None else problem_of(env_id, of["sees"])
        make = _maker(job.definition["policy"], run, sees)
        with at_most(START_LIMITS * job.decision_limit_s, "making the policy"):
            policy, timed = make(), make()
        return play(policy, env, sees, of, limit_s=job.decision_limit_s, timed=timed)


def _maker(policy: Mapping[str, Any], run: Path | None, problem: Problem) -> Callable[[], Policy]:
    """Returns what makes a job's policy, as new every time."""
    if "reference" in policy:
        return partial(references(problem).named(policy["reference"]).make, problem)
    if run is None:
        return partial(given.make, policy, problem)
    set_up_torch(1)
    return partial(learned_policy, *load_run(run), problem)


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
        sys.exit("usage: python -m benchmarks.jobs.execute DIR/jobs/NAME.json [--stop-with-parent]")
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
