"""The leaderboard's suites: `main`, and `quick`, which takes minutes.

An `unseen` case is played by policies that were trained on another case: its road, traffic density, load or DNNs were
not in their training. A policy that is trained on the case itself counts as another policy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.suites.mad2rl import clients_case
from benchmarks.suites.suite import Case, CasePolicy, Fields, Learned, Reference, Suite

UNSEEN_EPISODES = 32


def _references(*names: str) -> tuple[Reference, ...]:
    return tuple(Reference(name=name) for name in names)


def _unseen(case: Case, name: str, what: str, **fields: Any) -> Case:
    """Returns a case with some other options of the environment, on which no policy is trained."""
    env: Fields = {**case.env, **fields}
    unseen = {"name": name, "unseen": what, "trained_on": case.env, "recorded": False}
    return replace(case, env=env, episodes=UNSEEN_EPISODES, **unseen)


# VEC-DNNPartition-v0 --------------------------------------------------------------------------------------------------

_PARTITION = (
    Learned(name="mad2rl", learner="qmix_diffusion"),
    Learned(name="p-qmix", learner="qmix"),
    *_references("optimum-bound", "optimum-drift", "best-response-bound", "best-response-drift"),
    *_references("genetic-drift", "genetic-paper", "least-delay", "paper-greedy", "all-local", "all-rsu", "random"),
)
_FEW, _MIDDLE, _MANY = (clients_case(*size, *_PARTITION) for size in ((3, 5), (5, 3), (7, 5)))
_PARTITION_CASES = (
    _FEW,
    _MIDDLE,
    _MANY,
    _unseen(_MANY, "motorway", "road", scenario="motorway"),
    _unseen(_MANY, "dense traffic", "density", scenario="fdr-drive-dense"),
    _unseen(_MANY, "other DNNs", "DNNs", dnns=("nin", "tinyyolov2", "vgg16")),
)

# VEC-TaskDiversion-v0 -------------------------------------------------------------------------------------------------

_DIVERSION = (
    Learned(name="rtd", learner="sac"),
    Learned(name="disdqn", learner="dqn"),
    Learned(name="disdqn-best", learner="dqn", options={"speeds": "best"}),
    *_references("leo-full", "leo-best", "reo-full", "reo-best", "gbs-full", "gbs-best", "gbs-best-diverted", "random"),
)


def _tasks(name: str, vehicles: int, *policies: CasePolicy) -> Case:
    return Case(
        name=name,
        env_id="VEC-TaskDiversion-v0",
        env={"mobility": "sumo", "num_client_vehicles": vehicles, "release_rate_hz": 0.3},
        policies=policies,
        metrics=("failed", "queue_s"),
        trends=("queue_s",),
        queues=("queue_s",),
        episodes=128,
    )


_ROAD = _tasks("15 vehicles", 15, *_DIVERSION)
_DIVERSION_CASES = (
    _ROAD,
    _unseen(_ROAD, "5 vehicles", "density", num_client_vehicles=5),
    _unseen(_ROAD, "25 vehicles", "density", num_client_vehicles=25),
    _unseen(_ROAD, "15 vehicles, motorway", "road", scenario="motorway"),
    _unseen(_ROAD, "15 vehicles, other DNNs", "DNNs", dnns=("resnet18", "vgg16", "resnet50", "tinyyolov2")),
)

# VEC-CooperativeInference-v0 ------------------------------------------------------------------------------------------

_BUDGETS = ("energy_queue", "memory_queue")
_INFERENCE = (
    Learned(name="lymdo", learner="ppo"),
    Learned(name="ppo-joint", learner="ppo", preset="joint"),
    *_references("optimum", "local", "edge", "random"),
)


def _streams(name: str, *policies: CasePolicy, **env: Any) -> Case:
    return Case(
        name=name,
        env_id="VEC-CooperativeInference-v0",
        env=env,
        policies=policies,
        metrics=("drift_plus_penalty", *_BUDGETS),
        trends=_BUDGETS,
        traces=("delay_s", *_BUDGETS),
        queues=_BUDGETS,
        optima=("optimum",),
        episodes=64,
    )


_STREAMS = _streams("0.5 to 2.5 tasks/s", *_INFERENCE)
_PEAK_HZ = tuple(2.5 if slot in range(75, 110) else 1.5 for slot in range(200))
_EXCHANGED = {"energy_budget_j": (0.060, 0.040), "memory_budget_gb": (0.030, 0.100)}
_INFERENCE_CASES = (
    _STREAMS,
    _unseen(_STREAMS, "a peak", "load", arrival_profile_hz=_PEAK_HZ),
    _unseen(_STREAMS, "driving", "road", mobility="sumo", scenario="fdr-drive"),
    _unseen(_STREAMS, "DNNs exchanged", "DNNs", dnns=("resnet18", "alexnet"), **_EXCHANGED),
)

MAIN = Suite(
    name="main",
    title="VEC-Envs leaderboard",
    cases=(*_PARTITION_CASES, *_DIVERSION_CASES, *_INFERENCE_CASES),
    baseline="",
    picture="none",
    shows="",
    columns=("backlog_gcycles", "trend_backlog_gcycles", "failed", "time_s", "energy_j", "queue_s", *_BUDGETS),
    version="1",
)

# In minutes -----------------------------------------------------------------------------------------------------------

_SMALL = {"hidden": 64, "hidden_layers": 2, "hypernetwork_hidden": 32, "warm_up_episodes": 16, "batch_size": 64}
_SHORT = {"episodes": 960, "num_envs": 16}
_QUICK_PARTITION = (
    Learned(name="mad2rl", learner="qmix_diffusion", options=_SMALL, run=_SHORT),
    Learned(name="p-qmix", learner="qmix", options=_SMALL, run=_SHORT),
    *_references("optimum-bound", "optimum-drift", "best-response-drift", "least-delay", "all-local", "random"),
)
_QUICK_DIVERSION = (
    Learned(name="rtd", learner="sac", run={"episodes": 64, "num_envs": 16}, options={"warm_up_episodes": 16}),
    *_references("leo-best", "gbs-full", "gbs-best", "gbs-best-diverted", "random"),
)
_QUICK_INFERENCE = (Learned(name="lymdo", learner="ppo"), *_references("optimum", "local", "edge", "random"))
_SOME = replace(clients_case(3, 5, *_QUICK_PARTITION), recorded=True, episodes=32)
_ROAD_QUICK = replace(_tasks("15 vehicles", 15, *_QUICK_DIVERSION), episodes=32)
_STREAMS_QUICK = replace(_streams("0.5 to 2.5 tasks/s", *_QUICK_INFERENCE), episodes=32)
QUICK = replace(
    MAIN,
    name="quick",
    title="VEC-Envs leaderboard, the quick suite",
    seeds=2,
    cases=(
        _SOME,
        _unseen(_SOME, "motorway", "road", scenario="motorway"),
        _ROAD_QUICK,
        _unseen(_ROAD_QUICK, "25 vehicles", "density", num_client_vehicles=25),
        _STREAMS_QUICK,
        _unseen(_STREAMS_QUICK, "a peak", "load", arrival_profile_hz=_PEAK_HZ),
    ),
)
QUICK_V = Suite(
    name="quick-v",
    seeds=2,
    title="Completion time and backlog against V",
    cases=tuple(
        replace(
            clients_case(3, 5, *_references("best-response-bound", "best-response-drift"), lyapunov_v=v, x=v),
            name=f"V = {v:g}",
            episodes=32,
        )
        for v in (1.0, 10.0, 100.0)
    ),
    baseline="best-response-drift",
    picture="sweep",
    shows="backlog_gcycles",
    axis="V",
    columns=("completion_time_s", "backlog_gcycles"),
    tables="metrics",
)
