"""The suites of MAD2RL on `VEC-DNNPartition-v0`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.suites.suite import Case, CasePolicy, Claim, Learned, Reference, Suite
from trainers.imitation.options import FINE_TUNING

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
_RANDOM = Reference(name="random")
_SIZES = ((3, 5), (5, 3), (7, 5))
_DENOISING_STEPS = (1, 3, 5, 7, 10)
_VS = (1.0, 5.0, 10.0, 20.0, 50.0)
_QUEUES_OF = ("client_backlog_gcycles", "rsu_backlog_gcycles", "service_backlog_gcycles")


def sized(clients: int, services: int) -> str:
    """Returns the name of a case with this many vehicles."""
    return f"{clients} clients, {services} service vehicles"


def clients_case(
    clients: int,
    services: int,
    *policies: CasePolicy,
    name: str = "",
    x: float = 0.0,
    lyapunov_v: float = 10.0,
    **env: Any,
) -> Case:
    """Returns a case with this many client and service vehicles, on the road `fdr-drive` by default.

    `env` holds further options of the environment.
    """
    sizes = {"num_client_vehicles": clients, "num_service_vehicles": services, "lyapunov_v": lyapunov_v}
    return Case(
        name=name or sized(clients, services),
        env_id=_SLOTS,
        env={"mobility": "sumo", "scenario": "fdr-drive", **sizes, **env},
        policies=policies,
        metrics=_QUEUES_OF,
        trends=("backlog_gcycles",),
        traces=("backlog_gcycles", *_QUEUES_OF),
        queues=("backlog_gcycles",),
        optima=_OPTIMA,
        recorded=(clients, services, lyapunov_v) == (7, 5, 10.0),
        episodes=64,
        x=x,
    )


MAD2RL_FIG1 = Suite(
    name="mad2rl-fig1", title="The layers of VGG16 (Fig. 1)", cases=(), baseline="", picture="layers", shows="vgg16"
)
MAD2RL_TARGETS = Suite(
    name="mad2rl-targets",
    title="MAD2RL, P-QMIX and the exact optimum of every slot",
    cases=tuple(clients_case(*size, _MAD2RL, _P_QMIX, *_ORACLES, *_OF_PAPER, *_SEARCHES, _RANDOM) for size in _SIZES),
    baseline="mad2rl",
    picture="bars",
    shows="completion_time_s",
    columns=("backlog_gcycles", "trend_backlog_gcycles"),
    compared=("trend_backlog_gcycles",),
    plain=True,
    times=_OPTIMA,
)
MAD2RL_PAPER = Suite(
    name="mad2rl-paper",
    title="The paper's preset",
    cases=tuple(
        clients_case(
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
_WITHOUT = {
    "no penalty": {"value_penalty": 0.0},
    "elu": {"mixing_activation": "elu"},
    "neither": {"value_penalty": 0.0, "mixing_activation": "elu"},
    "no features": {"action_features": False},
    "no costs": {"action_costs": False},
    "all kept": {"buffer_size": 50_000, "huber_beta": 1.0},
}


def _without(*names: str) -> tuple[Learned, ...]:
    return tuple(
        replace(learner, name=f"{learner.name}: {name}", options=_WITHOUT[name], **_THREE)
        for name in names
        for learner in (_MAD2RL, _P_QMIX)
    )


MAD2RL_PARTS = Suite(
    name="mad2rl-parts",
    title="What each part of the tuned preset gives",
    cases=(
        clients_case(*_SIZES[1], *_OF_FIGURES, *_without(*_WITHOUT), *_ORACLES),
        clients_case(*_SIZES[-1], *_OF_FIGURES, *_without("no costs")),
    ),
    baseline="mad2rl",
    picture="bars",
    shows="completion_time_s",
    columns=("backlog_gcycles",),
)
MAD2RL_FIG6 = (
    Suite(
        name="mad2rl-fig6a",
        title="Denoising steps (Fig. 6a)",
        cases=(
            clients_case(
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
        cases=(clients_case(*_SIZES[-1], _MAD2RL, _P_QMIX),),
        baseline="mad2rl",
        picture="curves",
        shows="return_mean",
        columns=("backlog_gcycles",),
        claims=(Claim(case=sized(*_SIZES[-1]), than="p-qmix", percent=52.0, metric="return_mean", in_training=True),),
    ),
)
_LOW_EXPLORATION = {"options": {"exploration_start": 0.05}, **_THREE}
_PRETRAINED = {"pretraining": {}, "options": FINE_TUNING, **_THREE}
"""Options of training after pre-training; the full value penalty is needed only without pre-training."""
_NO_PENALTY = {**_PRETRAINED, "options": {**FINE_TUNING, "value_penalty": 0.0}}
_QUARTER = {"run": {"episodes": 480}}
MAD2RL_PRETRAINING = Suite(
    name="mad2rl-pretraining",
    title="Pre-training on an expert",
    cases=(
        clients_case(
            *_SIZES[-1],
            *_OF_FIGURES,
            replace(_MAD2RL, name="mad2rl-low-exploration", **_LOW_EXPLORATION),
            replace(_P_QMIX, name="p-qmix-low-exploration", **_LOW_EXPLORATION),
            replace(_MAD2RL, name="mad2rl-pretrained", **_PRETRAINED),
            replace(_P_QMIX, name="p-qmix-pretrained", **_PRETRAINED),
            replace(_MAD2RL, name="mad2rl-pretrained: no penalty", **_NO_PENALTY),
            replace(_P_QMIX, name="p-qmix-pretrained: no penalty", **_NO_PENALTY),
            replace(_MAD2RL, name="mad2rl-quarter", **_QUARTER, **_THREE),
            replace(_MAD2RL, name="mad2rl-low-exploration-quarter", **_QUARTER, **_LOW_EXPLORATION),
            replace(_MAD2RL, name="mad2rl-pretrained-quarter", **_QUARTER, **_PRETRAINED),
            replace(_MAD2RL, name="mad2rl-pretrained-quarter: no penalty", **_QUARTER, **_NO_PENALTY),
            Reference(name="best-response-drift"),
        ),
    ),
    baseline="mad2rl",
    picture="curves",
    shows="completion_time_s",
    columns=("backlog_gcycles",),
    milestones=(15.0, 12.0, "best-response-drift"),
)
MAD2RL_FIG7 = Suite(
    name="mad2rl-fig7",
    title="Queues while learning (Fig. 7)",
    cases=(clients_case(*_SIZES[1], _MAD2RL, _P_QMIX),),
    baseline="mad2rl",
    picture="curves",
    shows="backlog_gcycles",
    columns=("backlog_gcycles", *_QUEUES_OF),
)
MAD2RL_SLOTS = Suite(
    name="mad2rl-slots",
    title="Queues slot by slot",
    cases=(clients_case(*_SIZES[1], _MAD2RL, _P_QMIX, *_ORACLES),),
    baseline="mad2rl",
    picture="traces",
    shows="backlog_gcycles",
    axis="slot",
    columns=("backlog_gcycles", *_QUEUES_OF, "trend_backlog_gcycles"),
)


_PERCENT_BETTER_THAN = {
    "a": {(3, 5): (54.59, 21.23, 19.14), (7, 5): (60.06, 43.94, 19.93)},
    "b": {(5, 3): (50.1, 39.79, 22.8), (5, 7): (41.65, 29.15, 21.58)},
}
"""The paper's claims by figure and size: per cent better than its greedy, its genetic algorithm and P-QMIX."""


