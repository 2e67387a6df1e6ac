"""The decisions of least drift plus V times the delays that a slot of `DNNPartition` allows, proven.

How it is found: `partition_search.py`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.policies.best_response import BestResponse
from vec_envs.problems.dnn_partition.policies.exact_costs import Objective, cost_of_slot, slot_costs
from vec_envs.problems.dnn_partition.policies.exact_search import Search
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.validation import one_of, positive

MOST_CLIENTS = 12
"""The programme takes 3^I steps a server."""
UNPROVEN = "{open} of {lanes} slots {why}: what they cost may be {gap:.3g} above the least"


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Decisions, what they cost, and what all decisions cost at least: the same where these are proven to be best."""

    action: Int[np.ndarray, "*batch clients"]
    value: Float[np.ndarray, "*batch"]
    bound: Float[np.ndarray, "*batch"]

    @property
    def gap(self) -> Float[np.ndarray, "*batch"]:
        """What is not proven: value less bound."""
        return self.value - self.bound


class ExactSlot:
    """Takes the decisions of least drift plus V times the delays of the slot: its exact optimum.

    `objective="drift"` takes the exact drift, `"drift_bound"` its bound: P2 as the paper has it. Where a slot has too
    many decisions to look at, or takes more than `time_limit_s`, in s of CPU time, `act` warns that its decisions are
    not proven to be best, and `solve` says how far from it they can be. Raises `ValueError` for more than 12 clients,
    whose sets are too many.

    Paper: MAD2RL Eq. (32).
    """

    def __init__(
        self, problem: DNNPartition, *, objective: Objective = "drift", time_limit_s: float | None = None
    ) -> None:
        one_of(("drift", "drift_bound"), objective=objective)
        if problem.num_client_vehicles > MOST_CLIENTS:
            raise ValueError(
                f"num_client_vehicles={problem.num_client_vehicles}: the exact optimum is for at most {MOST_CLIENTS}"
            )
        if time_limit_s is not None:
            positive(time_limit_s=time_limit_s)
        self._problem, self._limit_s = problem, time_limit_s
        self._objective: Objective = objective
        self._first = BestResponse(problem, objective=objective)

    def reset(self, seed: int) -> None:
        """Draws from `seed` on where the search starts, which decides how long it takes."""
        self._first.reset(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best actions, with a warning where not proven. Raises `ValueError` without a view."""
        found = self.solve(needs_view(view, self, observation))
        unproven = np.flatnonzero(found.gap > 0.0)
        if len(unproven):
            limit = "" if self._limit_s is None else f" or hit the time limit of {self._limit_s:g} s"
            how = {"open": len(unproven), "lanes": len(found.gap), "gap": found.gap.max()}
            warnings.warn(UNPROVEN.format(why=f"have too many decisions to look at{limit}", **how), stacklevel=2)
        return found.action

    def solve(self, view: View) -> Solution:
        """Returns the best decisions of each lane's slot."""
        lanes = len(view.state.client_backlog_gcycles)
        first = self._first.act(np.zeros((lanes, self._problem.num_client_vehicles, 0), dtype=np.float32), view)
        known = cost_of_slot(view, first, self._objective)
        action, bound = first.copy(), np.empty(lanes)
        for lane, costs in enumerate(slot_costs(self._problem, view, self._objective)):
            search = Search(costs, action[lane], float(known[lane]), self._limit_s)
            bound[lane] = search.run()
            action[lane] = search.action
        value = cost_of_slot(view, action, self._objective)
        return Solution(action=action, value=value, bound=np.minimum(bound, value))
