"""The picture of `TaskDiversion`: the road, the released task, the last decision, the queues and the batteries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vec_envs.problems.base import Frame
from vec_envs.problems.task_diversion.drawing_road import Scene, scene_of
from vec_envs.problems.task_diversion.problem import LOW_BATTERY
from vec_envs.problems.task_diversion.records import MAX_QUEUE_LENGTH

_SIZE_INCHES = (11.0, 6.2)
_VEHICLE, _BUSY, _NOW, _LAST, _RSU = "#33629c", "#9aa9bd", "#f0b400", "#c8501e", "#2e8540"
_LOW, _ASPHALT, _INK = "#b5352c", "#dcdcd8", "#333333"
_STRIPS = 4
"""Vehicles of one direction are drawn in this many strips, so that few hide each other. The strip has no meaning."""
_MIN_GAP = 0.045
"""Least distance between two vehicles of a strip, as a share of the picture's width."""
_UNIT_ROWS = 2
"""Units are drawn in this many rows beside the road, so that their ranges can be distinguished."""
_MIN_SCALE_S, _MIN_ROWS, _MIN_BARS = 5.0, 3, 10
_MAX_TICKS = 30

Point = tuple[float, float]


def draw(figure: Any, frame: Frame) -> None:
    """Draws the present epoch of an environment.

    The upper part shows the released task, the last decision, the vehicles on the road, and the roadside units (RSUs)
    with their ranges. The lower part shows the end times of the tasks in the queue of each unit, the battery level of
    each seat, and the remaining computing time of its vehicle.
    """
    figure.set_size_inches(*_SIZE_INCHES)
    scene = scene_of(frame)
    axes = figure.subplot_mosaic(
        [["now", "last"], ["road", "road"], ["queues", "battery"], ["queues", "busy"]],
        height_ratios=(0.85, 3.0, 1.15, 0.75),
        width_ratios=(1.0, 1.0),
    )
    figure.suptitle(_title(scene), x=0.01, ha="left", fontsize=12)
    figure.legend(handles=_legend(axes["road"]), loc="upper right", ncols=4, frameon=False, fontsize=8)
    _draw_note(axes["now"], _NOW, _task_lines(scene))
    _draw_note(axes["last"], _LAST, _decision_lines(scene))
    _draw_cut(axes["last"], scene)
    _draw_road(axes["road"], scene)
    _draw_queues(axes["queues"], scene)
    _draw_batteries(axes["battery"], scene)
    _draw_busy(axes["busy"], scene)


# The road ---------------------------------------------------------------------------------------------------------


def _draw_road(axes: Any, scene: Scene) -> None:
    half_m, range_m, directions = scene.half_m, scene.road.range_m, 2 if scene.two_way else 1
    top = float(_STRIPS * directions)
    axes.fill_between((-range_m, range_m), 0.0, top, color=_ASPHALT, linewidth=0, zorder=0)
    for side, arrow in zip(range(directions), "\u2192\u2190", strict=False):
        for x in (-0.95 * range_m, 0.95 * range_m):
            axes.text(x, (side + 0.5) * _STRIPS, arrow, fontsize=24, color="white", ha="center", va="center", zorder=1)
    if scene.two_way:
        axes.plot((-range_m, range_m), (_STRIPS, _STRIPS), color="white", linewidth=3, zorder=1)
    _draw_units(axes, scene, top)
    places = _places(scene)
    _draw_links(axes, scene, places)
    _draw_vehicles(axes, scene, places)
    axes.set(xlim=(-half_m, half_m), ylim=(-1.0 - _UNIT_ROWS, top + 0.2), yticks=[], xlabel="along the road [m]")
    axes.spines[["left", "right", "top"]].set_visible(False)


