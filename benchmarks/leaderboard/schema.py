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
    skill: Interval | None
    """0: the best blind policy, 1: the seer; None on a case that is not ranked."""
    regret: Interval | None
    """The first metric minus that of the best exact optimum of a decision epoch; None if the case has none."""
    growing: bool
    """Whether a queue still grows at the end of an episode."""
    decision_ms: float | None
    """Median CPU time of one decision of all agents, in milliseconds."""
    metrics: Mapping[str, Interval]
    """The metrics by name, without those that a result lacks."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much better than a blind policy one can be on a case, by the first metric on the seer's episodes.

    The part from `blind_value` to `present_value` is what seeing the present is worth. The part from there to
    `seer_value` is what foreseeing the episode is worth.
    """

    blind: str
    """The best blind policy: "static" or "timetable"."""
    blind_grows: bool
    """Whether its queue grows, because no blind policy was found whose queue does not."""
    blind_value: float
    present: str
    """The best reference that sees the present only; "" where there is none."""
    present_value: float | None
    seer_value: float
    episodes: int
    """The number of episodes that the seer played."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of a reference policy's first metric when one thing is changed, in per cent (`benchmarks.anatomy`)."""

    name: str
    kind: Literal["picture", "world", "policy"]
    """The thing that is changed: the picture that the policy sees, the world, or the policy."""
    percent: Interval
    grows: bool
    """Whether a queue then grows."""


@dataclass(frozen=True, kw_only=True)
class CaseAnatomy:
    """What is hard about a case: changes of the metric of one reference policy."""

    policy: str
    episodes: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class CaseBoard:
    """A case and the policies that have played it, the best first."""

    name: str
    title: str
    unseen: str
    """What differs from the training of all policies, such as "road"; "" where nothing does."""
    ranked: bool
    """Whether the case counts for the ranking: the seer is at least 10 % below the best blind policy."""
    room: Room | None
    """None where the case's references are not known."""
    anatomy: CaseAnatomy | None
    """None where the case has not been measured."""
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
    """Whether no queue grows on a ranked case."""
    note: str
    seeds: int
    skill: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    """`mean`, by which entries are ranked, `iqm` and `optimality_gap`; empty for an entry without a rank by skill."""
    metric: Interval | None = None
    """The mean of the track's `metric` over its cases, by which entries are ranked where references are not known."""
    times_seer: float | None = None
    """The first metric as a multiple of the seer's: the geometric mean over the ranked cases."""
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
    """The metric that ranks policies where the references of its cases are not known; None where they are."""
    entries: tuple[Entry, ...]
    cases: tuple[CaseBoard, ...]
    cases_left_out: int = 0
    """The number of cases that cannot be shown, because their references are not known or have no results."""
    profiles: Plot
    """Performance profiles: the share of runs with a skill above x."""
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
