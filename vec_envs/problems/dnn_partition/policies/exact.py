"""The exact optimum of a slot of `DNNPartition`, by branch and bound. `exact_search.py` explains the search."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View, objective_name
from vec_envs.problems.dnn_partition.objective import DriftPlusPenalty, Objective
from vec_envs.problems.dnn_partition.policies.best_response import BestResponse
from vec_envs.problems.dnn_partition.policies.exact_costs import slot_costs
from vec_envs.problems.dnn_partition.policies.exact_search import Search
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.validation import check_positive

MAX_CLIENTS = 12
"""Dynamic programming over sets of clients takes 3^I steps for each server, for I clients."""
EXACT_FOR = ("drift", "drift_bound")
UNPROVEN = "{unproven} of {slots} slots {why}: their cost may exceed the optimum by up to {gap:.3g}"


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Joint actions, their cost, and a lower bound on the cost of every action.

    The action is proven to be optimal where the bound equals the cost.
    """

    action: Int[np.ndarray, "*batch clients"]
    value: Float[np.ndarray, "*batch"]
    bound: Float[np.ndarray, "*batch"]

    @property
    def gap(self) -> Float[np.ndarray, "*batch"]:
        """The cost minus the bound; 0 where the action is proven to be optimal."""
        return self.value - self.bound


class ExactSlot:
    """Takes the joint action of least cost in each slot, proven to be optimal.

    The policy is exact for two objectives only: `"drift"` (the exact drift plus V times the delays) and
    `"drift_bound"` (P2 of the paper). Its search needs the cost as a sum of one part for each queue and task.

    With `shared_band=True` the cost is no such sum: how long a client sends depends on who else sends to its node.

    The search stops where a slot has too many joint actions to examine, or where it reaches the time limit. Then `act`
    warns that the actions are not proven to be optimal, and `solve` returns their largest distance from the optimum.

    Args:
        problem: A problem of at most 12 clients.
        objective: The objective to minimise; None takes the problem's own.
        time_limit_s: The limit of CPU time for a slot, in seconds; None for no limit.

    Raises `ValueError` for another objective, for `shared_band=True` and for more than 12 clients.
    """

    def __init__(
        self,
        problem: DNNPartition,
        *,
        objective: str | Objective | None = None,
        time_limit_s: float | None = None,
    ) -> None:
        chosen = problem.objective(objective)
        if not isinstance(chosen, DriftPlusPenalty) or chosen.name not in EXACT_FOR:
            raise ValueError(
                f"ExactSlot is exact for the objectives {' and '.join(map(repr, EXACT_FOR))} only, got "
                f"{objective_name(chosen)!r}: its search needs the cost as a sum of one part for each queue and task. "
                "Use BestResponse, Genetic or ExhaustiveSearch, which take any objective"
            )
        if problem.shared_band:
            raise ValueError(
                "ExactSlot takes shared_band=False only, got shared_band=True: clients that share a band change each "
                "other's times to send, and its search needs the cost as a sum of one part for each queue and task. "
                "Use BestResponse, Genetic or ExhaustiveSearch"
            )
        if problem.num_client_vehicles > MAX_CLIENTS:
            raise ValueError(
                f"ExactSlot takes at most {MAX_CLIENTS} clients, got num_client_vehicles={problem.num_client_vehicles}"
            )
        if time_limit_s is not None:
            check_positive(time_limit_s=time_limit_s)
        self._problem, self._objective, self._limit_s = problem, chosen, time_limit_s
        self._first = BestResponse(problem, objective=chosen)

    def reset(self, seed: int) -> None:
        """Seeds the first action of the search, which affects the time of the search but not its result."""
        self._first.reset(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the optimal actions; warns where they are not proven. Raises `ValueError` without a view."""
        found = self.solve(needs_view(view, self, observation))
        unproven = np.flatnonzero(found.gap > 0.0)
        if len(unproven):
            limit = "" if self._limit_s is None else f" or hit the time limit of {self._limit_s:g} s"
            numbers = {"unproven": len(unproven), "slots": len(found.gap), "gap": found.gap.max()}
            reason = f"have too many joint actions to examine{limit}"
            warnings.warn(UNPROVEN.format(why=reason, **numbers), stacklevel=2)
        return found.action

    def solve(self, view: View) -> Solution:
        """Returns the optimal joint action for the slot of each environment, with its cost and a bound."""
        batch_size = len(view.state.client_backlog_gcycles)
        first = self._first.act(np.zeros((batch_size, self._problem.num_client_vehicles, 0), dtype=np.float32), view)
        known = self._problem.cost(view, first, self._objective)
        action, bound = first.copy(), np.empty(batch_size)
        for row, costs in enumerate(slot_costs(self._problem, view, self._objective)):
            _check_parts(costs.action_cost(first[row]), float(known[row]))
            search = Search(costs, action[row], float(known[row]), self._limit_s)
            bound[row] = search.run()
            action[row] = search.action
        value = self._problem.cost(view, action, self._objective)
        return Solution(action=action, value=value, bound=np.minimum(bound, value))


def _check_parts(parts: float, cost: float) -> None:
    """Raises `RuntimeError` where the parts of a cost do not add up to the cost that the objective returns."""
    if not math.isclose(parts, cost, rel_tol=1e-6, abs_tol=1e-6):
        raise RuntimeError(
            f"the parts of the cost add up to {parts:g}, but the objective returns {cost:g}: "
            "exact_costs.py does not describe this objective"
        )
