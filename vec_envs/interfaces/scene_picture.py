"""The picture of a present scene: a title, the map, and a table with each node's queues, cut and receiver."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

from vec_envs.interfaces.canvas import INK, PALE, Page, fitting
from vec_envs.interfaces.map_view import COLOURS, DECIDING, MapView
from vec_envs.interfaces.present_scene import SEATS, PresentScene
from vec_envs.mobility.street import Street
from vec_envs.problems.scenes import SceneNode

WIDTH = 1100
_TITLE, _HEAD, _MARGIN, _GAP = 52, 34, 14, 22
_ROW, _LEAST_ROW, _MOST_TABLE = 20, 13, 360
_NAME, _BAR, _NUMBER, _CUT = 62, 86, 46, 92
_EMPTY, _LINE = "#eceef0", "#e1e3e6"


@dataclass(kw_only=True)
class ScenePictures:
    """Draws the pictures of a batch's environments. It keeps the street, and each environment's scales of the bars.

    The scale of a queue's bars is 1, 2 or 5 times a power of 10, and grows with the longest queue of the episode so
    far. It never shrinks within an episode.
    """

    street: Street
    _map: MapView | None = None
    _longest: dict[int, list[float]] = field(default_factory=dict[int, list[float]])

    def picture(self, scene: PresentScene, row: int = 0) -> UInt8[np.ndarray, "height width 3"]:
        """Returns the picture of a scene of one environment, given by its row in the batch."""
        nodes = scene.scenery.nodes
        if self._map is None:
            self._map = MapView(scene.road, self.street, nodes, scene.places, WIDTH)
        scales = self._scales(scene, row)
        top = _TITLE + self._map.onto.size[1]
        left, right = _rows_of(scene)
        rows = max(len(left), len(right))
        row_height = _row_height(rows)
        height = top + _HEAD + row_height * rows + _MARGIN
        page = Page(WIDTH, height + height % 2)  # videos need even numbers
        _draw_title(page, scene)
        self._map.draw(page, _TITLE, scene)
        table = _Table(page=page, scene=scene, scales=scales, row=row_height, top=top)
        right_width = _NAME + len(table.kinds(right)) * (_BAR + _NUMBER) if right else 0
        table.draw(left, _MARGIN, WIDTH - 2 * _MARGIN - (right_width + _GAP if right else 0), sends=True)
        if right:
            table.draw(right, WIDTH - _MARGIN - right_width, right_width, sends=False)
        return page.pixels()

    def _scales(self, scene: PresentScene, row: int) -> list[float]:
        """Returns the value of a full bar of each kind of queue."""
        nodes, kinds = len(scene.scenery.nodes), len(scene.scenery.queues)
        waits = [scene.frame.waits[kind * nodes : (kind + 1) * nodes] for kind in range(kinds)]
        most = [max((wait for wait in of if wait is not None), default=0.0) for of in waits]
        known = self._longest.get(row, [0.0] * kinds) if scene.slot else [0.0] * kinds
        self._longest[row] = [max(pair) for pair in zip(known, most, strict=True)]
        return [_round_above(value) for value in self._longest[row]]


def _round_above(value: float) -> float:
    """Returns the least of 1, 2, 5, 10, 20, ... that is not below the value."""
    if value <= 1.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value * (1.0 - 1e-12))


def _rows_of(scene: PresentScene) -> tuple[list[int], list[int]]:
    """Returns the nodes of the table: on the left the senders, on the right other nodes with a queue."""
    nodes = scene.scenery.nodes
    sends = [node for node, of in enumerate(nodes) if SEATS.get(of.kind) == "client"]
    waits = scene.frame.waits
    queued = {place % len(nodes) for place, wait in enumerate(waits) if wait is not None}
    others = [node for node, of in enumerate(nodes) if node not in sends and (node in queued or of.kind == "service")]
    return (sends, others) if sends else (others, [])


def _row_height(rows: int) -> int:
    return max(min(_ROW, _MOST_TABLE // max(rows, 1)), _LEAST_ROW)


def _draw_title(page: Page, scene: PresentScene) -> None:
    now = f"{scene.road.name}, slot {scene.slot} of {scene.num_slots}"
    time = f"  ({scene.slot * scene.scenery.slot_s:g} s)"
    deciding = [scene.scenery.nodes[node].name for node in scene.deciding]
    turn = f"; {deciding[0]} decides now" if deciding else ""
    page.text((_MARGIN, 17), now + time + turn, 15, bold=True)
    page.text((_MARGIN, 39), fitting(scene.frame.caption, WIDTH - 2 * _MARGIN, 12), 12)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Draws the rows of nodes below the map."""

    page: Page
    scene: PresentScene
    scales: list[float]
    row: int
    top: int

    def kinds(self, nodes: list[int]) -> list[int]:
        """Returns the kinds of queues that any of the nodes has."""
        waits, every = self.scene.frame.waits, len(self.scene.scenery.nodes)
        return [k for k in range(len(self.scales)) if any(waits[k * every + node] is not None for node in nodes)]

    def draw(self, nodes: list[int], left: float, width: float, *, sends: bool) -> None:
        """Draws a block of rows; with `sends`, also the cut of each node and the data that it sends."""
        kinds = list(range(len(self.scales))) if sends else self.kinds(nodes)
        columns = {kind: left + _NAME + place * (_BAR + _NUMBER) for place, kind in enumerate(kinds)}
        after = left + _NAME + len(kinds) * (_BAR + _NUMBER)
        self._head(columns, after, left, width, sends=sends)
        size = 11 if self.row >= 16 else 9
        for index, node in enumerate(nodes):
            y = self.top + _HEAD + (index + 0.5) * self.row
            self._name(node, left, y, size)
            self._queues(node, columns, y, size)
            if sends:
                self._cut(node, after, y)
                words = "; ".join(self._sent(link) for link in self.scene.frame.links if link[0] == node)
                start = after + _CUT + 14
                self.page.text((start, y), fitting(words, left + width - start, size), size, INK)

    def _head(self, columns: dict[int, float], after: float, left: float, width: float, *, sends: bool) -> None:
        y = self.top + 8
        for kind, x in columns.items():
            queue, scale = self.scene.scenery.queues[kind], self.scales[kind]
            unit = f" {queue.unit}" if queue.unit else ""
            self.page.text((x, y), queue.name, 11, INK, bold=True)
            self.page.text((x, y + 13), f"full bar: {scale:g}{unit}", 9, PALE)
        if sends:
            self.page.text((after, y), "Layers run by", 11, INK, bold=True)
            self.page.text((after, y + 13), "sender | receiver", 9, PALE)
            self.page.text((after + _CUT + 14, y), "What was sent, and what was kept", 11, INK, bold=True)
        self.page.box(left, self.top + _HEAD - 4, left + width, self.top + _HEAD - 3, _LINE)

    def _name(self, node: int, left: float, y: float, size: int) -> None:
        of: SceneNode = self.scene.scenery.nodes[node]
        half = min(self.row / 2 - 3, 5)
        if node in self.scene.deciding:
            self.page.box(left - 2, y - half - 2, left + 2 * half + 2, y + half + 2, DECIDING)
        self.page.box(left, y - half, left + 2 * half, y + half, COLOURS[of.kind])
        here = self.scene.places[node] is not None
        self.page.text((left + 15, y), of.name.removeprefix("vehicle "), size, INK if here else PALE, bold=here)

    def _queues(self, node: int, columns: dict[int, float], y: float, size: int) -> None:
        nodes, half = len(self.scene.scenery.nodes), max(self.row / 2 - 4, 3)
        for kind, x in columns.items():
            wait, scale = self.scene.frame.waits[kind * nodes + node], self.scales[kind]
            if wait is None:
                continue
            colour = COLOURS[self.scene.scenery.nodes[node].kind]
            self.page.box(x, y - half, x + _BAR, y + half, _EMPTY)
            self.page.box(x, y - half, x + _BAR * min(max(wait, 0.0) / scale, 1.0), y + half, colour)
            self.page.text((x + _BAR + 5, y), f"{wait:.1f}" if abs(wait) < 1000 else f"{wait:.0f}", size, INK)

    def _cut(self, node: int, left: float, y: float) -> None:
        """Draws the layers of a node's DNN: its own layers in its colour, the others in that of the receiver."""
        found = [cut for cut in self.scene.frame.cuts if cut[0] == node]
        if not found:
            return
        _, own, layers = found[-1]
        ends = [end for start, end, _ in self.scene.frame.links if start == node]
        kinds = self.scene.scenery.nodes
        colours = COLOURS[kinds[node].kind], COLOURS[kinds[ends[-1] if ends else node].kind]
        edges = np.linspace(left, left + _CUT, layers + 1).tolist()
        half, gap = max(self.row / 2 - 4, 3), 1 if layers <= _CUT / 3 else 0
        for layer in range(layers):
            self.page.box(edges[layer], y - half, edges[layer + 1] - gap, y + half, colours[layer >= own])

    def _sent(self, link: tuple[int, int, str]) -> str:
        start, end, what = link
        return f"keeps {what}" if start == end else f"\u2192 {self.scene.scenery.nodes[end].name}: {what}"
