"""The map of a picture: the street in its true shape, nodes at their places, and arrows for the data that they send."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vec_envs.interfaces.canvas import INK, PALE, PAPER, Page, Point, Shapes, text_width
from vec_envs.interfaces.plane import dense, direction_of, turned
from vec_envs.interfaces.present_scene import SEATS, Place, PresentScene
from vec_envs.mobility.street import Street
from vec_envs.mobility.traffic import Road
from vec_envs.problems.scenes import SceneNode

COLOURS = {
    "client": "#33629c",
    "vehicle": "#33629c",
    "device": "#33629c",
    "service": "#2e8540",
    "rsu": "#c8501e",
    "server": "#c8501e",
}
WORDS = {
    "client": "client vehicle",
    "vehicle": "vehicle",
    "device": "device",
    "service": "service vehicle",
    "rsu": "roadside unit (RSU)",
    "server": "server",
}
DECIDING = "#f0b400"
_ASPHALT, _KERB, _MIDDLE = "#d5d7da", "#b9bcc1", "#f4f5f6"
_SIDE, _MARGIN, _LEGEND, _MOST_HEIGHT = 34, 16, 26, 300
"""Margins beside the map and around its labels, the height of the legend, and the greatest height of the street."""
_LEVELS = {
    "client": (-20.0, -37.0, -54.0, -71.0),
    "service": (20.0, 37.0, 54.0),
    "unit": (82.0,),
    "unit alone": (40.0,),
}
"""Distances between the road and the labels above or below it, in turn, so that few labels overlap.

