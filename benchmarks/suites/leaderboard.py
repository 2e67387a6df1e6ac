"""The leaderboard's suites: `main`, and `quick`, which takes minutes.

An `unseen` case is played by policies that were trained on another case: its road, traffic density, load or DNNs were
not in their training. A policy that is trained on the case itself counts as another policy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.results.stored_references import BLIND
from benchmarks.suites.mad2rl import clients_case, sized
from benchmarks.suites.suite import Case, CasePolicy, Fields, Learned, Reference, Suite

UNSEEN_EPISODES = 32


DRAWS = 3
"""How often policies with random numbers of their own play a case."""


def _references(*names: str, draws: int = 1) -> tuple[Reference, ...]:
    return tuple(Reference(name=name, draws=draws) for name in names)


def _unseen(case: Case, name: str, what: str, **fields: Any) -> Case:
    """Returns a case with some other options of the environment, on which no policy is trained."""
    env: Fields = {**case.env, **fields}
    unseen = {"name": name, "unseen": what, "trained_on": case.env, "recorded": False}
    return replace(case, env=env, episodes=UNSEEN_EPISODES, **unseen)


_BLIND = tuple(Reference(name=name, stored=True) for name in BLIND)

# VEC-DNNPartition-v0 --------------------------------------------------------------------------------------------------

_PARTITION = (
    Learned(name="mad2rl", learner="qmix_diffusion"),
    Learned(name="p-qmix", learner="qmix"),
    *_references("optimum-bound", "optimum-drift"),
    *_references("best-response-bound", "best-response-drift", "genetic-drift", "genetic-paper", draws=DRAWS),
    *_references("least-delay", "paper-greedy", "all-local", "all-rsu"),
    *_references("random", draws=DRAWS),
    *_BLIND,
)
_FEW, _MIDDLE, _MANY = (clients_case(*size, *_PARTITION) for size in ((3, 5), (5, 3), (7, 5)))


def _on_other_roads(case: Case, suffix: str = "") -> tuple[Case, ...]:
    """Returns the cases of another road, of denser traffic and of other DNNs, on which no policy is trained."""
    return (
        _unseen(case, f"motorway{suffix}", "road", scenario="motorway"),
        _unseen(case, f"dense traffic{suffix}", "density", scenario="fdr-drive-dense"),
        _unseen(case, f"other DNNs{suffix}", "DNNs", dnns=("nin", "tinyyolov2", "vgg16")),
    )


_RADIO = {"carrier_ghz": 5.9, "noise_figure_db": 9.0, "v2v_range_m": 300.0, "episode_slots": 60}
"""A radio in place of the paper's: path loss at 5.9 GHz, thermal noise, and a limited reach.

