"""The search for the decisions of least cost of one slot of `DNNPartition`.

A client runs its DNN itself or has one server, and clients meet at servers alone. So the least cost of all decisions
is the least over all ways to deal the clients out to the servers, of the sum of what each server's set costs at least:

    least = min over (S_0, S_1, ...) of  sum_s G_s(S_s) + what the others cost that run everything themselves

which dynamic programming over sets of clients finds, once the 2^I values G_s are known for every server.

A service vehicle's part of the cost grows with its clients' work in sum. So of the ways in which a set of clients can
cut only those are kept that no other betters in both work and own cost, and G_s is exact.

The roadside unit shares its processor by P3, which need not be the best for the cost asked for, and what it costs may
fall where work grows. It costs at least what the best sharing would, and that at least what any price mu of a GHz says,

    sum_k min over cuts of type k of (own cost + least over f of (part of the cost at f + mu f)) - mu F,

a sum over types. The programme is solved with the best of these bounds in place of G_0: a bound on everything; and the
sets of clients at the unit for which it is below the best known are taken one after another, their cuts enumerated as
far as the bounds leave them open, of cuts that leave the same work the cheapest: the unit sees tasks and work alone.
What is known at first is the best response's answer. So the result does not depend on how good prices and first answer
were, only the time does.
"""

from __future__ import annotations

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
"""Decisions are dropped when their bound is below the best known by less than this part of it."""
PRICES = 48
PRICE_RANGE = 1e6
"""Prices go from the highest that may be best down by this factor."""
ROWS_AT_ONCE = 1 << 12
MOST_VALUES = 1 << 21
"""Where ways times prices are more, fewer prices are taken."""


CostOf = Callable[[int, PartialAssignments], Float[np.ndarray, "ways"]]
"""What ways of so many clients to cut cost at least."""


@dataclass(frozen=True, kw_only=True)
class _AtServer:
    """What each set of clients, by its bit mask, costs at least at a server; and how it then cuts."""

    least: Float[np.ndarray, "sets"]
    cuts: Int[np.ndarray, "sets clients"]


