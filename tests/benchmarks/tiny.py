"""A suite of seconds, and the runner on it: `python tests/benchmarks/tiny.py tiny --output DIR`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from benchmarks.run import main
from benchmarks.suites.suite import Case, Learned, Ratio, Reference, Suite

ENV = {"mobility": "straight", "episode_slots": 8, "release_rate_hz": 0.5}
SAC = Learned(
    name="rtd",
    learner="sac",
    options={"hidden": 8, "batch_size": 8, "warm_up_episodes": 4, "updates_per_step": 0.5},
    run={"episodes": 100, "num_envs": 4, "checkpoint_s": 0.0},
)
LEO, GBS, REO = (Reference(name=name) for name in ("leo-full", "gbs-best", "reo-full"))


def case(name: str, *policies: Reference | Learned, vehicles: int, **fields: Any) -> Case:
    env = {**ENV, "num_client_vehicles": vehicles, **fields}
    kept = ("failed", "queue_s", "low_battery", "low_battery_energy_j")
    return Case(
        name=name, env_id="VEC-TaskDiversion-v0", env=env, policies=policies, metrics=kept, episodes=12, x=vehicles
    )


FIRST = case("3 vehicles", SAC, LEO, GBS, vehicles=3)
SWEEP = Suite(
    name="tiny-sweep",
    title="A sweep",
    cases=(FIRST, case("5 vehicles", LEO, REO, vehicles=5)),
    baseline="rtd",
    picture="sweep",
    shows="time_s",
    axis="vehicles",
    columns=("time_s",),
)
PARTS = replace(
    SWEEP,
    name="tiny-parts",
    title="Parts",
    cases=(replace(FIRST, name="again"),),
    picture="bars",
    shows="cost",
    ratio=Ratio(head="own energy", of="low_battery_energy_j", to="low_battery"),
)
CURVES = replace(SWEEP, name="tiny-curves", cases=(replace(FIRST, policies=(SAC,)),), picture="curves", shows="cost")
REFERENCES = replace(PARTS, name="references", cases=(replace(FIRST, policies=(LEO, GBS)),), baseline="leo-full")
SLOW = replace(REFERENCES, name="slow", cases=(replace(FIRST, policies=(LEO,), episodes=20_000),))
WRONG = (
    replace(REFERENCES, name="no-such-policy", cases=(replace(FIRST, policies=(Reference(name="leo"),)),)),
    replace(REFERENCES, name="no-such-learner", cases=(replace(FIRST, policies=(replace(SAC, learner="td3"),)),)),
    replace(REFERENCES, name="no-such-option", cases=(case("typo", SAC, vehicles=3, episode_slot=3),)),
    replace(
        REFERENCES,
        name="no-such-learner-option",
        cases=(replace(FIRST, policies=(replace(SAC, options={"momentum": 1}),)),),
    ),
    replace(REFERENCES, name="out-of-bounds", cases=(case("0 vehicles", LEO, vehicles=0),)),
    replace(
        REFERENCES, name="rate-of-0", cases=(replace(FIRST, policies=(replace(SAC, options={"learning_rate": 0.0}),)),)
    ),
    replace(
        REFERENCES, name="no-road", cases=(FIRST, case("lost", LEO, vehicles=3, mobility="replay", scenario="nowhere"))
    ),
    replace(REFERENCES, name="no-traffic", cases=(FIRST, case("crowded", LEO, vehicles=500, mobility="replay"))),
)
SUITES = {suite.name: (suite,) for suite in (SWEEP, PARTS, CURVES, REFERENCES, SLOW)} | {"tiny": (SWEEP, PARTS, CURVES)}
WRONG_SUITES = {suite.name: (suite,) for suite in WRONG}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], SUITES))
