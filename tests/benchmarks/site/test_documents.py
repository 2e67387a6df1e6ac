"""The leaderboard's documents without a browser: what a page embeds, and its Markdown."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import pytest

from benchmarks.leaderboard.site import charts
from benchmarks.leaderboard.site.markdown import markdown
from benchmarks.leaderboard.site.page import in_script, page
from benchmarks.reports.pages import escaped
from tests.benchmarks.site.tabs import (
    BOARD,
    BOARDS,
    TRACK,
)

for needed in ("altair", "vl_convert"):
    pytest.importorskip(needed)


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
