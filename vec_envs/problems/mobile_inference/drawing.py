"""The picture of `MobileInference`: the street with its cells and links, the tasks in flight, and the energy queues."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float

from vec_envs.problems.base import Frame
from vec_envs.problems.mobile_inference.links import headings
from vec_envs.problems.mobile_inference.loads import loads
from vec_envs.problems.mobile_inference.problem import MobileInference
from vec_envs.problems.mobile_inference.records import Exogenous, Outcome, State
from vec_envs.records import map_arrays

_SIZE_INCHES = (11.0, 6.6)
_CLIENT, _SERVICE, _RSU, _ASPHALT, _INK = "#33629c", "#2e8540", "#c8501e", "#dcdcd8", "#333333"
_CELLS = ("#fbe9e1", "#fdf6ee")
"""The colours of neighbouring cells, in turn."""
_STRIPS, _MEDIAN = 3, 0.4
"""Vehicles of one direction are drawn in this many strips, so that few overlap. The strip has no meaning."""
_LEAST_GAP = 0.05
"""Least distance between two vehicles of a strip, as a share of half the picture's width."""
_UNIT_Y = -1.3
_BEST_EFFICIENCY = 4.4
"""About the highest efficiency of the channel model, in bit/s/Hz: the strongest line."""
_LEAST_QUEUE_SCALE_J = 10.0

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class _Street:
    """The places in the picture. A seat without a vehicle has no meaningful place."""

    clients: list[Point]
    client_there: Bool[np.ndarray, "clients"]
    nodes: list[Point]
    """The units, then the service vehicles."""
    node_there: Bool[np.ndarray, "nodes"]
    half_m: float


def draw(figure: Any, frame: Frame) -> None:
    """Draws the present slot of one environment into an empty figure of matplotlib.

    The upper part shows the vehicles at their positions along the street, the units with their cells and loads, and the
    links: the wider and darker a line, the higher the efficiency. The link of a task in flight is in colour, dotted
    where nothing is heard. The lower part shows what is left of each task in flight, and the energy queues.
    """
    figure.set_size_inches(*_SIZE_INCHES)
    axes = figure.subplot_mosaic([["street", "street"], ["tasks", "energy"]], height_ratios=(3, 2), width_ratios=(3, 1))
    state, exogenous = cast(State, frame.state), cast(Exogenous, frame.exogenous)
    street = _street_of(frame)
    axes["street"].set_title(_title(frame), loc="left", fontsize=10)
    _draw_cells(axes["street"], frame, street)
    _draw_links(axes["street"], state, exogenous, street)
    _draw_nodes(axes["street"], state, street)
    _draw_tasks(axes["tasks"], cast(MobileInference, frame.problem), state, street)
    _draw_energy(axes["energy"], state, street)


def _title(frame: Frame) -> str:
    problem, state = cast(MobileInference, frame.problem), cast(State, frame.state)
    flying, waiting = int(state.in_flight.sum()), int(state.waiting.sum())
    slot = f"{frame.road.name}, slot {frame.epoch} of {problem.episode_slots}"
    title = f"{slot}; tasks: {flying} in flight, {waiting} waiting"
    if frame.last_outcome is None:
        return title
    last = cast(Outcome, frame.last_outcome)
    return f"{title}; last slot: {last.done.sum()} done, {last.missed.sum()} missed, cost {float(last.cost_s):.1f} s"


# The street -------------------------------------------------------------------------------------------------------


def _street_of(frame: Frame) -> _Street:
    exogenous = cast(Exogenous, frame.exogenous)
    units_m = np.asarray(exogenous.unit_position_m)
    half_m = 1.03 * max(frame.road.range_m, float(np.abs(units_m).max()))
    there = np.concatenate([np.asarray(exogenous.client_present), exogenous.service_present])
    position_m = np.concatenate([np.asarray(exogenous.client_position_m), np.asarray(exogenous.service_position_m)])
    heading = np.concatenate([np.asarray(exogenous.client_heading), _service_headings(frame)])
    vehicles = _places(position_m, heading, there, least_gap_m=_LEAST_GAP * half_m)
    clients = exogenous.client_ghz.shape[-1]
    return _Street(
        clients=vehicles[:clients],
        client_there=there[:clients],
        nodes=[*((float(x), _UNIT_Y) for x in units_m), *vehicles[clients:]],
        node_there=np.concatenate([np.ones(len(units_m), np.bool_), exogenous.service_present]),
        half_m=half_m,
    )


