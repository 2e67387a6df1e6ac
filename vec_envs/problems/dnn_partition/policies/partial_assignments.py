"""Partial assignments, the cuts of clients that all send to one server, and the selection of the useful ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vec_envs.records import map_arrays

WORK_DECIMALS = 12
"""Work in Gcycles is compared after rounding to this many decimals, because sums depend on the order of their terms."""
MAX_PARTIAL_ASSIGNMENTS = 4_000_000
"""The search stops where a server has more partial assignments; the bound found so far then holds."""


class SearchLimitError(Exception):
    """Raised where the search reaches its time limit, or has too many partial assignments."""


@dataclass(frozen=True, kw_only=True)
class PartialAssignments:
    """Several choices of cuts for one set of clients, in rows: total work for the server, total own cost, and cuts."""

    work: Float[np.ndarray, "assignments"]
    cost: Float[np.ndarray, "assignments"]
    cuts: Int[np.ndarray, "assignments clients"]
    """-1 for clients that are not in the set."""

    def select(self, index: np.ndarray) -> PartialAssignments:
        """Returns the partial assignments at an index array, or where a boolean array is True."""
        return map_arrays(lambda a: a[index], self)

    def combine(self, client: int, other: PartialAssignments) -> PartialAssignments:
        """Returns every combination of these partial assignments with those of one more client."""
        if len(self.work) * len(other.work) > MAX_PARTIAL_ASSIGNMENTS:
            raise SearchLimitError
        own_row, other_row = (i.ravel() for i in np.indices((len(self.work), len(other.work))))
        cuts = self.cuts[own_row]
        cuts[:, client] = other.cuts[other_row, client]
        return PartialAssignments(
            work=self.work[own_row] + other.work[other_row], cost=self.cost[own_row] + other.cost[other_row], cuts=cuts
        )

    def not_dominated(self) -> PartialAssignments:
        """Returns the Pareto front: the partial assignments that no other one improves in both work and cost."""
        order = np.lexsort((self.cost, self.work))
        least_before = np.minimum.accumulate(np.concatenate([[np.inf], self.cost[order][:-1]]))
        return self.select(order[self.cost[order] < least_before])

    def on_lower_hull(self) -> PartialAssignments:
        """Returns the partial assignments of least cost for some price of work of at least 0.

        They are the corners of the lower left convex hull of work and cost. Where the cost of a server is a concave
        function of work, every other one costs at least as much as a corner beside it.
        """
        front = self.not_dominated()
        corners: list[int] = []
        for index, (work, cost) in enumerate(zip(front.work.tolist(), front.cost.tolist(), strict=True)):
            while len(corners) > 1:
                (first, last) = corners[-2:]
                run, rise = front.work[last] - front.work[first], front.cost[last] - front.cost[first]
                if (cost - front.cost[last]) * run > rise * (work - front.work[last]):
                    break
                corners.pop()
            corners.append(index)
        return front.select(np.array(corners, dtype=np.int64))

    def cheapest_per_work(self) -> PartialAssignments:
        """Returns the cheapest partial assignment for each amount of work.

        Clients with the same DNN make many partial assignments with equal work.
        """
        work = self.work.round(WORK_DECIMALS)
        order = np.argsort(work, kind="stable")
        group = np.cumsum(np.diff(work[order], prepend=-np.inf) > 0.0) - 1
        cost, starts = self.cost[order], np.flatnonzero(np.diff(group, prepend=-1))
        least = np.flatnonzero(cost == np.minimum.reduceat(cost, starts)[group]) if len(cost) else starts
        return self.select(order[least[np.diff(group[least], prepend=-1) > 0]])
