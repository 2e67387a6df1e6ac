"""The leaderboard's page in a real browser, and its Markdown: what is said is shown, and text stays text."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site import charts
from benchmarks.leaderboard.site.markdown import markdown
from benchmarks.leaderboard.site.page import in_script, page
from benchmarks.reports.pages import escaped
from tests.waiting import wait_until

for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)
BOARDS = runpy.run_path(str(Path(__file__).with_name("boards.py")))
BOARD: Board = BOARDS["full"]()
TRACK = BOARD.tracks[0]
ENTRY = "#entry/VEC-CooperativeInference-v0/lymdo"
NONE = "\N{EN DASH}"
GO = """(at) => new Promise((done) => {
  addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(done)), { once: true });
  location.hash = at;
})"""
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The made-up boards' pages, and one whose charts cannot be drawn."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: page(BOARDS[name]()) for name in ("full", "empty", "harmful")}
    texts["chartless"] = texts["full"].replace('"$schema"', '"$broken"').replace('"layer":[', '"layer":[7,')
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture
def open_page(open_url: Open, pages: dict[str, Path]) -> Open:
    """Opens one of the made-up boards' pages."""

    def opened(name: str = "full", at: str = "", **options: Any) -> Any:
        return open_url(pages[name].as_uri() + at, **options)

    return opened


def part(tab: Any, title: str) -> Any:
    """The part of the view under a heading."""
    return tab.locator("section", has=tab.get_by_role("heading", name=title, exact=True))


def column(tab: Any, title: str, number: int) -> list[str]:
    """What stands in a column of a part's table, in the rows that are shown; of a cell its first line."""
    cells = part(tab, title).locator(f"tbody tr:not([hidden]) > :nth-child({number + 1})")
    return [text.strip().split("\n")[0] for text in cells.all_inner_texts()]


def drawn(tab: Any, index: int = 0) -> Any:
    """The canvas of a chart, once it is drawn."""
    chart = tab.locator(".chart").nth(index)
    chart.scroll_into_view_if_needed()
    canvas = chart.locator("canvas")
    canvas.wait_for()
    return canvas


def pixels(tab: Any, index: int = 0) -> str:
    """What a chart looks like."""
    return drawn(tab, index).evaluate("(canvas) => canvas.toDataURL()")


def arrive(tab: Any, title: str) -> None:
    """Waits for the view of that title: a browser tells a page some time after the click that its address changed."""
    tab.get_by_role("heading", level=2, name=title, exact=True).wait_for()


def until(true: Callable[[], bool]) -> None:
    """Polls a condition from outside the page, whose content security policy does not let Playwright evaluate text in
    it."""
    wait_until(true, "the page has changed")


def test_the_ranking_shows_the_content_of_the_board(open_page: Open) -> None:
    tab = open_page()
    assert tab.title() == BOARD.title
    assert tab.get_by_role("heading", level=1).inner_text() == BOARD.title
    assert column(tab, "Ranking", 0) == [str(entry.rank) if entry.rank else NONE for entry in TRACK.entries]
    assert column(tab, "Ranking", 1) == [entry.name for entry in TRACK.entries]
    assert column(tab, "Ranking", 2) == [f"{entry.scores['mean'][0]:.3f}" for entry in TRACK.entries]
    assert column(tab, "Ranking", 3)[7] == "0.000", "what rounds to nothing has no sign"
    assert column(tab, "Ranking", 5) == [f"{entry.times_best:.3f}" for entry in TRACK.entries]
    unranked = part(tab, "Ranking").get_by_role("row", name="mappo")
    assert "seeds 3 and 4 of ring road are missing" in unranked.inner_text()
    assert part(tab, "Ranking").locator("svg.bar .whisker").count() == 3 * len(TRACK.entries)
    assert part(tab, "Ranking").get_by_text("growing", exact=True).count() == 1


