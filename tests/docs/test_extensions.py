"""The extensions that make the site from the Markdown pages: links that leave `docs/`, and Markdown in docstrings."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def extension(name: str) -> dict[str, Any]:
    """Returns the names of an extension."""
    return runpy.run_path(str(DOCS / "_extensions" / f"{name}.py"))


@pytest.mark.parametrize(
    ("link", "on_site"),
    [
        ("[a](../CONTRIBUTING.md#releases)", "[a](contributing.md#releases)"),
        ("[a](../CHANGELOG.md)", "[a](changelog.md)"),
        ("[a](../README.md)", "[a](index.md)"),
        ("[a](speed.md)", "[a](speed.md)"),
        ("[a](decisions/)", "[a](decisions/index.md)"),
        ("[a](../benchmarks/published)", "a"),
        ("[a](../.github/ISSUE_TEMPLATE/bug_report.yml)", "a"),
        ("[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
        ("[a](#section)", "[a](#section)"),
        ("![a](pictures/dnn-partition.png)", "![a](pictures/dnn-partition.png)"),
        ("[two\nlines](../CONTRIBUTING.md)", "[two\nlines](contributing.md)"),
    ],
)
def test_a_link_leads_to_a_page_of_the_site_or_becomes_text(link: str, on_site: str) -> None:
    assert extension("repository_links")["rewritten"](link, DOCS, DOCS) == on_site


def test_links_of_files_in_the_root_are_relative_to_their_page() -> None:
    rewritten = extension("repository_links")["rewritten"]
    assert rewritten("[a](docs/speed.md), [b](CHANGELOG.md)", DOCS.parent, DOCS) == "[a](speed.md), [b](changelog.md)"


@pytest.mark.parametrize(
    ("markdown", "restructured"),
    [
        ("a `word` here", "a ``word`` here"),
        ("the `word`s", "the ``word``\\ s"),
        ("a `span over\n  lines`.", "a ``span over lines``."),
        ("as it ``stands``", "as it ``stands``"),
        ("(distance_m, *, link)", "(distance_m, \\*, link)"),
        ("2 x *a word* b", "2 x *a word* b"),
    ],
)
def test_code_of_a_docstring_becomes_a_literal(markdown: str, restructured: str) -> None:
    assert extension("markdown_docstrings")["converted"](markdown) == restructured


def test_a_table_of_a_docstring_becomes_a_table() -> None:
    table = extension("markdown_docstrings")["converted"]("| a | b |\n|---|---|\n| `c` | d |\n")
    assert table.splitlines()[0] == ".. list-table::"
    assert [line.strip() for line in table.splitlines()[3:] if line] == ["* - a", "- b", "* - ``c``", "- d"]
