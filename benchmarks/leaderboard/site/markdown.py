"""A leaderboard as Markdown, for a README: a table of each track."""

from __future__ import annotations

import re

from benchmarks.leaderboard.schema import Board, Entry, Track
from trainers.evaluate import shown

HEAD = ("rank", "policy", "score, 95%", "IQM", "optimality gap", "x best", "decision", "note")
READING = (
    "Score 0 is the random policy, 1 the best reference whose queue does not grow, of the exact optima where there are "
    "any: these are optimal for a slot, so that who sees further may have more. In between it goes by the logarithm of "
    "completion time, cost or delay; a track's score is the mean over its cases and runs, with a 95% interval over "
    "runs, which are trainings: of a handful it is too narrow, by half and more. Equal to three digits is the same "
    "rank; growing queues rank below stable ones; entries with missing seeds are not ranked. *x best* is that figure "
    "in times the reference's, the geometric mean."
)
SPECIAL = re.compile(r"([\\`*_\[\]~|#])")


def markdown(board: Board) -> str:
    """Returns the text of `leaderboard.md`."""
    return f"# {escaped(board.title)}\n\n{rankings(board, level=2)}"


def rankings(board: Board, *, level: int) -> str:
    """Returns how the numbers are read, and the table of each track under a heading of this level."""
    version = f"Suite {escaped(board.suite)}, version {escaped(board.version)}; {escaped(board.code)}."
    parts = [version, READING]
    for track in board.tracks:
        parts += [f"{'#' * level} {escaped(track.title)}", ranking(track)]
    return "\n\n".join(parts) + "\n"


def ranking(track: Track) -> str:
    """Returns a track's ranking as a table, or a sentence where there is none."""
    if not track.entries:
        return "Nothing has been measured yet."
    rows = [HEAD, tuple("---" for _ in HEAD), *(_row(entry) for entry in track.entries)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(entry: Entry) -> tuple[str, ...]:
    score, iqm, gap = (entry.scores.get(name) for name in ("mean", "iqm", "optimality_gap"))
    return (
        "-" if entry.rank is None else str(entry.rank),
        escaped(entry.name),
        _interval(*score) if score else "-",
        _fixed(iqm[0]) if iqm else "-",
        _fixed(gap[0]) if gap else "-",
        "-" if entry.times_best is None else _fixed(entry.times_best),
        "-" if entry.decision_ms is None else shown(entry.decision_ms, "ms"),
        escaped(entry.note or ("" if entry.stable else "queues grow")),
    )


def _interval(value: float, low: float, high: float) -> str:
    """Returns a score and its interval; a single run's has none."""
    return _fixed(value) if low == high else f"{_fixed(value)} [{_fixed(low)}, {_fixed(high)}]"


def _fixed(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # adding 0.0 turns -0.0 around


def escaped(text: str) -> str:
    """Returns text that Markdown shows as it is, in one line: no markup, HTML, link or table cell of its own."""
    one_line = " ".join(text.split())
    as_html = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    unmarked = SPECIAL.sub(r"\\\1", as_html)
    return unmarked.replace("://", "&#58;//").replace("www.", "www&#46;")
