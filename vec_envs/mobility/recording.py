"""Files of recorded traffic: windows of one length on one road, in an `.npz` archive.

Version 2 of the format stores numbers as integer multiples of 1/64 [m, m/s], each as the difference from the previous
slot. It also stores which vehicles are present in each slot. Version 1 stored the numbers themselves, for vehicles that
are always present.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vec_envs.files import MOST_TEXT_BYTES, parse_json, read_arrays, shortened
from vec_envs.mobility.axis import check_units
from vec_envs.mobility.scenario import SHIPPED
from vec_envs.mobility.traffic import Road, TrafficError, TrafficWindow
from vec_envs.validation import MOST_SLOTS, check_at_most, check_positive, did_you_mean

VERSION = 2
RECORDINGS = Path(__file__).parent / "recordings"
_FORMAT = "vec-envs traffic"
MOST_BYTES = 2**26
"""The largest size of a recording when it is unpacked: four million vehicles, each counted in every slot."""
MOST_WINDOWS = 10_000
"""The largest number of windows of a recording."""
_PER_UNIT = 64.0
_MEASURED = ("xy_m", "position_m", "speed_mps")
_FLAGS = ("may_be_client", "may_be_service")
ENTRY_BYTES = 17
"""The size of a vehicle in a slot: four numbers of four bytes, and whether the vehicle is present."""
ARRAYS = ("header", "vehicles", "present", *_FLAGS, *_MEASURED)
"""The arrays of a recording; version 1 has no `present`."""


def write_recording(
    path: Path, road: Road, slot_s: float, windows: list[TrafficWindow], *, origin: Mapping[str, str] | None = None
) -> None:
    """Writes windows of one length to a file. Rounds numbers to 1/64 [m, m/s], so that they compress well.

    Args:
        path: The file.
        road: The road of the windows.
        slot_s: The length of their slots.
        windows: The windows.
        origin: What made them, see `vec_envs.mobility.origin`.
    """
    entries = asdict(road)
    if not road.units_xyz_m:
        del entries["units_xyz_m"]  # older versions of this package read roads of one unit only
    header = {"format": _FORMAT, "version": VERSION, "slot_s": slot_s, "road": entries}
    if origin:
        header["origin"] = dict(origin)
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
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_size(windows: list[TrafficWindow]) -> None:
    """Raises `ValueError` for windows of which `read_recording` could not read a file."""
    check_at_most(MOST_WINDOWS, **{"the number of windows": len(windows)})
    size = sum(window.present.size for window in windows) * ENTRY_BYTES + MOST_TEXT_BYTES
    if size > MOST_BYTES:
        raise ValueError(
            f"a recording must have at most {MOST_BYTES} bytes, got {size}: record fewer or shorter windows"
        )


def read_recording(path: Path) -> tuple[Road, float, list[TrafficWindow]]:
    """Returns the road, the slot length and the windows of a file. Raises `TrafficError` for an invalid recording."""
    try:
        return _windows(read_arrays(path, ARRAYS, most_bytes=MOST_BYTES, most_unpacked_bytes=MOST_BYTES))
    except (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise TrafficError(
            f"{path} is not a complete recording of traffic ({shortened(error)}); make one with: python -m "
            "sumo_scenarios.record"
        ) from error


def recording_names() -> list[str]:
    """Returns the names of the shipped recordings."""
    return sorted(path.stem for path in RECORDINGS.glob("*.npz"))


def find_recording(recording: str | Path) -> Path:
    """Returns the file of a recording, given by the name of a shipped one or by its path.

    Raises `ValueError` if neither exists.
    """
    if not isinstance(recording, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"scenario must be a name or a path, got {recording!r}")
    if str(recording) in recording_names():
        return RECORDINGS / f"{recording}.npz"
    if Path(recording).is_file():
        return Path(recording)
    if any((folder / "scenario.toml").is_file() for folder in (SHIPPED / recording, Path(recording))):
        hint = f"; record it first: python -m sumo_scenarios.record {recording}"
    elif Path(recording).is_dir():
        hint = ", which is a folder"
    else:
        hint = did_you_mean(str(recording), recording_names())
    raise ValueError(
        f"scenario must be one of {', '.join(recording_names())}, or a path to a file made by python -m "
        f"sumo_scenarios.record, got {str(recording)!r}{hint}"
    )


def _windows(arrays: dict[str, np.ndarray]) -> tuple[Road, float, list[TrafficWindow]]:
    """Returns the road, the slot length and the windows of a file's arrays.

    Raises `ValueError`, `KeyError` or `TypeError` for arrays that `write_recording` would not write.
    """
    if arrays["header"].shape != () or arrays["header"].nbytes > MOST_TEXT_BYTES:
        raise ValueError(f"its header must be a text of at most {MOST_TEXT_BYTES} bytes")
    header = parse_json(str(arrays["header"]))
    if header["format"] != _FORMAT or header["version"] not in range(1, VERSION + 1):
        raise ValueError(f"the format must be {_FORMAT!r} {VERSION}, got {header['format']!r} {header['version']}")
    vehicles = arrays["vehicles"]
    slots, total = arrays["position_m"].shape
    check_at_most(MOST_SLOTS + 1, slots=slots)
    _check_vehicles(vehicles, slots, total)
    if header["version"] == 1:
        arrays["present"] = np.ones((slots, total), dtype=np.bool_)
    _check_arrays(arrays, slots, total, np.dtype(np.float32 if header["version"] == 1 else np.int32))
    check_positive(slot_s=header["slot_s"])
    road = _road(header["road"])
    if header["version"] > 1:
        for name in _MEASURED:  # one after the other, and in place, for the memory
            arrays[name] = arrays[name].cumsum(axis=0, dtype=np.float64)
            arrays[name] /= _PER_UNIT
    ends = np.cumsum(vehicles)
    windows = [_window(arrays, slice(end - size, end)) for end, size in zip(ends, vehicles, strict=True)]
    return road, float(header["slot_s"]), windows


def _check_vehicles(vehicles: np.ndarray, slots: int, total: int) -> None:
    """Raises `ValueError` unless the numbers of vehicles of the windows are those of the other arrays."""
    if vehicles.dtype.kind not in "iu" or vehicles.ndim != 1 or slots < 1 or len(vehicles) < 1:
        raise ValueError(f"it must have a number of vehicles for each window, got {slots} slots and {vehicles.shape}")
    check_at_most(MOST_WINDOWS, **{"the number of windows": len(vehicles)})
    if vehicles.min() < 0 or vehicles.max() > total or vehicles.sum() != total:
        raise ValueError(f"its {len(vehicles)} windows must have {total} vehicles in all, got {vehicles.sum()}")


def _check_arrays(arrays: dict[str, np.ndarray], slots: int, total: int, measured: np.dtype[Any]) -> None:
    """Raises `ValueError` for an array of wrong shape, type or content. `measured` is the type of the numbers."""
    shapes = {"xy_m": (slots, total, 2), "may_be_client": (total,), "may_be_service": (total,)}
    for name in (*_MEASURED, *_FLAGS, "present"):
        kind = measured if name in _MEASURED else np.bool_
        if arrays[name].dtype != kind or arrays[name].shape != shapes.get(name, (slots, total)):
            raise ValueError(f"{name} has the wrong shape {arrays[name].shape} or type {arrays[name].dtype}")
        if measured.kind == "f" and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has numbers that are not finite")
    present = arrays["present"]
    arrivals = present[:1].sum(axis=0) + (present[1:] & ~present[:-1]).sum(axis=0)
    if (arrivals != 1).any():
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
    """Returns the road of a header. Raises `ValueError`, `KeyError` or `TypeError` where it is none."""
    axis = tuple((float(x), float(y)) for x, y in entries.pop("axis_xy_m"))
    own, *units = (_place(place) for place in (entries.pop("rsu_xyz_m"), *entries.pop("units_xyz_m", ())))
    check_positive(range_m=entries["range_m"], speed_limit_mps=entries["speed_limit_mps"])
    if not isinstance(entries["name"], str):
        raise ValueError(f"the name of its road must be text, got {entries['name']!r}")
    if not all(map(math.isfinite, chain(own, *units, *axis))):
        raise ValueError("its road must have finite numbers")
    if len(axis) == 1 or any(one == other for one, other in pairwise(axis)):
        raise ValueError("the axis of its road must have none or several points, each different from the one before")
    road = Road(rsu_xyz_m=own, units_xyz_m=tuple(units), axis_xy_m=axis, **entries)
    check_units(road)
    return road


def _place(entry: Any) -> tuple[float, float, float]:
    x, y, z = map(float, entry)
    return x, y, z
