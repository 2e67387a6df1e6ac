"""A leaderboard as one HTML page that contains its styles, scripts and data, and needs no network."""

from __future__ import annotations

from pathlib import Path

from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site.charts import MISSING, NoAltair, library, line_dashes, line_names, specifications
from trainers.watching.page import SITE as WATCHING
from trainers.watching.page import content_hash, in_script, script

HERE = Path(__file__).parent
SCRIPTS = (
    WATCHING / "dom.js",
    HERE / "fit.js",
    HERE / "table.js",
    HERE / "charts.js",
    HERE / "labels.js",
    HERE / "legend.js",
    HERE / "figures.js",
    HERE / "improvements.js",
    HERE / "track.js",
    HERE / "entry.js",
    WATCHING / "road.js",
    WATCHING / "player.js",
    HERE / "page.js",
)
"""The scripts in the order in which they are joined; they share one scope."""
STYLES = (WATCHING / "player.css", HERE / "page.css")


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
    scripts = [script(text) for text in (library(), "\n".join(path.read_text() for path in SCRIPTS))]
    charts = [
        {"names": line_names(track), "dashes": line_dashes(track), **specifications(track)} for track in board.tracks
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html").render(
        board=board,
        style=Markup("\n".join(path.read_text() for path in STYLES)),
        data=Markup(in_script({"board": board, "charts": charts})),
        scripts=[Markup(text) for text in scripts],
        hashes=[content_hash(text) for text in scripts],
    )