def _service_headings(frame: Frame) -> Float[np.ndarray, "services"]:
    """Returns 1 for service vehicles that drive along the axis, -1 for the others; a vehicle that stands keeps it."""
    episode = cast(Exogenous, frame.episode)
    holder = np.cumsum(episode.service_leaves, axis=0) - episode.service_leaves
    return headings(np.asarray(episode.service_speed_mps), holder)[frame.epoch]


def _places(
    position_m: Float[np.ndarray, "seats"],
    heading: Float[np.ndarray, "seats"],
    there: Bool[np.ndarray, "seats"],
    *,
    least_gap_m: float,
) -> list[Point]:
    """Returns the place of each vehicle: in the strip of its number, or in the next strip with room.

    Vehicles that drive against the axis are beyond the median.
    """
    places: list[Point] = []
    for seat, (x, ahead) in enumerate(zip(position_m.tolist(), (heading >= 0.0).tolist(), strict=True)):
        strips = [(0.0 if ahead else _STRIPS + _MEDIAN) + (seat + k) % _STRIPS + 0.5 for k in range(_STRIPS)]
        gaps = [min((abs(x - u) for u, v in places if v == y), default=np.inf) for y in strips]
        free = [y for y, gap in zip(strips, gaps, strict=True) if gap > least_gap_m]
        y = free[0] if free else strips[int(np.argmax(gaps))]
        places.append((x, y) if there[seat] else (np.inf, y))
    return places


def _draw_cells(axes: Any, frame: Frame, street: _Street) -> None:
    """Draws the street and the cell of each unit, between the middles to its neighbours, with its load."""
    problem, state = cast(MobileInference, frame.problem), cast(State, frame.state)
    range_m, half_m, top = frame.road.range_m, street.half_m, 2 * _STRIPS + _MEDIAN
    busy = loads(map_arrays(lambda a: a[None], state), frame.exogenous.v2i_efficiency[None], problem.num_nodes)
    units_m = [x for x, _ in street.nodes[: problem.num_rsus]]
    ends_m = [-half_m, *((a + b) / 2.0 for a, b in pairwise(units_m)), half_m]
    for unit, (left, right) in enumerate(pairwise(ends_m)):
        axes.axvspan(left, right, color=_CELLS[unit % 2], linewidth=0, zorder=0)
        senders, tasks, work = (int(values[0, unit]) for values in (busy.senders, busy.tasks, busy.gcycles))
        words = f"senders: {senders}\ntasks: {tasks} ({work} Gcycles)"
        axes.text((left + right) / 2.0, _UNIT_Y - 1.0, words, fontsize=8, color=_INK, ha="center", va="center")
    for bottom in (0.0, _STRIPS + _MEDIAN):
        axes.fill_between((-range_m, range_m), bottom, bottom + _STRIPS, color=_ASPHALT, linewidth=0, zorder=1)
    axes.set(xlim=(-half_m, half_m), ylim=(_UNIT_Y - 1.8, top + 0.2), yticks=[], xlabel="position along the road [m]")
    axes.spines[["left", "right", "top"]].set_visible(False)


def _draw_links(axes: Any, state: State, exogenous: Exogenous, street: _Street) -> None:
    """Draws each client's links: to the unit that it hears best, and to all service vehicles that it hears."""
    units = exogenous.v2i_efficiency.shape[-1]
    for client in np.flatnonzero(street.client_there).tolist():
        access = int(exogenous.v2i_efficiency[client].argmax())
        heard = [(access, float(exogenous.v2i_efficiency[client, access]))]
        heard += [(units + s, float(e)) for s, e in enumerate(exogenous.v2v_efficiency[client])]
        node = int(state.node[client])
        for receiver, efficiency in heard:
            used = node >= 0 and receiver == (node if node >= units else access)
            if efficiency > 0.0 or used:
                _line(axes, street.clients[client], street.nodes[receiver], efficiency, receiver < units, used=used)


def _line(axes: Any, start: Point, end: Point, efficiency: float, to_unit: bool, *, used: bool) -> None:
    strength = min(efficiency / _BEST_EFFICIENCY, 1.0)
    colour, alpha = (_RSU if to_unit else _SERVICE, 0.9) if used else ("#555555", 0.06 + 0.3 * strength)
    style = ":" if used and not efficiency else "-"
    width = (1.2 if used else 0.4) + 1.8 * strength
    axes.plot(*zip(start, end, strict=True), style, color=colour, alpha=alpha, linewidth=width, zorder=3 if used else 2)


