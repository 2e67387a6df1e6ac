"""Plots as Vega-Lite specifications, validated by altair, and the JavaScript library that draws them.

A specification holds no data, no colours and no size: the page adds them when it draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from benchmarks.leaderboard.schema import Plot, Track

MISSING = 'pages need altair and vl-convert: pip install "vec-envs[leaderboard]"'
DATA = "lines"
"""The name of the data set, whose rows have `name`, `x`, `value`, `low` and `high`."""
FEW = 20
"""A line with at most this many points shows each of them as a mark."""
SOLID, DASHED = [1, 0], [6, 3]


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
    """Returns the names of the lines of a track's plots: first the entries in their order, then all others."""
    plots = (track.profiles, *track.curves, *track.queues, *track.sweeps)
    drawn = [line.name for plot in plots for line in plot.lines]
    entries = [entry.name for entry in track.entries]
    return tuple(dict.fromkeys([name for name in entries if name in set(drawn)] + drawn))


def specifications(track: Track) -> dict[str, list[dict[str, Any]]]:
    """Returns the Vega-Lite specifications of the plots that have lines, by group, in the track's order.

    Raises `NoAltair` where altair is missing.
    """
    names = line_names(track)
    learned = {entry.name for entry in track.entries if entry.kind == "learned"}
    dashes = [SOLID if name in learned else DASHED for name in names]
    groups = {"profiles": (track.profiles,), "curves": track.curves, "queues": track.queues, "sweeps": track.sweeps}
    return {
        group: [specification(plot, names, dashes, unit_y=group == "profiles") for plot in plots if plot.lines]
        for group, plots in groups.items()
    }


def specification(plot: Plot, names: Sequence[str], dashes: Sequence[Sequence[int]], *, unit_y: bool) -> dict[str, Any]:
    """Returns a plot's Vega-Lite specification: lines with bands, and a tooltip for the point nearest to the mouse.

    A name has the same colour and dashes in all plots with the same `names`. The page sets the parameters `hidden`, a
    list of names, and `marked`, a name or "". The page itself marks the point of the tooltip, since drawing all lines
    again would take too long.

    Raises `NoAltair` where altair is missing.
    """
    try:
        import altair as alt
    except ImportError as error:
        raise NoAltair(MISSING) from error
    y_scale = alt.Scale(domain=[0, 1]) if unit_y else alt.Scale(zero=False)
    x = alt.X("x:Q", title=plot.x_label, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=6))
    colour = alt.Color("name:N", scale=alt.Scale(domain=list(names)), legend=None)
    low, value = (
        alt.Y(f"{end}:Q", title=plot.y_label, scale=y_scale, axis=alt.Axis(tickCount=6)) for end in ("low", "value")
    )
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=list(names), range=dashes), legend=None)
    faint, few = "marked != '' && marked != datum.name", all(len(line.x) <= FEW for line in plot.lines)
    band_opacity = alt.condition(faint, alt.value(0.03), alt.value(0.14))
    line_opacity = alt.condition(faint, alt.value(0.15), alt.value(1))
    point_opacity = alt.value(1 if few else 0)
    base = alt.Chart(alt.NamedData(DATA)).transform_filter("indexof(hidden, datum.name) < 0").encode(x=x, color=colour)
    band = base.mark_area().encode(y=low, y2="high:Q", opacity=band_opacity)
    line = base.mark_line(strokeWidth=2).encode(y=value, strokeDash=dash, opacity=line_opacity)
    point = base.mark_point(filled=True, size=50).encode(y=value, opacity=point_opacity, tooltip=_tooltip(plot))
    nearest = alt.selection_point(name="near", nearest=True, on="pointerover", clear="pointerout", empty=False)
    parameters = alt.param(name="hidden", value=[]), alt.param(name="marked", value="")
    chart = alt.layer(band, line, point.add_params(nearest)).add_params(*parameters)
    return chart.properties(width="container", height="container", description=plot.title).to_dict()


def _tooltip(plot: Plot) -> list[dict[str, str]]:
    columns = {"x": plot.x_label, "value": plot.y_label, "low": "from", "high": "to"}
    return [
        {"field": field, "type": "quantitative", "title": title, "format": ".4~g"} for field, title in columns.items()
    ]
