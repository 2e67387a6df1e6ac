"""Pictures of suites as SVG. Lines have labels and differ by style and marker, so that print needs no colours."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.reports.policy_results import PolicyResults, by_case
from benchmarks.reports.tables import LAYER_GHZ, in_words
from benchmarks.suites.suite import Suite
from trainers.runs.tables import shown
from vec_envs.dnn import DNNProfile
from vec_envs.validation import missing_extra

COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7f3c8d", "#666666")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1)), (0, (4, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
REACH = 2.5
"""The end of an axis, as a multiple of the baseline's largest value, or of its lowest where that is negative.

An arrow shows a value beyond it.
"""
GAP = 0.062
"""The distance between two labels, as a part of the height of the axes."""


class NoMatplotlib(RuntimeError):
    """Matplotlib is not installed."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line of a picture, with an interval at each point."""

    name: str
    x: Float[np.ndarray, "points"]
    y: Float[np.ndarray, "points"]
    low: Float[np.ndarray, "points"]
    high: Float[np.ndarray, "points"]


def draw(suite: Suite, of_suite: list[PolicyResults]) -> str:
    """Returns a suite's picture as SVG. Equal results give equal text.

    Bars and curves have a panel for each case. Policies without the metric that is shown are left out. Raises
    `ValueError` where no policy has it, and `NoMatplotlib` where matplotlib is not installed.
    """
    of_suite = [of_policy for of_policy in of_suite if _can_show(suite, of_policy)]
    if not of_suite and suite.picture != "layers":
        raise ValueError(f"{suite.name} has no results")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoMatplotlib(missing_extra("it", "matplotlib", "render")) from error
    kinds: dict[str, Callable[[Suite, list[PolicyResults], Any], None]] = {
        "sweep": _sweep,
        "curves": _curves,
        "bars": _bars,
        "traces": _traces,
        "layers": _layers,
    }
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": suite.name, "font.size": 10}):
        panels = _panels(suite, of_suite)
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


def _can_show(suite: Suite, results: PolicyResults) -> bool:
    """Returns whether a policy has what the suite's picture shows."""
    if suite.picture == "traces":
        return bool(results.found) and all(suite.shows in result.traces for result in results.found)
    return results.has(suite.shows) or (suite.picture == "curves" and bool(results.found))


def _panels(suite: Suite, of_suite: list[PolicyResults]) -> list[tuple[str, list[PolicyResults], float]]:
    """Returns title, results and height in inches of each panel. Bars and curves have a panel for each case."""
    cases = by_case(of_suite)
    if suite.picture not in ("bars", "curves") or len(cases) < 2:
        return [("", of_suite, 4.6)]
    bars = suite.picture == "bars"
    return [(case, of_case, 0.27 * (len(of_case) + 3.5) if bars else 4.6) for case, of_case in cases.items()]


def _sweep(suite: Suite, of_suite: list[PolicyResults], axes: Any) -> None:
    """Draws the suite's metric over the cases' x, with a line for each policy."""
    series: list[Series] = []
    for name in dict.fromkeys(of.policy for of in of_suite):
        of_policy = sorted((of for of in of_suite if of.policy == name), key=lambda of: of.x)
        estimates = [of.mean(suite.shows) for of in of_policy]
        bounds = np.array([estimate.interval for estimate in estimates])
        x, y = np.array([of.x for of in of_policy]), np.array([estimate.value for estimate in estimates])
        series.append(Series(name=name, x=x, y=y, low=bounds[:, 0], high=bounds[:, 1]))
    _draw_series(suite, series, axes, bars=True)
    axes.set_xticks(sorted({of.x for of in of_suite}))
    axes.set_xlabel(suite.axis)
    axes.set_ylabel(in_words(suite.shows))


def _curves(suite: Suite, of_case: list[PolicyResults], axes: Any) -> None:
    """Draws the suite's metric during training on one case: the mean over seeds, and their range."""
    series: list[Series] = []
    for of in of_case:
        curves = [result.curve for result in of.found if result.curve is not None]
        if not curves:
            continue
        points = min(len(curve["episodes"]) for curve in curves)
        of_seeds = np.stack([curve[suite.shows][:points] for curve in curves])
        x = np.asarray(curves[0]["episodes"][:points])
        low, high = of_seeds.min(axis=0), of_seeds.max(axis=0)
        series.append(Series(name=of.policy, x=x, y=of_seeds.mean(axis=0), low=low, high=high))
    if not series:
        raise ValueError(f"{suite.name} has no learning curves")
    _draw_series(suite, series, axes, bars=False)
    axes.set_xlabel("training episodes, with exploration")
    axes.set_ylabel(in_words(suite.shows))


def _traces(suite: Suite, of_suite: list[PolicyResults], axes: Any) -> None:
    """Draws the suite's metric at each decision epoch of the first case: means over episodes, and the seeds' range."""
    series: list[Series] = []
    for of in next(iter(by_case(of_suite).values())):
        of_seeds = np.stack([result.traces[suite.shows] for result in of.found])
        low, high = of_seeds.min(axis=0), of_seeds.max(axis=0)
        x = np.arange(of_seeds.shape[1], dtype=np.float64)
        series.append(Series(name=of.policy, x=x, y=of_seeds.mean(axis=0), low=low, high=high))
    _draw_series(suite, series, axes, bars=False, settles=False)
    axes.set_xlabel(suite.axis)
    axes.set_ylabel(in_words(suite.shows))


