"""Decisions without learning.

A policy is built as `Policy(problem)` and has `reset(seed)` and `act(observation, view=None) -> action`, observation
`[lanes, agents, features]`, action `[lanes, agents]`. The ones here are for `DNNPartition`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from vec_envs.policies.best_response import BestResponse
from vec_envs.policies.policy import Policy
from vec_envs.policies.rules import AllLocal, AllRSU, PaperGreedy, Random

POLICIES: dict[str, Callable[[Any], Policy]] = {
    "random": Random,
    "all-local": AllLocal,
    "all-rsu": AllRSU,
    "paper-greedy": PaperGreedy,
    "best-response-bound": partial(BestResponse, objective="drift_bound"),
    "best-response-drift": BestResponse,
}
"""The reference policies by name."""

__all__ = ["POLICIES", "AllLocal", "AllRSU", "BestResponse", "PaperGreedy", "Policy", "Random"]
