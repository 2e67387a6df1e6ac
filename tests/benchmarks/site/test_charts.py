"""The charts of the leaderboard's page."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from benchmarks.leaderboard.schema import Line, Plot
from benchmarks.leaderboard.site import charts
from tests.benchmarks.site.tabs import (
    TRACK,
    Open,
    drawn,
    part,
    pixels,
    saved,
    until,
)

ROOT = Path(__file__).parents[3]
for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)


def test_charts_are_drawn_and_their_lines_can_be_hidden(open_page: Open) -> None:
    tab = open_page()
    before = pixels(tab, 1)
    button = tab.get_by_role("group", name="Lines of Runs above a skill").get_by_role("button", name="lymdo")
    button.click()
    pressed = [of.get_attribute("aria-pressed") for of in tab.get_by_role("button", name="lymdo").all()]
    assert pressed == ["false"] * 5, "the legends of all plots"
    button.blur()
    until(lambda: pixels(tab, 1) != before)
    drawn(tab, 1).hover(position={"x": 250, "y": 120})
    tip = tab.locator("#tip")
    tip.wait_for()
    name, *pairs = tip.inner_text().split("\n")
    assert name in {entry.name for entry in TRACK.entries} - {"lymdo"}
    assert pairs[::2] == ["episodes", "score", "from", "to"]
    assert tab.locator(".point:not([hidden])").count() == 1
    assert tab.locator(".chart").count() == 5


def test_a_plot_names_its_lines_at_their_ends(open_page: Open) -> None:
    tab = open_page()
    figure = part(tab, "Learning curves").locator("figure").first
    plain, names = pixels(tab, 1), [line.name for line in TRACK.curves[0].lines]
    assert [button.inner_text() for button in figure.locator(".legend button").all()] == names
    picture = saved(tab, 1, "SVG").read_text()
    texts = re.findall(r"<text[^>]*translate\([^,]*,([^)]*)\)[^>]*>([^<]*)<", picture)
    beginnings = {text.removesuffix("\N{HORIZONTAL ELLIPSIS}"): float(y) for y, text in texts if text}
    places = sorted(next(y for text, y in beginnings.items() if name.startswith(text)) for name in names)
    assert min(b - a for a, b in itertools.pairwise(places)) >= 12, "no label covers another"
    figure.get_by_role("button", name="Show the whole training").click()
    until(lambda: pixels(tab, 1) != plain)
    figure.get_by_role("button", name="Show the end of the training").click()
    until(lambda: pixels(tab, 1) == plain)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_picture_has_the_ground_of_its_theme(open_page: Open, scheme: str) -> None:
    tab = open_page(color_scheme=scheme)
    picture = Image.open(saved(tab, 0, "PNG")).convert("RGBA")
    *ground, opacity = cast("tuple[int, ...]", picture.getpixel((1, 1)))
    assert opacity == 255
    assert (max(ground) < 60) == (scheme == "dark")


def test_nothing_moves_when_a_chart_is_drawn(open_page: Open) -> None:
    tab = open_page()
    heights = "() => [...document.querySelectorAll('.chart')].map((box) => box.getBoundingClientRect().height)"
    before = tab.evaluate(heights)
    for index, height in enumerate(before):
        assert drawn(tab, index).bounding_box()["height"] == pytest.approx(height, abs=1)
    assert tab.evaluate(heights) == before


def test_a_line_has_its_colour_and_dashes_in_all_plots() -> None:
    specifications = charts.specifications(TRACK)
    assert {group: len(plots) for group, plots in specifications.items()} == {
        "profiles": 1, "curves": 2, "whole": 2, "queues": 1, "sweeps": 1,
    }  # fmt: skip
    names = list(charts.line_names(TRACK))
    assert set(names) == {entry.name for entry in TRACK.entries}
    learned = {entry.name for entry in TRACK.entries if entry.kind == "learned"}
    for plot in (plot for plots in specifications.values() for plot in plots):
        _, line, _, label = plot["layer"]
        assert line["encoding"]["color"]["scale"]["domain"] == label["encoding"]["color"]["scale"]["domain"] == names
        dashes = line["encoding"]["strokeDash"]["scale"]["range"]
        assert [dash == charts.SOLID for dash in dashes] == [name in learned for name in names]
        assert plot["width"] == "container"


def test_as_many_lines_can_be_told_apart_as_there_are_entries() -> None:
    entries = [
        replace(TRACK.entries[0], name=f"policy {n}", kind=kind)
        for n, kind in enumerate(["learned"] * 25 + ["reference", "custom"] * 30)
    ]
    lines = tuple(replace(TRACK.profiles.lines[0], name=entry.name) for entry in entries)
    track = replace(TRACK, entries=tuple(entries), profiles=replace(TRACK.profiles, lines=lines))
    looks = [(index % charts.COLOURS, *dash) for index, dash in enumerate(charts.line_dashes(track))]
    assert len(set(looks[: len(entries)])) == len(entries)
    style = (ROOT / "trainers" / "watching" / "site" / "player.css").read_text()
    assert len(set(re.findall(r"--line-\d+", style))) == charts.COLOURS


def test_learning_curves_are_on_the_scale_of_their_ends() -> None:
    early, late = (500.0, 90.0, 20.0, 9.0), (2.2, 2.1)
    lines = [
        Line(name=name, x=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), value=value, low=value, high=value)
        for name, value in (("a", (*early, *late)), ("b", (*early, *reversed(late))))
    ]
    plot = Plot(title="", x_label="", y_label="", lines=tuple(lines))
    least, greatest = charts.late_scale(plot)["domain"]
    assert least < 2.1
    assert greatest > 2.2
    assert 0.5 * (greatest - least) < 0.1, "the difference takes half of the axis"
    assert charts.whole_scale(plot)["type"] == "log"
    from_0 = replace(lines[0], low=(0.0,) * 6)
    assert "type" not in charts.whole_scale(replace(plot, lines=(from_0,))), "a logarithm of 0 has no place"