def _draw_units(axes: Any, scene: Scene, top: float) -> None:
    """Draws the units with their ranges, each as a line beside the road and a band over it."""
    range_m = scene.problem.rsu_range_m
    alpha = 0.16 / max(1.0, 2.0 * range_m / scene.problem.rsu_spacing_m)
    for unit, place in enumerate(scene.unit_m):
        ends, y = (place - range_m, place + range_m), _unit_place(scene, unit)[1]
        axes.fill_between(ends, y, top, color=_RSU, alpha=alpha, linewidth=0, zorder=1)
        axes.plot(ends, (y, y), color=_RSU, alpha=0.6, linewidth=1.2, marker="|", markersize=8, zorder=2)
        _badge(axes, (place, y), f"RSU {unit}", _RSU, "square,pad=0.3")


def _unit_place(scene: Scene, unit: int) -> Point:
    return float(scene.unit_m[unit]), -1.1 - 1.1 * (unit % _UNIT_ROWS)


def _places(scene: Scene) -> list[Point]:
    """Returns the position of each seat: in the strip of its number, or in the next strip with room."""
    taken: list[Point] = []
    for seat, (x, direction) in enumerate(zip(scene.seats.position_m, scene.seats.direction, strict=True)):
        if not scene.seats.held[seat]:
            taken.append((float("inf"), 0.0))
            continue
        strips = [_strip(scene, seat + k, int(direction)) for k in range(_STRIPS)]
        room = [min((abs(x - u) for u, v in taken if v == y), default=np.inf) for y in strips]
        free = [y for y, gap in zip(strips, room, strict=True) if gap > 2.0 * _MIN_GAP * scene.half_m]
        taken.append((float(x), free[0] if free else strips[int(np.argmax(room))]))
    return taken


def _strip(scene: Scene, number: int, direction: int) -> float:
    base = _STRIPS if direction < 0 and scene.two_way else 0
    return base + number % _STRIPS + 0.5


def _draw_links(axes: Any, scene: Scene, places: Sequence[Point]) -> None:
    """Draws lines from the released task to the units in range, dotted where not asked, and the last request."""
    if scene.task is not None:
        task, request = scene.task
        for unit, rate_mbps in zip(task.unit, task.rate_mbps, strict=True):
            if rate_mbps > 0.0:
                asked = unit == request.unit or scene.problem.diversion == "chosen"
                _line(axes, places[int(task.seat)], _unit_place(scene, int(unit)), _NOW, "-" if asked else ":")
    if scene.last is None:
        return
    task, outcome = scene.last
    seat = int(task.seat)
    start, direction = places[seat], 1 if task.speed_mps >= 0.0 else -1
    if not scene.last_is_here:
        start = float(task.position_m), _strip(scene, seat, direction)
        _vehicle(axes, start, seat, direction, "white", _LAST, _LAST)
    if outcome.offloaded:
        _line(axes, start, _unit_place(scene, int(outcome.unit)), _LAST, "-", bend=0.15)


def _line(axes: Any, start: Point, end: Point, colour: str, style: str, bend: float = 0.0) -> None:
    arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.8, "linestyle": style, "shrinkA": 9, "shrinkB": 10}
    axes.annotate("", end, start, arrowprops={**arrow, "connectionstyle": f"arc3,rad={bend}"}, zorder=3)


def _draw_vehicles(axes: Any, scene: Scene, places: Sequence[Point]) -> None:
    now = None if scene.task is None else scene.task[0].seat
    last = scene.last[0].seat if scene.last is not None and scene.last_is_here else None
    for seat in np.flatnonzero(scene.seats.held).tolist():
        colour = _BUSY if scene.seats.busy_s[seat] > 0.0 else _VEHICLE
        fill, ink = (_NOW, _INK) if seat == now else (colour, "white")
        edge = _LAST if seat == last else "white"
        _vehicle(axes, places[seat], seat, int(scene.seats.direction[seat]), fill, ink, edge)


def _vehicle(axes: Any, place: Point, seat: int, direction: int, fill: str, ink: str, edge: str) -> None:
    _badge(axes, place, f"{seat}", fill, "rarrow,pad=0.2" if direction > 0 else "larrow,pad=0.2", ink, edge)


