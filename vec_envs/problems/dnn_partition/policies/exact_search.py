"""Branch and bound for the joint action of least cost in one slot of `DNNPartition`.

A client runs its DNN itself or sends work to one server. Clients affect each other only at a server. So the least cost
is a minimum over all ways to divide clients among servers, where G_s(S_s) is the least cost of the set S_s at server s:

    least = min over (S_0, S_1, ...) of  sum_s G_s(S_s) + cost of the other clients, which run everything themselves

Dynamic programming over sets of clients finds this minimum from the 2^I values of G_s for every server.

*Service vehicles.* The cost at a service vehicle grows with the total work of its clients. So the search keeps only
the partial assignments that no other one improves in both work and own cost. G_s is exact. For `"drift_bound"` the cost
is linear in work, so the corners of their convex hull are enough. They are few, even for hundreds of layers.

*The roadside unit.* The unit shares its processor by P3, which need not minimise the objective of the search. Its cost
may also fall where work grows. The search therefore uses a lower bound on G_0. The cost is at least the cost under the
best sharing of F GHz. By duality, this is at least the following sum over types k, for any price mu of a GHz:

    sum_k min over cuts of type k of (own cost + least over f of (part of the cost at f + mu f)) - mu F

1. Dynamic programming with the best of these bounds in place of G_0 gives a bound for each set of clients at the unit.
2. The search takes the sets one after another while their bound is below the least cost known so far.
3. For each set it enumerates the combinations of cuts that the bounds do not exclude. Of cuts that leave the same work
   to the unit it keeps the cheapest, because the unit's cost depends only on the numbers of tasks and on the work.

The search starts from the action of best response. The prices and this first action affect the time of the search, not
its result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from vec_envs.problems.dnn_partition.policies import partial_assignments
from vec_envs.problems.dnn_partition.policies.exact_costs import SlotCosts
from vec_envs.problems.dnn_partition.policies.partial_assignments import PartialAssignments, SearchLimitError

SLACK = 1e-9
"""The search drops actions that would improve the least known cost by less than this fraction of it."""
PRICES = 48
PRICE_RANGE = 1e6
"""The ratio of the highest price to the lowest one above 0."""
ROWS_AT_ONCE = 1 << 12
MAX_BOUND_VALUES = 1 << 21
"""The search uses fewer prices where partial assignments times prices exceed this number."""


CostBound = Callable[[int, PartialAssignments], Float[np.ndarray, "assignments"]]
"""Takes a number of clients and their partial assignments; returns a lower bound on the cost of each."""


@dataclass(frozen=True, kw_only=True)
class _ServerCosts:
    """The least cost of each set of clients at a server, and the cuts that have this cost.

    A set is a bit mask: bit i is 1 where client i is in the set.
    """

    least: Float[np.ndarray, "sets"]
    cuts: Int[np.ndarray, "sets clients"]


@cache
def _subset_pairs(clients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns all pairs of a set and a subset of it, by set, and the index of each set's first pair."""
    subsets = [[t for t in range(s + 1) if t & s == t] for s in range(1 << clients)]
    sizes = np.array([len(t) for t in subsets])
    return np.repeat(np.arange(1 << clients), sizes), np.concatenate(subsets), np.cumsum(sizes) - sizes


# The search -----------------------------------------------------------------------------------------------------------


