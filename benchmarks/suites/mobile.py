"""The suite of `VEC-MobileInference-v0`, a leaderboard of its own.

It is not part of the suite `main`: a new version of that suite would leave its published results behind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.results.stored_references import BLIND
from benchmarks.suites.suite import Case, Learned, Reference, Suite

_REFERENCES = ("rollout", "predicted", "least-estimate", "access", "local")
_PRETRAINED = Learned(
    name="p-qmix-pretrained",
    learner="qmix",
    env={"mobility": "replay"},
    evaluated={"mobility": "sumo"},
    options={"action_scorer": 64, "loss": "squared"},
    run={"episodes": 0, "num_envs": 64},
    pretraining={"expert": "predicted", "episodes": 704, "epochs": 4, "learning_rate": 1e-3},
)
"""P-QMIX that learns by pre-training alone, on recorded traffic, which takes half the time of live SUMO.

Training by its own episodes has made agents worse so far, see "What is open" in docs/mobile-inference.md.
"""
_POLICIES = (
    _PRETRAINED,
    *(Reference(name=name) for name in _REFERENCES),
    Reference(name="random", draws=3),
    *(Reference(name=name, stored=True) for name in BLIND),
)


def _street(name: str, **env: Any) -> Case:
    return Case(
        name=name,
        env_id="VEC-MobileInference-v0",
        env=env,
        policies=_POLICIES,
        trends=("energy_queue_j",),
        queues=("energy_queue_j",),
        episodes=32,
    )


def _unseen(case: Case, name: str, what: str, **env: Any) -> Case:
    """Returns a case with some other options of the environment, on which no policy is trained."""
    return replace(case, name=name, env={**case.env, **env}, unseen=what, trained_on=case.env, recorded=False)


_EIGHT = replace(_street("8 clients"), recorded=True)
_TWELVE = _street("12 clients, 4 service vehicles", num_client_vehicles=12, num_service_vehicles=4)

MOBILE = Suite(
    name="mobile",
    title="Tasks in flight on a street with several roadside units",
    cases=(
        _EIGHT,
        _TWELVE,
        _unseen(_EIGHT, "half more tasks", "load", arrival_rate_hz=0.15),
        _unseen(_EIGHT, "motorway", "road", scenario="motorway"),
        _unseen(_EIGHT, "other DNNs", "DNNs", dnns=("alexnet", "nin", "tinyyolov2", "vgg16")),
    ),
    baseline="predicted",
    picture="none",
    shows="",
    columns=("missed_per_task", "energy_j", "energy_queue_j"),
    version="1",
)
