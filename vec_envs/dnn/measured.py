"""Measured times of a network's layers on a device: the record, and a table of somebody's measurements."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vec_envs.files import read_text
from vec_envs.validation import check_list, check_not_negative, did_you_mean, shown

COLUMNS = ("layer", "device", "seconds")


@dataclass(frozen=True, kw_only=True)
class MeasuredTimes:
    """The time that each layer of a profile takes on a device.

    Raises:
        ValueError: A time is negative or not finite.
    """

    device: str
    layer_s: tuple[float, ...]
    """Time of each layer in s, in the order of the profile's layers."""
    source: str = ""
    """Who measured, and how: batch size, data type, library, number of threads."""

    def __post_init__(self) -> None:
        check_list(layer_s=self.layer_s)
        for index, time_s in enumerate(self.layer_s):
            check_not_negative(**{f"layer_s[{index}] on {self.device!r}": time_s})
        object.__setattr__(self, "layer_s", tuple(map(float, self.layer_s)))


def read_times(path: str | Path, layers: Sequence[str], *, source: str = "") -> tuple[MeasuredTimes, ...]:
    """Returns the measured times in a CSV file with the columns layer, device and seconds; other columns are ignored.

    Args:
        path: The file.
        layers: The names of the profile's layers, in order.
        source: Who measured, and how; by default the name of the file.

    Raises:
        ValueError: A column is missing; a layer is unknown, missing or named twice; or a time is not a number of at
            least 0.
        OSError: There is no such file.
    """
    rows = csv.DictReader(io.StringIO(read_text(Path(path))))
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise ValueError(f"{path} must have the columns {', '.join(COLUMNS)}; it lacks {', '.join(missing)}")
    if len(set(layers)) < len(layers):
        twice = next(name for name in layers if list(layers).count(name) > 1)
        raise ValueError(f"layers must have different names to be read from {path}, got {shown(twice)} twice")
    by_device: dict[str, dict[str, float]] = {}
    for line, row in enumerate(rows, start=2):
        layer, times = row["layer"], by_device.setdefault(row["device"] or "", {})
        if layer not in layers or layer in times:
            others = f"is none of the profile's: {shown(tuple(layers))}{did_you_mean(layer, layers)}"
            why = "is in the table twice" if layer in times else others
            raise ValueError(f"line {line} of {path}: the layer {shown(layer)} {why}")
        times[layer] = _seconds(row["seconds"], f"seconds in line {line} of {path}")
    for device, times in by_device.items():
        if lacking := [layer for layer in layers if layer not in times]:
            raise ValueError(f"{path} has no time on {device!r} for the layers {shown(lacking)}")
    return tuple(
        MeasuredTimes(device=device, layer_s=tuple(times[layer] for layer in layers), source=source or Path(path).name)
        for device, times in by_device.items()
    )


def _seconds(text: str | None, what: str) -> float:
    try:
        seconds = float(text or "")
    except ValueError:
        raise ValueError(f"{what} must be a number, got {shown(text)}") from None
    check_not_negative(**{what: seconds})
    return seconds