class Search:
    """The search in one slot. `action` is the best action found so far and `value` is its cost.

    Args:
        costs: The parts of the slot's cost.
        action: A first action, such as that of best response.
        value: The cost of the first action.
        limit_s: The limit of CPU time in seconds; None for no limit.
    """

    def __init__(
        self, costs: SlotCosts, action: Int[np.ndarray, "clients"], value: float, limit_s: float | None
    ) -> None:
        self.action, self.value = action, value
        self._costs, self._problem = costs, costs.problem
        self._deadline_s = np.inf if limit_s is None else time.process_time() + limit_s
        self._clients, self._services = self._problem.num_client_vehicles, self._problem.num_service_vehicles
        self._uses_bound = costs.objective.name == "drift_bound"
        self._rsu_cost_grows = self._uses_bound and self._problem.allocation == "exact"
        self._price = self._prices()
        no_work = np.zeros(1)
        self._idle_cost = np.array([costs.service_cost(s, 0, no_work)[0] for s in range(self._services)])
        rsu_idle = sum(costs.rsu_lower_bound(k, 0, no_work, self._price)[0] for k in range(len(self._problem.profiles)))
        # A lower bound on the cost of the servers' queues, without any task.
        self._base = float((rsu_idle - self._price * self._problem.rsu_ghz).max() + self._idle_cost.sum())
        self._options = self._options_of_clients()

    def _prices(self) -> Float[np.ndarray, "prices"]:
        """Returns the prices of a GHz at which the search computes bounds."""
        costs, problem = self._costs, self._problem
        longest = float(costs.rsu_backlog.max())
        work = float(costs.work.max(axis=1).sum())
        gamma = costs.objective.delay_cost(self._clients * (longest + work))
        highest = 1e2 * gamma / problem.rsu_ghz**2 + (longest + work) * problem.slot_s
        grid = highest * np.geomspace(1.0 / PRICE_RANGE, 1.0, PRICES)
        return np.concatenate([[0.0], grid]) + longest * problem.slot_s * self._uses_bound

    @property
    def _limit(self) -> float:
        """The cost below which an action improves the best one known."""
        return self.value - SLACK * abs(self.value)

    def _check_time(self) -> None:
        if time.process_time() > self._deadline_s:
            raise SearchLimitError

    def run(self) -> float:
        """Finds the best action, and returns a lower bound on the cost of all others.

        The bound is infinite if the action is proven to be optimal.
        """
        bound = self._base + float(self._least.sum())
        if self._is_too_large():
            return bound
        try:
            services = [self._service_costs(service) for service in range(self._services)]
            rest, division = self._divide_among_services([server.least for server in services])
            assignments = self._assignments_at_rsu()
            bounds = self._bounds_at_rsu(assignments)
            total = self._set_bounds_at_rsu(bounds) + rest[::-1]  # reversed, index s is the complement of set s
            for members in np.argsort(total, kind="stable"):
                bound = float(total[members])
                if bound >= self._limit:
                    break
                for cuts in self._improving_cuts(int(members), assignments, bounds, float(rest[~members])):
                    self.action = self._joint_action(cuts, division, services)
        except SearchLimitError:
            return bound
        return np.inf

    # Partial assignments of clients to a server -----------------------------------------------------------------------

    def _options_of_clients(self) -> list[list[PartialAssignments]]:
        """Returns the cuts of each client at each node that the bounds do not exclude.

        A cut is excluded where its cost alone, with the least cost of every other client, reaches the limit.
        """
        costs, problem = self._costs, self._problem
        alone = costs.sent.copy()
        backlog = costs.rsu_backlog[problem.client_types][:, None]
        alone[:, 0] += costs.objective.delay_cost(backlog + costs.work) / problem.rsu_ghz
        alone[:, 0] += backlog * costs.work * self._uses_bound
        for service in range(self._services):
            at_service = [costs.service_cost(service, 1, work) for work in costs.work]
            alone[:, service + 1] += np.array(at_service) - self._idle_cost[service]
        self._least = np.minimum(costs.local, alone.min(axis=(1, 2)))
        is_open = alone + (self._base + self._least.sum() - self._least)[:, None, None] < self._limit
        nodes, clients = range(problem.num_nodes), range(self._clients)
        return [[self._options_at(i, node, is_open[i, node]) for node in nodes] for i in clients]

    def _is_too_large(self) -> bool:
        """Whether a type's clients can leave more different totals of work to the unit than the search keeps.

        m clients with n cuts each have C(n + m - 1, m) multisets of cuts. The search keeps one assignment for each
        total, where the cost at the unit may fall as work grows. So this says beforehand what would take long to find.
        """
        if self._rsu_cost_grows:
            return False
        open_cuts = np.array([len(of_client[0].work) for of_client in self._options])
        of_types = [open_cuts[self._problem.client_types == kind] for kind in range(len(self._problem.profiles))]
        counts = [len(cuts) and math.comb(int(cuts.max()) + len(cuts) - 1, len(cuts)) for cuts in of_types]
        return max(counts) > partial_assignments.MAX_PARTIAL_ASSIGNMENTS

    def _options_at(self, client: int, node: int, is_open: np.ndarray) -> PartialAssignments:
        cut = np.flatnonzero(is_open)
        cuts = np.full((len(cut), self._clients), -1, dtype=np.int16)
        cuts[:, client] = cut
        return PartialAssignments(
            work=self._costs.work[client, cut], cost=self._costs.sent[client, node, cut], cuts=cuts
        )

    def _assignments_at(
        self, clients: Sequence[int], node: int, cost_bound: CostBound, *, cost_grows: bool
    ) -> dict[int, PartialAssignments]:
        """Returns the partial assignments of every set of some clients to a node that the bounds do not exclude.

        Args:
            clients: The clients whose subsets are taken.
            node: The node that they send to.
            cost_bound: The lower bound on the cost of partial assignments.
            cost_grows: Whether the cost of the server grows with work, so that dominated assignments can be dropped.

        Returns partial assignments by the bit mask of the set.
        """
        least_of_all = self._base + float(self._least.sum())
        assignments = {
            0: PartialAssignments(
                work=np.zeros(1), cost=np.zeros(1), cuts=np.full((1, self._clients), -1, dtype=np.int16)
            )
        }
        kept = 0
        for client in clients:
            self._check_time()
            options = self._options[client][node]
            if cost_grows:  # a cut that is not useful alone makes no useful assignment
                options = self._useful(options)
            for members, without in list(assignments.items()):
                members_with = members | 1 << client
                found = without.combine(client, options)
                inside = [i for i in range(self._clients) if members_with >> i & 1]
                bound = cost_bound(len(inside), found) + (least_of_all - float(self._least[inside].sum()))
                found = found.select(bound < self._limit)
                assignments[members_with] = self._useful(found) if cost_grows else found.cheapest_per_work()
                kept += len(assignments[members_with].work)
                if kept > partial_assignments.MAX_PARTIAL_ASSIGNMENTS:
                    raise SearchLimitError
        return assignments

    def _useful(self, some: PartialAssignments) -> PartialAssignments:
        """Returns the partial assignments that can be part of the best action, at a server whose cost grows with work.

        For `"drift_bound"` the cost is also concave in the work of each type: linear at a service vehicle, and at the
        unit the least over all speeds of linear costs.
        """
        return some.on_lower_hull() if self._uses_bound else some.not_dominated()

    # Service vehicles -------------------------------------------------------------------------------------------------

    def _service_costs(self, service: int) -> _ServerCosts:
        """Returns the least cost of every set of clients at a service vehicle."""

        def cost_bound(num_tasks: int, some: PartialAssignments) -> np.ndarray:
            return some.cost + self._costs.service_cost(service, num_tasks, some.work) - self._idle_cost[service]

        sets = 1 << self._clients
        found = _ServerCosts(least=np.full(sets, np.inf), cuts=np.full((sets, self._clients), -1))
        assignments = self._assignments_at(range(self._clients), service + 1, cost_bound, cost_grows=True)
        for members, some in assignments.items():
            if len(some.work):
                cost = cost_bound(members.bit_count(), some) + self._idle_cost[service]
                found.least[members], found.cuts[members] = cost.min(), some.cuts[cost.argmin()]
        return found

    def _divide_among_services(
        self, least_costs: Sequence[np.ndarray]
    ) -> tuple[Float[np.ndarray, "sets"], list[np.ndarray]]:
        """Returns the least cost of each set of clients without the roadside unit, and the division that has it.

        The division holds an array for each service vehicle. For a set that is shared with the vehicles before it, the
        array gives the subset that this vehicle takes.
        """
        whole, part, starts = _subset_pairs(self._clients)
        member = np.arange(1 << self._clients)[:, None] >> np.arange(self._clients) & 1
        rest, division = member @ self._costs.local, list[np.ndarray]()
        for least in least_costs:
            cost = rest[whole ^ part] + least[part]
            rest = np.minimum.reduceat(cost, starts)
            best = np.flatnonzero(cost == rest[whole])[::-1]  # reversed, so that the first of equal pairs is kept
            taken = np.empty(len(rest), dtype=np.int64)
            taken[whole[best]] = part[best]
            division.append(taken)
        return rest, division

    # The roadside unit ------------------------------------------------------------------------------------------------

    def _assignments_at_rsu(self) -> list[dict[int, PartialAssignments]]:
        """Returns, for each DNN type, the partial assignments of every set of its clients to the roadside unit."""
        problem = self._problem

        def bound_of_type(kind: int) -> CostBound:
            backlog = float(self._costs.rsu_backlog[kind])

            def cost_bound(num_tasks: int, some: PartialAssignments) -> np.ndarray:
                gamma = self._costs.gamma(num_tasks, backlog, some.work)
                return some.cost + gamma / problem.rsu_ghz + backlog * some.work * self._uses_bound

            return cost_bound

        return [
            self._assignments_at(
                np.flatnonzero(problem.client_types == kind).tolist(),
                0,
                bound_of_type(kind),
                cost_grows=self._rsu_cost_grows,
            )
            for kind in range(len(problem.profiles))
        ]

    def _bounds_at_rsu(
        self, assignments: Sequence[dict[int, PartialAssignments]]
    ) -> list[dict[int, Float[np.ndarray, "assignments prices"]]]:
        """Returns a lower bound on the cost of each partial assignment at each price of a GHz.

        Drops some of the prices where there are many partial assignments.
        """
        rows = sum(len(some.work) for by_set in assignments for some in by_set.values())
        self._price = self._price[:: 1 + rows * len(self._price) // MAX_BOUND_VALUES]
        return [
            {members: self._bounds_of(kind, members.bit_count(), some) for members, some in by_set.items()}
            for kind, by_set in enumerate(assignments)
        ]

    def _bounds_of(
        self, kind: int, num_tasks: int, some: PartialAssignments
    ) -> Float[np.ndarray, "assignments prices"]:
        """Returns the bounds of partial assignments of one DNN type, computed in blocks of rows."""
        blocks = [np.empty((0, len(self._price)))]
        for i in range(0, len(some.work), ROWS_AT_ONCE):
            self._check_time()
            blocks.append(self._costs.rsu_lower_bound(kind, num_tasks, some.work[i : i + ROWS_AT_ONCE], self._price))
        return np.concatenate(blocks) + some.cost[:, None]

    def _set_bounds_at_rsu(self, bounds: Sequence[dict[int, np.ndarray]]) -> Float[np.ndarray, "sets"]:
        """Returns a lower bound on the cost of each set of clients at the unit: the best over all prices."""
        least = [
            {members: bound.min(axis=0, initial=np.inf, keepdims=True) for members, bound in by_set.items()}
            for by_set in bounds
        ]
        paid = self._price * self._problem.rsu_ghz
        sets = range(1 << self._clients)
        return np.array([(sum(self._bounds_by_type(members, least)) - paid).max() for members in sets])

    def _bounds_by_type(self, members: int, bounds: Sequence[dict[int, np.ndarray]]) -> list[np.ndarray]:
        """Returns the bounds of each type for its clients in the set; 0 for a type that gets no speed."""
        parts = [members & self._clients_of_type(kind) for kind in range(len(bounds))]
        served = self._costs.served_at_rsu(np.array(parts) > 0)
        return [bounds[kind][part] * served[kind] for kind, part in enumerate(parts)]

    def _clients_of_type(self, kind: int) -> int:
        """Returns the set of clients of a DNN type, as a bit mask."""
        return sum(1 << int(i) for i in np.flatnonzero(self._problem.client_types == kind))

    def _improving_cuts(
        self,
        members: int,
        assignments: Sequence[dict[int, PartialAssignments]],
        bounds: Sequence[dict[int, np.ndarray]],
        rest: float,
    ) -> Iterator[np.ndarray]:
        """Yields cuts of a set of clients at the unit, each better than all before; the last are the best.

        `rest` is the cost of the clients that are not in the set. Updates `value`.
        """
        parts = [members & self._clients_of_type(kind) for kind in range(len(assignments))]
        by_type = [by_set[part] for by_set, part in zip(assignments, parts, strict=True)]
        bound = self._bounds_by_type(members, bounds)
        num_tasks = np.array([part.bit_count() for part in parts])
        paid = self._price * self._problem.rsu_ghz
        for rows in self._combinations(bound, paid, rest):
            total = sum(b[rows[:, k]] for k, b in enumerate(bound)) - paid
            rows = rows[np.asarray(total).max(axis=1) + rest < self._limit]
            if not len(rows):
                continue
            work = np.stack([some.work[rows[:, k]] for k, some in enumerate(by_type)], axis=1)
            own = sum(some.cost[rows[:, k]] for k, some in enumerate(by_type))
            cost = own + self._costs.rsu_cost(num_tasks, work) + rest
            least = int(np.argmin(cost))
            if cost[least] < self._limit:
                self.value = float(cost[least])
                yield np.max([some.cuts[rows[least, k]] for k, some in enumerate(by_type)], axis=0)

    def _combinations(self, bound: Sequence[np.ndarray], paid: np.ndarray, rest: float) -> Iterator[np.ndarray]:
        """Yields combinations of one partial assignment of each type whose bound is below the limit.

        A combination is a row of indices. The bound is that at the price which is best for the whole set.
        """
        at = int((sum(b.min(axis=0) for b in bound) - paid).argmax())
        column = [b[:, at] for b in bound]
        ahead = np.cumsum([0.0, *(c.min() for c in column[:0:-1])])[::-1]
        yield from self._extend(column, ahead, np.zeros((1, 0), dtype=np.int64), np.array([rest - paid[at]]))

    def _extend(
        self,
        column: Sequence[Float[np.ndarray, "_"]],
        ahead: Float[np.ndarray, "types"],
        rows: Int[np.ndarray, "rows decided"],
        reached: Float[np.ndarray, "rows"],
    ) -> Iterator[np.ndarray]:
        """Yields the combinations that begin with `rows`, depth first.

        Args:
            column: The bounds of each type's partial assignments.
            ahead: The least that the types after each one add.
            rows: The indices chosen for the first types.
            reached: The sum of the bounds of `rows`.
        """
        decided = int(rows.shape[1])
        if decided == len(column):
            yield rows
            return
        size = max(1, ROWS_AT_ONCE // len(column[decided]))
        for i in range(0, len(rows), size):
            self._check_time()
            total = reached[i : i + size, None] + column[decided]
            row, index = np.nonzero(total + ahead[decided] < self._limit)
            longer = np.concatenate([rows[i : i + size][row], index[:, None]], axis=1)
            if len(longer):
                yield from self._extend(column, ahead, longer, total[row, index])

    def _joint_action(
        self, cuts: Int[np.ndarray, "clients"], division: Sequence[np.ndarray], services: Sequence[_ServerCosts]
    ) -> Int[np.ndarray, "clients"]:
        """Returns the joint action with these cuts at the unit (-1 for other clients), and the best for the others."""
        nodes, layers = self._problem.num_nodes, self._problem.num_layers
        action = np.where(cuts >= 0, cuts, layers) * nodes
        left = sum(1 << int(i) for i in np.flatnonzero(cuts < 0))
        for service in reversed(range(self._services)):
            taken = int(division[service][left])
            own = services[service].cuts[taken]
            action = np.where(own >= 0, own * nodes + service + 1, action)
            left ^= taken
        return action