def test_a_click_on_a_head_sorts_by_number_both_ways(open_page: Open) -> None:
    tab = open_page()
    ranking = part(tab, "Ranking")
    head = ranking.get_by_role("columnheader", name="Decision")
    times = sorted(entry.decision_ms for entry in TRACK.entries if entry.decision_ms is not None)
    as_text = [f"{time:.3g}" for time in times]
    assert as_text != sorted(as_text), "numbers must differ from text"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(tab, "Ranking", 7) == [*as_text, NONE]
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(tab, "Ranking", 7) == [*reversed(as_text), NONE], "what has no value stays last"
    score = ranking.get_by_role("columnheader", name="Score")
    score.get_by_role("button").click()
    assert (score.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("descending", "none")
    assert column(tab, "Ranking", 1)[0] == "greedy", "the greatest score is on top"


def test_filters_keep_what_fits_both(open_page: Open) -> None:
    tab = open_page()
    ranking = part(tab, "Ranking")
    ranking.get_by_label("Find").fill(" PPO-")
    assert column(tab, "Ranking", 1) == ["ppo-joint"]
    assert ranking.get_by_role("status").inner_text() == "1 of 10 policies"
    ranking.get_by_label("Find").fill("an")
    assert column(tab, "Ranking", 1) == ["their-transformer", "random", "mappo"], "notes count too"
    ranking.get_by_label("Kind").select_option("reference")
    assert column(tab, "Ranking", 1) == ["random"]
    ranking.get_by_label("Find").fill("")
    kinds = {entry.name for entry in TRACK.entries if entry.kind == "reference"}
    assert set(column(tab, "Ranking", 1)) == kinds
    part(tab, "Ranking").get_by_role("link", name="edge").click()
    tab.get_by_role("link", name="← Cooperative inference").click()
    arrive(tab, TRACK.title)
    assert set(column(tab, "Ranking", 1)) == kinds, "filters are as they were left"


def test_a_case_is_chosen(open_page: Open) -> None:
    tab = open_page()
    cases = part(tab, "Cases")
    assert cases.get_by_text("the environment's defaults").is_visible()
    cases.get_by_label("Case").select_option(label="Ring road (unseen)")
    assert cases.get_by_text("unseen: road").is_visible()
    assert '"mobility"' not in cases.inner_text()
    assert [term.inner_text() for term in cases.locator("dt").all()] == ["arrival_rate_hz", "mobility"]
    ring = TRACK.cases[2]
    assert column(tab, "Cases", 0) == [row.policy for row in ring.rows]
    delay = [head.inner_text() for head in cases.locator("thead th").all()].index("delay [s]")
    assert column(tab, "Cases", delay)[0] == f"{ring.rows[0].metrics['delay_s'][0]:.4g}"
    assert cases.get_by_text("3, incomplete").is_visible()
    cases.get_by_role("link", name="lymdo").nth(1).click()
    tab.get_by_role("slider").wait_for()
    assert tab.get_by_label("Episode").locator("option:checked").inner_text() == "Ring road: lymdo"


def test_an_entry_has_a_view(open_page: Open) -> None:
    tab = open_page(at=ENTRY, permissions=["clipboard-read", "clipboard-write"])
    entry = TRACK.entries[0]
    assert tab.get_by_role("heading", level=2).inner_text() == "lymdo"
    assert tab.locator("pre").inner_text() == entry.command
    tab.get_by_role("button", name="Copy").click()
    tab.get_by_role("button", name=re.compile("Copied|Selected")).wait_for()
    assert [term.inner_text() for term in part(tab, "Options").locator("dt").all()] == list(entry.options)
    assert column(tab, "Every case", 0) == [case.title for case in TRACK.cases]
    scores = [next(row for row in case.rows if row.policy == "lymdo").score[0] for case in TRACK.cases]
    assert column(tab, "Every case", 1) == [f"{score:.3f}" for score in scores]
    tab.get_by_role("link", name="DNN partitioning").click()
    tab.get_by_text("No policy has been measured yet.").wait_for()
    tab.go_back()
    arrive(tab, "lymdo")


def test_the_back_button_returns_to_the_previous_view(open_page: Open) -> None:
    tab = open_page()
    part(tab, "Ranking").get_by_role("link", name="lymdo").click()
    arrive(tab, "lymdo")
    tab.go_back()
    arrive(tab, TRACK.title)


@pytest.mark.parametrize("which", ["-1", "2.5", "99", "x"])
def test_a_missing_episode_is_replaced_by_another(open_page: Open, which: str) -> None:
    tab = open_page(at=f"#episodes/{which}")
    assert tab.get_by_role("slider", name="Slot").is_visible()


def test_single_runs_have_no_interval_and_no_significance(open_page: Open) -> None:
    tab = open_page()
    runs = {entry.name: entry.seeds for entry in TRACK.entries}
    heat = part(tab, "Who beats whom")
    names = [head.inner_text() for head in heat.locator("tbody th").all()]
    for row, better in enumerate(names):
        for at, than in enumerate(names):
            if better != than and runs[better] == runs[than] == 1:
                cell = heat.locator("tbody tr").nth(row).locator("td").nth(at)
                assert "sure" not in (cell.get_attribute("class") or "").split()
    assert heat.locator("td.sure").count() > 0
    assert heat.locator("td.sure small").count() > 0
    assert part(tab, "Ranking").get_by_role("row", name="greedy").locator("small").count() == 0


def test_a_plot_shows_its_values_without_a_pointer(open_page: Open) -> None:
    tab = open_page()
    figure = part(tab, "Queues").locator("figure").first
    figure.get_by_text("Values", exact=True).click()
    plot = TRACK.queues[0]
    rows = figure.locator("tbody tr")
    rows.first.wait_for()
    assert [row.locator("th").inner_text() for row in rows.all()] == [line.name for line in plot.lines]
    assert rows.first.locator("td").last.inner_text().startswith(f"{plot.lines[0].value[-1]:.4g}"[:4])


def test_the_player_moves_vehicles(open_page: Open) -> None:
    tab = open_page(at="#episodes")
    recording = BOARD.recordings[0]
    places = "() => [...document.querySelectorAll('.map .node')].map((node) => node.getAttribute('transform')).join()"
    assert tab.locator(".map .node").count() == len(recording.nodes)
    assert tab.locator(".map .link").count() == len(recording.frames[0].links)
    first = tab.evaluate(places)
    slider = tab.get_by_role("slider", name="Slot")
    slider.press("ArrowRight")
    assert tab.locator("output").inner_text() == "slot 2 of 60, 1.000 s"
    assert tab.evaluate(places) != first
    assert tab.locator(".caption").inner_text() == recording.frames[1].caption
    start, end, what = recording.frames[1].links[0]
    said = f"{recording.nodes[start].name} → {recording.nodes[end].name}: {what}"
    assert tab.locator(".map .link title").first.text_content() == said
    assert tab.locator(".map .link").count() == len(recording.frames[1].links) - 1, "what is kept has no arrow"
    assert tab.locator(".queues").get_by_text("keeps all of resnet18").is_visible()
    tab.get_by_label("Speed").select_option("5")
    tab.get_by_role("button", name="Play").click()
    tab.get_by_text(re.compile(r"slot ([4-9]|\d\d) of 60")).wait_for()
    tab.get_by_role("button", name="Pause").click()
    assert tab.get_by_role("button", name="Play").is_visible()
    stopped = tab.evaluate(places)
    tab.wait_for_timeout(150)
    assert tab.evaluate(places) == stopped


def test_an_episode_ends_and_another_is_chosen(open_page: Open) -> None:
    tab = open_page(at="#episodes/1", reduced_motion="reduce")
    tab.get_by_label("Speed").select_option("15")
    tab.get_by_role("button", name="Play").click()
    tab.get_by_text("slot 3 of 3").wait_for()
    tab.get_by_role("button", name="Play").wait_for()
    tab.get_by_label("Episode").select_option(label="elsewhere: edge")
    assert tab.locator(".map .node").count() == 3
    assert "wider than to scale" not in tab.locator(".player").inner_text(), "a town is drawn as it is"
    until(lambda: tab.url.endswith("#episodes/2"))


def test_charts_are_drawn_and_their_lines_can_be_hidden(open_page: Open) -> None:
    tab = open_page()
    before = pixels(tab, 1)
    button = tab.get_by_role("group", name="Lines").get_by_role("button", name="lymdo")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
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


def test_nothing_moves_when_a_chart_is_drawn(open_page: Open) -> None:
    tab = open_page()
    heights = "() => [...document.querySelectorAll('.chart')].map((box) => box.getBoundingClientRect().height)"
    before = tab.evaluate(heights)
    for index, height in enumerate(before):
        assert drawn(tab, index).bounding_box()["height"] == pytest.approx(height, abs=1)
    assert tab.evaluate(heights) == before


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


def test_json_cannot_end_its_element() -> None:
    text = in_script({"name": "</script><!-- & \u2028\u2029"})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"name": "</script><!-- & \u2028\u2029"}


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        in_script(replace(TRACK.entries[0], decision_ms=float("nan")))
    with pytest.raises(TypeError, match="type set cannot be written as JSON"):
        in_script({"options": {1}})


