"""Reads tables of samples: CSV files with named columns."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import chain
from pathlib import Path

from sumo_scenarios.traces.samples import Collector
from sumo_scenarios.traces.streams import lines
from vec_envs.validation import did_you_mean

FOOT_M = 0.3048
LENGTHS_M = {"m": 1.0, "km": 1000.0, "ft": FOOT_M}
"""Units of length -> metres."""
TIMES_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
"""Units of time -> seconds."""
DATE = "date"
"""The unit of times such as 2008-02-02 15:36:08."""
_DELIMITERS = (",", ";", "\t", "|")
BLANK = " "
"""The delimiter of tables whose values are separated by one blank or several."""
_EPOCH = date(1970, 1, 1)
_SHOWN = 30
_NOTHING: list[str] = []
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
"""What programs write for a value that is missing."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a table and their units. Without a header, a column's name is its number, from 1 on."""

    vehicle: str
    time: str
    x: str
    y: str
    kind: str | None = None
    header: bool = True
    delimiter: str | None = None
    """The character between values; None for the one that the first line has most often, or else blanks."""
    encoding: str | None = None
    time_format: str | None = None
    """How dates are written, as `datetime.strptime` takes it; None for ISO 8601, and for times of a day."""
    time_unit: str | None = None
    """One of `TIMES_S`, or `DATE`; None for seconds, where nothing says another unit."""
    frame_rate: float | None = None
    """The number of frames in a second, where the time is the number of a frame."""
    length_unit: str | None = None
    """One of `LENGTHS_M`; None for metres, where nothing says another unit, and for degrees."""
    degrees: bool = False
    """Whether x and y are longitude and latitude, which are read as they are."""


def read_table(path: Path, columns: Columns, into: Collector) -> None:
    """Adds the samples of a table to a collector; rows that lack a value are counted, and left out.

    Raises `ValueError` with the line where the table is not as the columns say, and `OSError` where it is missing.
    """
    text = lines(path, columns.encoding)
    first = next((line for line in text if line.strip()), None)
    if first is None:
        raise ValueError(f"{path} must have rows, but it is empty")
    delimiter = columns.delimiter or _delimiter(first)
    text = chain([first], text)
    rows = csv.reader(
        map(str.strip, text) if delimiter == BLANK else text, delimiter=delimiter, skipinitialspace=True, strict=True
    )
    names = _row(path, rows)
    if not columns.header:
        rows, names = chain([names], rows), [str(n + 1) for n in range(len(names))]
    places = [_place(path, names, *column) for column in _wanted(columns)]
    _add_rows(path, _of_width(path, rows, len(names)), places, columns, into)


def _delimiter(first: str) -> str:
    """Returns the delimiter that is most frequent in the first line, or else the blank."""
    found = max(_DELIMITERS, key=first.count)
    return found if found in first else BLANK


def _wanted(columns: Columns) -> list[tuple[str, str]]:
    """Returns the options that name a column, with their values."""
    wanted = [("--id", columns.vehicle), ("--time", columns.time), ("--x", columns.x), ("--y", columns.y)]
    return wanted + ([("--type", columns.kind)] if columns.kind else [])


def _place(path: Path, names: Sequence[str], option: str, name: str) -> int:
    """Returns the index of a column. Raises `ValueError` listing the columns where it is missing, or there twice."""
    plain = [of.strip().casefold() for of in names]
    found = [n for n, of in enumerate(names) if of.strip() == name] or [
        n for n, of in enumerate(plain) if of == name.casefold()
    ]
    if len(found) != 1:
        shown = ", ".join(of.strip()[:40] for of in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        how = "" if len(names) > 1 else ", or the character between columns by --delimiter"
        raise ValueError(
            f"{path} must have one column {name!r}, got {len(found)}; its columns are {shown}: name the right one by "
            f"{option}{how}{'' if found else did_you_mean(name, [of.strip() for of in names[:_SHOWN]])}"
        )
    return found[0]


def _row(path: Path, rows: Iterator[list[str]]) -> list[str]:
    try:
        return next(rows, _NOTHING)
    except csv.Error as error:
        raise ValueError(f"{path} is not a table of comma-separated values: {error}") from error


def _add_rows(path: Path, rows: Iterator[list[str]], places: Sequence[int], columns: Columns, into: Collector) -> None:
    at_vehicle, at_time, at_x, at_y, *at_kind = places
    last, to_s = max(places), _time_reader(columns)
    metres, number = LENGTHS_M[columns.length_unit or "m"], 1 if columns.header else 0
    while row := _row_or_blank(path, rows):
        number += 1
        if len(row) <= last or any(row[at].strip().casefold() in _MISSING for at in places[:4]):
            into.incomplete += 1
            continue
        try:
            x, y = _number(row[at_x], columns.x) * metres, _number(row[at_y], columns.y) * metres
            if not (math.isfinite(x) and math.isfinite(y)):
                into.incomplete += 1
                continue
            kind = row[at_kind[0]].strip() if at_kind else ""
            into.add(row[at_vehicle].strip(), to_s(row[at_time]), x, y, kind)
        except ValueError as error:
            raise ValueError(f"{path}, row {number}: {error}") from error


def _of_width(path: Path, rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """Yields rows. Raises `ValueError` for one with more values than there are columns."""
    for row in rows:
        if len(row) > width and any(value.strip() for value in row[width:]):
            shown = ", ".join(row)[:60]
            raise ValueError(
                f"{path} must have at most {width} values in a row, as in its first one, got {len(row)} in {shown!r}: "
                "write a sample in a row, numbers with a decimal point, and texts with the delimiter in quotation marks"
            )
        yield row


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number with a decimal point, got {text[:40]!r}") from None


def _row_or_blank(path: Path, rows: Iterator[list[str]]) -> list[str]:
    """Returns the next row with values; an empty one at the end."""
    try:
        return next((row for row in rows if row), _NOTHING)
    except csv.Error as error:
        raise ValueError(f"{path} is not a table of comma-separated values: {error}") from error


def _time_reader(columns: Columns) -> Callable[[str], float]:
    """Returns a function from the text of a time to seconds."""
    if columns.time_unit == DATE:
        written = columns.time_format
        return _date_s if written is None else lambda text: _written_s(text, written)
    second = TIMES_S[columns.time_unit or "s"] if columns.frame_rate is None else 1.0 / columns.frame_rate

    def plain(text: str) -> float:
        try:
            return float(text) * second
        except ValueError:
            raise ValueError(f"the time must be a number, got {text[:40]!r}; dates need --time-unit {DATE}") from None

    return plain


def _date_s(text: str) -> float:
    """Returns the seconds of a date since 1970, or of a time of day since midnight."""
    plain = text.strip().replace("/", "-")
    try:
        if ":" in plain[:3]:
            return _since_1970_s(datetime.combine(_EPOCH, time.fromisoformat(plain)))
        return _since_1970_s(datetime.fromisoformat(plain))
    except ValueError:
        raise ValueError(
            f"the time must be a date such as 2008-02-02 15:36:08, or a time such as 15:36:08, got {text[:40]!r}; give "
            "--time-format for another order, such as '%m/%d/%Y %I:%M:%S %p'"
        ) from None


def _written_s(text: str, written: str) -> float:
    try:
        return _since_1970_s(datetime.strptime(text.strip(), written))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the time must be as --time-format {written!r} says, got {text[:40]!r}: {error}") from None


def _since_1970_s(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
