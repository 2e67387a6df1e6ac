"""Traffic drawn at random from a recording, an `.npz` file with windows of a road. Needs no simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from vec_envs.mobility.motion import Motion
from vec_envs.mobility.origin import SUMO, TRACE, origin_of_recording, sumo_version, warn_of_other_version
from vec_envs.mobility.recording import find_recording, read_recording
from vec_envs.mobility.scenario import Scenario, scenario_names
from vec_envs.mobility.selection import EpisodeRandom, choose
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficError, TrafficWindow


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A window, whether all its vehicles stay throughout, and the slots where an episode of a shape can begin."""

    window: TrafficWindow
    all_stay: bool
    beginnings: Int[np.ndarray, " beginnings"]


class ReplayMobility:
    """Episodes drawn from a recording: a random window, a random first slot in it, and random roles.

    Every recording serves episodes with and without `come_and_go`. If all recorded vehicles stay throughout, no vehicle
    comes or goes with `come_and_go` either.

    Args:
        recording: The name of a shipped scenario, or a path to a file made by `python -m sumo_scenarios.record`.

    Raises:
        ValueError: The name is unknown.
        TrafficError: The file is not a recording. `blocks` raises it for a recording that is too short, has too few
            vehicles, or has another slot length.
    """

    def __init__(self, recording: str | Path = "fdr-drive") -> None:
        self._path = find_recording(recording)
        self._recording = recording if self._path != Path(recording) else self._path.resolve()
        self._road, self._slot_s, self._windows = read_recording(self._path)
        self._origin = origin_of_recording(self._path)
        if made_by := self._origin.get(SUMO):
            warn_of_other_version(made_by, sumo_version(), f"the recording {self._path.name}")
        self._sources: dict[EpisodeShape, list[_Source]] = {}

    def __reduce__(self) -> tuple[type[ReplayMobility], tuple[str | Path]]:
        """Pickles the name or the path, not the recording, which has megabytes."""
        return ReplayMobility, (self._recording,)

    def __deepcopy__(self, memo: dict[int, Any]) -> ReplayMobility:
        """Returns the object itself, because it is never modified."""
        return self

    @property
    def road(self) -> Road:
        """The recorded road."""
        return self._road

    @property
    def net_file(self) -> Path | None:
        """SUMO's network of the recorded road, which pictures show; None for a road that is not shipped."""
        name = self._road.name
        shipped = Scenario.load(name) if name in scenario_names() else None
        return shipped.net_file if shipped is not None and shipped.road == self._road else None

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields a block for each episode. Raises `TrafficError` if the recording cannot serve the shape."""
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        random = EpisodeRandom(seed)
        if shape not in self._sources:
            self._sources[shape] = self._find_sources(shape)
        return _stream(self._sources[shape], random, shape, start, Motion(self._road))

    def close(self) -> None:
        """Does nothing: no process or file is open."""

    def _remedy(self, shape: EpisodeShape) -> str:
        """Returns how to make a recording for episodes of a shape."""
        slots = f"--slots {shape.num_slots} --slot-s {shape.slot_s:g}"
        if TRACE in self._origin:
            return f"ask for shorter episodes, or convert {self._origin[TRACE]!r} again with {slots}"
        return (
            f"record them with: python -m sumo_scenarios.record {self._road.name} {slots} --clients "
            f"{shape.num_client_vehicles} --services {shape.num_service_vehicles}"
            f"{' --come-and-go' if shape.come_and_go else ''}"
        )

    def _find_sources(self, shape: EpisodeShape) -> list[_Source]:
        slots = self._windows[0].xy_m.shape[0]
        if shape.num_slots > slots or abs(shape.slot_s - self._slot_s) > 1e-9:
            raise TrafficError(
                f"{self._path.name} has {slots} slots of {self._slot_s:g} s, but an episode needs {shape.num_slots} of "
                f"{shape.slot_s:g} s; {self._remedy(shape)}, and give the file's path as the scenario"
            )
        eligible = [eligible_vehicles(window, shape) for window in self._windows]
        sources = [
            _Source(
                window=window,
                all_stay=bool(window.present.all()),
                beginnings=np.flatnonzero(suffices(window, of_window, shape)),
            )
            for window, of_window in zip(self._windows, eligible, strict=True)
        ]
        if not any(len(source.beginnings) for source in sources):
            most = max(int(of_window.sum(axis=1).max()) for of_window in eligible)
            raise TrafficError(
                f"no part of {self._path.name} has enough vehicles for {shape.num_client_vehicles} clients and "
                f"{shape.num_service_vehicles} service vehicles (at most {most} in all "
                f"{'in the first slot' if shape.come_and_go else f'throughout {shape.num_slots} slots'}); ask for "
                "fewer, or use a scenario with denser traffic, a wider range or more types for the roles"
            )
        return [source for source in sources if len(source.beginnings)]


def eligible_vehicles(window: TrafficWindow, shape: EpisodeShape) -> Bool[np.ndarray, "beginnings vehicles"]:
    """Returns which vehicles can hold a seat from an episode's first slot on, for each possible first slot."""
    needed = 2 if shape.come_and_go else shape.num_slots
    first = window.present.argmax(axis=0)
    stop = first + np.count_nonzero(window.present, axis=0)
    begins = np.arange(len(window.present) - shape.num_slots + 1)[:, None]
    return (first <= begins) & (begins + needed <= stop)


