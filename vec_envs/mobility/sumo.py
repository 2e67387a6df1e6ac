"""Live SUMO: episodes cut from simulations that run in worker processes.

The traffic does not depend on what the agents decide, so a worker simulates an episode before it is served: every
failure lands there, and an episode is valid by construction. A simulation (a *tape*: one seed, a road filled before it
starts) serves `WINDOWS_PER_TAPE` episodes one after the other.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.scenario import Scenario
from vec_envs.mobility.selection import EpisodeRandom, choose_vehicles
from vec_envs.mobility.sumo_pool import RawWindow, WindowJob, WorkerPool
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficWindow

WINDOWS_PER_TAPE = 16
SumoBackend = Literal["libsumo", "traci", "traci-gui"]


class SumoMobility:
    """Episodes of a scenario, simulated live. Several may be open at once, and each serves any number of streams.

    `sumo_backend` is `"libsumo"` (SUMO inside the worker), `"traci"` (the `sumo` program beside it) or `"traci-gui"`
    (a window to watch, which waits `gui_delay_ms` a step); all give the same episodes. `num_workers` processes share
    the work. They start with the first episode.

    Raises `ValueError` for an unknown scenario or backend and for numbers out of bounds. The streams raise
    `TrafficError` where SUMO is missing or broken, and where the road has too few vehicles in range.
    """

    def __init__(
        self,
        scenario: str | Path = "fdr-drive",
        *,
        sumo_backend: SumoBackend = "libsumo",
        num_workers: int = 1,
        gui_delay_ms: int = 100,
    ) -> None:
        if sumo_backend not in get_args(SumoBackend):
            raise ValueError(f"sumo_backend must be one of {', '.join(get_args(SumoBackend))}, got {sumo_backend!r}")
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {num_workers}")
        if gui_delay_ms < 0:
            raise ValueError(f"gui_delay_ms must be at least 0, got {gui_delay_ms}")
        self._scenario = Scenario.load(scenario)
        self._num_workers = num_workers
        self._settings = _worker_settings(self._scenario, sumo_backend, gui_delay_ms)
        self._axis = RoadAxis(self._scenario.road)
        # One pool a process: a fork inherits neither the threads nor the right to talk to the workers.
        self._pools: dict[int, WorkerPool] = {}
        weakref.finalize(self, _close_own_pool, self._pools)
        self._pool()

    @property
    def road(self) -> Road:
        return self._scenario.road

    @property
    def worker_pids(self) -> list[int]:
        """The worker processes that are alive."""
        return self._pool().pids

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields one block an episode; the next ones are simulated meanwhile.

        Raises `ValueError` for a slot that is not a whole number of milliseconds, `TrafficError` where SUMO cannot run
        or the road has too few vehicles in range.
        """
        random = EpisodeRandom(seed)
        return (
            self._block(window, random.at(episode), shape)
            for episode, window in enumerate(self._raw_windows(seed, shape, start), start)
        )

    def windows(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficWindow]:
        """Yields what `blocks` draws from: all vehicles in range, window by window. Raises what `blocks` raises."""
        return map(self._window, self._raw_windows(seed, shape, start))

    def close(self) -> None:
        """Ends the workers; streams that are still open raise `TrafficError`. Idempotent."""
        _close_own_pool(self._pools)

    def _raw_windows(self, seed: int, shape: EpisodeShape, start: int) -> Iterator[RawWindow]:
        slot_ms = round(shape.slot_s * 1000.0)
        if slot_ms < 1 or abs(slot_ms - shape.slot_s * 1000.0) > 1e-6:
            raise ValueError(f"slot_s must be a whole number of milliseconds for SUMO, got {shape.slot_s}")
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        return self._stream(EpisodeRandom(seed, purpose=1), shape, slot_ms, start)

    def _stream(self, seeds: EpisodeRandom, shape: EpisodeShape, slot_ms: int, start: int) -> Iterator[RawWindow]:
        def request(tape: int, window: int) -> WindowJob:
            job = WindowJob(_tape(int(seeds.at(tape).integers(2**31)), shape, slot_ms), window, WINDOWS_PER_TAPE)
            self._pool().submit(job)
            return job

        process, jobs = os.getpid(), [request(*divmod(start, WINDOWS_PER_TAPE))]
        try:
            for episode in count(start):
                tape, window = divmod(episode, WINDOWS_PER_TAPE)
                if os.getpid() != process:
                    process, jobs = os.getpid(), [request(tape, window)]
                if window == 0 and len(jobs) > 1:
                    jobs.pop(0)
                if window >= WINDOWS_PER_TAPE // 2 and len(jobs) == 1:
                    jobs.append(request(tape + 1, 0))
                yield jobs[0].get()
        finally:
            for job in jobs:
                job.cancelled = True

    def _block(self, window: RawWindow, rng: np.random.Generator, shape: EpisodeShape) -> TrafficBlock:
        clients, services = choose_vehicles(rng, window.may_be_client, window.may_be_service, shape)
        states = window.states[np.concatenate((clients, services))].swapaxes(0, 1)
        xy_m, speed_mps = np.ascontiguousarray(states[..., :2]), np.ascontiguousarray(states[..., 2])
        position_m = self._axis.position_m(xy_m)
        split = len(clients)
        return TrafficBlock(
            client_xy_m=xy_m[:, :split],
            service_xy_m=xy_m[:, split:],
            client_position_m=position_m[:, :split],
            service_position_m=position_m[:, split:],
            client_speed_mps=speed_mps[:, :split],
            service_speed_mps=speed_mps[:, split:],
        )

    def _window(self, window: RawWindow) -> TrafficWindow:
        states = window.states.swapaxes(0, 1)
        return TrafficWindow(
            xy_m=np.ascontiguousarray(states[..., :2]),
            position_m=self._axis.position_m(states[..., :2]),
            speed_mps=np.ascontiguousarray(states[..., 2]),
            may_be_client=window.may_be_client,
            may_be_service=window.may_be_service,
        )

    def _pool(self) -> WorkerPool:
        pid = os.getpid()
        return self._pools.get(pid) or self._pools.setdefault(pid, WorkerPool(self._settings, self._num_workers))


def _tape(seed: int, shape: EpisodeShape, slot_ms: int) -> dict[str, int]:
    return {
        "seed": seed,
        "num_slots": shape.num_slots,
        "slot_ms": slot_ms,
        "num_clients": shape.num_client_vehicles,
        "num_services": shape.num_service_vehicles,
    }


def _worker_settings(scenario: Scenario, backend: str, gui_delay_ms: int) -> dict[str, Any]:
    return {
        "backend": backend,
        "gui_delay_ms": gui_delay_ms,
        "net_file": str(scenario.net_file.resolve()),
        "route_files": [str(path.resolve()) for path in scenario.route_files],
        "warm_up_s": scenario.warm_up_s,
        "top_speed_mps": scenario.top_speed_mps,
        "client_types": scenario.client_types,
        "service_types": scenario.service_types,
        "rsu_xyz_m": scenario.road.rsu_xyz_m,
        "range_m": scenario.road.range_m,
    }


def _close_own_pool(pools: dict[int, WorkerPool]) -> None:
    """Closes what this process started; a forked child leaves its parent's workers alone."""
    pool = pools.get(os.getpid())
    if pool is not None:
        pool.close()
