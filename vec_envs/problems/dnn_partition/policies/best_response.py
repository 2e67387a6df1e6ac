"""Per-slot best response: coordinate descent over the clients, from several starts.

One client after another takes its action of least cost while the others keep theirs, until no client changes its
action. The result is the best of several local minima: not the exact optimum, but close to it on small cases.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.objective import Objective
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import needs_view
from vec_envs.problems.row_generators import RowGenerators

Starts = Int[np.ndarray, "batch starts clients"]


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
        actions = self._generators.stacked(batch_size, lambda rng: rng.integers(0, counts, size))
        value = np.full(actions.shape[:2], np.inf)
        for _ in range(self.max_sweeps):
            before = value
            for client in range(len(counts)):
                actions, value = self._respond(client, actions, view)
            if not (value < before).any():
                break
        return self._problem.as_played(actions[np.arange(batch_size), value.argmin(axis=1)], view.exogenous)

    def _respond(self, client: int, actions: Starts, view: View) -> tuple[Starts, Float[np.ndarray, "batch starts"]]:
        """Returns the actions after one client has improved its own, and their cost.

        Among actions of equal cost the client keeps the one it has, so that the descent ends.
        """
        count = self._problem.action_counts[client]
        tried = np.repeat(actions[:, :, None], count, axis=2)
        tried[..., client] = np.arange(count)
        value = self._problem.cost(view, tried, self._objective)
        held = np.take_along_axis(value, actions[:, :, client, None], axis=2)[..., 0]
        best = value.argmin(axis=2)
        least = np.take_along_axis(value, best[..., None], axis=2)[..., 0]
        improves = least < held
        chosen = actions.copy()
        chosen[..., client] = np.where(improves, best, actions[..., client])
        return chosen, np.where(improves, least, held)
