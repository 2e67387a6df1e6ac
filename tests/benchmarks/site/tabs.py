"""What tests do with the leaderboard's page in a browser: its boards, its parts, its charts."""

from __future__ import annotations

import functools
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.jobs.recording import Recording
from benchmarks.leaderboard.schema import Board
from tests.benchmarks.recordings import ENVIRONMENTS, recording_of
from tests.waiting import wait_until

BOARDS = runpy.run_path(str(Path(__file__).parents[1] / "boards.py"))
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


@functools.cache
def of_environments() -> dict[str, Recording]:
    """Episodes of the project's environments; in the third one also of devices that drive, of which one leaves."""
    env_id = "VEC-CooperativeInference-v0"
    driving = recording_of(env_id, mobility="straight", episode_slots=20)
    frame = driving.frames[-1]
    left = replace(frame, x_m=(None, *frame.x_m[1:]), y_m=(None, *frame.y_m[1:]))
    driving = replace(driving, case="driving", frames=(*driving.frames[:-1], left))
    return {env_id: recording_of(env_id) for env_id in ENVIRONMENTS} | {"driving": driving}


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
