"""The player of recorded episodes on the leaderboard's page."""

from __future__ import annotations

import re

import pytest

from tests.benchmarks.site.tabs import (
    BOARD,
    CUT_OFF,
    NONE,
    Open,
    of_environments,
    until,
)

for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)

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
