"""Files of recorded traffic: windows of one length on one road, in an `.npz` archive.

Version 2 of the format stores numbers as integer multiples of 1/64 [m, m/s], each as the difference from the previous
slot, and which vehicles are present. Version 1 stored the numbers themselves, for vehicles that are always present.
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
    """Writes windows of one length to a file. Rounds numbers to 1/64 [m, m/s], so that they compress well."""
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
        # Ordered by vehicle in the file, since the numbers of one vehicle are similar.
        arrays[name] = np.asfortranarray(np.diff(units, axis=0, prepend=np.int32(0)))
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_recording(path: Path) -> tuple[Road, float, list[TrafficWindow]]:
    """Returns the road, the slot length and the windows of a file. Raises `TrafficError` for an invalid recording."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _windows(arrays)
    except (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise TrafficError(
            f"{path} is not a complete recording of traffic ({error}); make one with: python -m sumo_scenarios.record"
        ) from error


def recording_names() -> list[str]:
    """Returns the names of the shipped recordings."""
    return sorted(path.stem for path in RECORDINGS.glob("*.npz"))


def find_recording(recording: str | Path) -> Path:
    """Returns the file of a recording, given by the name of a shipped one or by its path.

    Raises `ValueError` if neither exists.
    """
    if str(recording) in recording_names():
        return RECORDINGS / f"{recording}.npz"
    if Path(recording).is_file():
        return Path(recording)
    raise ValueError(
        f"scenario must be one of {', '.join(recording_names())}, or a path to a file made by python -m "
        f"sumo_scenarios.record, got {str(recording)!r}"
    )


def _windows(arrays: dict[str, np.ndarray]) -> tuple[Road, float, list[TrafficWindow]]:
    """Returns the road, the slot length and the windows of a file's arrays.

    Raises `ValueError`, `KeyError` or `TypeError` for arrays that `write_recording` would not write.
    """
    header = json.loads(str(arrays["header"]))
    if header["format"] != _FORMAT or header["version"] not in range(1, VERSION + 1):
        raise ValueError(f"the format must be {_FORMAT!r} {VERSION}, got {header['format']!r} {header['version']}")
    vehicles = arrays["vehicles"]
    slots, total = arrays["position_m"].shape
    if slots < 1 or vehicles.ndim != 1 or len(vehicles) < 1 or vehicles.min() < 0 or vehicles.sum() != total:
        raise ValueError(f"its {len(vehicles)} windows must have {total} vehicles in all, got {vehicles.sum()}")
    if header["version"] == 1:
        arrays["present"] = np.ones((slots, total), dtype=np.bool_)
    _check_arrays(arrays, slots, total, np.dtype(np.float32 if header["version"] == 1 else np.int32))
    if header["version"] > 1:
        arrays |= {name: arrays[name].cumsum(axis=0) / _PER_UNIT for name in _MEASURED}
    ends = np.cumsum(vehicles)
    windows = [_window(arrays, slice(end - size, end)) for end, size in zip(ends, vehicles, strict=True)]
    return _road(header["road"]), float(header["slot_s"]), windows


def _check_arrays(arrays: dict[str, np.ndarray], slots: int, total: int, measured: np.dtype[Any]) -> None:
    """Raises `ValueError` for an array of wrong shape, type or content. `measured` is the type of the numbers."""
    shapes = {"xy_m": (slots, total, 2), "may_be_client": (total,), "may_be_service": (total,)}
    for name in (*_MEASURED, *_FLAGS, "present"):
        kind = measured if name in _MEASURED else np.bool_
        if arrays[name].dtype != kind or arrays[name].shape != shapes.get(name, (slots, total)):
            raise ValueError(f"{name} has the wrong shape {arrays[name].shape} or type {arrays[name].dtype}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has numbers that are not finite")
    arrivals = np.diff(arrays["present"].astype(np.int8), axis=0, prepend=0) == 1
    if (arrivals.sum(axis=0) != 1).any():
        raise ValueError("each vehicle must be present for one stay")


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
