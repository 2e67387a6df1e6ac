"""What a leaderboard says: plain records, from which the page and `leaderboard.md` are written.

Everything in them is JSON's: numbers, text, tuples and mappings of such. Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Interval = tuple[float, float, float]
"""A value, and the lower and upper end of its 95% interval."""
Kind = Literal["learned", "reference", "given"]
"""Trained by the project's learners, without learning, or somebody else's."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """A column: the figure's name in the results, what people read, and its unit ("" for none)."""

    name: str
    label: str
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A policy on a case."""

    policy: str
    seeds: int
    """How many training seeds there are results of; 1 for a policy that does not train."""
    complete: bool
    score: Interval
    """0: the random policy, 1: the exact optimum or the best reference; by the figure's logarithm in between."""
    regret: Interval | None
    """How much more of the first figure than the optimum's; None where the case has no optimum."""
    growing: bool
    """Whether the queue still grows."""
    decision_ms: float | None
    """Median CPU time of one decision, all agents together."""
    figures: Mapping[str, Interval]


@dataclass(frozen=True, kw_only=True)
class CaseBoard:
    """A case with who has played it, the best first."""

    name: str
    title: str
    unseen: str
    """What of it no policy was trained on, such as "road"; "" where it is as in training."""
    best: str
    """The reference whose score is 1."""
    episodes: int
    seed: int
    options: Mapping[str, Any]
    """Of the environment, those that are not its defaults."""
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A policy on all cases of a track."""

    name: str
    kind: Kind
    rank: int | None
    """None where it is not ranked: `note` says why."""
    stable: bool
    note: str
    seeds: int
    scores: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    """`mean`, by which entries are ranked, `iqm`, `optimality_gap`."""
    times_best: float | None = None
    """The figure in times that of the reference whose score is 1: the geometric mean over cases."""
    decision_ms: float | None
    """Median CPU time of one decision, all agents together."""
    options: Mapping[str, Any]
    """What it was trained with; empty for one without learning."""
    command: str
    """What gives its results again."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a plot with a band: `x`, `value`, `low` and `high` are equally long.

    The band is the 95% interval, and of learning curves and queues the range over the training seeds.
    """

    name: str
    x: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over one axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """With which probability one policy beats another on a case drawn at random."""

    better: str
    than: str
    probability: Interval


@dataclass(frozen=True, kw_only=True)
class Track:
    """The cases of one environment and the ranking over them."""

    env_id: str
    title: str
    entries: tuple[Entry, ...]
    cases: tuple[CaseBoard, ...]
    profiles: Plot
    """Performance profiles: the part of runs whose score is above x."""
    improvements: tuple[Improvement, ...]
    curves: tuple[Plot, ...]
    """Learning curves, a plot for each case that is trained on."""
    queues: tuple[Plot, ...]
    """Queues slot by slot."""
    sweeps: tuple[Plot, ...] = ()
    """Trade-offs, such as completion time against V."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What stands on the road or waits beside it: it has one queue."""

    name: str
    kind: Literal["client", "service", "rsu"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A slot of a recorded episode; all in the order of the recording's nodes."""

    x_m: tuple[float, ...]
    y_m: tuple[float, ...]
    waits: tuple[float, ...]
    links: tuple[tuple[int, int, str], ...]
    """From node, to node, and what is sent in words, such as "vgg16 from layer 5"."""
    caption: str


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An episode to look at."""

    case: str
    policy: str
    slot_s: float
    unit: str
    """Of what waits."""
    nodes: tuple[Node, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file or policy that is left out, and why."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Board:
    """A leaderboard."""

    suite: str
    title: str
    version: str
    """Of the suite: results of another version do not compare."""
    code: str
    """The versions of the code that the results are of, in words."""
    tracks: tuple[Track, ...]
    recordings: tuple[Recording, ...] = ()
    left_out: tuple[Rejected, ...] = field(default=())
