"""Pictures of suites, as SVG: readable in print, by line style, marker and a label beside each line, not by colour."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.reports.policy_results import Line, by_case
from benchmarks.reports.tables import LAYER_GHZ, in_words
from benchmarks.suites.suite import Suite
from trainers.evaluate import shown
from vec_envs.dnn import DNNProfile

COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7f3c8d", "#666666")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1)), (0, (4, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
REACH = 2.5
"""Values beyond so many times the baseline's largest, or a negative one's lowest, leave the picture by an arrow."""
GAP = 0.062
"""Between two labels, in heights of the axes."""


class NoMatplotlib(RuntimeError):
    """Matplotlib is not installed."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line of a picture, with the interval of each of its points."""

    name: str
    x: Float[np.ndarray, "points"]
    y: Float[np.ndarray, "points"]
    low: Float[np.ndarray, "points"]
    high: Float[np.ndarray, "points"]


def draw(suite: Suite, lines: list[Line]) -> str:
    """Returns a suite's picture as SVG, the same for the same results.

    Bars and curves of several cases are below one another. Raises `ValueError` where there are no results,
    `NoMatplotlib` where that is missing.
    """
    if not lines and suite.picture != "layers":
        raise ValueError(f"{suite.name} has no results")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoMatplotlib("it needs matplotlib: pip install 'vec-envs[render]'") from error
    kinds: dict[str, Callable[[Suite, list[Line], Any], None]] = {
        "sweep": _sweep,
        "curves": _curves,
        "bars": _bars,
        "traces": _traces,
        "layers": _layers,
    }
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": suite.name, "font.size": 10}):
        panels = _panels(suite, lines)
        heights = [height for _, _, height in panels]
        layout = "constrained" if len(panels) > 1 else None
        figure = Figure(figsize=(8.0, sum(heights)), facecolor="white", layout=layout)
        of_panels = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
        for (title, of_panel, _), axes in zip(panels, of_panels, strict=True):
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(title, loc="left", fontsize=10)
            kinds[suite.picture](suite, of_panel, axes)
        written = io.StringIO()
        figure.savefig(written, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _panels(suite: Suite, lines: list[Line]) -> list[tuple[str, list[Line], float]]:
    """Returns title, lines and height in inches of each part of a picture: bars and curves have one for each case."""
    cases = by_case(lines)
    if suite.picture not in ("bars", "curves") or len(cases) < 2:
        return [("", lines, 4.6)]
    bars = suite.picture == "bars"
    return [(case, of_case, 0.27 * (len(of_case) + 3.5) if bars else 4.6) for case, of_case in cases.items()]


def _sweep(suite: Suite, lines: list[Line], axes: Any) -> None:
    """Draws the suite's figure over the cases' x, a line for each policy."""
    series: list[Series] = []
    for name in dict.fromkeys(line.policy for line in lines):
        of_policy = sorted((line for line in lines if line.policy == name), key=lambda line: line.x)
        estimates = [line.mean(suite.shows) for line in of_policy]
        bounds = np.array([estimate.interval for estimate in estimates])
        x, y = np.array([line.x for line in of_policy]), np.array([estimate.value for estimate in estimates])
        series.append(Series(name=name, x=x, y=y, low=bounds[:, 0], high=bounds[:, 1]))
    _draw_series(suite, series, axes, bars=True)
    axes.set_xticks(sorted({line.x for line in lines}))
    axes.set_xlabel(suite.axis)
    axes.set_ylabel(in_words(suite.shows))


def _curves(suite: Suite, lines: list[Line], axes: Any) -> None:
    """Draws what the suite's figure was in training, in one case: the mean over seeds and their range."""
    series: list[Series] = []
    for line in lines:
        curves = [result.curve for result in line.found if result.curve is not None]
        if not curves:
            continue
        points = min(len(curve["episodes"]) for curve in curves)
        of_seeds = np.stack([curve[suite.shows][:points] for curve in curves])
        x = np.asarray(curves[0]["episodes"][:points])
        low, high = of_seeds.min(axis=0), of_seeds.max(axis=0)
        series.append(Series(name=line.policy, x=x, y=of_seeds.mean(axis=0), low=low, high=high))
    if not series:
        raise ValueError(f"{suite.name} has no learning curves")
    _draw_series(suite, series, axes, bars=False)
    axes.set_xlabel("training episodes, with exploration")
    axes.set_ylabel(in_words(suite.shows))


def _traces(suite: Suite, lines: list[Line], axes: Any) -> None:
    """Draws the suite's figure point by point of the first case's episodes, means over these, and the seeds' range."""
    series: list[Series] = []
    for line in next(iter(by_case(lines).values())):
        of_seeds = np.stack([result.traces[suite.shows] for result in line.found])
        low, high = of_seeds.min(axis=0), of_seeds.max(axis=0)
        x = np.arange(of_seeds.shape[1], dtype=np.float64)
        series.append(Series(name=line.policy, x=x, y=of_seeds.mean(axis=0), low=low, high=high))
    _draw_series(suite, series, axes, bars=False, settles=False)
    axes.set_xlabel(suite.axis)
    axes.set_ylabel(in_words(suite.shows))


def _layers(suite: Suite, lines: list[Line], axes: Any) -> None:
    """Draws how long each layer of a DNN takes, as bars, and how much it sends on, as points on an axis of its own."""
    layers = DNNProfile.load(suite.shows).layers
    at = np.arange(len(layers))
    axes.bar(at, [1e3 * layer.gflops / LAYER_GHZ for layer in layers], color="0.75", edgecolor="black", lw=0.8)
    axes.set_ylabel(f"time at {LAYER_GHZ:g} GHz [ms] (bars)")
    axes.set_xticks(at, [layer.name for layer in layers], rotation=60, ha="right")
    other = axes.twinx()
    other.spines["top"].set_visible(False)
    other.plot(at, [layer.output_mbit for layer in layers], color="black", marker="o", ms=4.5, lw=1.2)
    other.set_ylabel("output [Mbit] (line)")
    other.set_ylim(bottom=0.0)


def _bars(suite: Suite, lines: list[Line], axes: Any) -> None:
    """Draws the suite's figure policy by policy, of one case."""
    ordered = sorted(lines, key=lambda line: line.mean(suite.shows).value, reverse=True)
    estimates = [line.mean(suite.shows) for line in ordered]
    values = [(line.policy, estimate.value) for line, estimate in zip(ordered, estimates, strict=True)]
    _, edge = _edges(suite, values)
    for row, (line, estimate) in enumerate(zip(ordered, estimates, strict=True)):
        low, high = estimate.interval
        text = shown(estimate.value)
        beyond = edge is not None and estimate.value > edge
        if not beyond:
            axes.plot([low, high], [row, row], color="black", lw=1.2, marker="|", ms=6)
            mark = "D" if line.policy == suite.baseline else "o"
            axes.plot(estimate.value, row, color="black", marker=mark, ms=6, mfc="white" if mark == "o" else "black")
        else:
            axes.plot(edge, row, color="black", marker=">", ms=6, clip_on=False)
        across = 1.02, row
        axes.annotate(f"{text} →" if beyond else text, across, xycoords=("axes fraction", "data"), va="center")
    axes.set_yticks(range(len(ordered)), [line.policy for line in ordered])
    axes.grid(axis="both", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    if edge is not None:
        axes.set_xlim(right=edge)
    axes.set_xlabel(in_words(suite.shows))


def _draw_series(suite: Suite, series: list[Series], axes: Any, *, bars: bool, settles: bool = True) -> None:
    """Draws lines with their intervals, and a label for each to the right.

    Of lines without `bars` that settle, the baseline's last value says what is in the picture, of others its largest.
    """
    ends = [(one.name, float(value)) for one in series for value in one.y]
    settled = None if bars or not settles else [(one.name, float(one.y[-1])) for one in series]
    floor, roof = _edges(suite, ends, settled)
    for index, one in enumerate(series):
        style = _style(index)
        if bars:
            spread = np.stack([one.y - one.low, one.high - one.y]).clip(min=0.0)
            axes.errorbar(one.x, one.y, yerr=spread, capsize=2.5, elinewidth=0.8, lw=1.4, ms=5.0, **style)
        else:
            every = max(1, len(one.x) // 8)
            axes.plot(one.x, one.y, lw=1.4, ms=5.0, markevery=(index % every, every), **style)
            axes.fill_between(one.x, one.low, one.high, color=style["color"], alpha=0.12, lw=0.0)
    axes.grid(axis="y", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    lowest = min(float(one.low.min()) for one in series) if floor is None else floor
    highest = max(float(one.high.max()) for one in series) if roof is None else roof
    span = highest - lowest or 1.0  # of values that are all the same
    axes.set_ylim(lowest - 0.05 * span * (floor is None), highest + 0.05 * span * (roof is None))
    for edge, turned in ((floor, 180.0), (roof, 0.0)):
        if edge is not None:
            _mark_exits(series, edge, turned, axes)
    _label(series, axes)


def _mark_exits(series: list[Series], edge: float, turned: float, axes: Any) -> None:
    """Draws an arrow head, turned by so many degrees, where a line leaves through an edge."""
    for index, one in enumerate(series):
        above = one.y > edge
        style = {"color": _style(index)["color"], "marker": (3, 0, turned), "ms": 7.0, "ls": "", "clip_on": False}
        for k in np.flatnonzero(above[1:] != above[:-1]):
            part = (edge - one.y[k]) / (one.y[k + 1] - one.y[k])
            axes.plot(one.x[k] + part * (one.x[k + 1] - one.x[k]), edge, **style)


def _label(series: list[Series], axes: Any) -> None:
    """Writes each line's name beside its end, with a piece of the line; names that would meet are moved apart."""
    bottom, top = axes.get_ylim()
    wanted = [min(max((float(one.y[-1]) - bottom) / (top - bottom), 0.0), 1.0) for one in series]
    order = sorted(range(len(series)), key=lambda i: (wanted[i], float(series[i].y[-1])))
    placed = _apart([wanted[i] for i in order])
    for i, height in zip(order, placed, strict=True):
        style = _style(i)
        axes.plot([1.01, 1.03], [wanted[i], height], color="0.6", lw=0.6, transform=axes.transAxes, clip_on=False)
        drawn = {"lw": 1.4, "ms": 5.0, "markevery": [1], "transform": axes.transAxes, "clip_on": False}
        axes.plot([1.035, 1.065, 1.095], [height] * 3, **drawn, **style)
        last = float(series[i].y[-1])
        where = f" ↑ {shown(last)}" if last > top else f" ↓ {shown(last)}" if last < bottom else ""
        axes.text(1.11, height, f"{series[i].name}{where}", transform=axes.transAxes, va="center")


def _apart(wanted: list[float]) -> list[float]:
    """Returns heights at least a gap apart, near ascending ones that are wanted."""
    groups: list[tuple[float, int]] = []
    for height in wanted:
        middle, size = height, 1
        while groups and middle - groups[-1][0] < GAP * (size + groups[-1][1]) / 2:
            before, of_before = groups.pop()
            middle, size = (middle * size + before * of_before) / (size + of_before), size + of_before
        groups.append((middle, size))
    return [middle + GAP * (k - (size - 1) / 2) for middle, size in groups for k in range(size)]


def _edges(
    suite: Suite, values: list[tuple[str, float]], settled: list[tuple[str, float]] | None = None
) -> tuple[float | None, float | None]:
    """Returns where the picture ends below and above so that what is far beyond the baseline does not flatten the rest.

    None where nothing is. `settled` are the values that count for the baseline, by default all.
    """
    of_baseline = [value for name, value in settled or values if name == suite.baseline]
    of_all = [value for _, value in values]
    counted = of_baseline or [float(np.median([value for _, value in settled or values]))]
    floor, roof = REACH * min(counted), REACH * max(counted)
    return floor if min(of_all) < floor < 0.0 else None, roof if 0.0 < roof < max(of_all) else None


def _style(index: int) -> dict[str, Any]:
    kinds = len(COLOURS)
    marker = {"marker": MARKERS[index % kinds], "mfc": "white" if index // kinds else COLOURS[index % kinds]}
    return {"color": COLOURS[index % kinds], "ls": STYLES[index % kinds], **marker}
