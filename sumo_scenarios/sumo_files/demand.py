"""The hours in which vehicles depart, read from route files without simulating them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from sumo_scenarios.sumo_files.source import open_xml, seconds

_SINGLE = {"vehicle", "trip", "person", "container"}
_STEADY_S = 500_000.0
"""Flows that end later than this are meant to have no end."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """When vehicles and persons depart. `last_s` is infinite where a flow has no end; both are 0.0 without any."""

    first_s: float
    last_s: float
    vehicles: int
    """Vehicles that are named one by one."""
    flows: int
    persons: int


def demand_of(paths: Iterable[Path]) -> Demand:
    """Returns the demand in route files and additional files. Raises `ImportRefusal` if one is not XML."""
    times: list[tuple[float, float]] = []
    numbers = {"vehicle": 0, "flow": 0, "person": 0}
    for path in paths:
        for tag, begin, end in _departures(path):
            kind = "flow" if tag == "flow" else "person" if tag in ("person", "personFlow") else "vehicle"
            numbers[kind] += 1
            if kind != "person":
                times.append((begin, end))
    last = max((end for _, end in times), default=0.0)
    return Demand(
        first_s=min((begin for begin, _ in times), default=0.0),
        last_s=math.inf if last > _STEADY_S else last,
        vehicles=numbers["vehicle"],
        flows=numbers["flow"],
        persons=numbers["person"],
    )


def _departures(path: Path) -> Iterable[tuple[str, float, float]]:
    """Yields what departs in a file: its element, and its first and last time."""
    with open_xml(path) as file:
        for _, element in ElementTree.iterparse(file):
            tag = str(element.tag)
            if tag in _SINGLE:
                begin = _time(element.get("depart", "0"))
                yield tag, begin, begin
            elif tag in ("flow", "personFlow"):
                yield tag, _time(element.get("begin", "0")), _time(element.get("end", "inf"))
            if tag in _SINGLE or tag in ("flow", "personFlow"):
                element.clear()


def _time(text: str) -> float:
    """Returns a time; 0.0 for words such as `triggered`."""
    if re.fullmatch(r"[a-zA-Z]+", text) and text != "inf":
        return 0.0
    return seconds(text)
