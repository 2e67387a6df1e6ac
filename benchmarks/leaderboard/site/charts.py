"""Plots as Vega-Lite specifications, validated by altair, and the JavaScript library that draws them.

A specification holds no data, no colours and no size: the page adds them when it draws.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from benchmarks.leaderboard.schema import Plot, Track
from vec_envs.validation import missing_extra

MISSING = missing_extra("a page", "altair and vl-convert", "leaderboard")
DATA = "lines"
"""The name of the data set, whose rows have `name`, `x`, `value`, `low` and `high`."""
FEW = 20
"""A line with at most this many points shows each of them as a mark."""
SOLID = [1, 0]
LEARNED_DASHES = (SOLID, [16, 3], [16, 3, 3, 3])
"""The dashes of learned policies: the first for as many lines as there are colours, then the next."""
OTHER_DASHES = ([6, 3], [2, 2], [9, 3, 2, 3], [4, 2, 1, 2], [3, 5])
"""The dashes of all other policies, in turn."""
COLOURS = 10
"""The number of colours of lines in `page.css`."""
LABELS = "labels"
"""The name of the data set of direct labels, whose rows have `name`, and `at` in pixels from the top."""
LABEL_WIDTH = 130
"""The greatest width of a label in pixels; a longer one ends in an ellipsis."""
LATE = 1.0 / 3.0
"""The part of a training, at its end, whose means set the range of a learning curve's y axis."""


class NoAltair(ImportError):
    """Altair or vl-convert is not installed."""


@cache
def library() -> str:
    """Returns the JavaScript that defines `vegaEmbed`, and draws the specifications of this module.

    Raises `NoAltair` where altair or vl-convert is missing.
    """
    try:
        import altair as alt
        import vl_convert
    except ImportError as error:
        raise NoAltair(MISSING) from error
    major_minor = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=major_minor)


def line_names(track: Track) -> tuple[str, ...]:
    """Returns the names of the lines of a track's plots: learned policies, other entries in their order, then the rest.

    Lines take their colours in this order, and the first colours differ most.
    """
    plots = (track.profiles, *track.curves, *track.queues, *track.sweeps)
    drawn = [line.name for plot in plots for line in plot.lines]
    entries = [entry.name for entry in sorted(track.entries, key=lambda entry: entry.kind != "learned")]
    return tuple(dict.fromkeys([name for name in entries if name in set(drawn)] + drawn))


def specifications(track: Track) -> dict[str, list[dict[str, Any]]]:
    """Returns the Vega-Lite specifications of the plots that have lines, by group, in the track's order.

    Raises `NoAltair` where altair is missing.
    """
    names, dashes = line_names(track), line_dashes(track)
    groups: dict[str, tuple[Sequence[Plot], Callable[[Plot], dict[str, Any]]]] = {
        "profiles": ((track.profiles,), lambda _: {"domain": [0, 1]}),
        "curves": (track.curves, late_scale),
        "whole": (track.curves, whole_scale),
        "queues": (track.queues, lambda _: {"zero": False}),
        "sweeps": (track.sweeps, lambda _: {"zero": False}),
    }
    return {
        group: [specification(plot, names, dashes, y_scale=scale_of(plot)) for plot in plots if plot.lines]
        for group, (plots, scale_of) in groups.items()
    }


def line_dashes(track: Track) -> list[list[int]]:
    """Returns the dashes of the lines of a track's plots. No two lines share both dashes and colour.

    Colours follow in turn and repeat. Lines of learned policies begin solid; the lines of others are never solid.
    """
    learned = {entry.name for entry in track.entries if entry.kind == "learned"}
    return [_dashes(index, name in learned) for index, name in enumerate(line_names(track))]


def _dashes(index: int, is_learned: bool) -> list[int]:
    turn = index // COLOURS
    patterns = LEARNED_DASHES if is_learned else OTHER_DASHES
    number = turn if is_learned else index + turn
    repeats = turn // len(patterns)
    return [*patterns[number % len(patterns)], *(3 for _ in range(2 * repeats))]


def late_scale(plot: Plot) -> dict[str, Any]:
    """Returns the y scale on which the end of learning curves can be compared; their beginnings lie outside."""
    late = [value for line in plot.lines for value in line.value[int((1.0 - LATE) * len(line.value)) :]]
    low, high = min(late), max(late)
    margin = 0.25 * (high - low) or 1.0
    return {"domain": [low - margin, high + margin], "nice": False}


