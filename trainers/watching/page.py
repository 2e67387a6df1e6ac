"""The page of `trainers.watch`: recorded episodes in the leaderboard's player, offline."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

SITE = Path(__file__).parent / "site"
SCRIPTS = ("dom.js", "road.js", "player.js", "watch.js")
"""The scripts in the order in which they are joined; they share one scope. `watch.js` starts the page."""
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(title: str, about: str, recordings: Sequence[Mapping[str, Any]]) -> str:
    """Returns a page that plays recorded episodes side by side.

    Its content security policy allows only the page's own script, by the script's hash.

    Args:
        title: The heading.
        about: The line below it.
        recordings: Recordings as `EpisodeRecorder.written` returns them, with the names of case and policy.
    """
    code = script("\n".join((SITE / name).read_text() for name in SCRIPTS))
    parts = {
        "title": html.escape(title),
        "about": html.escape(about),
        "style": (SITE / "player.css").read_text(),
        "data": in_script({"recordings": [played(recording) for recording in recordings]}),
        "hash": content_hash(code),
        "script": code,
    }
    template = re.split(r"{{ (\w+) }}", (SITE / "watch.html").read_text())
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(template))


def played(recording: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a recording as the player reads it: with the entries that the file leaves out."""
    frames = [{"arrived": [], **frame} for frame in recording["frames"]]
    return {"queues": [{"name": "Waiting", "unit": recording["unit"]}], **recording, "frames": frames}


def in_script(value: object) -> str:
    """Returns a value as JSON that is safe within a script element.

    Raises `ValueError` where a number is not finite.
    """
    text = json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate(ESCAPED)


def _plain(value: object) -> dict[str, Any]:
    """Returns a record or mapping as a dictionary. Raises `TypeError` for anything else."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def script(text: str) -> str:
    """Returns JavaScript that is safe within a script element: none of its strings ends the element."""
    return "\n" + text.replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n"


def content_hash(text: str) -> str:
    """Returns the hash by which a content security policy allows an inline script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
