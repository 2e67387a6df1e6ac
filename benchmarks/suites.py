"""What is measured: suites of cases, each with the policies that play it. Everything that is compared stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.suite import Case, Learned, Ratio, Reference, Suite

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

# MAD2RL: VEC-DNNPartition-v0 ------------------------------------------------------------------------------------------

_SLOTS = "VEC-DNNPartition-v0"
_MAD2RL = Learned(name="mad2rl", learner="qmix_diffusion")
_P_QMIX = Learned(name="p-qmix", learner="qmix")
_THREE = {"seeds": 3}
_OF_FIGURES = (replace(_MAD2RL, **_THREE), replace(_P_QMIX, **_THREE))
_OPTIMA = ("optimum-bound", "optimum-drift")
_OF_PAPER = tuple(Reference(name=name) for name in ("genetic-paper", "paper-greedy"))
_ORACLES = tuple(Reference(name=name) for name in _OPTIMA)
_SEARCHES = tuple(
    Reference(name=name)
    for name in ("best-response-bound", "best-response-drift", "genetic-drift", "least-delay", "all-local", "all-rsu")
)
_SIZES = ((3, 5), (5, 3), (7, 5))
_DENOISING_STEPS = (1, 3, 5, 7, 10)
_VS = (1.0, 5.0, 10.0, 20.0, 50.0)
_QUEUES_OF = ("client_backlog_gcycles", "rsu_backlog_gcycles", "service_backlog_gcycles")


def _clients(
    clients: int,
    services: int,
    *policies: Reference | Learned,
    name: str = "",
    x: float = 0.0,
    lyapunov_v: float = 10.0,
) -> Case:
    sizes = {"num_client_vehicles": clients, "num_service_vehicles": services, "lyapunov_v": lyapunov_v}
    return Case(
        name=name or f"{clients} clients, {services} service vehicles",
        env_id=_SLOTS,
        env={"mobility": "sumo", "scenario": "fdr-drive", **sizes},
        policies=policies,
        figures=_QUEUES_OF,
        trends=("backlog_gcycles",),
        traces=("backlog_gcycles", *_QUEUES_OF),
        episodes=64,
        x=x,
    )


MAD2RL_FIG1 = Suite(
    name="mad2rl-fig1", title="The layers of VGG16 (Fig. 1)", cases=(), baseline="", picture="layers", shows="vgg16"
)
MAD2RL_TARGETS = Suite(
    name="mad2rl-targets",
    title="MAD2RL, P-QMIX and the exact optimum of every slot",
    cases=tuple(_clients(*size, _MAD2RL, _P_QMIX, *_ORACLES, *_OF_PAPER, *_SEARCHES, _RANDOM) for size in _SIZES),
    baseline="mad2rl",
    picture="bars",
    shows="completion_time_s",
    columns=("backlog_gcycles", "trend_backlog_gcycles"),
    compared=("trend_backlog_gcycles",),
    times=_OPTIMA,
)
MAD2RL_PAPER = Suite(
    name="mad2rl-paper",
    title="The paper's preset",
    cases=tuple(
        _clients(
            *size,
            *_OF_FIGURES,
            replace(_MAD2RL, name="mad2rl-paper", preset="paper", seeds=seeds),
            replace(_P_QMIX, name="p-qmix-paper", preset="paper", seeds=seeds),
        )
        for size, seeds in zip(_SIZES[1:], (3, 1), strict=True)
    ),
    baseline="mad2rl",
    picture="curves",
    shows="completion_time_s",
    columns=("backlog_gcycles", "trend_backlog_gcycles"),
)
MAD2RL_FIG6 = (
    Suite(
        name="mad2rl-fig6a",
        title="Denoising steps (Fig. 6a)",
        cases=(
            _clients(
                *_SIZES[-1],
                *(replace(_MAD2RL, name=f"M={m}", options={"denoising_steps": m}, **_THREE) for m in _DENOISING_STEPS),
            ),
        ),
        baseline="M=3",
        picture="curves",
        shows="return_mean",
        columns=("backlog_gcycles",),
    ),
    Suite(
        name="mad2rl-fig6b",
        title="Convergence (Fig. 6b)",
        cases=(_clients(*_SIZES[-1], _MAD2RL, _P_QMIX),),
        baseline="mad2rl",
        picture="curves",
        shows="return_mean",
        columns=("backlog_gcycles",),
    ),
)
MAD2RL_FIG7 = Suite(
    name="mad2rl-fig7",
    title="Queues slot by slot (Fig. 7)",
    cases=(_clients(*_SIZES[1], _MAD2RL, _P_QMIX, *_ORACLES),),
    baseline="mad2rl",
    picture="traces",
    shows="backlog_gcycles",
    axis="slot",
    columns=("backlog_gcycles", *_QUEUES_OF, "trend_backlog_gcycles"),
)


def _fig8(letter: str, axis: str, *cases: Case) -> Suite:
    return Suite(
        name=f"mad2rl-fig8{letter}",
        title=f"Completion time against {axis} (Fig. 8{letter})",
        cases=cases,
        baseline="mad2rl",
        picture="sweep",
        shows="completion_time_s",
        axis=axis,
        columns=("backlog_gcycles",),
        times=_OPTIMA,
    )


_COMPARED = (*_OF_FIGURES, *_ORACLES, *_OF_PAPER)
MAD2RL_FIG8 = (
    _fig8("a", "client vehicles", *(_clients(n, 5, *_COMPARED, x=n) for n in range(3, 8))),
    _fig8("b", "service vehicles", *(_clients(5, n, *_COMPARED, x=n) for n in range(3, 8))),
)
MAD2RL_FIG9 = Suite(
    name="mad2rl-fig9",
    title="Completion time and backlog against V (Fig. 9)",
    cases=tuple(_clients(*_SIZES[-1], *_COMPARED[:4], name=f"V = {v:g}", x=v, lyapunov_v=v) for v in _VS),
    baseline="mad2rl",
    picture="sweep",
    shows="backlog_gcycles",
    axis="V",
    columns=("completion_time_s", "backlog_gcycles"),
    tables="figures",
)

SUITES: Mapping[str, tuple[Suite, ...]] = {
    **{suite.name: (suite,) for suite in (RTD_FIG4, RTD_FIG5, RTD_FIG6, RTD_PARTS)},
    "rtd": (RTD_FIG4, RTD_FIG5, RTD_FIG6, RTD_PARTS),
    "lymdo-fig3": (LYMDO_FIG3,),
    "lymdo-fig4": LYMDO_FIG4,
    "lymdo-fig5": (LYMDO_FIG5,),
    "lymdo": (LYMDO_FIG3, *LYMDO_FIG4, LYMDO_FIG5),
    **{suite.name: (suite,) for suite in (MAD2RL_FIG1, MAD2RL_TARGETS, MAD2RL_PAPER, MAD2RL_FIG7, MAD2RL_FIG9)},
    **{suite.name: (suite,) for suite in (*MAD2RL_FIG6, *MAD2RL_FIG8)},
    "mad2rl": (MAD2RL_FIG1, MAD2RL_TARGETS, MAD2RL_PAPER, *MAD2RL_FIG6, MAD2RL_FIG7, *MAD2RL_FIG8, MAD2RL_FIG9),
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
