"""The content of a leaderboard as plain records, from which the page and `leaderboard.md` are written.

All values are those of JSON: numbers, text, tuples and mappings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.jobs.recording import Recording

Interval = tuple[float, float, float]
"""A value, and the lower and upper end of its 95% confidence interval."""
Kind = Literal["learned", "reference", "custom"]
"""Trained by a learner of this project, a reference policy of the problem, or a policy of a user."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a column: the metric's name in the results, its label, and its unit ("" for none)."""

    name: str
    label: str
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A policy's results on one case."""

    policy: str
    seeds: int
    """The number of training seeds with results; 1 for a policy that does not train."""
    complete: bool
    score: Interval | None
    """0: the random policy, 1: the best reference; None where the track has no references."""
    regret: Interval | None
    """The first metric minus the exact optimum's value; None if the case has no exact optimum."""
    growing: bool
    """Whether a queue still grows at the end of an episode."""
    decision_ms: float | None
    """Median CPU time of one decision of all agents, in milliseconds."""
    metrics: Mapping[str, Interval]
    """The metrics by name, without those that a result lacks."""


@dataclass(frozen=True, kw_only=True)
class CaseBoard:
    """A case and the policies that have played it, the best first."""

    name: str
    title: str
    unseen: str
    """What differs from the training of all policies, such as "road"; "" where nothing does."""
    best: str
    """The reference whose score is 1; "" where the track has no references."""
    episodes: int
    seed: int
    options: Mapping[str, Any]
    """The options of the environment that are not its defaults."""
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A policy's results on all cases of a track."""

    name: str
    kind: Kind
    rank: int | None
    """None for a policy that is not ranked; `note` says why."""
    stable: bool
    """Whether no queue grows on any case."""
    note: str
    seeds: int
    scores: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    """`mean`, by which entries are ranked, `iqm` and `optimality_gap`; empty where the track has no references."""
    metric: Interval | None = None
    """The mean of the track's `metric` over its cases, by which entries are ranked where it has no references."""
    times_best: float | None = None
    """The first metric as a multiple of that of the reference with score 1: the geometric mean over cases."""
    decision_ms: float | None
    """Median CPU time of one decision of all agents, in milliseconds."""
    options: Mapping[str, Any]
    """The options of training; empty for a policy that does not train."""
    command: str
    """The command that reproduces the results."""
    about: str = ""
    """What the policy does, in a sentence or two."""
    code: str = ""
    """The versions and commits of the code that made the results, in words; "" where there are none."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a plot with a band. The tuples have equal lengths.

    The band is the 95% confidence interval; of learning curves and queues the range over the training seeds.
    """

    name: str
    x: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot of lines over one axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """The probability that one policy beats another on a case drawn at random."""

    better: str
    than: str
    probability: Interval


@dataclass(frozen=True, kw_only=True)
class Track:
    """The cases of one environment and the ranking over them."""

    env_id: str
    title: str
    metric: Head | None = None
    """The metric that ranks policies where the track has no references to score them by; None where it has."""
    entries: tuple[Entry, ...]
    cases: tuple[CaseBoard, ...]
    profiles: Plot
    """Performance profiles: the share of runs with a score above x."""
    improvements: tuple[Improvement, ...]
    curves: tuple[Plot, ...]
    """Learning curves, a plot for each case that policies are trained on."""
    queues: tuple[Plot, ...]
    """Lengths of queues over an episode."""
    sweeps: tuple[Plot, ...] = ()
    """Trade-offs, such as completion time against V."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file or policy that is left out, and the reason."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Board:
    """A leaderboard: the tracks of a suite, the recorded episodes, and the files that were left out."""

    suite: str
    title: str
    version: str
    """The version of the suite: results of different versions cannot be compared."""
    code: str
    """The versions of the code that made the results, in words."""
    tracks: tuple[Track, ...]
    recordings: tuple[Recording, ...] = ()
    left_out: tuple[Rejected, ...] = field(default=())
