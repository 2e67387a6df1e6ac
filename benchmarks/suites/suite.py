"""What a suite is: cases, each with the policies that play it, and how they are shown.

A case fixes the environment and the held-out episodes, the same for all its policies, so that these are compared on
common random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A policy without learning: one of `vec_envs.policies.references`, with fields of the environment of its own."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A policy that is trained, once for each training seed, and then plays the held-out episodes."""

    name: str
    learner: str
    preset: str = "tuned"
    env: Fields = field(default_factory=dict[str, Any])
    """Fields of the environment, in training and evaluation, beside the case's."""
    evaluated: Fields = field(default_factory=dict[str, Any])
    """Fields that differ when it plays the held-out episodes."""
    sees: Fields = field(default_factory=dict[str, Any])
    """Fields of the environment as the policy sees it then, where they differ from those by which it is judged."""
    options: Fields = field(default_factory=dict[str, Any])
    """Fields of the learner."""
    run: Fields = field(default_factory=dict[str, Any])
    """Fields of the run, such as `episodes`."""
    pretraining: Fields | None = None
    """Fields of `trainers.pretrain`, where the agents learn from an expert first."""
    seeds: int | None = None
    """Training seeds at most, where fewer than asked for will do."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """Somebody's own policy: a class or function `source`, "package.module:name", that is called with the problem."""

    name: str
    source: str


CasePolicy = Reference | Learned | Given


@dataclass(frozen=True, kw_only=True)
class Case:
    """An environment, its held-out episodes, and who plays them."""

    name: str
    env_id: str
    policies: tuple[CasePolicy, ...]
    env: Fields = field(default_factory=dict[str, Any])
    trained_on: Fields | None = None
    """Fields of the environment in training, where that is another than the case's."""
    unseen: str = ""
    """What of the case is in no training, such as "road"."""
    figures: tuple[str, ...] = ()
    """What is kept of each episode beside the problem's reported figures, under the names of the infos."""
    late: tuple[str, ...] = ()
    """Figures of which the mean over the last half of an episode's points is kept too, as `late_NAME`."""
    trends: tuple[str, ...] = ()
    """Figures of which the slope over the last two thirds of an episode's points is kept too, as `trend_NAME`."""
    traces: tuple[str, ...] = ()
    """Figures of which the mean over the episodes is kept point by point."""
    queues: tuple[str, ...] = ()
    """Figures, each one of `trends`, that may not grow; none where nothing waits."""
    optima: tuple[str, ...] = ()
    """References that are exact; where there are none the best of all references stands for them."""
    recorded: bool = False
    """Whether the first episode is kept, to look at."""
    seed: int = 1000
    """Of the first held-out episode."""
    episodes: int = 256
    x: float = 0.0
    """Where the case stands on the axis of its suite's picture."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A column of the tables: the sum of a figure over that of another."""

    head: str
    of: str
    to: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says of its own policy, the suite's baseline: by how many per cent it is better than another."""

    case: str
    than: str
    percent: float
    figure: str = ""
    """Of one sign, and better nearer to 0; "" for the one by which policies are ranked."""
    in_training: bool = False
    """Whether the figure is that of the last tenth of training, not of the held-out episodes."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Cases, and how they are shown."""

    name: str
    title: str
    cases: tuple[Case, ...]
    baseline: str
    """The policy to which the others are compared; "" where there are none."""
    picture: Literal["sweep", "curves", "bars", "traces", "layers", "none"]
    """A figure over the cases' x, learning curves, a figure policy by policy, or one over the points of an episode; or
    the layers of a DNN, for which nothing is played; or none."""
    shows: str
    """The figure that the picture shows, or the DNN."""
    axis: str = ""
    """What the x are."""
    columns: tuple[str, ...] = ()
    """Figures of the tables, beside the problem's first."""
    compared: tuple[str, ...] = ()
    """Of the tables' figures those of which the difference to the baseline stands too, beside the problem's first."""
    plain: bool = False
    """Whether the tables have the difference of the problem's first figure with the interval of a plain bootstrap too,
    which is too narrow for a handful of seeds."""
    times: tuple[str, ...] = ()
    """Policies of whose first figure the tables say how many times it the others' are."""
    tables: Literal["cases", "figures"] = "cases"
    """A table for each case, with the figures in columns, or one for each figure, with the cases in columns."""
    milestones: tuple[float | str, ...] = ()
    """What the first figure is to come down to in training, as numbers or as what a policy of that name has: the tables
    say after how many episodes."""
    ratio: Ratio | None = None
    claims: tuple[Claim, ...] = ()
    seeds: int = 5
    """Training seeds, where nobody asks for another number."""
    version: str = ""
    """Of a leaderboard's suite: it changes with its cases. "" for one that ranks nobody. What changes results without
    changing an option cannot be told by it, but by the commit in each result's provenance."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for two cases of one name: tables tell them by it."""
        names = [case.name for case in self.cases]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the suite {self.name!r} has two cases of the name {twice[0]!r}")