def _badge(axes: Any, place: Point, text: str, fill: str, style: str, ink: str = "white", edge: str = "white") -> None:
    width = 1.0 if edge == "white" else 2.2
    box = {"boxstyle": style, "facecolor": fill, "edgecolor": edge, "linewidth": width}
    front = 5 if fill == _NOW else 4
    axes.text(*place, text, color=ink, fontsize=8, fontweight="bold", ha="center", va="center", bbox=box, zorder=front)


# Below the road ---------------------------------------------------------------------------------------------------


def _draw_queues(axes: Any, scene: Scene) -> None:
    """Draws the queue of each unit by the end times of its tasks, and marks the task of the last decision."""
    units = len(scene.unit_m)
    for unit in range(units):
        ends_s = scene.state.task_end_s[unit] - scene.now_s
        ends_s = ends_s[ends_s > 0.0]
        starts_s = np.concatenate([[0.0], ends_s[:-1]])
        colours = [_RSU] * len(ends_s)
        if scene.last is not None and scene.last[1].offloaded and scene.last[1].unit == unit:
            colours[-1:] = [_LAST] * len(colours[-1:])
        axes.barh([unit] * len(ends_s), ends_s - starts_s, left=starts_s, height=0.62, color=colours,
                  edgecolor="white", linewidth=0.6)  # fmt: skip
        wait_s = max(float(scene.state.rsu_free_s[unit]) - scene.now_s, 0.0)
        axes.text(wait_s, unit, f"  {_queue_words(wait_s, len(ends_s))}", va="center", fontsize=8, color=_INK)
    longest_s = max(float(scene.state.rsu_free_s.max()) - scene.now_s, _MIN_SCALE_S)
    axes.set_yticks(range(units), [f"RSU {unit}" for unit in range(units)], fontsize=8)
    axes.set(
        xlim=(0.0, 1.3 * longest_s),
        ylim=(max(units, _MIN_ROWS) - 0.4, -0.6),
        xlabel="time until the tasks at each unit end [s]",
    )
    axes.spines[["right", "top"]].set_visible(False)


def _queue_words(wait_s: float, tasks: int) -> str:
    if not tasks:
        return "idle"
    number = f"{tasks}+" if tasks == MAX_QUEUE_LENGTH else f"{tasks}"
    return f"{wait_s:.1f} s, {number} {'task' if tasks == 1 else 'tasks'}"


def _draw_batteries(axes: Any, scene: Scene) -> None:
    seats, held = scene.seats, scene.seats.held
    colours = np.where(seats.battery <= LOW_BATTERY, _LOW, _VEHICLE)
    _draw_bars(axes, scene, np.where(held, 100.0 * seats.battery, 0.0), colours.tolist())
    axes.axhline(100.0 * LOW_BATTERY, color=_LOW, linewidth=0.8, linestyle=(0, (4, 4)))
    right = axes.get_yaxis_transform()
    axes.text(1.01, 100.0 * LOW_BATTERY, "low", fontsize=8, color=_LOW, va="center", transform=right)
    axes.set(ylabel="battery [%]", ylim=(0.0, 100.0), xticks=[])


