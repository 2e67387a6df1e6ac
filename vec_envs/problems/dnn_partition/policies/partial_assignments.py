"""Ways in which a set of clients can cut their DNNs for one server, and which of them are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vec_envs.records import map_arrays

WORK_DECIMALS = 12
"""Work in Gcycles that differs beyond them is the same: sums of the same in another order."""
MAX_PARTIAL_ASSIGNMENTS = 4_000_000
"""A search with more ways at a server to look at is given up; what is known then bounds the cost."""


class SearchLimitError(Exception):
    """The time limit is reached, or there are too many ways to look at."""


@dataclass(frozen=True, kw_only=True)
class PartialAssignments:
    """Ways in which a set of clients can cut: their work left to the server and own cost in sum, and the cuts."""

    work: Float[np.ndarray, "ways"]
    cost: Float[np.ndarray, "ways"]
    cuts: Int[np.ndarray, "ways clients"]
    """-1 for clients that are not in the set."""

    def kept(self, which: np.ndarray) -> PartialAssignments:
        """Returns some of the ways."""
        return map_arrays(lambda a: a[which], self)

    def with_one(self, client: int, other: PartialAssignments) -> PartialAssignments:
        """Returns each way with each of another client's."""
        if len(self.work) * len(other.work) > MAX_PARTIAL_ASSIGNMENTS:
            raise SearchLimitError
        this, that = (i.ravel() for i in np.indices((len(self.work), len(other.work))))
        cuts = self.cuts[this]
        cuts[:, client] = other.cuts[that, client]
        return PartialAssignments(
            work=self.work[this] + other.work[that], cost=self.cost[this] + other.cost[that], cuts=cuts
        )

    def undominated(self) -> PartialAssignments:
        """Returns the ways that no other betters in work and cost."""
        order = np.lexsort((self.cost, self.work))
        least_before = np.minimum.accumulate(np.concatenate([[np.inf], self.cost[order][:-1]]))
        return self.kept(order[self.cost[order] < least_before])

    def cheapest_of_each_work(self) -> PartialAssignments:
        """Returns of the ways of equal work the cheapest: clients of one DNN can cut in many ways that are the same."""
        work = self.work.round(WORK_DECIMALS)
        order = np.argsort(work, kind="stable")
        group = np.cumsum(np.diff(work[order], prepend=-np.inf) > 0.0) - 1
        cost, starts = self.cost[order], np.flatnonzero(np.diff(group, prepend=-1))
        least = np.flatnonzero(cost == np.minimum.reduceat(cost, starts)[group]) if len(cost) else starts
        return self.kept(order[least[np.diff(group[least], prepend=-1) > 0]])
