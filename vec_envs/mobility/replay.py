"""Recorded traffic: windows of a road kept in an `.npz` file, drawn at random; needs no simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from vec_envs.mobility.recording import find_recording, read_recording
from vec_envs.mobility.selection import EpisodeRandom, choose
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficError, TrafficWindow


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A window, whether all its vehicles stay throughout, and where in it an episode of some shape may begin."""

    window: TrafficWindow
    all_stay: bool
    beginnings: Int[np.ndarray, " beginnings"]


class ReplayMobility:
    """Episodes drawn from a recording: a random window, a random beginning in it, random roles.

    `recording` is the name of a shipped scenario or a path to a file made by `python -m sumo_scenarios.record`. One of
    vehicles that come and go serves episodes with and without that, and so does one of vehicles that stay, where nobody
    comes or goes. Raises `ValueError` for an unknown name, `TrafficError` for a file that is no recording. The streams
    raise `TrafficError` where the recording is too short, has too few vehicles or another slot length.
    """

    def __init__(self, recording: str | Path = "fdr-drive") -> None:
        self._path = find_recording(recording)
        self._road, self._slot_s, self._windows = read_recording(self._path)
        self._sources: dict[EpisodeShape, list[_Source]] = {}

    @property
    def road(self) -> Road:
        return self._road

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields one block an episode. Raises `TrafficError` where the recording cannot serve the shape."""
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        random = EpisodeRandom(seed)
        if shape not in self._sources:
            self._sources[shape] = self._find_sources(shape)
        return _stream(self._sources[shape], random, shape, start)

    def close(self) -> None:
        """Nothing to end."""

    def _find_sources(self, shape: EpisodeShape) -> list[_Source]:
        slots = self._windows[0].xy_m.shape[0]
        if shape.num_slots > slots or abs(shape.slot_s - self._slot_s) > 1e-9:
            raise TrafficError(
                f"{self._path.name} holds {slots} slots of {self._slot_s:g} s, asked for are {shape.num_slots} of "
                f"{shape.slot_s:g} s; record them with: python -m sumo_scenarios.record {self._road.name} --slots "
                f"{shape.num_slots} --slot-s {shape.slot_s:g} --clients {shape.num_client_vehicles} --services "
                f"{shape.num_service_vehicles}{' --come-and-go' if shape.come_and_go else ''}, and give the file's "
                "path as the scenario"
            )
        there = [eligible(window, shape) for window in self._windows]
        sources = [
            _Source(
                window=window,
                all_stay=bool(window.present.all()),
                beginnings=np.flatnonzero(suffices(window, may_begin, shape)),
            )
            for window, may_begin in zip(self._windows, there, strict=True)
        ]
        if not any(len(source.beginnings) for source in sources):
            most = max(int(may_begin.sum(axis=1).max()) for may_begin in there)
            raise TrafficError(
                f"no part of {self._path.name} has the vehicles for {shape.num_client_vehicles} clients and "
                f"{shape.num_service_vehicles} service vehicles (at most {most} in all "
                f"{'in the first slot' if shape.come_and_go else f'throughout {shape.num_slots} slots'}); ask for "
                "fewer, or take a scenario with denser traffic, a wider range or more types for the roles"
            )
        return [source for source in sources if len(source.beginnings)]


def eligible(window: TrafficWindow, shape: EpisodeShape) -> Bool[np.ndarray, "beginnings vehicles"]:
    """Who may hold a seat from the first slot of an episode, for each slot of the window where one may begin."""
    needed = 2 if shape.come_and_go else shape.num_slots
    first = window.present.argmax(axis=0)
    stop = first + np.count_nonzero(window.present, axis=0)
    begins = np.arange(len(window.present) - shape.num_slots + 1)[:, None]
    return (first <= begins) & (begins + needed <= stop)


def suffices(
    window: TrafficWindow, there: Bool[np.ndarray, "*parts vehicles"], shape: EpisodeShape
) -> Bool[np.ndarray, "*parts"]:
    """Whether those who are there hold disjoint clients and service vehicles for an episode."""
    clients, services = shape.num_client_vehicles, shape.num_service_vehicles
    enough = np.count_nonzero(there & window.may_be_client, axis=-1) >= clients
    enough &= np.count_nonzero(there & window.may_be_service, axis=-1) >= services
    either = there & (window.may_be_client | window.may_be_service)
    return enough & (np.count_nonzero(either, axis=-1) >= clients + services)


def _stream(sources: list[_Source], random: EpisodeRandom, shape: EpisodeShape, start: int) -> Iterator[TrafficBlock]:
    for episode in count(start):
        rng = random.at(episode)
        source = sources[int(rng.integers(len(sources)))]
        which = int(rng.integers(len(source.beginnings))) if len(source.beginnings) > 1 else 0
        yield choose(rng, _part(source, int(source.beginnings[which]), shape), shape)


def _part(source: _Source, first: int, shape: EpisodeShape) -> TrafficWindow:
    """The slots of an episode, and of them the vehicles that are there for as long as it needs."""
    window = source.window
    if shape.num_slots < len(window.present):
        window = _slots(window, slice(first, first + shape.num_slots))
    if shape.come_and_go:
        # Who is there in the first slot comes in with it, for this episode.
        moved_m = np.where(window.present[0], window.position_m[1] - window.position_m[0], 0.0)
        window = replace(window, speed_mps=np.vstack((moved_m / shape.slot_s, window.speed_mps[1:])))
    if source.all_stay:
        return window
    slots_there = np.count_nonzero(window.present, axis=0)
    return _of(window, slots_there >= (2 if shape.come_and_go else shape.num_slots))


def _slots(window: TrafficWindow, part: slice) -> TrafficWindow:
    return TrafficWindow(
        xy_m=window.xy_m[part],
        position_m=window.position_m[part],
        speed_mps=window.speed_mps[part],
        present=window.present[part],
        may_be_client=window.may_be_client,
        may_be_service=window.may_be_service,
    )


def _of(window: TrafficWindow, vehicles: Bool[np.ndarray, " vehicles"]) -> TrafficWindow:
    return TrafficWindow(
        xy_m=window.xy_m[:, vehicles],
        position_m=window.position_m[:, vehicles],
        speed_mps=window.speed_mps[:, vehicles],
        present=window.present[:, vehicles],
        may_be_client=window.may_be_client[vehicles],
        may_be_service=window.may_be_service[vehicles],
    )
