"""The picture of `DNNPartition`: the vehicles on the road, the offloaded tasks, and the queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from vec_envs.problems.base import Frame
from vec_envs.problems.dnn_partition.problem import DNNPartition, Exogenous, State
from vec_envs.records import map_arrays

_CLIENT, _SERVICE, _RSU, _ASPHALT = "#33629c", "#2e8540", "#c8501e", "#dcdcd8"
_STRIPS = 4
"""The number of strips on which vehicles are drawn, so that few overlap. The strip of a vehicle has no meaning."""
_LEAST_BAR_SCALE_GCYCLES = 10.0


def draw(figure: Any, frame: Frame) -> None:
    """Draws the present slot of one environment into an empty figure of matplotlib.

    The upper part shows the vehicles at their positions along the road, and an arrow from each client to the node that
    it sent work to in the last slot. The lower part shows the backlog of every queue.
    """
    problem, state, exogenous = cast(DNNPartition, frame.problem), frame.state, frame.exogenous
    road, queues = figure.subplots(2, 1, height_ratios=(3, 2))
    sent = _sent(frame)
    _draw_road(road, exogenous, frame.road.range_m, [node for _, node in sent])
    _draw_queues(queues, problem, state, sent)
    road.set_title(_title(frame), loc="left")


def _sent(frame: Frame) -> list[tuple[int, int | None]]:
    """Returns each client's last cut and the node that it sent to (None for none); empty before the first action."""
    if frame.last_action is None:
        return []
    problem = cast(DNNPartition, frame.problem)
    last_slot = map_arrays(lambda a: a[frame.epoch - 1], frame.episode)
    played = problem.as_played(np.asarray(frame.last_action), last_slot)
    chosen = (divmod(int(action), problem.num_nodes) for action in played)
    return [
        (cut, node if cut < layers else None) for (cut, node), layers in zip(chosen, problem.num_layers, strict=True)
    ]


def _title(frame: Frame) -> str:
    problem = cast(DNNPartition, frame.problem)
    backlog = sum(float(np.sum(queue)) for queue in cast(dict[str, np.ndarray], vars(frame.state)).values())
    title = f"{frame.road.name}, slot {frame.epoch} of {problem.episode_slots}, backlog {backlog:.1f} Gcycles"
    if frame.last_outcome is None:
        return title
    completion_s = float(np.sum(frame.last_outcome.delay_s))
    return f"{title}; last completion time {completion_s:.2f} s, reward {float(frame.last_outcome.reward):.1f}"


def _draw_road(axes: Any, exogenous: Exogenous, range_m: float, nodes: Sequence[int | None]) -> None:
    """Draws the vehicles, the roadside unit, and an arrow for each task that was sent; `nodes` by client."""
    clients = [(float(x), i % _STRIPS + 0.5) for i, x in enumerate(exogenous.client_position_m)]
    services = [(float(x), (j + 2) % _STRIPS + 0.5) for j, x in enumerate(exogenous.service_position_m)]
    places = [(0.0, -0.9), *services]
    axes.axhspan(0.0, _STRIPS, color=_ASPHALT, zorder=0)
    axes.axhline(_STRIPS / 2, color="white", linewidth=2, linestyle=(0, (8, 8)), zorder=1)
    for start, node in zip(clients, nodes, strict=False):
        if node is not None:
            (x, y), colour = places[node], _SERVICE if node else _RSU
            axes.annotate(
                "", (x, y), start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6, "alpha": 0.75}
            )
    for marks, colour, letter in ((clients, _CLIENT, "c"), (services, _SERVICE, "s")):
        for number, (x, y) in enumerate(marks):
            _badge(axes, x, y, f"{letter}{number}", colour, "round,pad=0.25,rounding_size=0.3")
    _badge(axes, *places[0], "RSU", _RSU, "square,pad=0.3")
    axes.set(
        xlim=(-range_m, range_m),
        ylim=(-1.5, _STRIPS + 0.2),
        yticks=[],
        xlabel="position along the road [m]",
    )
    axes.spines[["left", "right", "top"]].set_visible(False)


def _badge(axes: Any, x: float, y: float, text: str, colour: str, style: str) -> None:
    box = {"boxstyle": style, "facecolor": colour, "edgecolor": "white"}
    axes.text(x, y, text, color="white", fontsize=9, fontweight="bold", ha="center", va="center", bbox=box, zorder=4)


def _draw_queues(axes: Any, problem: DNNPartition, state: State, sent: Sequence[tuple[int, int | None]]) -> None:
    clients = [_client_label(i, sent) for i in range(problem.num_client_vehicles)]
    types = [profile.name for profile in problem.profiles]
    services = [f"s{j}" for j in range(problem.num_service_vehicles)]
    rows = (
        ("clients", _CLIENT, state.client_backlog_gcycles, clients),
        ("RSU, by DNN", _RSU, state.rsu_backlog_gcycles, types),
        ("service vehicles", _SERVICE, state.service_backlog_gcycles, services),
    )
    start, ticks = 0, dict[int, str]()
    for name, colour, backlog, labels in rows:
        places = range(start, start + len(labels))
        bars = axes.bar(list(places), backlog, color=colour, label=name)
        axes.bar_label(bars, [f"{value:.1f}" if value > 0.0 else "" for value in backlog], fontsize=8, color="#444444")
        ticks.update(zip(places, labels, strict=True))
        start += len(labels) + 1
    axes.set_xticks(list(ticks), list(ticks.values()), fontsize=8)
    axes.set(ylabel="backlog [Gcycles]", xlim=(-0.7, start - 1.3))
    axes.set_ylim(0.0, max(axes.get_ylim()[1] * 1.25, _LEAST_BAR_SCALE_GCYCLES))
    axes.legend(loc="upper right", ncols=3, frameon=False, fontsize=8)
    axes.spines[["right", "top"]].set_visible(False)


def _client_label(client: int, sent: Sequence[tuple[int, int | None]]) -> str:
    if not sent:
        return f"c{client}"
    cut, node = sent[client]
    return f"c{client}\n{'all local' if node is None else f'{cut} | ' + (f's{node - 1}' if node else 'RSU')}"
