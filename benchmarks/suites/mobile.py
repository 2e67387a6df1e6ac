"""The suite of `VEC-MobileInference-v0`, on the road `arterial`. The leaderboard has no track of this environment."""

from __future__ import annotations

from benchmarks.suites.suite import Case, Reference, Suite

MOBILE = Suite(
    name="mobile",
    title="Tasks in flight on a street with several roadside units",
    cases=(
        Case(
            name="8 clients",
            env_id="VEC-MobileInference-v0",
            policies=tuple(
                Reference(name=name) for name in ("random", "local", "access", "least-estimate", "predicted")
            ),
            trends=("energy_queue_j",),
            episodes=64,
        ),
    ),
    baseline="least-estimate",
    picture="bars",
    shows="cost_per_task_s",
    columns=("missed_per_task", "energy_j", "energy_queue_j"),
)
