"""A leaderboard as one HTML page that contains its styles, scripts and data, and needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site.charts import MISSING, NoAltair, library, line_dashes, line_names, specifications

HERE = Path(__file__).parent
SCRIPTS = (
    "dom.js",
    "fit.js",
    "table.js",
    "charts.js",
    "labels.js",
    "legend.js",
    "figures.js",
    "improvements.js",
    "track.js",
    "entry.js",
    "road.js",
    "player.js",
    "page.js",
)
"""The scripts in the order in which they are joined; they share one scope."""
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(board: Board) -> str:
    """Returns the page.

    The page's content security policy allows its own scripts alone, by their hashes, so that no text of a result is run
    as a script.

    Raises `NoAltair`, an `ImportError`, where altair or vl-convert is missing, and `ValueError` where a number is not
    finite, which JSON cannot hold.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:  # both are installed with altair
        raise NoAltair(MISSING) from error
    scripts = [script(text) for text in (library(), "\n".join((HERE / name).read_text() for name in SCRIPTS))]
    charts = [
        {"names": line_names(track), "dashes": line_dashes(track), **specifications(track)} for track in board.tracks
    ]
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
