"""A leaderboard as Markdown: a table for each track."""

from __future__ import annotations

from benchmarks.leaderboard.schema import Board, Entry, Head, Interval, Track
from benchmarks.reports.pages import escaped
from trainers.runs.tables import shown

HEAD = ("rank", "policy", "score, 95%", "IQM", "optimality gap", "x best", "decision", "note")
READING = (
    "Score 0 is the random policy. Score 1 is the best reference whose queue does not grow, among the exact optima "
    "where there are any. These are optimal for a single slot, so a policy that plans further can exceed 1. In "
    "between, a score is linear in the logarithm of completion time, cost or delay. The score of a track is the mean "
    "over its cases and runs, with a 95% confidence interval over training runs; with a handful of runs it is too "
    "narrow, by half or more. Scores that are equal to three digits share a rank. Policies with growing queues rank "
    "below stable ones. Policies with missing seeds are not ranked. *x best* is the metric divided by that of the "
    "best reference, the geometric mean over cases."
)
NO_REFERENCES = (
    "The suite has no reference policies for this environment, so there are no scores. Policies are ranked by the mean "
    "of the problem's first metric over the cases; less is better."
)


def markdown(board: Board) -> str:
    """Returns the text of `leaderboard.md`."""
    return f"# {escaped(board.title)}\n\n{rankings(board, level=2)}"


def rankings(board: Board, *, level: int) -> str:
    """Returns an explanation of the numbers, and the table of each track under a heading of this level."""
    parts = [f"Suite {escaped(board.suite)}, version {escaped(board.version)}; {escaped(board.code)}."]
    if not board.tracks or any(track.metric is None for track in board.tracks):
        parts.append(READING)
    for track in board.tracks:
        parts.append(f"{'#' * level} {escaped(track.title)}")
        parts += [NO_REFERENCES] if track.metric is not None else []
        parts.append(ranking(track))
    return "\n\n".join(parts) + "\n"


def ranking(track: Track) -> str:
    """Returns a track's ranking as a table, or a sentence where it has no entries."""
    if not track.entries:
        return "Nothing has been measured yet."
    head = HEAD if track.metric is None else ("rank", "policy", f"{_in_words(track.metric)}, 95%", *HEAD[6:])
    rows = [head, tuple("---" for _ in head), *(_row(entry, track.metric) for entry in track.entries)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _in_words(head: Head) -> str:
    return escaped(f"{head.label} ({head.unit})" if head.unit else head.label)


def _row(entry: Entry, metric: Head | None) -> tuple[str, ...]:
    return (
        "-" if entry.rank is None else str(entry.rank),
        escaped(entry.name),
        *(_score_cells(entry) if metric is None else [_with_interval(entry.metric)]),
        "-" if entry.decision_ms is None else shown(entry.decision_ms, "ms"),
        escaped(entry.note or ("" if entry.stable else "queues grow")),
    )


def _score_cells(entry: Entry) -> list[str]:
    score, iqm, gap = (entry.scores.get(name) for name in ("mean", "iqm", "optimality_gap"))
    return [
        _interval(*score) if score else "-",
        _fixed(iqm[0]) if iqm else "-",
        _fixed(gap[0]) if gap else "-",
        "-" if entry.times_best is None else _fixed(entry.times_best),
    ]


def _with_interval(of: Interval | None) -> str:
    """Returns a metric and its interval with about four digits."""
    if of is None:
        return "-"
    value, low, high = map(shown, of)
    return value if low == high else f"{value} [{low}, {high}]"


def _interval(value: float, low: float, high: float) -> str:
    """Returns a score and its interval; a single run has no interval."""
    return _fixed(value) if low == high else f"{_fixed(value)} [{_fixed(low)}, {_fixed(high)}]"


def _fixed(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # adding 0.0 turns -0.0 into 0.0
