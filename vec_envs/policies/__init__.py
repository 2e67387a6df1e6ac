"""Decisions without learning.

A policy is built as `Policy(problem)` and has `reset(seed)` and `act(observation, view=None) -> action`, observation
`[lanes, agents, features]`, action `[lanes, agents]`, with a last axis of numbers where agents give those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from vec_envs.policies.best_response import BestResponse
from vec_envs.policies.genetic import Genetic
from vec_envs.policies.inference_optimum import ExactCuts
from vec_envs.policies.inference_rules import AllEdge, LargestCut, RandomCuts
from vec_envs.policies.partition_optimum import ExactSlot
from vec_envs.policies.policy import Policy
from vec_envs.policies.rules import AllLocal, AllRSU, LeastDelay, PaperGreedy, Random
from vec_envs.policies.task_rules import CheapestCut, RandomNumbers
from vec_envs.problems.cooperative_inference import CooperativeInference
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.problem import Problem
from vec_envs.problems.task_diversion import TaskDiversion


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A policy to compare with, and the fields of the environment under which it plays, where they are its own."""

    make: Callable[[Any], Policy]
    env: Mapping[str, Any] = field(default_factory=dict[str, Any])
    slow: bool = False
    """Whether it takes long, or an extra, so that it plays only where it is asked for."""


@dataclass(frozen=True, kw_only=True)
class References:
    """The reference policies of a problem by name, and which of them a learner must beat."""

    policies: Mapping[str, Reference]
    to_beat: str

    def named(self, name: str) -> Reference:
        """Returns the reference of that name. Raises `ValueError` listing what exists for an unknown one."""
        if name not in self.policies:
            raise ValueError(f"the reference {name!r} is unknown; there are {', '.join(map(repr, self.policies))}")
        return self.policies[name]


_EXACT = {"allocation": "exact"}
_NEAREST = {"diversion": "nearest"}
_SEVERAL = {"population": 20, "generations": 25}
"""The paper speaks of several chromosomes. The default spends as many evaluations as best response does: 10,000."""
_REFERENCES: dict[type[Any], References] = {
    DNNPartition: References(
        policies={
            "random": Reference(make=Random),
            "all-local": Reference(make=AllLocal),
            "all-rsu": Reference(make=AllRSU),
            "paper-greedy": Reference(make=PaperGreedy),
            "least-delay": Reference(make=LeastDelay),
            "best-response-bound": Reference(make=partial(BestResponse, objective="drift_bound")),
            "best-response-drift": Reference(make=BestResponse),
            "genetic-paper": Reference(make=partial(Genetic, objective="drift_bound", **_SEVERAL), slow=True),
            "genetic-drift": Reference(make=Genetic, slow=True),
            "optimum-bound": Reference(make=partial(ExactSlot, objective="drift_bound"), slow=True),
            "optimum-drift": Reference(make=ExactSlot, slow=True),
        },
        to_beat="best-response-drift",
    ),
    TaskDiversion: References(
        policies={
            "random": Reference(make=RandomNumbers),
            "leo-full": Reference(make=partial(CheapestCut, cuts="local", speeds="full")),
            "leo-best": Reference(make=partial(CheapestCut, cuts="local")),
            "reo-full": Reference(make=partial(CheapestCut, cuts="offload", speeds="full"), env=_NEAREST),
            "reo-best": Reference(make=partial(CheapestCut, cuts="offload"), env=_NEAREST),
            "gbs-full": Reference(make=partial(CheapestCut, speeds="full"), env=_NEAREST),
            "gbs-best": Reference(make=CheapestCut, env=_NEAREST),
            "gbs-best-diverted": Reference(make=CheapestCut, env={"diversion": "probability"}),
        },
        to_beat="gbs-best",
    ),
    CooperativeInference: References(
        policies={
            "random": Reference(make=RandomCuts, env=_EXACT),
            "local": Reference(make=LargestCut, env=_EXACT),
            "edge": Reference(make=AllEdge, env=_EXACT),
            "optimum": Reference(make=ExactCuts, env=_EXACT),
        },
        to_beat="optimum",
    ),
}


def references(problem: Problem | type[Any]) -> References:
    """Returns the references of a problem or its type. Raises `ValueError` for one that has none."""
    kind = problem if isinstance(problem, type) else type(problem)
    if kind not in _REFERENCES:
        raise ValueError(f"{kind.__name__} has no reference policies")
    return _REFERENCES[kind]


__all__ = [
    "AllEdge",
    "AllLocal",
    "AllRSU",
    "BestResponse",
    "CheapestCut",
    "ExactCuts",
    "ExactSlot",
    "Genetic",
    "LargestCut",
    "LeastDelay",
    "PaperGreedy",
    "Policy",
    "Random",
    "RandomCuts",
    "RandomNumbers",
    "Reference",
    "References",
    "references",
]
