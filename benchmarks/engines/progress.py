"""The progress bar of a suite: the number of finished jobs, and an estimate of the time left."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from benchmarks.jobs.plan import Job, problem_of
from trainers.runs.directory import METRICS
from vec_envs.registration import factory_of

START_S = 6.0
"""The time that a job takes in addition to its slots, in seconds."""
SLOT_MS = {"qmix_diffusion": 12.0, "qmix": 6.0, "sac": 11.0, "dqn": 12.0, "ppo": 0.25}
"""Training time of a slot in milliseconds, by learner: its presets on one of two shared cores.

Finished jobs correct the estimate. A learner that is not listed counts as the slowest.
"""
PLAYED_SLOT_MS, SLOW_SLOT_MS = 0.5, 100.0
"""Evaluation time of a slot in milliseconds, for most policies and for slow reference policies."""


class Progress:
    """Shows the number of finished jobs, and estimates the time left from their expected times."""

    def __init__(self, jobs: Sequence[Job], directory: Path) -> None:
        self._directory = directory
        self._trains = set({job.run_name: job.name for job in reversed(jobs) if job.training}.values())
        self._work = {job.name: work_of(job, trains=job.name in self._trains) for job in jobs}
        self._begun_with = {job.name: self._trained(job) for job in jobs}
        self._done = 0.0
        self._began = self._shown = time.monotonic()
        self._interval_s = 1.0 if sys.stderr.isatty() else 60.0
        shape = "{n_fmt}/{total_fmt} jobs |{bar}| {elapsed}{postfix}"
        self._bar: tqdm[Any] = tqdm(total=len(jobs), bar_format=shape, mininterval=0.0)
        self._failures = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def ended(self, job: Job, *, failures: int) -> None:
        """Counts a finished job."""
        self._done += self._work[job.name] - self._begun_with[job.name]
        self._failures = failures
        self._shown = 0.0
        self._bar.n += 1

    def show(self, running: Iterable[Job]) -> None:
        """Updates the estimate, unless the last update was very recent."""
        now = time.monotonic()
        if now - self._shown < self._interval_s:
            return
        self._shown = now
        done = self._done + sum(self._trained(job) - self._begun_with[job.name] for job in running)
        left = sum(self._work.values()) - sum(self._begun_with.values()) - done
        words = (
            [f"about {tqdm.format_interval((now - self._began) * left / done)} left"]
            if done > 0.0 and left > 0.0
            else []
        )
        words += [f"{self._failures} failed"] if self._failures else []
        self._bar.set_postfix_str(", ".join(words))

    def _trained(self, job: Job) -> float:
        """Returns the expected seconds of the training episodes that a job's run has finished."""
        if job.training is None or job.name not in self._trains:
            return 0.0
        try:
            text = (self._directory / "runs" / job.run_name / METRICS).read_text()
            last = json.loads(text.splitlines()[-1])["episodes"]
        except (OSError, ValueError, LookupError, TypeError):
            return 0.0
        return training_s(job) * min(float(last) / job.training["episodes"], 1.0)


def work_of(job: Job, *, trains: bool) -> float:
    """Returns the expected seconds of a job. `trains` says whether this job is the one that trains its run."""
    return START_S + playing_s(job) + (training_s(job) if trains else 0.0)


def training_s(job: Job) -> float:
    """Returns the expected seconds of a job's training."""
    if job.training is None:
        return 0.0
    slot_ms = SLOT_MS.get(job.training["learner_name"], max(SLOT_MS.values()))
    return 1e-3 * slot_ms * job.training["episodes"] * slots_of(job, job.training["env"])


def playing_s(job: Job) -> float:
    """Returns the expected seconds of a job's held-out episodes."""
    env_id, evaluation = job.definition["env_id"], job.definition["evaluation"]
    name = job.definition["policy"].get("reference")
    known = factory_of(env_id).references.policies
    slow = name in known and known[name].slow  # a blind table is not one of them
    slots = evaluation["episodes"] * slots_of(job, evaluation["env"])
    return 1e-3 * (SLOW_SLOT_MS if slow else PLAYED_SLOT_MS) * slots


def slots_of(job: Job, options: dict[str, Any]) -> int:
    """Returns the number of slots in an episode, or of decision epochs where the problem does not count slots."""
    problem = problem_of(job.definition["env_id"], options)
    return getattr(problem, "episode_slots", problem.episode_epochs)
