"""Live SUMO: episodes cut from simulations that run in worker processes.

The traffic does not depend on the agents' decisions. A worker therefore simulates a whole episode before it is used, so
that errors occur there, and a finished episode is always valid.

A *tape* is one simulation, with one seed and a road that is full of traffic before its first window. A tape provides
several episodes, one after the other. The first tape of a stream is short, so that many streams can start soon. Later
tapes are longer, because starting a simulation costs as much as dozens of its steps.
"""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.motion import Motion
from vec_envs.mobility.scenario import Scenario
from vec_envs.mobility.selection import EpisodeRandom, choose, choose_vehicles, split, staying_vehicles
from vec_envs.mobility.sumo_pool import RawWindow, WindowJob, WorkerPool
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficWindow
from vec_envs.validation import MOST_WORKERS, check_at_most, check_integer, check_one_of, check_positive

FIRST_TAPE, LONGEST_TAPE = 2, 32
"""The number of windows on the first tape of a stream, and on the longest ones."""
ANSWER_TIMEOUT_S = 300.0
"""The default time limit of a worker's answer, hundreds of times what the shipped scenarios need."""
SumoBackend = Literal["libsumo", "traci", "traci-gui"]
_MARKS = (",", ";", "$")
_Places = Float[np.ndarray, "slots vehicles 2"]
_Numbers = Float[np.ndarray, "slots vehicles"]


@dataclass(frozen=True, kw_only=True)
class TapePart:
    """The place of an episode in its stream: the tape, the window on it, and the number of windows of the tape."""

    tape: int
    window: int
    num_windows: int


