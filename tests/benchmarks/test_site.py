"""The leaderboard's page in a real browser, and its Markdown: what is said is shown, and text stays text."""

from __future__ import annotations

import functools
import itertools
import json
import re
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from benchmarks.jobs.recording import Recording
from benchmarks.leaderboard.schema import Board, Line, Plot
from benchmarks.leaderboard.site import charts
from benchmarks.leaderboard.site.markdown import markdown
from benchmarks.leaderboard.site.page import in_script, page
from benchmarks.reports.pages import escaped
from tests.benchmarks.recordings import ENVIRONMENTS, recording_of
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
CUT_OFF = """() => {
  const wrong = [];
  for (const cell of document.querySelectorAll("main th, main td, main .legend button, main dd")) {
    const box = cell.getBoundingClientRect();
    if (box.width === 0 || cell.closest(".hidden-text")) continue;
    const of = (cell.closest(".fitted, .pane, figure") ?? document.body).getBoundingClientRect();
    const inside = box.left >= of.left - 1 && box.right <= of.right + 1;
    const whole = cell.scrollWidth <= cell.clientWidth + 1 && cell.scrollHeight <= cell.clientHeight + 1;
    const text = [...cell.querySelectorAll("*")].filter((part) => part.localName !== "option");
    const hides = (part) => getComputedStyle(part).overflowX !== "visible" && part.scrollWidth > part.clientWidth;
    const spills = !whole && getComputedStyle(cell).display !== "inline";
    if (!inside || spills || text.some(hides)) wrong.push(cell.textContent.slice(0, 60));
  }
  return wrong;
}"""
"""Returns the texts of cells that are not wholly visible."""
OPEN_VALUES = """() => {
  document.querySelectorAll("figure > details").forEach((details) => (details.open = true));
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The made-up boards' pages, and others that differ in one thing."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: page(BOARDS[name]()) for name in ("full", "empty", "harmful")}
    texts["chartless"] = texts["full"].replace('"$schema"', '"$broken"').replace('"layer":[', '"layer":[7,')
    pair = replace(BOARD.recordings[1], case=BOARD.recordings[0].case)
    texts["two"] = page(replace(BOARD, recordings=(BOARD.recordings[0], pair, BOARD.recordings[2])))
    texts["late"] = page(_differing_at_one_place(BOARD))
    texts["environments"] = page(replace(BOARD, recordings=tuple(of_environments().values())))
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


@functools.cache
def of_environments() -> dict[str, Recording]:
    """Episodes of the project's environments; in the third one also of devices that drive, of which one leaves."""
    env_id = "VEC-CooperativeInference-v0"
    driving = recording_of(env_id, mobility="straight", episode_slots=20)
    frame = driving.frames[-1]
    left = replace(frame, x_m=(None, *frame.x_m[1:]), y_m=(None, *frame.y_m[1:]))
    driving = replace(driving, case="driving", frames=(*driving.frames[:-1], left))
    return {env_id: recording_of(env_id) for env_id in ENVIRONMENTS} | {"driving": driving}


def _differing_at_one_place(board: Board) -> Board:
    """A board whose performance profiles differ at a score of 0.97 only, which evenly spread places miss."""
    x = tuple(round(0.01 * n, 2) for n in range(120))
    of_lines = {name: tuple(1.0 - (at == 0.97) * part for at in x) for name, part in (("lymdo", 0.2), ("edge", 0.7))}
    lines = tuple(Line(name=name, x=x, value=value, low=value, high=value) for name, value in of_lines.items())
    track = replace(TRACK, profiles=replace(TRACK.profiles, lines=lines))
    return replace(board, tracks=(track,))


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
    """What stands in a column of a part's first table, in the rows that are shown; of a cell its first line."""
    cells = part(tab, title).locator("table").first.locator(f"tbody tr:not([hidden]) > :nth-child({number + 1})")
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