@pytest.mark.parametrize("missing", ["altair", "vl_convert"])
def test_missing_packages_are_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    charts.library.cache_clear()
    with pytest.raises(ImportError, match=re.escape('pip install "vec-envs[leaderboard]"')):
        page(BOARD)


def test_a_line_has_its_colour_and_dashes_in_all_plots() -> None:
    specifications = charts.specifications(TRACK)
    assert {group: len(plots) for group, plots in specifications.items()} == {
        "profiles": 1, "curves": 2, "queues": 1, "sweeps": 1,
    }  # fmt: skip
    names = list(charts.line_names(TRACK))
    assert names == [entry.name for entry in TRACK.entries]
    for plot in (plot for plots in specifications.values() for plot in plots):
        _, line, _ = plot["layer"]
        assert line["encoding"]["color"]["scale"]["domain"] == names
        dashes = line["encoding"]["strokeDash"]["scale"]["range"]
        assert [dash == charts.SOLID for dash in dashes] == [entry.kind == "learned" for entry in TRACK.entries]
        assert plot["width"] == "container"


def test_markdown_has_a_table_of_each_track() -> None:
    text = markdown(BOARD)
    assert text.startswith("# VEC-Envs leaderboard\n\nSuite board, version 1; vec-envs 0.9.0, SUMO 1.24.0.\n")
    assert "| 1 | lymdo | 0.911 [0.881, 0.935] | 0.931 | 0.069 | 1.069 | 0.2100 ms |  |" in text
    assert "| 9 | greedy | 0.931 | 0.951 | 0.049 | 1.049 | 30.00 ms | queue of 2.5 tasks/s grows |" in text
    unranked = "| - | mappo | 0.782 [0.752, 0.806] | 0.802 | 0.198 | 1.198 | 1.100 ms | seeds 3 and 4 of"
    assert f"{unranked} ring road are missing |" in text
    assert "## DNN partitioning\n\nNothing has been measured yet.\n" in text


def test_markdown_keeps_text_as_text() -> None:
    assert escaped("a|b`c`\n*d* <b>&[x](y)") == "a\\|b\\`c\\` \\*d\\* &lt;b&gt;&amp;\\[x\\](y)"
    assert escaped("see https://x.example") == "see https&#58;//x.example"
    assert escaped("www.x.example") == "www&#46;x.example"
    rows = [line for line in markdown(BOARDS["harmful"]()).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(TRACK.entries)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 9 for row in rows)
    assert not any("<" in row for row in rows)
