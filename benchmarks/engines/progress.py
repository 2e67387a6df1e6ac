"""The progress bar of a suite: jobs that have ended, and when the rest may be done."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from tqdm import tqdm

from benchmarks.jobs.plan import Job, problem_of
from trainers.runs.directory import METRICS
from vec_envs.policies import references
from vec_envs.registration import factory_of

START_S = 6.0
"""What a job takes beside its slots."""
SLOT_MS = {"qmix_diffusion": 12.0, "qmix": 6.0, "sac": 11.0, "dqn": 12.0, "ppo": 0.25}
"""What a slot takes with learning, of presets on one of two shared cores; what jobs really take corrects it."""
PLAYED_SLOT_MS, SLOW_SLOT_MS = 0.5, 100.0
"""What it takes without learning; and a reference that is slow."""


class Progress:
    """Shows how many jobs have ended, and estimates the time left from what was expected of those that have."""

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
        """Counts a job that has ended."""
        self._done += self._work[job.name] - self._begun_with[job.name]
        self._failures = failures
        self._shown = 0.0
        self._bar.n += 1

    def show(self, running: Iterable[Job]) -> None:
        """Writes the estimate anew, where the last is some time ago."""
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
        """Returns the expected seconds of the training episodes that a job's run has behind it."""
        if job.training is None or job.name not in self._trains:
            return 0.0
        try:
            text = (self._directory / "runs" / job.run_name / METRICS).read_text()
            last = json.loads(text.splitlines()[-1])["episodes"]
        except (OSError, ValueError, LookupError, TypeError):
            return 0.0
        return training_s(job) * min(float(last) / job.training["episodes"], 1.0)


def work_of(job: Job, *, trains: bool) -> float:
    """Returns the seconds that a job may take; `trains`: no other one trains its run."""
    return START_S + playing_s(job) + (training_s(job) if trains else 0.0)


def training_s(job: Job) -> float:
    """Returns the seconds that a job's training may take."""
    if job.training is None:
        return 0.0
    slot_ms = SLOT_MS.get(job.training["learner_name"], max(SLOT_MS.values()))
    return 1e-3 * slot_ms * job.training["episodes"] * slots_of(job, job.training["env"])


def playing_s(job: Job) -> float:
    """Returns the seconds that a job's held-out episodes may take."""
    env_id, of = job.definition["env_id"], job.definition["evaluation"]
    name = job.definition["policy"].get("reference")
    slow = name is not None and references(factory_of(env_id).problem_type).named(name).slow
    return 1e-3 * (SLOW_SLOT_MS if slow else PLAYED_SLOT_MS) * of["episodes"] * slots_of(job, of["env"])


def slots_of(job: Job, options: dict[str, Any]) -> int:
    """Returns the slots of an episode."""
    return cast(Any, problem_of(job.definition["env_id"], options)).episode_slots
