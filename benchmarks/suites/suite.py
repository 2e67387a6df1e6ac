"""The records of a suite: its cases, the policies that play each case, and how the results are shown.

A case fixes the environment and the held-out episodes. All policies of a case play the same episodes, so that they are
compared on common random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A reference policy of the problem, by its name in `vec_envs.policies.references`."""

    name: str
    stored: bool = False
    """Whether it is instead a blind table of the case: `static` or `timetable` of `benchmarks.references`."""
    draws: int = 1
    """How often it plays the episodes, each time with other random numbers of its own; at least 1."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A policy that is trained once for each training seed, and then plays the held-out episodes."""

    name: str
    learner: str
    preset: str = "tuned"
    env: Fields = field(default_factory=dict[str, Any])
    """Options of the environment in training and evaluation, in addition to the case's."""
    evaluated: Fields = field(default_factory=dict[str, Any])
    """Options of the environment that differ in evaluation."""
    sees: Fields = field(default_factory=dict[str, Any])
    """Options by which the policy observes in evaluation, where they differ from those of the environment."""
    options: Fields = field(default_factory=dict[str, Any])
    """Options of the learner."""
    run: Fields = field(default_factory=dict[str, Any])
    """Options of the run, such as `episodes`."""
    pretraining: Fields | None = None
    """Options of `trainers.pretrain`, where the agents first imitate an expert."""
    seeds: int | None = None
    """The largest number of training seeds, where it is less than the suite's."""


@dataclass(frozen=True, kw_only=True)
class CustomPolicy:
    """A policy of the user: a class or function "package.module:name" that is called with the problem."""

    name: str
    source: str


CasePolicy = Reference | Learned | CustomPolicy


@dataclass(frozen=True, kw_only=True)
class Case:
    """An environment, its held-out episodes, and the policies that play them."""

    name: str
    env_id: str
    """The id of the environment; for one of your own "my_module:My-Problem-v0", which imports the module first."""
    policies: tuple[CasePolicy, ...]
    env: Fields = field(default_factory=dict[str, Any])
    """Options of the environment that are not its defaults."""
    trained_on: Fields | None = None
    """Options of the environment in training, where they are not those of the case."""
    unseen: str = ""
    """What differs from the training of all policies, such as "road"; "" where nothing does."""
    metric: str = ""
    """The info that ranks policies, where less is better; "" for the first metric that the problem reports."""
    metrics: tuple[str, ...] = ()
    """Infos whose mean over each episode is kept, in addition to the metrics that the problem reports."""
    late: tuple[str, ...] = ()
    """Metrics whose mean over the last half of an episode's decision epochs is kept too, as `late_NAME`."""
    trends: tuple[str, ...] = ()
    """Metrics whose slope over the last two thirds of an episode's decision epochs is kept too, as `trend_NAME`."""
    traces: tuple[str, ...] = ()
    """Metrics whose mean over the episodes is kept for every decision epoch."""
    queues: tuple[str, ...] = ()
    """Metrics that may not grow over an episode, each one of `trends`; none where the problem has no queues."""
    optima: tuple[str, ...] = ()
    """References that are exact in each decision epoch. The tables show the difference to the best of them."""
    references: str = ""
    """The file that holds the case's blind tables and the seer's values; "" for the project's file."""
    recorded: bool = False
    """Whether the first episode is recorded for the leaderboard's page, where the problem can be recorded."""
    seed: int = 1000
    """The seed of the first held-out episode; the others follow it."""
    episodes: int = 256
    x: float = 0.0
    """The position of the case on the x axis of its suite's picture."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A column of the tables: the sum of one metric over the sum of another."""

    head: str
    of: str
    to: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of a paper: by how many per cent its policy, the suite's baseline, is better than another policy."""

    case: str
    than: str
    percent: float
    metric: str = ""
    """A metric whose values have one sign, and are better the nearer to 0; "" for the metric that ranks policies."""
    in_training: bool = False
    """Whether the metric is averaged over the last tenth of training and not over the held-out episodes."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Cases, and how their results are shown."""

    name: str
    title: str
    cases: tuple[Case, ...]
    baseline: str = ""
    """The policy with which the others are compared; "" for none."""
    picture: Literal["sweep", "curves", "bars", "traces", "layers", "none"] = "none"
    """The kind of picture:

    - `sweep`: a metric over the cases' x
    - `curves`: learning curves
    - `bars`: a metric for each policy
    - `traces`: a metric over the decision epochs of an episode
    - `layers`: the layers of a DNN, for which nothing is played
    - `none`: no picture
    """
    shows: str = ""
    """The metric that the picture shows, or the name of the DNN."""
    axis: str = ""
    """The label of the x axis."""
    columns: tuple[str, ...] = ()
    """Metrics in the tables, in addition to the problem's first."""
    compared: tuple[str, ...] = ()
    """Metrics of `columns` whose difference to the baseline is shown too, in addition to the problem's first."""
    plain: bool = False
    """Whether the tables also show the plain bootstrap interval of the first metric's difference to the baseline.

    That interval is too narrow for a handful of seeds.
    """
    times: tuple[str, ...] = ()
    """Policies that get a column in the tables: the first metric of each policy divided by theirs."""
    tables: Literal["cases", "metrics"] = "cases"
    """A table for each case with metrics as columns, or a table for each metric with cases as columns."""
    milestones: tuple[float | str, ...] = ()
    """Values of the first metric to reach in training, as numbers or as names of policies that have them.

    The tables show after how many episodes each is reached.
    """
    ratio: Ratio | None = None
    claims: tuple[Claim, ...] = ()
    seeds: int = 5
    """The default number of training seeds."""
    version: str = ""
    """The version of a leaderboard's suite, changed together with its cases; "" for a suite without a ranking.

    It does not reflect changes of the code; the provenance of each result has the commit.
    """

    def __post_init__(self) -> None:
        """Raises `ValueError` for two cases of the same name."""
        names = [case.name for case in self.cases]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the suite {self.name!r} has two cases with the name {twice[0]!r}; rename one of them")
