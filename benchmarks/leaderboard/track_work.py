"""Computes the tracks of a board, in several processes where that saves time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.leaderboard.entries import with_descriptions
from benchmarks.leaderboard.schema import Plot, Track
from benchmarks.leaderboard.tracks import TrackResults, track_of

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""The variables from which libraries for linear algebra read their number of threads."""
FEW_RESULTS = 100
"""With fewer results than this, computing the tracks takes less time than starting a process."""


@dataclass(frozen=True, kw_only=True)
class TrackWork:
    """What a track is computed from."""

    results: TrackResults
    title: str
    sweeps: tuple[Plot, ...]
    """Plots of trade-offs on the same environment."""

    @property
    def size(self) -> int:
        """The number of results."""
        return sum(len(of_policy.found) for case in self.results.cases for of_policy in case.results.policies)

    def track(self) -> Track:
        """Returns the track."""
        return with_descriptions(track_of(self.results, title=self.title, sweeps=self.sweeps), self.results)


def tracks_of(work: Sequence[TrackWork], *, workers: int, report: Callable[[str], None]) -> tuple[Track, ...]:
    """Returns the tracks in the order of the work. `report` takes a line for each track that is done."""
    report(f"ranking the policies of {len(work)} environment{'s' * (len(work) != 1)}")
    if workers < 2 or len(work) < 2 or sum(one.size for one in work) < FEW_RESULTS:
        return tuple(_reported(one.track(), report) for one in work)
    largest_first = sorted(range(len(work)), key=lambda index: -work[index].size)
    with _one_thread_each(), ProcessPoolExecutor(min(workers, len(work)), mp_context=get_context("spawn")) as pool:
        futures: dict[Future[Track], int] = {pool.submit(work[index].track): index for index in largest_first}
        done = {futures[future]: _reported(future.result(), report) for future in as_completed(futures)}
    return tuple(done[index] for index in range(len(work)))


@contextlib.contextmanager
def _one_thread_each() -> Generator[None, None, None]:
    """Lets processes that start now compute with one thread each, since they share the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _reported(track: Track, report: Callable[[str], None]) -> Track:
    report(f"ranked {len(track.entries)} policies on {len(track.cases)} cases: {track.title}")
    return track
