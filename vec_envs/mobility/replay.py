"""Recorded traffic: windows of a road kept in an `.npz` file, drawn at random; needs no simulator."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from vec_envs.mobility.selection import EpisodeRandom, choose
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficError, TrafficWindow

VERSION = 1
RECORDINGS = Path(__file__).parent / "recordings"
_FORMAT = "vec-envs traffic"
_DTYPES = {
    "xy_m": np.float32,
    "position_m": np.float32,
    "speed_mps": np.float32,
    "may_be_client": np.bool_,
    "may_be_service": np.bool_,
}


class ReplayMobility:
    """Episodes drawn from a recording: a random window, a random beginning in it, random roles.

    `recording` is the name of a shipped scenario or a path to a file made by `python -m sumo_scenarios.record`.
    Raises `ValueError` for an unknown name, `TrafficError` for a file that is no recording. The streams raise
    `TrafficError` where the recording is too short, has too few vehicles or another slot length.
    """

    def __init__(self, recording: str | Path = "fdr-drive") -> None:
        self._path = _path(recording)
        self._road, self._slot_s, self._windows = read_recording(self._path)

    @property
    def road(self) -> Road:
        return self._road

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields one block an episode. Raises `TrafficError` where the recording cannot serve the shape."""
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        slots = self._windows[0].xy_m.shape[0]
        if shape.num_slots > slots or abs(shape.slot_s - self._slot_s) > 1e-9:
            raise TrafficError(
                f"{self._path.name} holds {slots} slots of {self._slot_s:g} s, asked for are {shape.num_slots} of "
                f"{shape.slot_s:g} s; {self._advice(shape)}"
            )
        windows = [window for window in self._windows if suffices(window, shape)]
        if not windows:
            most = max(window.xy_m.shape[1] for window in self._windows)
            raise TrafficError(
                f"no window of {self._path.name} has the vehicles for {shape.num_client_vehicles} clients and "
                f"{shape.num_service_vehicles} service vehicles (at most {most} in all); ask for fewer, or "
                f"{self._advice(shape)}"
            )
        return _stream(windows, EpisodeRandom(seed), shape, start)

    def close(self) -> None:
        """Nothing to end."""

    def _advice(self, shape: EpisodeShape) -> str:
        return (
            f"record them with: python -m sumo_scenarios.record {self._road.name} --slots {shape.num_slots} --slot-s "
            f"{shape.slot_s:g} --clients {shape.num_client_vehicles} --services {shape.num_service_vehicles}, and give "
            "the file's path as the scenario"
        )


def suffices(window: TrafficWindow, shape: EpisodeShape) -> bool:
    """Whether the window has disjoint clients and service vehicles for an episode."""
    clients, services = shape.num_client_vehicles, shape.num_service_vehicles
    either = np.count_nonzero(window.may_be_client | window.may_be_service)
    return bool(
        np.count_nonzero(window.may_be_client) >= clients
        and np.count_nonzero(window.may_be_service) >= services
        and either >= clients + services
    )


