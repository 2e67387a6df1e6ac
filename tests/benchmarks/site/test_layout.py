"""No width, theme or printer cuts anything off the leaderboard's page, and text stays text."""

from __future__ import annotations

import pytest

from benchmarks.leaderboard.schema import Board
from tests.benchmarks.site.tabs import (
    BOARDS,
    CUT_OFF,
    GO,
    OPEN_VALUES,
    TRACK,
    Open,
    column,
    drawn,
    part,
    pixels,
    until,
)

for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
@pytest.mark.parametrize("name", ["full", "harmful"])
def test_no_cell_is_cut_off(open_page: Open, name: str, width: int) -> None:
    tab = open_page(name, viewport={"width": width, "height": 900})
    links = [tab.locator("tbody a").nth(index).get_attribute("href") for index in (0, 9)]
    for at in (f"#track/{TRACK.env_id}", *links, "#episodes/0"):
        tab.evaluate(GO, at)
        tab.evaluate(OPEN_VALUES)
        assert tab.evaluate(CUT_OFF) == [], at
    heads = {head.label for head in TRACK.cases[0].heads}
    tab.evaluate(GO, f"#track/{TRACK.env_id}")
    assert heads <= {text.partition(" [")[0] for text in part(tab, "Cases").locator("thead th").all_inner_texts()}


def test_a_table_becomes_cards_where_it_is_too_wide(open_page: Open) -> None:
    tab = open_page(viewport={"width": 390, "height": 900})
    box = part(tab, "Ranking").locator(".fitted")
    assert box.get_attribute("data-fit") == "cards"
    row = box.get_by_role("row", name="greedy")
    assert row.get_by_text("queue of 2.5 tasks/s grows").is_visible()
    box.get_by_role("columnheader", name="Decision").get_by_role("button").click()
    assert column(tab, "Ranking", 1)[0] != "lymdo", "cards can be sorted"
    tab.set_viewport_size({"width": 1900, "height": 900})
    until(lambda: box.get_attribute("data-fit") == "wide")


def test_a_printed_page_cuts_nothing_off(open_page: Open) -> None:
    tab = open_page(color_scheme="dark", viewport={"width": 390, "height": 900})
    drawn(tab, 4)
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(CUT_OFF) == []
    assert part(tab, "Ranking").locator(".fitted").get_attribute("data-fit") != "cards"
    assert tab.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert not part(tab, "Ranking").get_by_label("Find").is_visible()
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    tab.emulate_media(media="screen")
    assert part(tab, "Ranking").locator(".fitted").get_attribute("data-fit") == "cards"


def test_all_charts_are_drawn_before_a_page_is_printed(open_page: Open) -> None:
    tab = open_page()
    until(lambda: tab.locator(".chart canvas").count() == 5)


def test_the_theme_changes_the_page_and_its_charts(open_page: Open) -> None:
    tab = open_page()
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light, chart = tab.evaluate(ground), pixels(tab)
    tab.get_by_role("button", name="Use the dark theme").click()
    dark = tab.evaluate(ground)
    assert dark != light
    until(lambda: pixels(tab) != chart)
    tab.reload()
    assert tab.evaluate(ground) == dark, "the choice is kept"
    tab.get_by_role("button", name="Use the light theme").click()
    assert tab.evaluate(ground) == light


def test_the_system_theme_is_the_default(open_page: Open) -> None:
    tab = open_page(color_scheme="dark")
    dark = tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
    tab.emulate_media(color_scheme="light")
    assert tab.evaluate("() => getComputedStyle(document.body).backgroundColor") != dark
    tab.get_by_role("button", name="Use the dark theme").wait_for()


@pytest.mark.parametrize("name", ["full", "harmful"])
def test_a_phone_does_not_scroll_sideways(open_page: Open, name: str) -> None:
    tab = open_page(name, viewport={"width": 360, "height": 740}, has_touch=True)
    tab.locator("summary").first.click()
    drawn(tab)
    entries = [tab.locator("tbody a").nth(index).get_attribute("href") for index in (0, 9)]
    for at in (f"#track/{TRACK.env_id}", *entries, "#episodes", "#track/VEC-DNNPartition-v0"):
        tab.evaluate(GO, at)
        assert tab.evaluate("document.documentElement.scrollWidth") == 360, at


def test_text_of_results_stays_text(open_page: Open) -> None:
    board: Board = BOARDS["harmful"]()
    tab = open_page("harmful")
    names = [entry.name.strip() for entry in board.tracks[0].entries]
    assert tab.title() == board.title
    assert column(tab, "Ranking", 1) == names
    canvas = drawn(tab)
    canvas.hover(position={"x": 200, "y": 100})
    tab.locator("#tip").wait_for()
    for entry in board.tracks[0].entries:
        part(tab, "Ranking").get_by_role("link", name=entry.name, exact=True).first.click()
        assert tab.locator("pre").text_content() == entry.command
        tab.get_by_role("navigation").get_by_role("link").first.click()
    tab.get_by_role("link", name="Episodes").click()
    assert tab.locator(".caption").inner_text() == board.recordings[0].frames[0].caption
    tab.locator("footer summary").click()
    assert BOARDS["MARKUP"] in tab.locator("footer").inner_text()
    assert tab.evaluate("window.harm") is None
    assert tab.locator("img").count() == 0
    assert tab.locator("script").count() == 3


def test_only_the_pages_own_scripts_may_run(open_page: Open) -> None:
    tab = open_page(expected="Content Security Policy")
    added = "document.body.append(Object.assign(document.createElement('script'), {text: 'window.harm = 1'}))"
    tab.evaluate(added)
    assert tab.evaluate("window.harm") is None


def test_tables_stay_where_a_chart_fails(open_page: Open) -> None:
    tab = open_page("chartless", expected="could not be drawn")
    chart = tab.locator(".chart").first
    chart.scroll_into_view_if_needed()
    chart.get_by_text("This chart could not be drawn.").wait_for()
    assert column(tab, "Ranking", 1) == [entry.name for entry in TRACK.entries]
    assert part(tab, "Who beats whom").locator("tbody td").count() == 81


def test_an_empty_leaderboard_shows_a_message(open_page: Open) -> None:
    tab = open_page("empty")
    assert tab.get_by_text("This leaderboard has no tracks yet.").is_visible()
    tab.get_by_role("link", name="Episodes").click()
    tab.get_by_text("No episode has been recorded.").wait_for()


def test_left_out_results_are_listed(open_page: Open) -> None:
    tab = open_page()
    tab.get_by_text("2 files or policies left out").click()
    assert "their-other-transformer has no results" in tab.locator("footer").inner_text()
