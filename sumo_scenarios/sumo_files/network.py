"""The roads of a SUMO network as far as a scenario needs them: lines, names, speed limits and junctions."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax import SAXException

import numpy as np
from jaxtyping import Float

from sumo_scenarios.sumo_files.programs import ImportRefusal

Point = tuple[float, float]
Line = tuple[Point, ...]


def point_on(line: Sequence[Point], position_m: float) -> tuple[Point, Point]:
    """Returns the point of a line at a distance from its begin, and the unit vector ahead there.

    Beyond its end the line continues straight. Raises `ValueError` unless it has two different points.
    """
    pieces = [(a, b) for a, b in pairwise(line) if a != b]
    if not pieces:
        raise ValueError(f"a line needs at least two different points, got {line}")
    left_m = position_m
    for a, b in pieces[:-1]:
        if left_m <= math.dist(a, b):
            break
        left_m -= math.dist(a, b)
    else:
        a, b = pieces[-1]
    (ax, ay), (bx, by), length_m = a, b, math.dist(a, b)
    ahead = ((bx - ax) / length_m, (by - ay) / length_m)
    return (ax + left_m * ahead[0], ay + left_m * ahead[1]), ahead


def length_of(line: Sequence[Point]) -> float:
    """Returns the length of a line [m]."""
    return sum(math.dist(a, b) for a, b in pairwise(line))


@dataclass(frozen=True, kw_only=True)
class NetworkEdge:
    """A stretch of one direction of a road. `after` lists the edges that vehicles can drive to from it."""

    name: str
    street: str
    line: Line
    length_m: float
    speed_limit_mps: float
    num_lanes: int
    after: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Network:
    """The edges of a network for cars by name, and the places of its junctions, of those with signals too."""

    edges: dict[str, NetworkEdge]
    junctions_xy_m: Float[np.ndarray, "junctions 2"]
    signals_xy_m: Float[np.ndarray, "signals 2"]

    @property
    def extent_m(self) -> tuple[float, float, float, float]:
        """The least and largest x, and the least and largest y, of its roads [m]: (x, y, x, y)."""
        points = np.concatenate([edge.line for edge in self.edges.values()])
        (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
        return float(west), float(south), float(east), float(north)

    @property
    def road_km(self) -> float:
        """The length of all roads, each direction counted [km]."""
        return sum(edge.length_m for edge in self.edges.values()) / 1000.0


def read_network(path: Path) -> Network:
    """Returns the roads of a network for cars, or all its edges where no car may drive.

    Raises `ImportRefusal` if the file is no network of SUMO, or has no road.
    """
    sumolib_net: Any = import_module("sumolib.net")
    try:
        net: Any = sumolib_net.readNet(str(path))
    except (SAXException, OSError, EOFError, zlib.error, KeyError, ValueError, UnicodeError) as error:
        raise ImportRefusal(f"{path} cannot be read as a network of SUMO: {error}") from error
    found: list[Any] = [edge for edge in net.getEdges(withInternal=False) if _has_length(edge)]
    found = [edge for edge in found if edge.allows("passenger")] or found
    edges = {edge.getID(): _edge(edge) for edge in found}
    if not edges:
        raise ImportRefusal(f"{path} has no road; it must be a network that SUMO can drive on")
    ends: set[Any] = {node for edge in found for node in (edge.getFromNode(), edge.getToNode())}
    nodes: list[Any] = [node for node in net.getNodes() if node in ends and len(_neighbours(node)) > 2]
    signals = [node for node in nodes if node.getType().startswith("traffic_light")]
    return Network(edges=edges, junctions_xy_m=_places(nodes), signals_xy_m=_places(signals))


def _has_length(edge: Any) -> bool:
    return edge.getLength() > 0.0 and len(set(edge.getShape())) > 1


def _edge(edge: Any) -> NetworkEdge:
    return NetworkEdge(
        name=edge.getID(),
        street=edge.getName() or "",
        line=tuple((float(x), float(y)) for x, y in edge.getShape()),
        length_m=float(edge.getLength()),
        speed_limit_mps=float(edge.getSpeed()),
        num_lanes=int(edge.getLaneNumber()),
        after=tuple(next_edge.getID() for next_edge in edge.getOutgoing()),
    )


def _neighbours(node: Any) -> set[str]:
    there = {edge.getFromNode().getID() for edge in node.getIncoming()}
    return there | {edge.getToNode().getID() for edge in node.getOutgoing()}


def _places(nodes: list[Any]) -> Float[np.ndarray, "places 2"]:
    return np.array([node.getCoord()[:2] for node in nodes], dtype=np.float64).reshape(-1, 2)
