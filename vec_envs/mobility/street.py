"""The shape of a road in its plane, for pictures: the lanes of its SUMO network, or else its centre line."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vec_envs.files import opened
from vec_envs.mobility.traffic import Mobility, Road

MOST_NET_BYTES = 2**27
"""The largest size of a network that is read for pictures. A road with a larger one is drawn by its centre line."""
_LANE_WIDTH_M, _ROAD_WIDTH_M = 3.2, 11.0
"""SUMO's width of a lane without one, and the width of a road that is known by its centre line alone."""

Line = Float[np.ndarray, "_ 2"]
"""The points of a line or of an area [m], as many as it needs."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A lane: the points of its middle [m], and its width [m]."""

    points: Line
    width_m: float


@dataclass(frozen=True, kw_only=True)
class Street:
    """The lanes and the areas of junctions of a road; both are empty where nothing drives."""

    lanes: tuple[Lane, ...] = ()
    junctions: tuple[Line, ...] = ()


def street_of(mobility: Mobility) -> Street:
    """Returns the street of a source of traffic: from its network `net_file` if it has one, else from the road's axis.

    A network that cannot be read, or is too large, counts as none: a picture then shows the axis.
    """
    street = street_in_network(mobility)
    return street if street.lanes else _along_axis(mobility.road)


def street_in_network(mobility: Mobility) -> Street:
    """Returns the street in the network of a source of traffic; an empty one where there is no network."""
    net_file = getattr(mobility, "net_file", None)
    return Street() if net_file is None else _street_in(Path(net_file))


def _along_axis(road: Road) -> Street:
    if road.speed_limit_mps <= 0.0 or len(road.axis_xy_m) < 2:
        return Street()
    return Street(lanes=(Lane(points=np.array(road.axis_xy_m), width_m=_ROAD_WIDTH_M),))


@functools.lru_cache(maxsize=8)
def _street_in(net_file: Path) -> Street:
    try:
        with opened(net_file, most_bytes=MOST_NET_BYTES) as file:
            return _read(ET.iterparse(file, events=("end",)))
    except (OSError, ValueError, ET.ParseError):
        return Street()


def _read(elements: Iterable[tuple[str, Any]]) -> Street:
    lanes, junctions = list[Lane](), list[Line]()
    for _, element in elements:
        if element.tag == "edge":
            if element.get("function") != "internal":  # junctions cover the lanes inside them
                lanes += [lane for of in element.iter("lane") if (lane := _lane(of)) is not None]
            element.clear()
        elif element.tag == "junction":
            shape = _points(element.get("shape", ""))
            junctions += [shape] if len(shape) > 2 else []
            element.clear()
    return Street(lanes=tuple(lanes), junctions=tuple(junctions))


def _lane(element: Any) -> Lane | None:
    points = _points(element.get("shape", ""))
    return Lane(points=points, width_m=float(element.get("width", _LANE_WIDTH_M))) if len(points) > 1 else None


def _points(shape: str) -> Line:
    """Returns the points of a shape of SUMO, "x,y x,y ..."; a third coordinate, the height, is left out."""
    numbers = [[float(number) for number in point.split(",")[:2]] for point in shape.split()]
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)
