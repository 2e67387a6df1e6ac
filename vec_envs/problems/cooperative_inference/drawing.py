"""The picture of `CooperativeInference`: devices around the server's antenna, and a row of bars for each device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from vec_envs.problems.base import Frame
from vec_envs.problems.cooperative_inference.observation import GAIN_DISTANCE_M
from vec_envs.problems.cooperative_inference.problem import CooperativeInference, Exogenous, Outcome, State

_DEVICE, _SENDING, _SERVER, _UNUSED = "#33629c", "#c8501e", "#2e8540", "#dcdcd8"
_ENERGY, _MEMORY, _ARRIVALS, _INK = "#f0b400", "#8a6bb0", "#9aa9bd", "#333333"
_LEAST_ROWS, _ROWS_OF_FULL_SIZE, _MOST_GAINS = 4, 12, 14
"""The minimum number of rows, the maximum number with full-size text, and the maximum number with written gains."""
_FULL_SIZE, _LEAST_SIZE, _HEIGHT = 8.0, 6.5, 0.62
_LEAST_RATE_HZ, _LEAST_DELAY_S, _LEAST_QUEUE = 1.0, 0.05, 1.0
_REFERENCE_WIDTH, _WIDTH_PER_DB, _WIDTHS = 3.0, 0.15, (0.5, 7.0)
"""Widths in points: of a link with the mean gain at 150 m, of each dB above it, and the least and largest width."""
_LONGEST_NAME = 11
_ROUND, _CENTRED = "round,pad=0.25,rounding_size=0.3", {"ha": "center", "va": "center"}
_UNDECIDED = "no decision yet"


def draw(figure: Any, frame: Frame) -> None:
    """Draws the present slot of one environment.

    The left side shows the devices around the antenna, and below them the shares of the server and of the bandwidth.
    The devices stand on a circle in the order of their numbers, because the exogenous record has no positions. A link
    is wider where its present gain is higher. The right side has a row for each device: the last cut and speed, the
    last delay, the present arrival rate, and the virtual queues.
    """
    problem, state, exogenous = cast(CooperativeInference, frame.problem), frame.state, frame.exogenous
    last = frame.last_outcome
    axes = figure.subplot_mosaic(
        [["scene", "cut", "delay", "rate", "energy", "memory"], ["shares", "cut", "delay", "rate", "energy", "memory"]],
        height_ratios=(3.6, 1.0),
        width_ratios=(3.0, 2.0, 1.3, 0.9, 1.0, 1.0),
    )
    figure.suptitle(_title(frame, last), x=0.01, ha="left", fontsize=12)
    figure.legend(handles=_legend(axes["scene"]), loc="upper right", ncols=3, frameon=False, fontsize=8)
    _draw_scene(axes["scene"], problem, exogenous, last)
    _draw_shares(axes["shares"], problem, last)
    _draw_cuts(axes["cut"], problem, last)
    _draw_delays(axes["delay"], problem, last)
    _draw_present(axes, problem, state, exogenous)


def _title(frame: Frame, last: Outcome | None) -> str:
    problem = cast(CooperativeInference, frame.problem)
    title = f"{frame.road.name}, slot {frame.epoch} of {problem.episode_slots}"
    if last is None:
        return title
    delay_s = float(last.delay_s.sum()) / max(int(last.has_tasks.sum()), 1)
    return f"{title}; tasks took {delay_s:.3g} s on average, reward {float(last.reward):.1f}"


def _legend(axes: Any) -> list[Any]:
    names = {_DEVICE: "device", _SENDING: "sending", _SERVER: "server"}
    return [axes.scatter([], [], marker="s", color=colour, label=name) for colour, name in names.items()]


# The left side -----------------------------------------------------------------------------------------------------


def _draw_scene(axes: Any, problem: CooperativeInference, exogenous: Exogenous, last: Outcome | None) -> None:
    """Draws the devices around the antenna. A link has the colour of sending if its device sent in the last slot.

    A device without arrivals, such as a seat without a vehicle, is pale and has no link.
    """
    devices, size = problem.num_devices, _font_size(problem)
    angles = 2.0 * np.pi * np.arange(devices) / devices
    gain_db = 10.0 * np.log10(exogenous.gain)
    reference_db = 10.0 * np.log10(problem.channel.mean_gain(np.array(GAIN_DISTANCE_M)))
    widths = np.clip(_REFERENCE_WIDTH + _WIDTH_PER_DB * (gain_db - reference_db), *_WIDTHS)
    for device, place in enumerate(zip(np.cos(angles), np.sin(angles), strict=True)):
        has_tasks = bool(exogenous.arrival_rate_hz[device] > 0.0)
        if has_tasks:
            colour = _SENDING if last is not None and last.transmit_s[device] > 0.0 else _ARRIVALS
            axes.plot(*zip((0.0, 0.0), place, strict=True), color=colour, linewidth=widths[device], alpha=0.75)
        _badge(axes, place, f"d{device}", _DEVICE if has_tasks else _ARRIVALS, _ROUND, size + 1.0)
        if devices <= _MOST_GAINS:
            words = f"{gain_db[device]:.0f} dB" if has_tasks else "no tasks"
            beside = 0.0, (size + 7.0) * (1.0 if place[1] > -1e-9 else -1.0)
            axes.annotate(words, place, beside, textcoords="offset points", fontsize=size, color=_INK, **_CENTRED)
    _badge(axes, (0.0, 0.0), "server", _SERVER, "square,pad=0.3", 9.0)
    axes.set(xlim=(-1.2, 1.2), ylim=(-1.25, 1.25))
    axes.set_axis_off()
    axes.set_title("links by gain now (places not to scale)", fontsize=9, color=_INK)


def _badge(axes: Any, place: tuple[float, float], text: str, colour: str, style: str, size: float) -> None:
    box = {"boxstyle": style, "facecolor": colour, "edgecolor": "white"}
    axes.text(*place, text, color="white", fontsize=size, fontweight="bold", **_CENTRED, bbox=box)


def _draw_shares(axes: Any, problem: CooperativeInference, last: Outcome | None) -> None:
    """Draws a bar for the server and one for the bandwidth, each divided into the shares of the devices."""
    if last is None:
        axes.text(0.5, 0.5, _UNDECIDED, fontsize=8, color=_INK, **_CENTRED)
    else:
        shares = (last.server_ghz / problem.server_ghz, _SERVER), (last.bandwidth_share, _SENDING)
        for place, (share, colour) in enumerate(shares):
            starts = np.cumsum(share) - share
            axes.barh(place, share, left=starts, height=0.7, color=colour, edgecolor="white", linewidth=1.0)
            for device, (start, part) in enumerate(zip(starts, share, strict=True)):
                text = _fitting(f"d{device}", float(part))
                axes.text(start + 0.5 * part, place, text, fontsize=8, color="white", **_CENTRED)
    axes.set_yticks((0, 1), ("server", "bandwidth"), fontsize=8)
    axes.set_xticks((0.0, 0.5, 1.0), ("0", "50 %", "100 %"), fontsize=8)
    axes.set(xlim=(0.0, 1.0), ylim=(1.5, -0.5))
    axes.set_title("shares given last", fontsize=9, color=_INK)
    axes.spines[["right", "top"]].set_visible(False)


def _fitting(text: str, part: float) -> str:
    """Returns the text, or an empty one if it does not fit into this part of the bar."""
    return text if part > 0.033 * len(text) else ""


# A row for each device --------------------------------------------------------------------------------------------


def _draw_cuts(axes: Any, problem: CooperativeInference, last: Outcome | None) -> None:
    """Draws the layers of each DNN, coloured by who runs them, and writes the cut and the speed of the device."""
    size = _font_size(problem)
    for device, layers in enumerate(problem.num_layers.tolist()):
        cut = None if last is None else int(last.cut[device])
        colours = [_UNUSED if cut is None else _DEVICE if layer < cut else _SERVER for layer in range(layers)]
        left = [layer / layers for layer in range(layers)]
        axes.barh([device] * layers, 1.0 / layers, left=left, align="center", height=_HEIGHT, color=colours,
                  edgecolor="white", linewidth=min(0.6, 12.0 / layers))  # fmt: skip
        words = (
            f"{layers} layers"
            if cut is None or last is None
            else _cut_words(cut, layers, float(last.device_ghz[device]))
        )
        axes.text(1.05, device, words, fontsize=size, color=_INK, va="center")
    names = [f"d{n} {problem.profiles[kind].name[:_LONGEST_NAME]}" for n, kind in enumerate(problem.dnn_of_device)]
    _frame(axes, problem, "last cut and speed", names)
    axes.set(xlim=(0.0, 2.0), xticks=[])
    axes.spines[["bottom", "left"]].set_visible(False)


def _cut_words(cut: int, layers: int, speed_ghz: float) -> str:
    return f"{cut} of {layers}, {speed_ghz:.2f} GHz" if cut else f"0 of {layers}"


def _draw_delays(axes: Any, problem: CooperativeInference, last: Outcome | None) -> None:
    """Draws the delay of a task in the last slot: at the device, on the channel, and at the server."""
    _frame(axes, problem, "last delay [s]")
    if last is None:
        axes.text(0.5, 0.5, _UNDECIDED, fontsize=8, color=_INK, **_CENTRED, transform=axes.transAxes)
        axes.set(xticks=[])
        return
    start, rows = np.zeros(problem.num_devices), np.arange(problem.num_devices)
    for part_s, colour in ((last.local_s, _DEVICE), (last.transmit_s, _SENDING), (last.server_s, _SERVER)):
        axes.barh(rows, part_s, left=start, height=_HEIGHT, color=colour)
        start = start + part_s
    _label_ends(axes, problem, last.delay_s, _LEAST_DELAY_S)


def _draw_present(axes: dict[str, Any], problem: CooperativeInference, state: State, exogenous: Exogenous) -> None:
    """Draws the present arrival rates and virtual queues."""
    columns = (
        ("rate", "tasks/s now", exogenous.arrival_rate_hz, _ARRIVALS, _LEAST_RATE_HZ),
        ("energy", "energy queue", state.energy_queue, _ENERGY, _LEAST_QUEUE),
        ("memory", "memory queue", state.memory_queue, _MEMORY, _LEAST_QUEUE),
    )
    for name, title, value, colour, least in columns:
        _frame(axes[name], problem, title)
        axes[name].barh(np.arange(problem.num_devices), value, height=_HEIGHT, color=colour)
        _label_ends(axes[name], problem, value, least)


def _frame(axes: Any, problem: CooperativeInference, title: str, names: Sequence[str] = ()) -> None:
    """Formats axes as a column of the table, with the row of the first device at the top."""
    devices = problem.num_devices
    axes.set_yticks(range(len(names)), names, fontsize=_font_size(problem))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_ylim(max(devices, _LEAST_ROWS) - 0.4, -0.6)
    axes.set_title(title, fontsize=8.5, color=_INK)
    axes.spines[["right", "top"]].set_visible(False)


def _label_ends(axes: Any, problem: CooperativeInference, value: np.ndarray, least: float) -> None:
    """Writes the value of each bar at its end, and makes room for the text."""
    axes.set_xlim(0.0, max(1.6 * float(value.max()), least))
    axes.locator_params(axis="x", nbins=2)
    axes.xaxis.set_major_formatter(_tick)
    for device, number in enumerate(value.tolist()):
        axes.text(number, device, f" {shown(number)}", fontsize=_font_size(problem), color=_INK, va="center")


def _tick(number: float, place: int | None) -> str:
    """Returns the label of a tick; matplotlib calls this function with a position that is not needed."""
    return shown(number)


def shown(number: float) -> str:
    """Returns a number (at least 0) as text of at most five characters."""
    if number >= 1e6 or 0.0 < number < 1e-3:
        return f"{number:.0e}"
    if number >= 1e4:
        return f"{number / 1e3:.0f}k"
    if number >= 100.0:
        return f"{number:.0f}"
    return f"{number:.{3 if number >= 0.1 else 2 if number >= 0.01 else 1}g}"


def _font_size(problem: CooperativeInference) -> float:
    return max(_LEAST_SIZE, _FULL_SIZE * min(1.0, _ROWS_OF_FULL_SIZE / problem.num_devices))
