"""Replaces the measured or generated sections of Markdown pages, and keeps their prose."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_\[\]~|#])")


def with_section(page: str, name: str, measured: str, *, kind: str = "measured") -> str:
    """Returns a page with its measured section `name` replaced, or added at the end where there is none.

    A section stands between the marks `<!-- measured: NAME -->` and `<!-- end: NAME -->`; `kind` is the mark's word.

    Raises `ValueError` where one of the marks is missing or occurs twice, since prose could be lost.
    """
    begin, end = f"<!-- {kind}: {name} -->", f"<!-- end: {name} -->"
    block = f"{begin}\n\n{measured}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    marks = page.count(begin), page.count(end)
    if marks not in {(0, 0), (1, 1)} or page.find(begin) > page.find(end):
        raise ValueError(f"the page has {marks[0]} of {begin} and {marks[1]} of {end}; there must be one of each")
    if not marks[0]:
        return f"{page.rstrip()}\n\n{block}\n"
    return pattern.sub(lambda _: block, page, count=1)


def escaped(text: str) -> str:
    """Returns text in one line that Markdown shows literally, without markup, HTML, links or table cells."""
    one_line = " ".join(text.split())
    as_html = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    unmarked = _SPECIAL.sub(r"\\\1", as_html)
    return unmarked.replace("://", "&#58;//").replace("www.", "www&#46;")