def _draw_nodes(axes: Any, state: State, street: _Street) -> None:
    units = sum(y == _UNIT_Y for _, y in street.nodes)
    for node in np.flatnonzero(street.node_there).tolist():
        if street.nodes[node][1] == _UNIT_Y:
            _badge(axes, street.nodes[node], f"RSU {node}", _RSU, "square,pad=0.3")
        else:
            _badge(axes, street.nodes[node], f"s{node - units}", _SERVICE, "round,pad=0.2,rounding_size=0.2")
    for client in np.flatnonzero(street.client_there).tolist():
        marked = state.in_flight[client] or state.waiting[client]
        _badge(axes, street.clients[client], f"c{client}", _CLIENT, "circle,pad=0.15", edge=_INK if marked else "white")


def _badge(axes: Any, place: Point, text: str, colour: str, style: str, edge: str = "white") -> None:
    box = {"boxstyle": style, "facecolor": colour, "edgecolor": edge, "linewidth": 1.0 if edge == "white" else 1.8}
    axes.text(*place, text, color="white", fontsize=8, fontweight="bold", ha="center", va="center", bbox=box, zorder=4)


# Below the street -------------------------------------------------------------------------------------------------


def _draw_tasks(axes: Any, problem: MobileInference, state: State, street: _Street) -> None:
    """Draws for each client the age of its task in flight, and its work and data that are left, as bars."""
    starts, clients = problem.starts, len(street.clients)
    columns = (
        ("age [s]", state.age_s, float(problem.deadline_s), "#8a8a8a"),
        ("local work left [Gcycles]", state.local_gcycles, float(starts.local_gcycles.max(axis=1).mean()), _CLIENT),
        ("data left [Mbit]", state.send_mbit, float(starts.task_mbit[:, 0].max()), "#b58900"),
        (
            "work left at the node [Gcycles]",
            state.edge_gcycles,
            float(starts.edge_gcycles.max(axis=1).mean()),
            _SERVICE,
        ),
    )
    size = max(min(8.0, 100.0 / clients), 3.0)
    for column, (name, values, scale, colour) in enumerate(columns):
        axes.text(column, -0.75, name, fontsize=8, color=_INK)
        axes.barh(range(clients), 0.55 * np.minimum(values / scale, 1.0), left=column, height=0.6, color=colour)
        for client in np.flatnonzero(state.in_flight & street.client_there).tolist():
            x = column + 0.57 * min(float(values[client]) / scale, 1.0)
            axes.text(x, client, f" {float(values[client]):.1f}", fontsize=size, color=_INK, va="center")
    labels = [_task_label(problem, state, client) for client in range(clients)]
    axes.set_yticks(range(clients), labels, fontsize=size)
    axes.set(xlim=(0.0, len(columns)), ylim=(clients - 0.4, -1.2), xticks=[])
    axes.spines[["right", "top", "bottom"]].set_visible(False)


def _task_label(problem: MobileInference, state: State, client: int) -> str:
    node = int(state.node[client])
    there = "itself" if node < 0 else f"RSU {node}" if node < problem.num_rsus else f"s{node - problem.num_rsus}"
    label = f"c{client} at {there}" if state.in_flight[client] else f"c{client}"
    if state.waiting[client]:
        name = problem.profiles[int(state.waiting_type[client])].name
        label += f"\n{name} waits {float(state.waiting_age_s[client]):.1f} s"
    return label


def _draw_energy(axes: Any, state: State, street: _Street) -> None:
    clients, queues_j = len(street.clients), state.energy_queue_j
    axes.barh(range(clients), np.where(street.client_there, queues_j, 0.0), height=0.6, color=_CLIENT)
    longest_j = max(1.15 * float(queues_j.max()), _LEAST_QUEUE_SCALE_J)
    labels = [f"c{client}" for client in range(clients)]
    axes.set_yticks(range(clients), labels, fontsize=max(min(8.0, 100.0 / clients), 3.0))
    axes.set(xlim=(0.0, longest_j), ylim=(clients - 0.4, -1.2), xlabel="energy queue [J]")
    axes.spines[["right", "top"]].set_visible(False)
