"""The reference policies of every registered problem.

A policy is built as `Policy(problem)`. It has the methods `reset(seed)` and `act(observation, view=None) -> action`.
Observations have the shape `[batch, agents, features]`. Actions have the shape `[batch, agents]`, with a last axis of
numbers where actions are continuous.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

from vec_envs.problems.cooperative_inference.policies import AllEdge, ExactCuts, LargestCut, RandomCuts
from vec_envs.problems.dnn_partition.policies import (
    AllLocal,
    AllRSU,
    BestResponse,
    ExactSlot,
    ExhaustiveSearch,
    Genetic,
    LeastDelay,
    PaperGreedy,
    Random,
)
from vec_envs.problems.mobile_inference.policies import Access, LeastEstimate, Local, Predicted, Rollout
from vec_envs.problems.policy import Policy, Reference, References
from vec_envs.problems.task_diversion.policies import CheapestCut, RandomNumbers
from vec_envs.registration import factory_of_problem
from vec_envs.validation import shown


def references(problem: Any) -> References:
    """Returns the reference policies of a problem or its type.

    Raises `ValueError` for something else than a problem, such as an environment, and for a problem that is not
    registered, or was registered without references.
    """
    if not is_dataclass(problem):
        what = "an environment" if hasattr(problem, "step") else shown(problem)
        raise ValueError(f"references() needs a problem, got {what}: call references(env.unwrapped.problem)")
    kind = problem if isinstance(problem, type) else type(problem)
    found = factory_of_problem(kind).references
    if not found.policies:
        raise ValueError(f"{kind.__name__} has no reference policies; register it with references=...")
    return found


__all__ = [
    "Access",
    "AllEdge",
    "AllLocal",
    "AllRSU",
    "BestResponse",
    "CheapestCut",
    "ExactCuts",
    "ExactSlot",
    "ExhaustiveSearch",
    "Genetic",
    "LargestCut",
    "LeastDelay",
    "LeastEstimate",
    "Local",
    "PaperGreedy",
    "Policy",
    "Predicted",
    "Random",
    "RandomCuts",
    "RandomNumbers",
    "Reference",
    "References",
    "Rollout",
    "references",
]
