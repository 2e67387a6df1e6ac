"""A leaderboard as Markdown: a table for each track."""

from __future__ import annotations

from benchmarks.leaderboard.schema import Board, CaseBoard, Entry, Head, Interval, Track
from benchmarks.reports.pages import escaped
from trainers.runs.tables import shown

HEAD = ("rank", "policy", "skill, 95%", "IQM", "optimality gap", "x seer", "decision", "note")
CASE_HEAD = ("case", "ranked", "blind policy", "best that sees the present", "seer")
READING = (
    "Skill 0 is the best blind policy, a table of actions that sees nothing. Skill 1 is the seer, a search that knows "
    "the whole episode. In between, skill is linear in the logarithm of completion time, cost or delay. Below 0 is "
    "worse than seeing nothing. The skill of a track is the mean over its ranked cases and runs, with a 95% confidence "
    "interval over training runs, widened for few runs. A case is ranked if the seer is at least 10% below the best "
    "blind policy. Skills that are equal to three digits share a rank. Policies with growing queues rank below stable "
    "ones. Policies with missing runs are not ranked. *x seer* is the metric divided by the seer's, the geometric mean "
    "over the ranked cases."
)
NO_REFERENCES = (
    "The blind policies and the seer of these cases are not known, so there is no skill. Policies are ranked by the "
    "mean of the problem's first metric over the cases; less is better."
)
NO_RANKED_CASE = (
    "No case of this environment is ranked: the seer is less than 10 % below the best blind policy in each."
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
        parts += [NO_REFERENCES] if track.metric is not None else [cases(track)] if track.cases else []
        parts.append(ranking(track))
    return "\n\n".join(parts) + "\n"


def ranking(track: Track) -> str:
    """Returns a track's ranking as a table, or a sentence where it has no entries."""
    if not track.entries:
        return "Nothing has been measured yet."
    if track.metric is None and not track.cases_left_out and not any(case.ranked for case in track.cases):
        return NO_RANKED_CASE
    head = HEAD if track.metric is None else ("rank", "policy", f"{_in_words(track.metric)}, 95%", *HEAD[6:])
    rows = [head, tuple("---" for _ in head), *(_row(entry, track.metric) for entry in track.entries)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cases(track: Track) -> str:
    """Returns a table of a track's cases: how well one does blind, by seeing the present, and with foresight."""
    rows = [CASE_HEAD, tuple("---" for _ in CASE_HEAD), *(_case_row(case) for case in track.cases)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _case_row(case: CaseBoard) -> tuple[str, ...]:
    name, ranked, room, unit = escaped(case.title), "yes" if case.ranked else "no", case.room, case.heads[0].unit
    if room is None:
        return name, ranked, "-", "-", "-"
    present = room.blind_value if room.present_value is None else room.present_value
    return (
        name,
        ranked,
        f"{escaped(room.blind)}, {shown(room.blind_value, unit)}{', growing' if room.blind_grows else ''}",
        f"{escaped(room.present)}, {shown(present, unit)} ({_change(room.blind_value, present)})"
        if room.present
        else "-",
        f"{shown(room.seer_value, unit)} ({_change(present, room.seer_value)})",
    )


def _change(before: float, after: float) -> str:
    return f"{100.0 * (after / before - 1.0):+.1f} %"


def _in_words(head: Head) -> str:
    return escaped(f"{head.label} ({head.unit})" if head.unit else head.label)


def _row(entry: Entry, metric: Head | None) -> tuple[str, ...]:
    return (
        "-" if entry.rank is None else str(entry.rank),
        escaped(entry.name),
        *(_skill_cells(entry) if metric is None else [_with_interval(entry.metric)]),
        "-" if entry.decision_ms is None else shown(entry.decision_ms, "ms"),
        escaped(entry.note or ("" if entry.stable else "queues grow")),
    )


def _skill_cells(entry: Entry) -> list[str]:
    skill, iqm, gap = (entry.skill.get(name) for name in ("mean", "iqm", "optimality_gap"))
    return [
        _interval(*skill) if skill else "-",
        _fixed(iqm[0]) if iqm else "-",
        _fixed(gap[0]) if gap else "-",
        "-" if entry.times_seer is None else _fixed(entry.times_seer),
    ]


def _with_interval(of: Interval | None) -> str:
    """Returns a metric and its interval with about four digits."""
    if of is None:
        return "-"
    value, low, high = map(shown, of)
    return value if low == high else f"{value} [{low}, {high}]"


def _interval(value: float, low: float, high: float) -> str:
    """Returns a skill and its interval; a single run has no interval."""
    return _fixed(value) if low == high else f"{_fixed(value)} [{_fixed(low)}, {_fixed(high)}]"


def _fixed(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # adding 0.0 turns -0.0 into 0.0
