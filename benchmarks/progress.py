"""The progress bar of a suite: jobs that have ended, and when the rest may be done."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from benchmarks.plan import Job, problem_of
from trainers.run_directory import METRICS

PLAYING = 0.1
"""What an episode takes without learning, against one with."""


class Progress:
    """Shows how many jobs have ended, and estimates the time left from the episodes that are played and to play."""

    def __init__(self, jobs: Sequence[Job], directory: Path) -> None:
        self._directory = directory
        self._work = {job.name: work_of(job) for job in jobs}
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
        """Returns the work of the training episodes that a job's run has behind it."""
        if job.training is None:
            return 0.0
        try:
            text = (self._directory / "runs" / job.run_name / METRICS).read_text()
            last = json.loads(text.splitlines()[-1])["episodes"]
        except (OSError, ValueError, LookupError, TypeError):
            return 0.0
        return min(float(last), job.training["episodes"]) * size_of(job.definition["env_id"], job.training["env"])


def work_of(job: Job) -> float:
    """Returns what a job may take, in an arbitrary unit."""
    of = job.definition["evaluation"]
    playing = PLAYING * of["episodes"] * size_of(job.definition["env_id"], of["env"])
    if job.training is None:
        return playing
    return playing + job.training["episodes"] * size_of(job.definition["env_id"], job.training["env"])


def size_of(env_id: str, options: dict[str, Any]) -> float:
    """Returns the decisions of an episode at most: its length."""
    return float(problem_of(env_id, options).episode_points)