def saved(tab: Any, index: int, kind: str) -> Path:
    """The picture that the menu of a chart saves."""
    drawn(tab, index)
    chart = tab.locator(".chart").nth(index)
    chart.locator("summary").click()
    with tab.expect_download() as download:
        chart.get_by_text(f"Save as {kind}").click()
    return Path(download.value.path())


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
    assert column(tab, "Ranking", 2) == [f"{entry.skill['mean'][0]:.3f}" for entry in TRACK.entries]
    assert column(tab, "Ranking", 3)[7] == "0.000", "what rounds to nothing has no sign"
    assert column(tab, "Ranking", 5) == [f"{entry.times_seer:.3f}" for entry in TRACK.entries]
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
    score = ranking.get_by_role("columnheader", name="Skill")
    score.get_by_role("button").click()
    assert (score.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("descending", "none")
    assert column(tab, "Ranking", 1)[0] == "greedy", "the greatest skill is on top"


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
    cases.get_by_role("link", name="lymdo").first.click()
    tab.get_by_role("slider").wait_for()
    assert tab.get_by_label("Episode").locator("option:checked").inner_text() == "Ring road: lymdo"


def test_a_case_shows_its_room_and_what_is_hard_about_it(open_page: Open) -> None:
    tab = open_page()
    cases = part(tab, "Cases")
    assert "Blind, timetable takes 0.9000 s, growing; edge 0.6000 s: seeing saves 33.3%" in cases.inner_text()
    assert "the seer 0.3000 s: foresight saves 50.0% more" in cases.inner_text()
    assert cases.get_by_text("ranked", exact=True).is_visible()
    table = cases.get_by_role("table", name="What is hard about 1 task/s")
    rows = [row.inner_text().split() for row in table.locator("tbody tr").all()]
    assert rows[0][-4:] == ["+12%", "+9.2%", "to", "+15%"]
    assert "".join(rows[1]).endswith("+284%+250%to+301%aqueuegrows")


def test_the_address_keeps_the_selected_case(open_page: Open) -> None:
    tab = open_page()
    part(tab, "Cases").get_by_label("Case").select_option(label="Ring road (unseen)")
    assert tab.url.endswith(f"#track/{TRACK.env_id}/ring")
    tab.reload()
    cases = part(tab, "Cases")
    assert cases.get_by_label("Case").locator("option:checked").inner_text() == "Ring road (unseen)"
    assert cases.get_by_text("unseen: road").is_visible()
    tab.evaluate(GO, f"#track/{TRACK.env_id}/rate-2.5")
    assert cases.get_by_text("unseen: load").is_visible()
    tab.evaluate(GO, f"#track/{TRACK.env_id}/none-such")
    assert cases.get_by_text("unseen: load").is_visible(), "an unknown case changes nothing"


def test_an_entry_says_what_it_is_and_can_be_saved(open_page: Open) -> None:
    tab = open_page(at=ENTRY)
    entry = TRACK.entries[0]
    assert tab.get_by_text(entry.about).is_visible()
    assert part(tab, "Reproduce").get_by_text(entry.code).is_visible()
    assert part(tab, "Learning curves").locator("figure").count() == len(TRACK.curves)
    assert part(tab, "Learning curves").get_by_role("button", name="lymdo").count() == len(TRACK.curves)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download").click()
    content = json.loads(Path(download.value.path()).read_text())
    assert download.value.suggested_filename == "lymdo.json"
    assert content["entry"]["name"] == "lymdo"
    assert [[row["policy"] for row in case["rows"]] for case in content["cases"]] == [["lymdo"]] * len(TRACK.cases)
    assert [[line["name"] for line in plot["lines"]] for plot in content["curves"]] == [["lymdo"]] * len(TRACK.curves)
    tab.evaluate(GO, ENTRY.replace("lymdo", "edge"))
    assert part(tab, "Learning curves").count() == 0, "it does not learn"


def test_an_entry_has_a_view(open_page: Open) -> None:
    tab = open_page(at=ENTRY, permissions=["clipboard-read", "clipboard-write"])
    entry = TRACK.entries[0]
    assert tab.get_by_role("heading", level=2).inner_text() == "lymdo"
    assert tab.locator("pre").inner_text() == entry.command
    tab.get_by_role("button", name="Copy").click()
    tab.get_by_role("button", name=re.compile("Copied|Selected")).wait_for()
    assert [term.inner_text() for term in part(tab, "Options").locator("dt").all()] == list(entry.options)
    assert column(tab, "Every case", 0) == [case.title for case in TRACK.cases]
    scores = [next(row for row in case.rows if row.policy == "lymdo").skill[0] for case in TRACK.cases]
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
    heads = [head.inner_text() for head in figure.locator("thead th").all()[1:]]
    assert len(set(heads)) == 6
    for at, head in enumerate(heads):
        index = plot.lines[0].x.index(float(head.removeprefix(f"{plot.x_label} ")))
        assert len({f"{line.value[index]:.3g}" for line in plot.lines}) > 1, "policies differ there"
        assert rows.first.locator("td").nth(at).inner_text().startswith(f"{plot.lines[0].value[index]:.4g}"[:4])


def test_a_values_table_is_at_the_places_where_policies_differ(open_page: Open) -> None:
    tab = open_page("late")
    figure = part(tab, "Performance profiles").locator("figure")
    figure.get_by_text("Values", exact=True).click()
    figure.locator("tbody tr").first.wait_for()
    heads = [head.inner_text() for head in figure.locator("thead th").all()[1:]]
    assert "skill 0.9700" in heads


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


SHOWN = {
    "VEC-DNNPartition-v0": (["Waiting [Gcycles]"], ["client vehicle", "service vehicle", "roadside unit"]),
    "VEC-TaskDiversion-v0": (["Busy for [s]"], ["vehicle", "roadside unit"]),
    "VEC-CooperativeInference-v0": (["Energy queue", "Memory queue"], ["device", "server"]),
    "VEC-MobileInference-v0": (
        ["Work [Gcycles]", "Energy queue [J]"],
        ["client vehicle", "service vehicle", "roadside unit"],
    ),
    "driving": (["Energy queue", "Memory queue"], ["device", "server"]),
}
"""Kinds of queues and of nodes."""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", SHOWN)
def test_the_player_shows_every_environment(open_page: Open, name: str, width: int) -> None:
    recordings = of_environments()
    recording, (queues, kinds) = recordings[name], SHOWN[name]
    tab = open_page(
        "environments", at=f"#episodes/{list(recordings).index(name)}", viewport={"width": width, "height": 900}
    )
    slot = len(recording.frames) - 1
    tab.get_by_role("slider", name="Slot").fill(str(slot))
    frame = recording.frames[slot]
    assert tab.locator(".caption").inner_text() == frame.caption
    assert tab.locator(".queues .of-queue").all_inner_texts() == queues
    assert tab.locator(".marks span").all_inner_texts() == [*kinds, "an arrow has the colour of its target"]
    present = [place is not None for place in frame.x_m]
    assert tab.locator(".map .node:visible").count() == sum(present)
    arrows = [link for link in frame.links if link[0] != link[1] and present[link[0]]]
    assert tab.locator(".map .link").count() == len(arrows)
    rows, titles = tab.locator(".queues tbody tr"), tab.locator(".queues .who")
    named = [index for index, node in enumerate(recording.nodes) if node.kind != "server"]
    assert [title.get_attribute("title") for title in titles.all()] == [recording.nodes[index].name for index in named]
    nodes = len(recording.nodes)
    for row, index in enumerate(named):
        shown = rows.nth(row).locator(".number").all_inner_texts()
        waits = [frame.waits[kind * nodes + index] for kind in range(len(queues))]
        for text, wait in zip(shown, waits, strict=True):
            assert text == NONE if wait is None else float(text) == pytest.approx(wait, rel=1e-3)
    assert tab.evaluate(CUT_OFF) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_another_vehicle_of_a_name_does_not_drive_there(open_page: Open) -> None:
    """The road that the paths of vehicles show has a gap where another vehicle takes a name."""
    recordings = of_environments()
    recording = recordings["VEC-TaskDiversion-v0"]
    tab = open_page("environments", at=f"#episodes/{list(recordings).index('VEC-TaskDiversion-v0')}")
    vehicles = [index for index, node in enumerate(recording.nodes) if node.kind == "vehicle"]
    arrived = [sum(index in frame.arrived for frame in recording.frames) for index in vehicles]
    assert any(arrived)
    paths = [path.get_attribute("d") for path in tab.locator(".map .road").all()]
    assert [path.count("M") for path in paths] == [1 + times for times in arrived]


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


def test_two_policies_play_side_by_side(open_page: Open) -> None:
    tab = open_page("two", at="#episodes/0")
    panes = tab.locator(".pane")
    assert panes.count() == 1
    assert tab.get_by_label("Beside").locator("option").all_inner_texts() == ["no other policy", "edge"]
    tab.get_by_label("Beside").select_option(label="edge")
    assert tab.url.endswith("#episodes/0/1")
    assert [head.inner_text() for head in panes.get_by_role("heading").all()] == ["lymdo", "edge"]
    tab.get_by_role("slider", name="Slot").fill("5")
    first, second = BOARD.recordings[0].frames[5], BOARD.recordings[1].frames[2]
    assert panes.nth(0).locator(".caption").inner_text() == first.caption
    assert panes.nth(1).locator(".caption").inner_text() == second.caption, "the shorter episode stays at its end"
    tab.reload()
    assert panes.count() == 2
    tab.get_by_label("Episode").select_option(label="elsewhere: edge")
    assert panes.count() == 1, "nobody else plays that case"


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
    style = (Path(charts.__file__).parent / "page.css").read_text()
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
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert widths == [6] * (2 + len(TRACK.cases)) + [9] * (2 + len(TRACK.entries))
    assert not any("<" in row for row in rows)