def _claims(letter: str) -> tuple[Claim, ...]:
    others = ("paper-greedy", "genetic-paper", "p-qmix")
    return tuple(
        Claim(case=sized(*size), than=than, percent=percent)
        for size, percents in _PERCENT_BETTER_THAN[letter].items()
        for than, percent in zip(others, percents, strict=True)
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
        claims=_claims(letter),
    )


_COMPARED = (*_OF_FIGURES, *_ORACLES, *_OF_PAPER)
MAD2RL_FIG8 = (
    _fig8("a", "client vehicles", *(clients_case(n, 5, *_COMPARED, x=n) for n in range(3, 8))),
    _fig8("b", "service vehicles", *(clients_case(5, n, *_COMPARED, x=n) for n in range(3, 8))),
)
MAD2RL_FIG9 = Suite(
    name="mad2rl-fig9",
    title="Completion time and backlog against V (Fig. 9)",
    cases=tuple(clients_case(*_SIZES[-1], *_COMPARED[:4], name=f"V = {v:g}", x=v, lyapunov_v=v) for v in _VS),
    baseline="mad2rl",
    picture="sweep",
    shows="backlog_gcycles",
    axis="V",
    columns=("completion_time_s", "backlog_gcycles"),
    tables="metrics",
)

MAD2RL = (
    MAD2RL_FIG1,
    MAD2RL_TARGETS,
    MAD2RL_PARTS,
    MAD2RL_PAPER,
    MAD2RL_PRETRAINING,
    *MAD2RL_FIG6,
    MAD2RL_FIG7,
    MAD2RL_SLOTS,
    *MAD2RL_FIG8,
    MAD2RL_FIG9,
)
