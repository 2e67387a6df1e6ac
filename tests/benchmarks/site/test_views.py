"""The views of the leaderboard's page show the content of the board."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.benchmarks.site.tabs import (
    BOARD,
    ENTRY,
    GO,
    NONE,
    TRACK,
    Open,
    arrive,
    column,
    part,
)

for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)


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
