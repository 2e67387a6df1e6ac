"""Turns the Markdown of docstrings into reStructuredText, which autodoc reads: code, and tables."""

from __future__ import annotations

import re
from typing import Any

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)(\w?)")
_STAR = re.compile(r"(?<![\w*`])\*(?=[,)\s])")
"""The star of a signature, which would begin an emphasis."""
_TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
BEFORE_NAPOLEON = 400


def setup(app: Any) -> dict[str, Any]:
    """Registers the conversion with Sphinx."""
    app.connect("autodoc-process-docstring", _convert, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _convert(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    # Napoleon reads the first line of an attribute as "type: description"; an empty line before it is none.
    first = [""] if what in ("attribute", "data", "property") else []
    lines[:] = [*first, *converted("\n".join(lines)).split("\n")]


def converted(text: str) -> str:
    """Returns a docstring with its code spans as literals, and its tables as tables."""
    return _CODE.sub(_literal, _TABLE.sub(_block, _STAR.sub(r"\\*", text)))


def _literal(match: re.Match[str]) -> str:
    code, letter = " ".join(match[1].split()), match[2]
    return f"``{code}``" + (f"\\ {letter}" if letter else "")


def _block(match: re.Match[str]) -> str:
    """Returns the reStructuredText of a table, without the line of dashes below its head."""
    rows = [row.strip("|").split("|") for row in match[0].splitlines()]
    cells = [
        f"   {' ' if column else '*'} - {cell.strip()}\n"
        for row in rows[:1] + rows[2:]
        for column, cell in enumerate(row)
    ]
    return f".. list-table::\n   :header-rows: 1\n\n{''.join(cells)}\n"
