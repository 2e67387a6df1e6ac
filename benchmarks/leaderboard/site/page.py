"""A leaderboard as one HTML page: styles, scripts and data stand in it, and it asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site.charts import MISSING, NoAltair, library, line_names, specifications

HERE = Path(__file__).parent
SCRIPTS = ("dom.js", "table.js", "charts.js", "track.js", "entry.js", "road.js", "player.js", "page.js")
"""In the order of their use; they share one scope."""
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(board: Board) -> str:
    """Returns the page.

    Only its own scripts may run: a policy in the page names them by hash, so that no text of a result can.

    Raises `NoAltair`, an `ImportError`, where altair or vl-convert is missing, and `ValueError` where a number is not
    finite, as JSON has no such numbers.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:  # altair brings both
        raise NoAltair(MISSING) from error
    scripts = [script(text) for text in (library(), "\n".join((HERE / name).read_text() for name in SCRIPTS))]
    charts = [{"names": line_names(track), **specifications(track)} for track in board.tracks]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html").render(
        board=board,
        style=Markup((HERE / "page.css").read_text()),
        data=Markup(in_script({"board": board, "charts": charts})),
        scripts=[Markup(text) for text in scripts],
        hashes=[content_hash(text) for text in scripts],
    )


def in_script(value: object) -> str:
    """Returns a value as JSON that cannot end the element it stands in.

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
    raise TypeError(f"{type(value).__name__} is not JSON's")


def script(text: str) -> str:
    """Returns JavaScript as it may stand in a page: no string of it ends the element."""
    return "\n" + text.replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n"


def content_hash(text: str) -> str:
    """Returns the source by which a content security policy names an inline script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
