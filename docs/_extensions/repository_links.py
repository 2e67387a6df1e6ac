"""Rewrites links of Markdown pages that lead out of `docs/`, because the site holds this folder alone."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
"""Files of the repository's root that have a page on the site."""
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def setup(app: Any) -> dict[str, Any]:
    """Registers the rewriting with Sphinx."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Any, page: str, source: list[str]) -> None:
    """Rewrites the text of a page; a page of `PAGES` gets the text of the file in the root."""
    docs = Path(app.srcdir)
    path = Path(app.env.doc2path(page))
    if path.suffix != ".md":
        return
    for name, of_site in PAGES.items():
        if path == docs / of_site and name != "README.md":
            source[0] = rewritten((docs.parent / name).read_text(encoding="utf-8"), docs.parent, path.parent)
            return
    source[0] = rewritten(source[0], path.parent, path.parent)


def rewritten(text: str, folder: Path, page_folder: Path) -> str:
    """Returns Markdown with its links as a page in `page_folder` of the site needs them; they are relative to `folder`.

    A link to a file that the site does not hold becomes its text.
    """
    docs = Path(__file__).resolve().parents[1]
    return _LINK.sub(partial(_link, docs=docs, folder=folder, page_folder=page_folder), text)


def _link(match: re.Match[str], *, docs: Path, folder: Path, page_folder: Path) -> str:
    text, target, section = match[1], Path(os.path.normpath(folder / match[2])), match[3] or ""
    if target.parent == docs.parent and target.name in PAGES:
        target = docs / PAGES[target.name]
    if target.is_dir() and (target / "index.md").exists():
        target /= "index.md"
    if not target.is_relative_to(docs) or target.is_dir():
        return text
    return f"[{text}]({PurePosixPath(os.path.relpath(target, page_folder))}{section})"