def whole_scale(plot: Plot) -> dict[str, Any]:
    """Returns the y scale of whole learning curves: logarithmic where all values are above 0."""
    return {"type": "log", "nice": False} if min(min(line.low) for line in plot.lines) > 0.0 else {"zero": False}


def specification(
    plot: Plot, names: Sequence[str], dashes: Sequence[Sequence[int]], *, y_scale: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns a plot's Vega-Lite specification: lines with bands and labels, and a tooltip for the nearest point.

    A name has the same colour and dashes in all plots with the same `names`. The page sets the parameters `hidden`, a
    list of names, and `marked`, a name or "". The page itself marks the point of the tooltip, since drawing all lines
    again would take too long.

    Raises `NoAltair` where altair is missing.
    """
    few = all(len(line.x) <= FEW for line in plot.lines)
    chart = copy.deepcopy(_untitled(tuple(names), tuple(map(tuple, dashes)), few))
    chart["description"] = plot.title
    for encoding in (layer["encoding"] for layer in chart["layer"]):
        encoding.get("x", {})["title"] = plot.x_label
        encoding.get("y", {}).update(title=plot.y_label, scale=dict(y_scale))
        for field in encoding.get("tooltip", ()):
            field["title"] = _tooltip(plot)[field["field"]]
    return chart


@cache
def _untitled(names: Sequence[str], dashes: Sequence[Sequence[int]], few: bool) -> dict[str, Any]:
    """Returns a specification without the texts and the y scale of a plot: altair takes a tenth of a second for one."""
    try:
        import altair as alt
    except ImportError as error:
        raise NoAltair(MISSING) from error
    x = alt.X("x:Q", title="", scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=6))
    colour = alt.Color("name:N", scale=alt.Scale(domain=list(names)), legend=None)
    low, value = (alt.Y(f"{end}:Q", title="", axis=alt.Axis(tickCount=6)) for end in ("low", "value"))
    ranges = [list(dash) for dash in dashes]
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=list(names), range=ranges), legend=None)
    faint = "marked != '' && marked != datum.name"
    band_opacity = alt.condition(faint, alt.value(0.03), alt.value(0.14))
    line_opacity = alt.condition(faint, alt.value(0.15), alt.value(1))
    tooltip = [alt.Tooltip(f"{field}:Q", title="", format=".4~g") for field in ("x", "value", "low", "high")]
    base = alt.Chart(alt.NamedData(DATA)).transform_filter("indexof(hidden, datum.name) < 0").encode(x=x, color=colour)
    band = base.mark_area(clip=True).encode(y=low, y2="high:Q", opacity=band_opacity)
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=value, strokeDash=dash, opacity=line_opacity)
    point = base.mark_point(filled=True, size=50, clip=True)
    point = point.encode(y=value, opacity=alt.value(1 if few else 0), tooltip=tooltip)
    nearest = alt.selection_point(name="near", nearest=True, on="pointerover", clear="pointerout", empty=False)
    parameters = alt.param(name="hidden", value=[]), alt.param(name="marked", value="")
    layers = band, line, point.add_params(nearest), _labels(colour, line_opacity)
    chart = alt.layer(*layers).add_params(*parameters)
    return chart.properties(width="container", height="container").to_dict()


def _labels(colour: Any, opacity: Any) -> Any:
    """Returns the layer that writes a line's name at its end.

    The page sets the data once it knows the lines' ends in pixels, so that no two labels overlap.
    """
    import altair as alt

    base = alt.Chart(alt.NamedData(LABELS)).transform_filter("indexof(hidden, datum.name) < 0")
    x, y = alt.ExprRef("width"), alt.ExprRef("datum.at")
    text = base.mark_text(align="left", baseline="middle", dx=7, limit=LABEL_WIDTH, x=x, y=y)
    return text.encode(color=colour, opacity=opacity, text="name:N")


def _tooltip(plot: Plot) -> dict[str, str]:
    """Returns the titles of a tooltip's rows, by field."""
    return {"x": plot.x_label, "value": plot.y_label, "low": "from", "high": "to"}
