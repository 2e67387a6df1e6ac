"""The suites of LyMDO on `VEC-CooperativeInference-v0`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.suites.suite import Case, Learned, Reference, Suite

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
        metrics=("drift_plus_penalty", *_BUDGETS, *_QUEUES),
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
        tables="cases" if letter == "a" else "metrics",
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

LYMDO = (LYMDO_FIG3, *LYMDO_FIG4, LYMDO_FIG5)