Episodes are twice as long, so that the filling of queues at the beginning matters less.
"""


def _radio_case(clients: int, services: int, *policies: CasePolicy, **env: Any) -> Case:
    name = f"{sized(clients, services)}, 5.9 GHz" + (f", {env['scenario']}" if env else "")
    case = clients_case(clients, services, *policies, name=name, **_RADIO, **env)
    return replace(case, optima=(), episodes=32)


_HALF_AS_MANY = {"run": {"episodes": 960}}
"""Half as many training episodes, because each is twice as long."""
_SLOW = {"optimum-bound", "optimum-drift", "genetic-drift"}
"""References that take minutes on these cases. Their metric is within a few per cent of that of the best responses."""
_PARTITION_RADIO = tuple(
    replace(of, **_HALF_AS_MANY) if isinstance(of, Learned) else of
    for of in (Learned(name="p-qmix-shared", learner="qmix", options={"share_weights": True}), *_PARTITION)
    if of.name not in _SLOW
)
_SIX, _SEVEN = (_radio_case(*size, *_PARTITION_RADIO) for size in ((6, 5), (7, 5)))
_MOTORWAY = _radio_case(7, 7, *_PARTITION_RADIO, scenario="motorway")
_PARTITION_CASES = (
    *(_FEW, _MIDDLE, _MANY),
    *(_SIX, _SEVEN, _MOTORWAY),
    *_on_other_roads(_SEVEN, ", 5.9 GHz"),
)

# VEC-TaskDiversion-v0 -------------------------------------------------------------------------------------------------

_DIVERSION = (
    Learned(name="rtd", learner="sac"),
    Learned(name="disdqn", learner="dqn"),
    Learned(name="disdqn-best", learner="dqn", options={"speeds": "best"}),
    *_references("leo-full", "leo-best", "reo-full", "reo-best", "gbs-full", "gbs-best", "gbs-best-diverted"),
    Reference(name="gbs-deadline"),
    *_references("random", draws=DRAWS),
    *_BLIND,
)


def _tasks(name: str, vehicles: int, *policies: CasePolicy, **env: Any) -> Case:
    return Case(
        name=name,
        env_id="VEC-TaskDiversion-v0",
        env={"mobility": "sumo", "num_client_vehicles": vehicles, "release_rate_hz": 0.3, **env},
        policies=policies,
        metrics=("failed", "queue_s"),
        trends=("queue_s",),
        queues=("queue_s",),
        episodes=128,
    )


_ROAD = replace(_tasks("15 vehicles", 15, *_DIVERSION), recorded=True)
_DEADLINES = {"deadline_factor": (0.5, 1.5), "deadline_penalty": 5.0}
"""Deadlines that bind: from half of the time that the vehicle takes for all layers at full speed."""
_TIGHT = replace(_tasks("tight deadlines", 15, *_DIVERSION, **_DEADLINES), metric="penalised_cost")
_DIVERSION_CASES = (
    _ROAD,
    _unseen(_ROAD, "5 vehicles", "density", num_client_vehicles=5),
    _unseen(_ROAD, "25 vehicles", "density", num_client_vehicles=25),
    _unseen(_ROAD, "15 vehicles, motorway", "road", scenario="motorway"),
    _unseen(_ROAD, "15 vehicles, other DNNs", "DNNs", dnns=("resnet18", "vgg16", "resnet50", "tinyyolov2")),
    _TIGHT,
    _unseen(_TIGHT, "tight deadlines, 8 vehicles", "density", num_client_vehicles=8),
    _unseen(_TIGHT, "tight deadlines, motorway", "road", scenario="motorway", num_client_vehicles=10),
)

# VEC-CooperativeInference-v0 ------------------------------------------------------------------------------------------

_BUDGETS = ("energy_queue", "memory_queue")
_INFERENCE = (
    Learned(name="lymdo", learner="ppo"),
    Learned(name="ppo-joint", learner="ppo", preset="joint"),
    *_references("optimum", "local", "edge"),
    *_references("random", draws=DRAWS),
    *_BLIND,
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


_STREAMS = replace(_streams("0.5 to 2.5 tasks/s", *_INFERENCE), recorded=True)
_PEAK_HZ = tuple(2.5 if slot in range(75, 110) else 1.5 for slot in range(200))
_EXCHANGED = {"energy_budget_j": (0.060, 0.040), "memory_budget_gb": (0.030, 0.100)}
_WIDE = {"mobility": "sumo", "scenario": "fdr-drive", "bandwidth_mhz": 20.0, "episode_slots": 60}
"""Driving with 20 MHz: the channel then decides whether sending to the server pays."""
_LARGE = {"dnns": ("mobilenetv2", "resnet50"), "memory_budget_gb": (0.01, 0.08)}
_INFERENCE_CASES = (
    _STREAMS,
    _unseen(_STREAMS, "a peak", "load", arrival_profile_hz=_PEAK_HZ),
    _unseen(_STREAMS, "driving", "road", mobility="sumo", scenario="fdr-drive"),
    _unseen(_STREAMS, "DNNs exchanged", "DNNs", dnns=("resnet18", "alexnet"), **_EXCHANGED),
    _streams("driving, 20 MHz", *_INFERENCE, **_WIDE),
    _streams("driving, large DNNs", *_INFERENCE, **_WIDE, **_LARGE, energy_budget_j=(0.03, 0.13)),
    _streams(
        "driving, large DNNs, V = 0.1", *_INFERENCE, **_WIDE, **_LARGE, energy_budget_j=(0.03, 0.10), lyapunov_v=0.1
    ),
)

MAIN = Suite(
    name="main",
    title="VEC-Envs leaderboard",
    cases=(*_PARTITION_CASES, *_DIVERSION_CASES, *_INFERENCE_CASES),
    baseline="",
    picture="none",
    shows="",
    columns=("backlog_gcycles", "trend_backlog_gcycles", "failed", "time_s", "energy_j", "queue_s", *_BUDGETS),
    version="2",
)

# Version 1 ------------------------------------------------------------------------------------------------------------


def _as_in_version_1(case: Case) -> Case:
    """Returns a case with the policies of version 1: no blind ones, and one draw of each reference."""
    newer = {*BLIND, "gbs-deadline"}
    known = (of for of in case.policies if of.name not in newer)
    return replace(case, policies=tuple(replace(of, draws=1) if isinstance(of, Reference) else of for of in known))


MAIN_1 = replace(
    MAIN,
    name="main-1",
    title="VEC-Envs leaderboard, version 1",
    version="1",
    cases=tuple(
        _as_in_version_1(case)
        for case in (_FEW, _MIDDLE, _MANY, *_on_other_roads(_MANY), *_DIVERSION_CASES[:5], *_INFERENCE_CASES[:4])
    ),
)
"""The cases of version 1, so that its results stay readable.

Its scores, from the random policy to the best reference, are no longer computed.
"""

# In minutes -----------------------------------------------------------------------------------------------------------

_SMALL = {"hidden": 64, "hidden_layers": 2, "hypernetwork_hidden": 32, "warm_up_episodes": 16, "batch_size": 64}
_SHORT = {"episodes": 960, "num_envs": 16}
_QUICK_PARTITION = (
    Learned(name="mad2rl", learner="qmix_diffusion", options=_SMALL, run=_SHORT),
    Learned(name="p-qmix", learner="qmix", options=_SMALL, run=_SHORT),
    *_references("best-response-bound", "best-response-drift", "least-delay", "all-local", "random"),
    *_BLIND,
)
_QUICK_DIVERSION = (
    Learned(name="rtd", learner="sac", run={"episodes": 64, "num_envs": 16}, options={"warm_up_episodes": 16}),
    *_references("leo-best", "gbs-full", "gbs-best", "gbs-best-diverted", "random"),
    *_BLIND,
)
_QUICK_INFERENCE = (Learned(name="lymdo", learner="ppo"), *_references("optimum", "local", "edge", "random"), *_BLIND)
_SOME = replace(_radio_case(7, 5, *_QUICK_PARTITION), recorded=True)
_ROAD_QUICK = replace(_tasks("15 vehicles", 15, *_QUICK_DIVERSION), recorded=True, episodes=32)
_STREAMS_QUICK = replace(_streams("0.5 to 2.5 tasks/s", *_QUICK_INFERENCE), recorded=True, episodes=32)
QUICK = replace(
    MAIN,
    name="quick",
    title="VEC-Envs leaderboard, the quick suite",
    seeds=2,
    cases=(
        _SOME,
        _unseen(_SOME, "motorway, 5.9 GHz", "road", scenario="motorway"),
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