def _draw_busy(axes: Any, scene: Scene) -> None:
    busy_s, held = scene.seats.busy_s, scene.seats.held
    _draw_bars(axes, scene, busy_s, [_BUSY] * len(busy_s))
    ticks = range(0, len(held), 1 + len(held) // _MAX_TICKS)
    axes.set_xticks(ticks, [f"{seat}" if held[seat] else "\u2013" for seat in ticks], fontsize=8)
    axes.locator_params(axis="y", nbins=2)
    axes.set(ylabel="busy [s]", xlabel="vehicle", ylim=(0.0, max(1.15 * float(busy_s.max()), _MIN_SCALE_S)))


def _draw_bars(axes: Any, scene: Scene, height: np.ndarray, colours: Sequence[str]) -> None:
    """Draws a bar for each seat, and marks the seat that decides now."""
    seats = len(height)
    width = min(1.0, seats / _MIN_BARS)
    axes.bar(range(seats), height, color=colours, width=0.7 * width)
    if scene.task is not None:
        seat = float(scene.task[0].seat)
        axes.axvspan(seat - 0.5 * width, seat + 0.5 * width, color=_NOW, alpha=0.3, linewidth=0, zorder=0)
    axes.set_xlim(-0.7, seats - 0.3)
    axes.spines[["right", "top"]].set_visible(False)


# Text -------------------------------------------------------------------------------------------------------------


def _title(scene: Scene) -> str:
    return f"{scene.road.name}, second {scene.now_s:g} of {scene.problem.episode_slots * scene.problem.slot_s:g}"


def _legend(axes: Any) -> list[Any]:
    names = {_NOW: "decides now", _LAST: "decided last", _VEHICLE: "idle", _BUSY: "computes"}
    return [axes.scatter([], [], marker="s", color=colour, label=name) for colour, name in names.items()]


def _draw_note(axes: Any, colour: str, lines: Sequence[str]) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    axes.fill_between((0.0, 0.008), 0.0, 1.0, color=colour, linewidth=0)
    for number, line in enumerate(lines):
        font = {"fontsize": 9, "fontweight": "normal" if number else "bold", "color": _INK}
        axes.text(0.025, 0.84 - 0.34 * number, line, va="center", clip_on=True, **font)


def _draw_cut(axes: Any, scene: Scene) -> None:
    """Draws the layers of the last task's DNN, coloured by the side that runs them."""
    if scene.last is None:
        return
    outcome = scene.last[1]
    layers = int(scene.problem.num_layers[outcome.dnn])
    colours = [_VEHICLE if layer < outcome.cut else _RSU for layer in range(layers)]
    edges = np.linspace(0.66, 1.0, layers + 1)[:-1]
    axes.bar(edges, 0.24, 0.34 / layers, bottom=0.72, align="edge", color=colours, edgecolor="white", linewidth=0.5)


def _task_lines(scene: Scene) -> list[str]:
    if scene.task is None:
        return ["The episode is over"]
    task, request = scene.task
    profile = scene.problem.profiles[task.dnn]
    if scene.problem.diversion == "chosen":
        units = [f"RSU {u} at {r:.0f} Mbit/s" for u, r in zip(task.unit, task.rate_mbps, strict=True) if r > 0.0]
        asks = f"may ask {' or '.join(units)}"
    else:
        waits = f"with a wait of {request.queue_s:.1f} s" if request.queue_s > 0.0 else "which is idle"
        asks = f"asks RSU {request.unit} at {request.rate_mbps:.0f} Mbit/s, {waits}"
    return [
        f"Now: vehicle {task.seat} releases a task, {profile.name}",
        f"deadline {task.deadline_s:.1f} s, {profile.local_gflops[-1]:.1f} Gcycles, battery at {request.battery:.0%}",
        asks if request.asked >= 0 else "no RSU is in range: the vehicle runs all layers",
    ]


def _decision_lines(scene: Scene) -> list[str]:
    if scene.last is None:
        return ["No decision yet"]
    task, outcome = scene.last
    profile, done = scene.problem.profiles[outcome.dnn], outcome.task
    layers = profile.num_layers
    result = "lost" if outcome.failed else "late" if done.missed else "in time"
    taken = f"{done.time_s:.2f} s of {task.deadline_s:.1f} s ({result})"
    split = f"{outcome.cut} of {layers} layers on the vehicle at {outcome.vehicle_ghz:.1f} GHz"
    if outcome.cut == 0:
        split = f"all {layers} layers on RSU {outcome.unit} at {outcome.rsu_ghz:.1f} GHz"
    elif outcome.offloaded:
        split += f", rest on RSU {outcome.unit} at {outcome.rsu_ghz:.1f} GHz"
    return [
        f"Last: {profile.name} of vehicle {task.seat}, second {task.release_s:g}",
        split,
        f"{taken}, {done.energy_j:.0f} J weighted, cost {done.cost:.2f}",
    ]