Labels of units are below those of service vehicles, where there are any.
"""
_BADGE_HEIGHT, _DOT, _HEAD = 8.0, 3.4, 5.2
_HEAD_ANGLES = (0.0, math.radians(140.0), math.radians(-140.0))


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Maps places in the plane of a road to pixels, to scale. The road runs from left to right."""

    centre: tuple[float, float]
    turn: float
    """The direction of the road [rad], which becomes that of the page."""
    pixels_per_m: float
    origin: Point
    """The pixels of the centre."""
    size: tuple[int, int]

    def __call__(self, xy_m: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Returns the pixels of some places."""
        here = turned(xy_m, self.centre, self.turn)
        return np.array(self.origin) + here * np.array((self.pixels_per_m, -self.pixels_per_m))


def projection(road: Road, street: Street, units: Sequence[Place], width: int, *, services: bool = True) -> Projection:
    """Returns the projection of a road, within the range of its unit, into a map of some width in pixels.

    Without `services`, the map needs no room for the labels of service vehicles.
    """
    centre, turn = (road.rsu_xyz_m[0], road.rsu_xyz_m[1]), direction_of(road, street)
    seen = turned(np.array([centre, *(unit for unit in units if unit is not None)]), centre, turn)
    reach_m = 1.03 * max(road.range_m, float(np.abs(seen[:, 0]).max()))
    low_m, high_m = -reach_m, reach_m
    above, below, below_unit = 0.0, 0.0, 0.0
    if street.lanes:
        points = turned(np.concatenate([dense(lane.points) for lane in street.lanes]), centre, turn)
        across_m = np.concatenate([points[np.abs(points[:, 0]) <= reach_m, 1], seen[:, 1]])
        low_m, high_m = max(float(across_m.min()), -reach_m), min(float(across_m.max()), reach_m)
        above, below, below_unit = _label_room(services=services)
    scale = min((width - 2 * _SIDE) / (2.0 * reach_m), _MOST_HEIGHT / max(high_m - low_m, 1.0))
    top = above + _MARGIN
    lowest = max((high_m - low_m) * scale + below, (high_m - float(seen[:, 1].min())) * scale + below_unit)
    return Projection(
        centre=centre,
        turn=turn,
        pixels_per_m=scale,
        origin=(width / 2.0, top + high_m * scale),
        size=(width, math.ceil(top + lowest + _MARGIN + _LEGEND)),
    )


def _label_room(*, services: bool) -> tuple[float, float, float]:
    """Returns the pixels that labels need above the road, below it, and below a unit."""
    above = max(map(abs, _LEVELS["client"]))
    return (above, max(_LEVELS["service"]), _LEVELS["unit"][0]) if services else (above, 0.0, _LEVELS["unit alone"][0])


def street_shapes(street: Street, onto: Projection) -> Shapes:
    """Returns the part of the map that stays the same: the lanes and junctions of the street."""
    shapes = Shapes(*onto.size)
    lanes = [(onto(lane.points), lane.width_m * onto.pixels_per_m) for lane in street.lanes]
    for line, width in lanes:
        shapes.line(line, _KERB, width + 1.6)
    for junction in street.junctions:
        shapes.polygon(onto(junction), _ASPHALT)
    for line, width in lanes:
        shapes.line(line, _ASPHALT, max(width - 0.3, 0.8))
    return shapes


class MapView:
    """Draws the maps of an environment's episodes. The street is drawn once."""

    def __init__(self, road: Road, street: Street, nodes: tuple[SceneNode, ...], places: Sequence[Place], width: int):
        units = [place for node, place in zip(nodes, places, strict=True) if node.kind in ("rsu", "server")]
        services = any(node.kind == "service" for node in nodes)
        self.onto = projection(road, street, units, width, services=services)
        self._background = street_shapes(street, self.onto)
        self._labels = [node.name for node in nodes]
        self._kinds = [node.kind for node in nodes]
        self._halves = [max(text_width(_short(node), 10, True) / 2.0 + 4.0, _BADGE_HEIGHT + 1) for node in nodes]
        self._texts = [_short(node) for node in nodes]
        self._aside = _label_offsets(nodes) if street.lanes else [0.0] * len(nodes)

    def draw(self, page: Page, top: int, scene: PresentScene) -> None:
        """Draws the map of a scene on a page, from `top` on."""
        spots = self._spots(scene.places)
        labels = {node: (x, y + self._aside[node]) for node, (x, y) in spots.items()}
        shapes = Shapes(*self.onto.size, background=self._background)
        for node, spot in spots.items():
            if self._aside[node]:
                shapes.line((spot, labels[node]), _KERB, 0.8)
        self._draw_links(shapes, scene, labels)
        for node, spot in spots.items():
            self._draw_spot(shapes, node, spot, scene.headings[node])
        for node, label in labels.items():
            self._draw_label(shapes, node, label, deciding=node in scene.deciding)
        page.paste(shapes, (0, top))
        for node, (x, y) in labels.items():
            page.text((x, y + top), self._texts[node], 10, PAPER, "mm", bold=True)
        self._draw_scale(page, top)

    def _spots(self, places: Sequence[Place]) -> Mapping[int, Point]:
        here = [node for node, place in enumerate(places) if place is not None]
        if not here:
            return {}
        pixels = self.onto(np.array([places[node] for node in here], dtype=np.float64))
        return {node: (x, y) for node, (x, y) in zip(here, pixels.tolist(), strict=True)}

    def _draw_links(self, shapes: Shapes, scene: PresentScene, labels: Mapping[int, Point]) -> None:
        for start, end, _ in scene.frame.links:
            if start != end and start in labels and end in labels:
                length = math.dist(labels[start], labels[end])
                side = 1.0 if labels[end][0] >= labels[start][0] else -1.0
                colour = COLOURS[self._kinds[end]]
                shapes.arrow(labels[start], labels[end], colour, bow=side * min(0.12 * length, 26.0), keep=11.0)

    def _draw_spot(self, shapes: Shapes, node: int, spot: Point, heading: float | None) -> None:
        """Draws the place of a node: an arrowhead for a vehicle that drives, a dot for others."""
        colour = COLOURS[self._kinds[node]]
        if not self._aside[node]:
            return
        if heading is None:
            shapes.circle(spot, _DOT, colour, PAPER)
            return
        turn = heading - self.onto.turn
        for size, of in ((_HEAD + 1.8, PAPER), (_HEAD, colour)):
            corners = [(spot[0] + size * math.cos(turn + a), spot[1] - size * math.sin(turn + a)) for a in _HEAD_ANGLES]
            shapes.polygon(corners, of)

    def _draw_label(self, shapes: Shapes, node: int, label: Point, *, deciding: bool) -> None:
        colour, edge = COLOURS[self._kinds[node]], DECIDING if deciding else PAPER
        round_corners = 8.0 if self._kinds[node] in SEATS else 2.0
        half = (self._halves[node] + 2.0 * deciding, _BADGE_HEIGHT + 2.0 * deciding)
        shapes.badge(label, half, colour, edge=edge, edge_width=2.6 if deciding else 1.0, radius=round_corners)

    def _draw_scale(self, page: Page, top: int) -> None:
        """Draws a bar of a round length, and the legend beside it."""
        metres = next(m for m in (500, 200, 100, 50, 20, 10, 5, 2, 1) if m * self.onto.pixels_per_m <= 160 or m == 1)
        y, x = top + self.onto.size[1] - 12, 14.0
        long = metres * self.onto.pixels_per_m
        for left, right, high in ((x, x + long, 1), (x, x + 1, 7), (x + long - 1, x + long, 7)):
            page.box(left, y - high + 3, right, y + 4 - (high == 1), PALE)
        page.text((x + long + 8, y), f"{metres} m", 11, PALE)
        x += long + 70.0
        for kind in dict.fromkeys(self._kinds):
            page.box(x, y - 5, x + 10, y + 5, COLOURS[kind])
            page.text((x + 16, y), WORDS[kind], 11, INK)
            x += 16 + text_width(WORDS[kind], 11) + 18
        page.text((x, y), "An arrow shows what was sent, in the colour of its receiver.", 11, PALE)


def _short(node: SceneNode) -> str:
    """Returns a node's name for its label, such as `3` for `vehicle 3`."""
    return node.name.removeprefix("vehicle ")


def _label_offsets(nodes: Sequence[SceneNode]) -> list[float]:
    """Returns how far the label of each node is below its place; each kind takes its levels in turn."""
    unit = "unit" if any(node.kind == "service" for node in nodes) else "unit alone"
    counts = {"client": 0, "service": 0, unit: 0}
    offsets = list[float]()
    for node in nodes:
        side = SEATS.get(node.kind, unit)
        levels = _LEVELS[side]
        offsets.append(levels[counts[side] % len(levels)])
        counts[side] += 1
    return offsets
