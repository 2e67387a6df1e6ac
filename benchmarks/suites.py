"""What is measured: suites of cases, each with the policies that play it. Everything that is compared stands here.

A case fixes the environment and the held-out episodes, the same for all its policies, so that these are compared on
common random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True, kw_only=True)
class Case:
    """An environment, its held-out episodes, and who plays them."""

    name: str
    env_id: str
    policies: tuple[Reference | Learned, ...]
    env: Fields = field(default_factory=dict[str, Any])
    figures: tuple[str, ...] = ()
    """What is kept of each episode beside the problem's reported figures, under the names of the infos."""
    late: tuple[str, ...] = ()
    """Figures of which the mean over the last half of an episode's points is kept too, as `late_NAME`."""
    traces: tuple[str, ...] = ()
    """Figures of which the mean over the episodes is kept point by point."""
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
class Suite:
    """Cases, and how they are shown."""

    name: str
    title: str
    cases: tuple[Case, ...]
    baseline: str
    """The policy to which the others are compared."""
    picture: Literal["sweep", "curves", "bars", "traces"]
    """A figure over the cases' x, learning curves, a figure policy by policy, or one over the points of an episode."""
    shows: str
    """The figure that the picture shows."""
    axis: str = ""
    """What the x are."""
    columns: tuple[str, ...] = ()
    """Figures of the tables, beside the problem's first."""
    tables: Literal["cases", "figures"] = "cases"
    """A table for each case, with the figures in columns, or one for each figure, with the cases in columns."""
    ratio: Ratio | None = None


# RTD: VEC-TaskDiversion-v0 --------------------------------------------------------------------------------------------

_TASKS = "VEC-TaskDiversion-v0"
_ROAD = {"mobility": "sumo"}
_KEPT = ("failed", "queue_s", "low_battery", "low_battery_energy_j")
_RTD = Learned(name="rtd", learner="sac")
_DISDQN = Learned(name="disdqn", learner="dqn")
_DISDQN_BEST = replace(_DISDQN, name="disdqn-best", options={"speeds": "best"})
_BASELINES = tuple(
    Reference(name=name)
    for name in ("leo-full", "leo-best", "reo-full", "reo-best", "gbs-full", "gbs-best", "gbs-best-diverted")
)
_RANDOM = Reference(name="random")
_NEAREST = replace(_RTD, name="rtd-nearest", env={"diversion": "nearest"})
_NO_BATTERY = replace(
    _RTD,
    name="rtd-no-battery",
    env={"battery_factor": False},
    evaluated={"battery_factor": True},
    sees={"battery_factor": False},
)
_LEARNING_RATES = (0.1, 0.05, 0.01, 0.001)  # and 0.003, that of the preset
_VEHICLES = (5, 10, 15, 20, 25)
_RELEASE_RATES_HZ = (0.05, 0.1, 0.2, 0.3, 0.5)


def _tasks(name: str, *policies: Reference | Learned, x: float = 0.0, vehicles: int = 15, rate_hz: float = 0.3) -> Case:
    env = {**_ROAD, "num_client_vehicles": vehicles, "release_rate_hz": rate_hz}
    return Case(name=name, env_id=_TASKS, env=env, policies=policies, figures=_KEPT, episodes=512, x=x)


RTD_FIG4 = Suite(
    name="rtd-fig4",
    title="Learning rates (Fig. 4)",
    cases=(
        _tasks(
            "15 vehicles",
            _RTD,
            *(replace(_RTD, name=f"lr-{rate:g}", options={"learning_rate": rate}) for rate in _LEARNING_RATES),
        ),
    ),
    baseline="rtd",
    picture="curves",
    shows="cost",
    columns=("time_s",),
)
RTD_FIG5 = Suite(
    name="rtd-fig5",
    title="Delay against vehicles (Fig. 5)",
    cases=tuple(_tasks(f"{n} vehicles", _RTD, _DISDQN, *_BASELINES, x=n, vehicles=n) for n in _VEHICLES),
    baseline="rtd",
    picture="sweep",
    shows="time_s",
    axis="vehicles",
    columns=("time_s",),
)
RTD_FIG6 = Suite(
    name="rtd-fig6",
    title="Cost against the release rate (Fig. 6)",
    cases=tuple(_tasks(f"{r:g} tasks/s", _RTD, _DISDQN, *_BASELINES, x=r, rate_hz=r) for r in _RELEASE_RATES_HZ),
    baseline="rtd",
    picture="sweep",
    shows="cost",
    axis="tasks per second that an idle vehicle releases, 15 vehicles",
    columns=("time_s",),
)
RTD_PARTS = Suite(
    name="rtd-parts",
    title="The parts of RTD",
    cases=(_tasks("15 vehicles", _RTD, _NEAREST, _NO_BATTERY, _DISDQN, _DISDQN_BEST, *_BASELINES, _RANDOM),),
    baseline="rtd",
    picture="bars",
    shows="cost",
    columns=("time_s",),
    ratio=Ratio(head="own energy of a low-battery vehicle's task [J]", of="low_battery_energy_j", to="low_battery"),
)

# LyMDO: VEC-CooperativeInference-v0 ----------------------------------------------------------------------------------