def _layers(suite: Suite, of_suite: list[PolicyResults], axes: Any) -> None:
    """Draws the time of each layer of a DNN as bars, and its output as a line with an axis of its own."""
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


def _bars(suite: Suite, of_case: list[PolicyResults], axes: Any) -> None:
    """Draws the suite's metric of each policy on one case."""
    ordered = sorted(of_case, key=lambda of: of.mean(suite.shows).value, reverse=True)
    estimates = [of.mean(suite.shows) for of in ordered]
    values = [(of.policy, estimate.value) for of, estimate in zip(ordered, estimates, strict=True)]
    _, edge = _edges(suite, values)
    for row, (of, estimate) in enumerate(zip(ordered, estimates, strict=True)):
        low, high = estimate.interval
        text = shown(estimate.value)
        beyond = edge is not None and estimate.value > edge
        if not beyond:
            axes.plot([low, high], [row, row], color="black", lw=1.2, marker="|", ms=6)
            mark = "D" if of.policy == suite.baseline else "o"
            axes.plot(estimate.value, row, color="black", marker=mark, ms=6, mfc="white" if mark == "o" else "black")
        else:
            axes.plot(edge, row, color="black", marker=">", ms=6, clip_on=False)
        across = 1.02, row
        axes.annotate(f"{text} →" if beyond else text, across, xycoords=("axes fraction", "data"), va="center")
    axes.set_yticks(range(len(ordered)), [of.policy for of in ordered])
    axes.grid(axis="both", color="0.9", lw=0.6)
    axes.set_axisbelow(True)
    if edge is not None:
        axes.set_xlim(right=edge)
    axes.set_xlabel(in_words(suite.shows))


def _draw_series(suite: Suite, series: list[Series], axes: Any, *, bars: bool, settles: bool = True) -> None:
    """Draws lines with their intervals, and a label to the right of each.

    The baseline sets the end of the axis: by its last value for lines without `bars` that settle, or else by its
    largest value.
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
    span = highest - lowest or 1.0  # where all values are equal
    axes.set_ylim(lowest - 0.05 * span * (floor is None), highest + 0.05 * span * (roof is None))
    for edge, turned in ((floor, 180.0), (roof, 0.0)):
        if edge is not None:
            _mark_exits(series, edge, turned, axes)
    _label(series, axes)


def _mark_exits(series: list[Series], edge: float, turned: float, axes: Any) -> None:
    """Draws an arrow head where a line leaves the picture through an edge, turned by an angle in degrees."""
    for index, one in enumerate(series):
        above = one.y > edge
        style = {"color": _style(index)["color"], "marker": (3, 0, turned), "ms": 7.0, "ls": "", "clip_on": False}
        for k in np.flatnonzero(above[1:] != above[:-1]):
            part = (edge - one.y[k]) / (one.y[k + 1] - one.y[k])
            axes.plot(one.x[k] + part * (one.x[k + 1] - one.x[k]), edge, **style)


def _label(series: list[Series], axes: Any) -> None:
    """Writes each line's name beside its end, with a piece of the line. Names that would overlap are moved apart."""
    bottom, top = axes.get_ylim()
    ends = [min(max((float(one.y[-1]) - bottom) / (top - bottom), 0.0), 1.0) for one in series]
    order = sorted(range(len(series)), key=lambda i: (ends[i], float(series[i].y[-1])))
    placed = _apart([ends[i] for i in order])
    for i, height in zip(order, placed, strict=True):
        style = _style(i)
        axes.plot([1.01, 1.03], [ends[i], height], color="0.6", lw=0.6, transform=axes.transAxes, clip_on=False)
        drawn = {"lw": 1.4, "ms": 5.0, "markevery": [1], "transform": axes.transAxes, "clip_on": False}
        axes.plot([1.035, 1.065, 1.095], [height] * 3, **drawn, **style)
        last = float(series[i].y[-1])
        where = f" ↑ {shown(last)}" if last > top else f" ↓ {shown(last)}" if last < bottom else ""
        axes.text(1.11, height, f"{series[i].name}{where}", transform=axes.transAxes, va="center")


def _apart(ends: list[float]) -> list[float]:
    """Returns heights at least `GAP` apart, each near one of the ascending `ends`."""
    groups: list[tuple[float, int]] = []
    for height in ends:
        middle, size = height, 1
        while groups and middle - groups[-1][0] < GAP * (size + groups[-1][1]) / 2:
            before, of_before = groups.pop()
            middle, size = (middle * size + before * of_before) / (size + of_before), size + of_before
        groups.append((middle, size))
    return [middle + GAP * (k - (size - 1) / 2) for middle, size in groups for k in range(size)]


def _edges(
    suite: Suite, values: list[tuple[str, float]], settled: list[tuple[str, float]] | None = None
) -> tuple[float | None, float | None]:
    """Returns the lower and the upper end of the y axis, so that a value far beyond the baseline does not flatten it.

    An end is None where no value is that far. The baseline sets the ends by its values in `settled`, by default by all
    of its values.
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