def tape_part(episode: int) -> TapePart:
    """Returns the place of an episode. Each tape has twice the windows of the one before, up to `LONGEST_TAPE`."""
    tape, num_windows = 0, FIRST_TAPE
    while num_windows < LONGEST_TAPE:
        if episode < num_windows:
            return TapePart(tape=tape, window=episode, num_windows=num_windows)
        tape, episode, num_windows = tape + 1, episode - num_windows, 2 * num_windows
    return TapePart(tape=tape + episode // num_windows, window=episode % num_windows, num_windows=num_windows)


class SumoMobility:
    """Episodes of a scenario, simulated live in SUMO.

    Several objects may be open at once, and each serves any number of streams. All backends give equal episodes. A copy
    (`copy.deepcopy`, `pickle`) gives the same episodes, and starts its own workers when it needs them.

    Args:
        scenario: The name of a shipped scenario, or a path to a scenario's folder.
        sumo_backend: `"libsumo"` runs SUMO inside the worker process, `"traci"` runs the `sumo` program beside it, and
            `"traci-gui"` shows SUMO's window.
        num_workers: The number of worker processes, at most 1,000. They start with the first episode.
        gui_delay_ms: How long SUMO's window waits after each step.
        answer_timeout_s: How long a worker may take for an answer: to start, warm up and simulate one episode. A worker
            that takes longer is killed and replaced, with a `RuntimeWarning`; episodes do not change. After three
            workers in a row, `blocks` raises `TrafficError`.

    Raises:
        ValueError: The scenario or backend is unknown, or a number is out of bounds.
        TrafficError: Raised by `blocks` if SUMO is missing or fails, or if the road has too few vehicles in range.
    """

    def __init__(
        self,
        scenario: str | Path = "fdr-drive",
        *,
        sumo_backend: SumoBackend = "libsumo",
        num_workers: int = 1,
        gui_delay_ms: int = 100,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        check_sumo_options(
            sumo_backend=sumo_backend,
            num_workers=num_workers,
            gui_delay_ms=gui_delay_ms,
            answer_timeout_s=answer_timeout_s,
        )
        self._scenario = Scenario.load(scenario)
        self._num_workers, self._answer_timeout_s = int(num_workers), float(answer_timeout_s)
        self._settings = _worker_settings(self._scenario, sumo_backend, gui_delay_ms)
        self._motion = Motion(self._scenario.road, self._scenario.top_speed_mps)
        self._keep_pools()
        self._pool()

    def __getstate__(self) -> dict[str, Any]:
        """Returns all but the workers: a copy starts its own when it needs them."""
        return {name: value for name, value in self.__dict__.items() if name != "_pools"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._keep_pools()

    def _keep_pools(self) -> None:
        # One pool for each process: a fork inherits no threads, and must not talk to its parent's workers.
        self._pools: dict[int, WorkerPool] = {}
        weakref.finalize(self, _close_own_pool, self._pools)

    @property
    def road(self) -> Road:
        """The road of the scenario."""
        return self._scenario.road

    @property
    def net_file(self) -> Path:
        """SUMO's network of the road, which pictures show."""
        return self._scenario.net_file

    @property
    def worker_pids(self) -> list[int]:
        """The ids of the worker processes that are alive."""
        return self._pool().pids

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields a block for each episode, from episode `start` on. Workers simulate the next ones meanwhile.

        Raises:
            ValueError: The length of a slot is not a whole number of milliseconds.
            TrafficError: SUMO cannot run, or the road has too few vehicles in range.
        """
        random = EpisodeRandom(seed)
        return (
            self._block(window, random.at(episode), shape)
            for episode, window in enumerate(self._raw_windows(seed, shape, start), start)
        )

    def windows(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficWindow]:
        """Yields the windows from which `blocks` draws. Raises the errors of `blocks`."""
        return (self._window(raw, shape) for raw in self._raw_windows(seed, shape, start))

    def close(self) -> None:
        """Stops the workers. Streams that are still open raise `TrafficError`. May be called again."""
        _close_own_pool(self._pools)

    def _raw_windows(self, seed: int, shape: EpisodeShape, start: int) -> Iterator[RawWindow]:
        slot_ms = round(shape.slot_s * 1000.0)
        if slot_ms < 1 or abs(slot_ms - shape.slot_s * 1000.0) > 1e-6:
            raise ValueError(f"slot_s must be a whole number of milliseconds for SUMO, got {shape.slot_s}")
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        return self._stream(EpisodeRandom(seed, purpose=1), shape, slot_ms, start)

    def _stream(self, seeds: EpisodeRandom, shape: EpisodeShape, slot_ms: int, start: int) -> Iterator[RawWindow]:
        def request(part: TapePart) -> WindowJob:
            seed = int(seeds.at(part.tape).integers(2**31))
            job = WindowJob(_tape_request(seed, shape, slot_ms, continues=part.tape > 0), part.window, part.num_windows)
            self._pool().submit(job)
            return job

        process, jobs = os.getpid(), [request(tape_part(start))]
        try:
            for episode in count(start):
                part = tape_part(episode)
                if os.getpid() != process:
                    process, jobs = os.getpid(), [request(part)]
                if part.window == 0 and len(jobs) > 1:
                    jobs.pop(0)
                if part.window >= part.num_windows // 2 and len(jobs) == 1:
                    jobs.append(request(tape_part(episode + part.num_windows - part.window)))
                window = jobs[0].get()
                if episode == start:
                    self._check(window, shape)
                yield window
        finally:
            for job in jobs:
                job.cancelled = True

    def _check(self, raw: RawWindow, shape: EpisodeShape) -> None:
        """Raises `TrafficError` where the axis is not that of the road, judged by all vehicles of a window.

        Issues a `RuntimeWarning` where they all drive against it.
        """
        window = self._window(raw, shape)
        self._motion.check(window)
        if warning := self._motion.against(window):
            warnings.warn(warning, RuntimeWarning, stacklevel=2)  # one line for all callers, so that it is shown once

    def _block(self, raw: RawWindow, rng: np.random.Generator, shape: EpisodeShape) -> TrafficBlock:
        if shape.come_and_go:
            return choose(rng, self._window(raw, shape), shape)
        clients, services = choose_vehicles(rng, raw.may_be_client, raw.may_be_service, shape)
        motion = self._staying(raw, shape, np.concatenate((clients, services)))
        return split(len(clients), *motion, staying_vehicles(shape))

    def _window(self, raw: RawWindow, shape: EpisodeShape) -> TrafficWindow:
        slot = np.arange(shape.num_slots)[:, None]
        present = (raw.first_slot <= slot) & (slot < raw.first_slot + raw.num_slots)
        if shape.come_and_go:
            xy_m, position_m, speed_mps = self._coming_and_going(raw, shape, present)
        else:
            xy_m, position_m, speed_mps = self._staying(raw, shape, slice(None))
        return TrafficWindow(
            xy_m=xy_m,
            position_m=position_m,
            speed_mps=speed_mps,
            present=present,
            may_be_client=raw.may_be_client,
            may_be_service=raw.may_be_service,
        )

    def _staying(
        self, raw: RawWindow, shape: EpisodeShape, vehicles: Int[np.ndarray, " chosen"] | slice
    ) -> tuple[_Places, _Numbers, _Numbers]:
        """Returns places, positions and speeds of some vehicles, of those that are present throughout."""
        of_all = raw.xy_m.reshape(len(raw.num_slots), shape.num_slots, 2)
        xy_m = np.ascontiguousarray(of_all[vehicles].swapaxes(0, 1))
        return xy_m, *self._motion.of_staying(xy_m, raw.first_speed_mps[vehicles], shape.slot_s)

    def _coming_and_going(
        self, raw: RawWindow, shape: EpisodeShape, present: Bool[np.ndarray, "slots vehicles"]
    ) -> tuple[_Places, _Numbers, _Numbers]:
        """Returns places, positions and speeds of all vehicles, 0.0 where they are absent."""
        xy_m = np.zeros((*present.shape, 2))
        # Workers send a window stay by stay, hence the transposed order.
        xy_m.swapaxes(0, 1)[present.T] = raw.xy_m
        return xy_m, *self._motion.of_coming_and_going(xy_m, present, shape.slot_s)

    def _pool(self) -> WorkerPool:
        pid = os.getpid()
        if pid not in self._pools:
            pool = WorkerPool(self._settings, self._num_workers, self._answer_timeout_s)
            return self._pools.setdefault(pid, pool)
        return self._pools[pid]


def _tape_request(seed: int, shape: EpisodeShape, slot_ms: int, *, continues: bool) -> dict[str, int]:
    return {
        "seed": seed,
        "num_slots": shape.num_slots,
        "slot_ms": slot_ms,
        "num_clients": shape.num_client_vehicles,
        "num_services": shape.num_service_vehicles,
        "come_and_go": shape.come_and_go,
        "continues": continues,
    }


def check_sumo_options(*, sumo_backend: str, num_workers: int, gui_delay_ms: int, answer_timeout_s: float) -> None:
    """Raises `ValueError` for an option that `SumoMobility` does not accept."""
    check_one_of(get_args(SumoBackend), sumo_backend=sumo_backend)
    check_integer(1, num_workers=num_workers)
    check_at_most(MOST_WORKERS, num_workers=num_workers)
    check_integer(0, gui_delay_ms=gui_delay_ms)
    check_positive(answer_timeout_s=answer_timeout_s)


def _worker_settings(scenario: Scenario, backend: str, gui_delay_ms: int) -> dict[str, Any]:
    return {
        "backend": backend,
        "gui_delay_ms": gui_delay_ms,
        **_files(scenario),
        "sumo": scenario.sumo,
        "warm_up_s": scenario.warm_up_s,
        "start_s": scenario.start_s,
        "end_s": scenario.end_s,
        "top_speed_mps": scenario.top_speed_mps,
        "client_types": scenario.client_types,
        "service_types": scenario.service_types,
        "rsu_xyz_m": scenario.road.rsu_xyz_m,
        "range_m": scenario.road.range_m,
    }


def _files(scenario: Scenario) -> dict[str, Any]:
    """Returns the files of a worker's settings, and the folder that they are relative to: `None` for absolute paths.

    SUMO splits lists of files at commas and replaces `${...}`. So paths that contain them are given relative to the
    scenario's folder, in which the worker then runs. Raises `ValueError` where that is not enough.
    """
    files = (scenario.net_file, *scenario.route_files, *scenario.additional_files)
    folder, names = None, [str(path.resolve()) for path in files]
    if any(mark in name for name in names for mark in _MARKS):
        folder = str(scenario.net_file.parent.resolve())
        names = [os.path.relpath(name, folder) for name in names]
    for name in names:
        if any(mark in name for mark in _MARKS):
            raise ValueError(
                f"the file {name!r} of the scenario {scenario.road.name!r} must have none of {' '.join(_MARKS)} in its "
                "name, which SUMO would not read as it stands: rename it"
            )
    routes = 1 + len(scenario.route_files)
    return {
        "folder": folder,
        "net_file": names[0],
        "route_files": names[1:routes],
        "additional_files": names[routes:],
    }


def _close_own_pool(pools: dict[int, WorkerPool]) -> None:
    """Closes the pool that this process started; a forked child does not stop its parent's workers."""
    pool = pools.get(os.getpid())
    if pool is not None:
        pool.close()