def suffices(
    window: TrafficWindow, eligible: Bool[np.ndarray, "*parts vehicles"], shape: EpisodeShape
) -> Bool[np.ndarray, "*parts"]:
    """Returns whether the eligible vehicles can be divided into the clients and service vehicles of an episode."""
    clients, services = shape.num_client_vehicles, shape.num_service_vehicles
    enough = np.count_nonzero(eligible & window.may_be_client, axis=-1) >= clients
    enough &= np.count_nonzero(eligible & window.may_be_service, axis=-1) >= services
    either = eligible & (window.may_be_client | window.may_be_service)
    return enough & (np.count_nonzero(either, axis=-1) >= clients + services)


def _stream(
    sources: list[_Source], random: EpisodeRandom, shape: EpisodeShape, start: int, motion: Motion
) -> Iterator[TrafficBlock]:
    for episode in count(start):
        rng = random.at(episode)
        source = sources[int(rng.integers(len(sources)))]
        index = int(rng.integers(len(source.beginnings))) if len(source.beginnings) > 1 else 0
        yield choose(rng, _part(source, int(source.beginnings[index]), shape, motion), shape)


def _part(source: _Source, first: int, shape: EpisodeShape, motion: Motion) -> TrafficWindow:
    """Returns the slots of an episode, with the vehicles that are present in enough of them."""
    window = source.window
    if shape.num_slots < len(window.present):
        window = _slots(window, slice(first, first + shape.num_slots))
    if shape.come_and_go:
        # Vehicles in the first slot count as arriving then, so their first speed is that of the next slot.
        window = motion.with_first_speeds(window, shape.slot_s)
    if source.all_stay:
        return window
    slots_present = np.count_nonzero(window.present, axis=0)
    return _with_vehicles(window, slots_present >= (2 if shape.come_and_go else shape.num_slots))


def _slots(window: TrafficWindow, part: slice) -> TrafficWindow:
    return TrafficWindow(
        xy_m=window.xy_m[part],
        position_m=window.position_m[part],
        speed_mps=window.speed_mps[part],
        present=window.present[part],
        may_be_client=window.may_be_client,
        may_be_service=window.may_be_service,
    )


def _with_vehicles(window: TrafficWindow, vehicles: Bool[np.ndarray, " vehicles"]) -> TrafficWindow:
    return TrafficWindow(
        xy_m=window.xy_m[:, vehicles],
        position_m=window.position_m[:, vehicles],
        speed_mps=window.speed_mps[:, vehicles],
        present=window.present[:, vehicles],
        may_be_client=window.may_be_client[vehicles],
        may_be_service=window.may_be_service[vehicles],
    )
