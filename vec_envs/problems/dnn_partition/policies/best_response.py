"""Per-slot best response: coordinate descent over the clients, from several starts.

One client after another takes the action that is best for all while the others hold theirs, until nobody moves: a
local minimum of the slot's objective, and the best of several. Not the exact optimum, but close on small cases.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.policies.exact_costs import Objective, cost_of_slot
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.validation import one_of

Starts = Int[np.ndarray, "batch starts clients"]


class BestResponse:
    """Minimises drift plus V times the delays of the slot, by coordinate descent.

    `objective="drift"` takes the exact drift, the guide to chase; `"drift_bound"` takes its bound: P2 as the paper
    has it, Eq. (32).
    """

    num_starts = 4
    max_sweeps = 10

    def __init__(self, problem: DNNPartition, *, objective: Objective = "drift") -> None:
        one_of(get_args(Objective), objective=objective)
        self._problem = problem
        self._objective: Objective = objective
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Draws the starts from `seed` on."""
        self._rng = np.random.default_rng(seed)

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best actions found. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        counts = np.array(self._problem.action_counts)
        lanes = observation.shape[0]
        actions = self._rng.integers(0, counts, (lanes, self.num_starts, len(counts)))
        value = np.full(actions.shape[:2], np.inf)
        for _ in range(self.max_sweeps):
            before = value
            for client in range(len(counts)):
                actions, value = self._respond(client, actions, view)
            if not (value < before).any():
                break
        return actions[np.arange(lanes), value.argmin(axis=1)]

    def _respond(self, client: int, actions: Starts, view: View) -> tuple[Starts, Float[np.ndarray, "batch starts"]]:
        """Returns the actions with the client's best answer to the others', and their objective.

        Among equals the client keeps what it has, so that the descent ends.
        """
        count = self._problem.action_counts[client]
        tried = np.repeat(actions[:, :, None], count, axis=2)
        tried[..., client] = np.arange(count)
        value = cost_of_slot(view, tried, self._objective)
        held = np.take_along_axis(value, actions[:, :, client, None], axis=2)[..., 0]
        best = value.argmin(axis=2)
        least = np.take_along_axis(value, best[..., None], axis=2)[..., 0]
        improves = least < held
        chosen = actions.copy()
        chosen[..., client] = np.where(improves, best, actions[..., client])
        return chosen, np.where(improves, least, held)