@cache
def _splits(clients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns all pairs of a set and a subset of it, by set, and where each set's pairs begin."""
    subsets = [[t for t in range(s + 1) if t & s == t] for s in range(1 << clients)]
    sizes = np.array([len(t) for t in subsets])
    return np.repeat(np.arange(1 << clients), sizes), np.concatenate(subsets), np.cumsum(sizes) - sizes


# The search -----------------------------------------------------------------------------------------------------------


class Search:
    """One slot's search. `action` is the best known, `value` its cost."""

    def __init__(
        self, costs: SlotCosts, action: Int[np.ndarray, "clients"], value: float, limit_s: float | None
    ) -> None:
        self.action, self.value = action, value
        self._costs, self._problem = costs, costs.problem
        self._ends_s = np.inf if limit_s is None else time.process_time() + limit_s
        self._clients, self._services = self._problem.num_client_vehicles, self._problem.num_service_vehicles
        self._of_bound = costs.objective == "drift_bound"
        self._rsu_grows = self._of_bound and self._problem.allocation == "exact"
        self._price = self._prices()
        nothing = np.zeros(1)
        self._idle = np.array([costs.of_service(s, 0, nothing)[0] for s in range(self._services)])
        at_unit = sum(costs.least_at_rsu(k, 0, nothing, self._price)[0] for k in range(len(self._problem.profiles)))
        self._base = float((at_unit - self._price * self._problem.rsu_ghz).max() + self._idle.sum())
        self._options = self._options_of_clients()

    def _prices(self) -> Float[np.ndarray, "prices"]:
        costs, problem = self._costs, self._problem
        longest = float(costs.rsu_backlog.max())
        work = float(costs.work.max(axis=1).sum())
        gamma = problem.lyapunov_v * self._clients * (longest + work)
        highest = 1e2 * gamma / problem.rsu_ghz**2 + (longest + work) * problem.slot_s
        grid = highest * np.geomspace(1.0 / PRICE_RANGE, 1.0, PRICES)
        return np.concatenate([[0.0], grid]) + longest * problem.slot_s * self._of_bound

    @property
    def _limit(self) -> float:
        """What decisions must cost less than to be looked at."""
        return self.value - SLACK * abs(self.value)

    def _check_time(self) -> None:
        if time.process_time() > self._ends_s:
            raise SearchLimitError

    def run(self) -> float:
        """Finds the best decisions, and returns a bound on all; infinite where the best known are proven."""
        bound = self._base + float(self._least.sum())
        try:
            at_service = [self._at_service(service) for service in range(self._services)]
            rest, dealt = self._deal([server.least for server in at_service])
            ways = self._ways_at_rsu()
            values = self._values_at_rsu(ways)
            total = self._bounds_at_rsu(values) + rest[::-1]
            for members in np.argsort(total, kind="stable"):
                bound = float(total[members])
                if bound >= self._limit:
                    break
                for cuts in self._better_at_rsu(int(members), ways, values, float(rest[~members])):
                    self.action = self._assembled(cuts, dealt, at_service)
        except SearchLimitError:
            return bound
        return np.inf

    # What is possible -------------------------------------------------------------------------------------------------

    def _options_of_clients(self) -> list[list[PartialAssignments]]:
        """Returns what each client may do at each node: what costs, with the least for the others, below the limit."""
        costs, problem = self._costs, self._problem
        alone = costs.sent.copy()
        backlog = costs.rsu_backlog[problem.client_types][:, None]
        alone[:, 0] += problem.lyapunov_v * (backlog + costs.work) / problem.rsu_ghz
        alone[:, 0] += backlog * costs.work * self._of_bound
        for service in range(self._services):
            at_service = [costs.of_service(service, 1, work) for work in costs.work]
            alone[:, service + 1] += np.array(at_service) - self._idle[service]
        self._least = np.minimum(costs.local, alone.min(axis=(1, 2)))
        is_open = alone + (self._base + self._least.sum() - self._least)[:, None, None] < self._limit
        nodes, clients = range(problem.num_nodes), range(self._clients)
        return [[self._options_at(i, node, is_open[i, node]) for node in nodes] for i in clients]

    def _options_at(self, client: int, node: int, is_open: np.ndarray) -> PartialAssignments:
        cut = np.flatnonzero(is_open)
        cuts = np.full((len(cut), self._clients), -1, dtype=np.int16)
        cuts[:, client] = cut
        return PartialAssignments(
            work=self._costs.work[client, cut], cost=self._costs.sent[client, node, cut], cuts=cuts
        )

    def _ways(
        self, clients: Sequence[int], node: int, cost_of: CostOf, *, grows: bool
    ) -> dict[int, PartialAssignments]:
        """Returns the ways to cut of every set of these clients at a node, by bit mask, as far as they are open.

        Where what the server costs `grows` with work, only those that no other betters.
        """
        every = self._base + float(self._least.sum())
        ways = {
            0: PartialAssignments(
                work=np.zeros(1), cost=np.zeros(1), cuts=np.full((1, self._clients), -1, dtype=np.int16)
            )
        }
        looked_at = 0
        for client in clients:
            self._check_time()
            for members, those in list(ways.items()):
                both = members | 1 << client
                found = those.with_one(client, self._options[client][node])
                inside = [i for i in range(self._clients) if both >> i & 1]
                least_of_all = cost_of(len(inside), found) + (every - float(self._least[inside].sum()))
                found = found.kept(least_of_all < self._limit)
                ways[both] = found.undominated() if grows else found.cheapest_of_each_work()
                looked_at += len(ways[both].work)
                if looked_at > partial_assignments.MAX_PARTIAL_ASSIGNMENTS:
                    raise SearchLimitError
        return ways

    # Service vehicles -------------------------------------------------------------------------------------------------

    def _at_service(self, service: int) -> _AtServer:
        def cost_of(num_tasks: int, ways: PartialAssignments) -> np.ndarray:
            return ways.cost + self._costs.of_service(service, num_tasks, ways.work) - self._idle[service]

        sets = 1 << self._clients
        found = _AtServer(least=np.full(sets, np.inf), cuts=np.full((sets, self._clients), -1))
        for members, ways in self._ways(range(self._clients), service + 1, cost_of, grows=True).items():
            if len(ways.work):
                cost = cost_of(members.bit_count(), ways) + self._idle[service]
                found.least[members], found.cuts[members] = cost.min(), ways.cuts[cost.argmin()]
        return found

    def _deal(self, at_service: Sequence[np.ndarray]) -> tuple[Float[np.ndarray, "sets"], list[np.ndarray]]:
        """Returns what each set of clients costs at least without the roadside unit, and whom each service vehicle
        then has of a set that it shares with those before it."""
        whole, part, starts = _splits(self._clients)
        member = np.arange(1 << self._clients)[:, None] >> np.arange(self._clients) & 1
        rest, dealt = member @ self._costs.local, list[np.ndarray]()
        for least in at_service:
            cost = rest[whole ^ part] + least[part]
            rest = np.minimum.reduceat(cost, starts)
            best = np.flatnonzero(cost == rest[whole])[::-1]
            taken = np.empty(len(rest), dtype=np.int64)
            taken[whole[best]] = part[best]
            dealt.append(taken)
        return rest, dealt

    # The roadside unit ------------------------------------------------------------------------------------------------

    def _ways_at_rsu(self) -> list[dict[int, PartialAssignments]]:
        """Returns of each type the ways to cut of every set of its clients at the unit."""
        problem = self._problem

        def cost_of(kind: int) -> CostOf:
            backlog = float(self._costs.rsu_backlog[kind])

            def cost(num_tasks: int, ways: PartialAssignments) -> np.ndarray:
                gamma = self._costs.gamma(num_tasks, backlog, ways.work)
                return ways.cost + gamma / problem.rsu_ghz + backlog * ways.work * self._of_bound

            return cost

        return [
            self._ways(np.flatnonzero(problem.client_types == kind).tolist(), 0, cost_of(kind), grows=self._rsu_grows)
            for kind in range(len(problem.profiles))
        ]

    def _values_at_rsu(
        self, ways: Sequence[dict[int, PartialAssignments]]
    ) -> list[dict[int, Float[np.ndarray, "ways prices"]]]:
        """Returns what the ways cost at least at each price of a GHz; of fewer prices where ways are many."""
        rows = sum(len(own.work) for of_kind in ways for own in of_kind.values())
        self._price = self._price[:: 1 + rows * len(self._price) // MOST_VALUES]
        return [
            {members: self._valued(kind, members.bit_count(), own) for members, own in of_kind.items()}
            for kind, of_kind in enumerate(ways)
        ]

    def _valued(self, kind: int, num_tasks: int, ways: PartialAssignments) -> Float[np.ndarray, "ways prices"]:
        blocks = [np.empty((0, len(self._price)))]
        for i in range(0, len(ways.work), ROWS_AT_ONCE):
            self._check_time()
            blocks.append(self._costs.least_at_rsu(kind, num_tasks, ways.work[i : i + ROWS_AT_ONCE], self._price))
        return np.concatenate(blocks) + ways.cost[:, None]

    def _bounds_at_rsu(self, values: Sequence[dict[int, np.ndarray]]) -> Float[np.ndarray, "sets"]:
        """Returns what each set of clients costs at least at the unit."""
        least = [
            {members: value.min(axis=0, initial=np.inf, keepdims=True) for members, value in of_kind.items()}
            for of_kind in values
        ]
        paid = self._price * self._problem.rsu_ghz
        return np.array([(sum(self._parts(members, least)) - paid).max() for members in range(1 << self._clients)])

    def _parts(self, members: int, values: Sequence[dict[int, np.ndarray]]) -> list[np.ndarray]:
        """Returns the values of the ways of each type's clients among these; 0 for a type that gets no speed."""
        parts = [members & self._of_kind(kind) for kind in range(len(values))]
        served = self._costs.served_at_rsu(np.array(parts) > 0)
        return [values[kind][part] * served[kind] for kind, part in enumerate(parts)]

    def _of_kind(self, kind: int) -> int:
        return sum(1 << int(i) for i in np.flatnonzero(self._problem.client_types == kind))

    def _better_at_rsu(
        self,
        members: int,
        ways: Sequence[dict[int, PartialAssignments]],
        values: Sequence[dict[int, np.ndarray]],
        rest: float,
    ) -> Iterator[np.ndarray]:
        """Yields cuts of these clients at the unit that cost less with `rest` than the best known; last the least."""
        parts = [members & self._of_kind(kind) for kind in range(len(ways))]
        own = [of_kind[part] for of_kind, part in zip(ways, parts, strict=True)]
        value = self._parts(members, values)
        num_tasks = np.array([part.bit_count() for part in parts])
        paid = self._price * self._problem.rsu_ghz
        for rows in self._combined(value, paid, rest):
            bounds = sum(v[rows[:, k]] for k, v in enumerate(value)) - paid
            rows = rows[np.asarray(bounds).max(axis=1) + rest < self._limit]
            if not len(rows):
                continue
            work = np.stack([w.work[rows[:, k]] for k, w in enumerate(own)], axis=1)
            cost = sum(w.cost[rows[:, k]] for k, w in enumerate(own)) + self._costs.of_rsu(num_tasks, work) + rest
            least = int(np.argmin(cost))
            if cost[least] < self._limit:
                self.value = float(cost[least])
                yield np.max([w.cuts[rows[least, k]] for k, w in enumerate(own)], axis=0)

    def _combined(self, value: Sequence[np.ndarray], paid: np.ndarray, rest: float) -> Iterator[np.ndarray]:
        """Yields rows of which way of each type: all whose bound, at the price best for the set, is below the limit."""
        at = int((sum(v.min(axis=0) for v in value) - paid).argmax())
        column = [v[:, at] for v in value]
        ahead = np.cumsum([0.0, *(c.min() for c in column[:0:-1])])[::-1]
        yield from self._extended(column, ahead, np.zeros((1, 0), dtype=np.int64), np.array([rest - paid[at]]))

    def _extended(
        self,
        column: Sequence[Float[np.ndarray, "_"]],
        ahead: Float[np.ndarray, "types"],
        rows: Int[np.ndarray, "rows decided"],
        reached: Float[np.ndarray, "rows"],
    ) -> Iterator[np.ndarray]:
        decided = int(rows.shape[1])
        if decided == len(column):
            yield rows
            return
        size = max(1, ROWS_AT_ONCE // len(column[decided]))
        for i in range(0, len(rows), size):
            self._check_time()
            total = reached[i : i + size, None] + column[decided]
            row, way = np.nonzero(total + ahead[decided] < self._limit)
            longer = np.concatenate([rows[i : i + size][row], way[:, None]], axis=1)
            if len(longer):
                yield from self._extended(column, ahead, longer, total[row, way])

    def _assembled(
        self, cuts: Int[np.ndarray, "clients"], dealt: Sequence[np.ndarray], at_service: Sequence[_AtServer]
    ) -> Int[np.ndarray, "clients"]:
        """Returns the decisions: these cuts at the unit, and the best of the others without it."""
        nodes, layers = self._problem.num_nodes, self._problem.num_layers
        action = np.where(cuts >= 0, cuts, layers) * nodes
        left = sum(1 << int(i) for i in np.flatnonzero(cuts < 0))
        for service in reversed(range(self._services)):
            taken = int(dealt[service][left])
            own = at_service[service].cuts[taken]
            action = np.where(own >= 0, own * nodes + service + 1, action)
            left ^= taken
        return action