def write_recording(path: Path, road: Road, slot_s: float, windows: list[TrafficWindow]) -> None:
    """Writes windows of one length. Numbers are rounded to 1/64 [m, m/s], which compresses well."""
    header = {"format": _FORMAT, "version": VERSION, "slot_s": slot_s, "road": asdict(road)}
    fields = {name: [getattr(window, name) for window in windows] for name in _DTYPES}
    arrays: dict[str, np.ndarray] = {
        "header": np.array(json.dumps(header)),
        "vehicles": np.array([window.xy_m.shape[1] for window in windows], dtype=np.int32),
        **{name: np.concatenate(parts, axis=-2 if name == "xy_m" else -1) for name, parts in fields.items()},
    }
    for name in ("xy_m", "position_m", "speed_mps"):
        arrays[name] = np.asarray(np.round(arrays[name] * 64.0) / 64.0, dtype=np.float32)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_recording(path: Path) -> tuple[Road, float, list[TrafficWindow]]:
    """The road, the slot length and the windows of a file. Raises `TrafficError` where it is no valid recording."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("header", "vehicles", *_DTYPES)}
        return _checked(arrays)
    except (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise TrafficError(
            f"{path} is not a whole recording of traffic ({error}); make one with: python -m sumo_scenarios.record"
        ) from error


def recording_names() -> list[str]:
    """The shipped recordings, by name."""
    return sorted(path.stem for path in RECORDINGS.glob("*.npz"))


def _path(recording: str | Path) -> Path:
    if str(recording) in recording_names():
        return RECORDINGS / f"{recording}.npz"
    if Path(recording).is_file():
        return Path(recording)
    raise ValueError(
        f"no recording is called {str(recording)!r}; there are {', '.join(recording_names())}, and a path to a file "
        "made by python -m sumo_scenarios.record is accepted too"
    )


def _checked(arrays: dict[str, np.ndarray]) -> tuple[Road, float, list[TrafficWindow]]:
    header = json.loads(str(arrays["header"]))
    if header["format"] != _FORMAT or header["version"] != VERSION:
        raise ValueError(f"format {header['format']} {header['version']}, wanted {_FORMAT} {VERSION}")
    vehicles = arrays["vehicles"]
    slots, total = arrays["position_m"].shape
    shapes = {"xy_m": (slots, total, 2), "may_be_client": (total,), "may_be_service": (total,)}
    for name, kind in _DTYPES.items():
        if arrays[name].dtype != kind or arrays[name].shape != shapes.get(name, (slots, total)):
            raise ValueError(f"{name} has shape {arrays[name].shape} of {arrays[name].dtype}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has numbers that are not finite")
    if slots < 1 or vehicles.ndim != 1 or len(vehicles) < 1 or vehicles.min() < 0 or vehicles.sum() != total:
        raise ValueError(f"{len(vehicles)} windows of {vehicles.sum()} vehicles in all, but {total} were recorded")
    ends = np.cumsum(vehicles)
    windows = [_window(arrays, slice(end - size, end)) for end, size in zip(ends, vehicles, strict=True)]
    return _road(header["road"]), float(header["slot_s"]), windows


def _window(arrays: dict[str, np.ndarray], part: slice) -> TrafficWindow:
    return TrafficWindow(
        xy_m=arrays["xy_m"][:, part].astype(np.float64),
        position_m=arrays["position_m"][:, part].astype(np.float64),
        speed_mps=arrays["speed_mps"][:, part].astype(np.float64),
        may_be_client=arrays["may_be_client"][part],
        may_be_service=arrays["may_be_service"][part],
    )


def _road(entries: dict[str, Any]) -> Road:
    axis = tuple((float(x), float(y)) for x, y in entries.pop("axis_xy_m"))
    x, y, z = entries.pop("rsu_xyz_m")
    return Road(rsu_xyz_m=(x, y, z), axis_xy_m=axis, **entries)


def _stream(
    windows: list[TrafficWindow], random: EpisodeRandom, shape: EpisodeShape, start: int
) -> Iterator[TrafficBlock]:
    beginnings: int = windows[0].xy_m.shape[0] - shape.num_slots + 1
    for episode in count(start):
        rng = random.at(episode)
        window = windows[int(rng.integers(len(windows)))]
        if beginnings > 1:
            window = _part(window, int(rng.integers(beginnings)), shape.num_slots)
        yield choose(rng, window, shape)


def _part(window: TrafficWindow, first: int, slots: int) -> TrafficWindow:
    return TrafficWindow(
        xy_m=window.xy_m[first : first + slots],
        position_m=window.position_m[first : first + slots],
        speed_mps=window.speed_mps[first : first + slots],
        may_be_client=window.may_be_client,
        may_be_service=window.may_be_service,
    )
