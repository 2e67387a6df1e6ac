"""The files of recorded traffic: windows of one length on one road, in an `.npz` archive.

Version 2 keeps numbers as whole multiples of 1/64 [m, m/s], each as its difference from the slot before, and who is
present; version 1 kept them as they are, of vehicles that stay.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vec_envs.mobility.traffic import Road, TrafficError, TrafficWindow

VERSION = 2
RECORDINGS = Path(__file__).parent / "recordings"
_FORMAT = "vec-envs traffic"
_PER_UNIT = 64.0
_MEASURED = ("xy_m", "position_m", "speed_mps")
_FLAGS = ("may_be_client", "may_be_service")


def write_recording(path: Path, road: Road, slot_s: float, windows: list[TrafficWindow]) -> None:
    """Writes windows of one length. Numbers are rounded to 1/64 [m, m/s], which compresses well."""
    header = {"format": _FORMAT, "version": VERSION, "slot_s": slot_s, "road": asdict(road)}
    arrays: dict[str, np.ndarray] = {
        "header": np.array(json.dumps(header)),
        "vehicles": np.array([window.xy_m.shape[1] for window in windows], dtype=np.int32),
        "present": np.asfortranarray(np.concatenate([window.present for window in windows], axis=1)),
        **{name: np.concatenate([getattr(window, name) for window in windows]) for name in _FLAGS},
    }
    for name in _MEASURED:
        numbers = np.concatenate([getattr(window, name) for window in windows], axis=1)
        units = np.round(numbers * _PER_UNIT).astype(np.int32)
        # Vehicle by vehicle in the file: its numbers resemble each other.
        arrays[name] = np.asfortranarray(np.diff(units, axis=0, prepend=np.int32(0)))
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_recording(path: Path) -> tuple[Road, float, list[TrafficWindow]]:
    """The road, the slot length and the windows of a file. Raises `TrafficError` where it is no valid recording."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _windows(arrays)
    except (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise TrafficError(
            f"{path} is not a whole recording of traffic ({error}); make one with: python -m sumo_scenarios.record"
        ) from error


def recording_names() -> list[str]:
    """The shipped recordings, by name."""
    return sorted(path.stem for path in RECORDINGS.glob("*.npz"))


def find_recording(recording: str | Path) -> Path:
    """The file of a shipped recording, by name, or the one at a path. Raises `ValueError` where there is neither."""
    if str(recording) in recording_names():
        return RECORDINGS / f"{recording}.npz"
    if Path(recording).is_file():
        return Path(recording)
    raise ValueError(
        f"no recording is called {str(recording)!r}; there are {', '.join(recording_names())}, and a path to a file "
        "made by python -m sumo_scenarios.record is accepted too"
    )


def _windows(arrays: dict[str, np.ndarray]) -> tuple[Road, float, list[TrafficWindow]]:
    """Raises `ValueError`, `KeyError` or `TypeError` for what is not as `write_recording` writes it."""
    header = json.loads(str(arrays["header"]))
    if header["format"] != _FORMAT or header["version"] not in range(1, VERSION + 1):
        raise ValueError(f"format {header['format']} {header['version']}, wanted {_FORMAT} {VERSION}")
    vehicles = arrays["vehicles"]
    slots, total = arrays["position_m"].shape
    if slots < 1 or vehicles.ndim != 1 or len(vehicles) < 1 or vehicles.min() < 0 or vehicles.sum() != total:
        raise ValueError(f"{len(vehicles)} windows of {vehicles.sum()} vehicles in all, but {total} were recorded")
    if header["version"] == 1:
        arrays["present"] = np.ones((slots, total), dtype=np.bool_)
    _check_arrays(arrays, slots, total, np.dtype(np.float32 if header["version"] == 1 else np.int32))
    if header["version"] > 1:
        arrays |= {name: arrays[name].cumsum(axis=0) / _PER_UNIT for name in _MEASURED}
    ends = np.cumsum(vehicles)
    windows = [_window(arrays, slice(end - size, end)) for end, size in zip(ends, vehicles, strict=True)]
    return _road(header["road"]), float(header["slot_s"]), windows


def _check_arrays(arrays: dict[str, np.ndarray], slots: int, total: int, measured: np.dtype[Any]) -> None:
    shapes = {"xy_m": (slots, total, 2), "may_be_client": (total,), "may_be_service": (total,)}
    for name in (*_MEASURED, *_FLAGS, "present"):
        kind = measured if name in _MEASURED else np.bool_
        if arrays[name].dtype != kind or arrays[name].shape != shapes.get(name, (slots, total)):
            raise ValueError(f"{name} has shape {arrays[name].shape} of {arrays[name].dtype}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has numbers that are not finite")
    comings = np.diff(arrays["present"].astype(np.int8), axis=0, prepend=0) == 1
    if (comings.sum(axis=0) != 1).any():
        raise ValueError("present is not one stay of each vehicle")


def _window(arrays: dict[str, np.ndarray], part: slice) -> TrafficWindow:
    return TrafficWindow(
        xy_m=arrays["xy_m"][:, part].astype(np.float64),
        position_m=arrays["position_m"][:, part].astype(np.float64),
        speed_mps=arrays["speed_mps"][:, part].astype(np.float64),
        present=arrays["present"][:, part],
        may_be_client=arrays["may_be_client"][part],
        may_be_service=arrays["may_be_service"][part],
    )


def _road(entries: dict[str, Any]) -> Road:
    axis = tuple((float(x), float(y)) for x, y in entries.pop("axis_xy_m"))
    x, y, z = entries.pop("rsu_xyz_m")
    return Road(rsu_xyz_m=(x, y, z), axis_xy_m=axis, **entries)
