"""The suites of RTD on `VEC-TaskDiversion-v0`."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.suites.suite import Case, Learned, Ratio, Reference, Suite

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
    return Case(name=name, env_id=_TASKS, env=env, policies=policies, metrics=_KEPT, episodes=512, x=x)


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

RTD = (RTD_FIG4, RTD_FIG5, RTD_FIG6, RTD_PARTS)
