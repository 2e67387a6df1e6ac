"""When the demand of SUMO's route files begins."""

from __future__ import annotations

import gzip
import re
import zlib
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MOST_DEPARTURES = 10_000
"""How many departures of a file are read; SUMO expects them in order of time."""
_DAMAGED = (OSError, EOFError, zlib.error, ElementTree.ParseError, ValueError, LookupError)
"""The errors of a file that cannot be read; SUMO has said then what is wrong with it."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+):(\d+(?:\.\d+)?)")
"""A time such as "7:30:00", or "1:07:30:00" with a day before it."""


def first_departure_s(files: list[str]) -> float | None:
    """Returns the earliest departure in route files [s], or `None` where no file says one."""
    found = [first for file in files if (first := _first_of(Path(file))) is not None]
    return min(found, default=None)


def _first_of(file: Path) -> float | None:
    first: float | None = None
    with (
        suppress(*_DAMAGED),
        _opened(file) as stream,
    ):
        elements = (
            element for _, element in ElementTree.iterparse(stream) if element.tag in ("vehicle", "trip", "flow")
        )
        for element in islice(elements, MOST_DEPARTURES):
            said = element.get("begin", "0") if element.tag == "flow" else element.get("depart", "")
            time_s = seconds_of(said)
            if time_s is not None and (first is None or time_s < first):
                first = time_s
            element.clear()
    return first


def _opened(file: Path) -> Any:
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(file) if packed else file.open("rb")


def seconds_of(said: str) -> float | None:
    """Returns a time of SUMO in seconds, such as "27000" or "7:30:00"; `None` where it is no time."""
    if match := _CLOCK.fullmatch(said.strip()):
        days, hours, minutes, rest = match.groups()
        return 86400.0 * int(days or 0) + 3600.0 * int(hours) + 60.0 * int(minutes) + float(rest)
    try:
        return float(said)
    except ValueError:
        return None