_STREAMS = "VEC-CooperativeInference-v0"
_LYMDO = Learned(name="lymdo", learner="ppo")
_JOINT = Learned(name="ppo-joint", learner="ppo", preset="joint")
_RULES = tuple(Reference(name=name) for name in ("local", "edge", "random", "optimum"))
_RATES_HZ = (0.5, 1.0, 1.5, 2.0, 2.5)
_TYPES = ("alexnet", "resnet18")
_BUDGETS = tuple(f"{what}_to_budget_{dnn}" for what in ("energy", "memory") for dnn in _TYPES)
_QUEUES = tuple(f"energy_queue_{dnn}" for dnn in _TYPES)
_PEAK_SLOTS = range(75, 110)
_PEAK_HZ, _USUAL_HZ = 2.5, 1.5


def _streams(name: str, *, x: float = 0.0, **env: Any) -> Case:
    return Case(
        name=name,
        env_id=_STREAMS,
        env=env,
        policies=(_LYMDO, _JOINT, *_RULES),
        figures=("drift_plus_penalty", *_BUDGETS, *_QUEUES),
        late=("delay_s", "energy_j", "memory_gb", "drift_plus_penalty", *_BUDGETS, *_QUEUES),
        traces=("delay_s", *_QUEUES),
        episodes=64,
        x=x,
    )


_BY_RATE = tuple(_streams(f"{rate:g} tasks/s", x=rate, arrival_rate_hz=(rate, rate)) for rate in _RATES_HZ)
LYMDO_FIG3 = Suite(
    name="lymdo-fig3",
    title="Convergence (Fig. 3)",
    cases=(replace(_streams("0.5 to 2.5 tasks/s"), policies=(_LYMDO, _JOINT)),),
    baseline="lymdo",
    picture="curves",
    shows="return_mean",
    columns=("drift_plus_penalty",),
)


def _fig4(letter: str, what: str, shows: str, *columns: str) -> Suite:
    return Suite(
        name=f"lymdo-fig4{letter}",
        title=f"{what} against the arrival rate (Fig. 4{letter})",
        cases=_BY_RATE,
        baseline="lymdo",
        picture="sweep",
        shows=shows,
        axis="tasks per second of each device",
        columns=columns,
        tables="cases" if letter == "a" else "figures",
    )


LYMDO_FIG4 = (
    _fig4("a", "Delay", "late_delay_s", "late_delay_s", "drift_plus_penalty", "late_drift_plus_penalty"),
    _fig4("b", "Energy", "late_energy_j", "late_energy_j", *(f"late_{name}" for name in _BUDGETS[:2])),
    _fig4("c", "Memory", "late_memory_gb", "late_memory_gb", *(f"late_{name}" for name in _BUDGETS[2:])),
    _fig4("d", "Energy queue", "energy_queue", "energy_queue", *(f"late_{name}" for name in _QUEUES)),
)
LYMDO_FIG5 = Suite(
    name="lymdo-fig5",
    title="Energy queues through a peak (Fig. 5)",
    cases=(
        _streams(
            f"{_USUAL_HZ:g} tasks/s, in slots 75 to 110 {_PEAK_HZ:g}",
            arrival_profile_hz=tuple(_PEAK_HZ if slot in _PEAK_SLOTS else _USUAL_HZ for slot in range(200)),
        ),
    ),
    baseline="lymdo",
    picture="traces",
    shows="energy_queue_resnet18",
    axis="slot",
    columns=_QUEUES,
)

SUITES: Mapping[str, tuple[Suite, ...]] = {
    **{suite.name: (suite,) for suite in (RTD_FIG4, RTD_FIG5, RTD_FIG6, RTD_PARTS)},
    "rtd": (RTD_FIG4, RTD_FIG5, RTD_FIG6, RTD_PARTS),
    "lymdo-fig3": (LYMDO_FIG3,),
    "lymdo-fig4": LYMDO_FIG4,
    "lymdo-fig5": (LYMDO_FIG5,),
    "lymdo": (LYMDO_FIG3, *LYMDO_FIG4, LYMDO_FIG5),
}
"""Name -> suites."""


def suites_of(name: str, known: Mapping[str, tuple[Suite, ...]], policies: tuple[str, ...] = ()) -> tuple[Suite, ...]:
    """Returns the suites of a name, with only these policies where some are given.

    Raises `ValueError` listing what exists for an unknown name.
    """
    if name not in known:
        raise ValueError(f"the suite {name!r} is unknown; there are {', '.join(map(repr, known))}")
    suites = known[name]
    there = list(dict.fromkeys(policy.name for suite in suites for case in suite.cases for policy in case.policies))
    for policy in policies:
        if policy not in there:
            raise ValueError(f"the policy {policy!r} is not in {name}; there are {', '.join(map(repr, there))}")
    return tuple(_only(suite, policies) for suite in suites) if policies else suites


def _only(suite: Suite, policies: tuple[str, ...]) -> Suite:
    cases = (
        replace(case, policies=tuple(policy for policy in case.policies if policy.name in policies))
        for case in suite.cases
    )
    return replace(suite, cases=tuple(cases))
