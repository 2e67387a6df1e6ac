"""Per-slot best response: coordinate descent over the clients, from several starts.

One client after another takes its action of least cost while the others keep theirs, until no client changes its
action. The result is the best of several local minima: not the exact optimum, but close to it on small cases.

A client's best action depends on the slot and on the actions of the others alone. So the costs of its actions are not
computed again while the others keep their actions. Where a client has hundreds of actions, they are computed for those
actions alone that can be its best one (`promising_actions.py`). Neither changes the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import DriftPlusPenalty, Objective
from vec_envs.problems.dnn_partition.policies.exact_costs import SlotCosts, slot_costs
from vec_envs.problems.dnn_partition.policies.promising_actions import response_costs
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.problems.row_generators import RowGenerators
from vec_envs.records import map_arrays

ACTIONS_AT_ONCE = 1 << 12
"""Joint actions whose costs are computed at once: their arrays fit into the cache of a core."""
MANY_ACTIONS = 300
"""The number of a client's actions from which finding the promising ones takes less time than it saves."""
SUMS_OF_PARTS = ("drift", "drift_bound")
"""The objectives that `exact_costs.py` describes."""


@dataclass(frozen=True, kw_only=True)
class _Descent:
    """The descents of all environments and starts, between the responses of two clients."""

    actions: Int[np.ndarray, "batch starts clients"]
    cost: Float[np.ndarray, "batch starts"]
    open: Bool[np.ndarray, "batch starts clients"]
    """Whether a client may have a better action: it has not responded yet, or another one has changed its own since."""


class BestResponse:
    """Minimises an objective of the slot by coordinate descent, from four random starts.

    Takes any objective: `"drift"`, `"drift_bound"` (P2 of the paper, Eq. (32)), `"delay"`, a function of `SlotTerms`,
    or by default the problem's own objective.
    """

    num_starts = 4
    max_sweeps = 10

    def __init__(self, problem: DNNPartition, *, objective: str | Objective | None = None) -> None:
        self._problem = problem
        self._objective = problem.objective(objective)
        self._generators = RowGenerators(0)
        has_parts = not problem.shared_band and max(problem.action_counts) >= MANY_ACTIONS
        self._sum_of_parts: DriftPlusPenalty | None = None
        if has_parts and isinstance(self._objective, DriftPlusPenalty) and self._objective.name in SUMS_OF_PARTS:
            self._sum_of_parts = self._objective

    def reset(self, seed: int) -> None:
        """Seeds the random starts; environment b uses `seed` + b."""
        self._generators = RowGenerators(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best actions found. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        counts = np.array(self._problem.action_counts)
        batch_size = observation.shape[0]
        size = self.num_starts, len(counts)
        starts = self._generators.stacked(batch_size, lambda rng: rng.integers(0, counts, size))
        found = _Descent(
            actions=starts, cost=np.full(starts.shape[:2], np.inf), open=np.ones(starts.shape, dtype=np.bool_)
        )
        parts = [] if self._sum_of_parts is None else slot_costs(self._problem, view, self._sum_of_parts)
        for _ in range(self.max_sweeps):
            before = found.cost
            for client in range(len(counts)):
                found = self._respond(client, found, view, parts)
            if not (found.cost < before).any():
                break
        best = found.actions[np.arange(batch_size), found.cost.argmin(axis=1)]
        return self._problem.as_played(best, view.exogenous)

    def _respond(self, client: int, descent: _Descent, view: View, parts: Sequence[SlotCosts]) -> _Descent:
        """Returns the descents after one client has improved its own actions.

        Among actions of equal cost the client keeps the one it has, so that the descent ends.
        """
        rows = np.nonzero(descent.open[..., client])
        if not len(rows[0]):
            return descent
        actions, cost, is_open = descent.actions.copy(), descent.cost.copy(), descent.open.copy()
        costs = self._costs(client, rows[0], actions[rows], view, parts)
        row, held, best = np.arange(len(costs)), actions[rows][:, client], costs.argmin(axis=1)
        improves = costs[row, best] < costs[row, held]
        chosen = np.where(improves, best, held)
        actions[(*rows, client)], cost[rows] = chosen, costs[row, chosen]
        is_open[rows] |= (chosen != held)[:, None]
        is_open[(*rows, client)] = False
        return _Descent(actions=actions, cost=cost, open=is_open)

    def _costs(
        self,
        client: int,
        environment: Int[np.ndarray, "rows"],
        actions: Int[np.ndarray, "rows clients"],
        view: View,
        parts: Sequence[SlotCosts],
    ) -> Float[np.ndarray, "rows actions"]:
        """Returns the cost of each action of a client, where the others keep theirs.

        The cost is infinite where it is not computed, because the action is neither played nor the best one.

        Args:
            client: The client that tries its actions.
            environment: The environment of each row.
            actions: The joint action of each row.
            view: The slots of all environments.
            parts: The parts of the cost of each environment's slot; empty to compute the cost of every action.
        """
        count = self._problem.action_counts[client]
        if count < MANY_ACTIONS or not parts:
            return self._every_cost(client, environment, actions, view)
        known = [response_costs(parts[int(b)], client, actions[row]) for row, b in enumerate(environment)]
        needed = np.stack([of_row.promising() for of_row in known])
        needed[np.arange(len(actions)), actions[:, client]] = True
        needed[:, [0, -1]] = True  # two more, to see whether the parts add up
        row, choice = np.nonzero(needed)
        tried = actions[row]
        tried[:, client] = choice
        costs = np.full(needed.shape, np.inf)
        costs[row, choice] = self._problem.cost(_rows_of(view, environment[row]), tried, self._objective)
        computed = map(np.flatnonzero, needed)
        differs = [not k.agrees(some, c[some]) for k, some, c in zip(known, computed, costs, strict=True)]
        if any(differs):
            costs[differs] = self._every_cost(client, environment[differs], actions[differs], view)
        return costs

    def _every_cost(
        self, client: int, environment: Int[np.ndarray, "rows"], actions: Int[np.ndarray, "rows clients"], view: View
    ) -> Float[np.ndarray, "rows actions"]:
        """Returns the cost of each action of a client, where the others keep theirs."""
        count = self._problem.action_counts[client]
        size = max(ACTIONS_AT_ONCE // count, 1)
        costs: list[Float[np.ndarray, "rows actions"]] = []
        for block in (slice(start, start + size) for start in range(0, len(actions), size)):
            tried = np.repeat(actions[block, None], count, axis=1)
            tried[..., client] = np.arange(count)
            costs.append(self._problem.cost(_rows_of(view, environment[block]), tried, self._objective))
        return np.concatenate(costs)


def _rows_of(view: View, rows: Int[np.ndarray, "rows"]) -> View:
    """Returns the view with these rows of its records, which may repeat."""
    state, exogenous = (map_arrays(lambda array: array[rows], record) for record in (view.state, view.exogenous))
    return replace(view, state=state, exogenous=exogenous)
