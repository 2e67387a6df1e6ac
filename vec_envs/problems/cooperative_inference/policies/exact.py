"""The exact optimum of a slot of `CooperativeInference`: the cuts of least drift bound plus V times the delays.

With the best resources for given cuts, the cost of a slot is a sum of three terms:

- a cost of each device's own cut: its speed (P3) and its memory;
- V (sum_n sqrt(d_n))^2 / F, for work d_n at a server of F GHz (P4);
- the value of P5, for the bandwidth.

With a price zeta of a GHz of the server and a price eta of the bandwidth, both at least 0, the minimum of the relaxed
problem is a sum over devices:

    sum_n min_c phi_n(c) - zeta F - eta,
    phi_n(c) = own_n(c) + min_{0 < f <= F} (V d_n(c) / f + zeta f) + min_{0 < a <= 1} (w_n s_n(c) / rate_n(a) + eta a)

This sum is a lower bound of the cost of all cuts (weak duality). Cuts that cost less than a known cost U have
sum_n (phi_n(c_n) - min_c phi_n(c)) <= U - bound. The search follows from this:

1. It looks for good prices on a grid, and refines the grid around its best point.
2. The best cuts at the prices of each grid point give U.
3. It enumerates and evaluates the few cuts that can still be better than U.

The quality of the prices and of U changes the time of the search, but not its result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.physics import energy
from vec_envs.physics.inference import sojourn_s
from vec_envs.physics.inference_allocation import bandwidth_share, device_speed_ghz, rate_terms, spectral_efficiency
from vec_envs.problems.base import View, objective_name
from vec_envs.problems.cooperative_inference.objective import DriftPlusPenalty, Objective, use_cost
from vec_envs.problems.cooperative_inference.policies.rules import needs_cuts
from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.policy import needs_view
from vec_envs.records import map_arrays, with_rows

R = TypeVar("R")
PerCut = Float[np.ndarray, "batch devices cuts"]
PerEnvironment = Float[np.ndarray, "batch"]
Prices = Float[np.ndarray, "batch prices"]
PricedCuts = Float[np.ndarray, "batch prices devices cuts"]

ENVIRONMENTS_AT_ONCE = 64
"""The number of environments that are solved together."""
ROWS_AT_ONCE = 1 << 12
"""The number of partial assignments of cuts that the enumeration extends together."""
PRICE_POINTS = 9
"""The number of prices on each axis of a grid."""
PRICE_STAGES = 3
"""The number of grids, each finer than the one before."""
PRICE_RANGE = 1e4
"""The ratio of the highest to the lowest price of the first grid. No best price is above the highest one."""
SLACK = 1e-10
"""Cuts are dropped when their bound exceeds U by more than this fraction of U, which is far above rounding errors."""
SEARCHED_FRACTIONS = (1e-2, 1e-1, 1.0)
"""The enumeration is repeated with limits at these fractions of the way from the bound to U. U may fall in between."""


@dataclass(frozen=True, kw_only=True)
class _Costs:
    """The cost terms of each cut; `own` is infinite for illegal cuts. Arrays have a row for each environment."""

    own: PerCut
    """The cost of the speed, the delay and the memory of the device itself."""
    server: PerCut
    """V d, the numerator of the cost at the server."""
    sent: PerCut
    """w s / W, the cost of sending at 1 bit/s for each Hz of the whole band."""
    snr: Float[np.ndarray, "batch devices"]
    server_ghz: Float[np.ndarray, "batch"]


@dataclass(frozen=True, kw_only=True)
class _Best:
    """The best known cuts of each environment, and their cost U."""

    cuts: Int[np.ndarray, "batch devices"]
    cost: PerEnvironment


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A lower bound of the cost of all cuts, and the excess phi_n(c) - min_c phi_n(c) of each cut of each device."""

    value: PerEnvironment
    excess: PerCut


class ExactCuts:
    """The exact optimum of each slot: the cuts of least cost, with the best resources for them.

    It is exact for the paper's objective `"drift_bound"` only: queues times use plus V times the delays. By default
    `objective` is the problem's own objective.

    Raises:
        ValueError: the objective is another one, or `allocation` is not `"exact"`.
    """

    def __init__(self, problem: CooperativeInference, *, objective: str | Objective | None = None) -> None:
        needs_cuts(problem, self)
        chosen = problem.objective(objective)
        if not isinstance(chosen, DriftPlusPenalty) or chosen.name != "drift_bound":
            raise ValueError(
                f"ExactCuts is exact for the objective 'drift_bound' only, got {objective_name(chosen)!r}; set "
                "ExactCuts(problem, objective='drift_bound'), or choose another policy"
            )
        self._problem, self._objective = problem, chosen

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best cuts. Raises `ValueError` without a view."""
        costs = _costs(self._problem, self._objective, needs_view(view, self, observation))
        starts = range(0, len(costs.own), ENVIRONMENTS_AT_ONCE)
        blocks = (map_arrays(lambda a, i=i: a[i : i + ENVIRONMENTS_AT_ONCE], costs) for i in starts)
        return np.concatenate([_optimum(block).cuts for block in blocks])


def _costs(problem: CooperativeInference, objective: DriftPlusPenalty, view: View) -> _Costs:
    """Returns the cost terms of all cuts in the slots of a view."""
    legal = problem.action_mask(view.state, view.exogenous)
    table, state = problem.cut_table, view.state
    rate_hz, queue = view.exogenous.arrival_rate_hz[..., None], state.energy_queue[..., None]
    arrives = rate_hz > 0.0  # a seat without a vehicle needs nothing for any cut
    local = np.where(legal & arrives, table.local_gcycles, 0.0)
    kappa = problem.kappa_j_per_gcycle_ghz2
    speed = device_speed_ghz(
        local,
        rate_hz,
        queue,
        lyapunov_v=objective.lyapunov_v,
        kappa_j_per_gcycle_ghz2=kappa,
        max_ghz=problem.device_ghz,
    )
    energy_j = energy.compute_energy_j(local * rate_hz, speed, kappa_j_per_gcycle_ghz2=kappa)
    use = use_cost(queue, energy_j, state.memory_queue[..., None], table.memory_gb * arrives)
    own = objective.delay_cost(sojourn_s(local, speed, rate_hz)) + use
    weight = objective.second_of_sending(queue, rate_hz, transmit_power_w=problem.transmit_power_w)
    return _Costs(
        own=np.where(legal, own, np.inf),
        server=objective.delay_cost(table.server_gcycles) * arrives,
        sent=weight * table.sent_mbit * arrives / problem.bandwidth_mhz,
        snr=problem.channel.snr(view.exogenous.gain),
        server_ghz=np.full(len(own), problem.server_ghz),
    )


def _cost(
    costs: _Costs, environment: Int[np.ndarray, "rows"], cuts: Int[np.ndarray, "rows devices"]
) -> Float[np.ndarray, "rows"]:
    """Returns the cost of cuts of all devices with the best resources for them; a row of cuts for each environment."""
    row, device, snr = environment[:, None], np.arange(int(cuts.shape[1])), costs.snr[environment]
    own, server, sent = (part[row, device, cuts] for part in (costs.own, costs.server, costs.sent))
    efficiency = spectral_efficiency(bandwidth_share(np.ones(sent.shape), sent, snr), snr)
    sending = np.divide(sent, efficiency, out=np.zeros(sent.shape), where=sent > 0.0)
    root = np.sqrt(server).sum(axis=-1)
    return (own + sending).sum(axis=-1) + root**2 / costs.server_ghz[environment]


# The bound ------------------------------------------------------------------------------------------------------------


def _server_part(costs: _Costs, price: Prices) -> PricedCuts:
    """Returns the minimum of V d / f + price f over speeds f up to that of the whole server."""
    work, price = costs.server[:, None], price[..., None, None]
    speed = np.minimum(np.sqrt(work / price), costs.server_ghz[:, None, None, None])
    return np.divide(work, speed, out=np.zeros(speed.shape), where=work > 0.0) + price * speed


def _bandwidth_part(costs: _Costs, price: Prices) -> PricedCuts:
    """Returns the minimum of w s / (W a log2(1 + snr / a)) + price a over shares a up to 1.

    Without the limit of 1 the best share is a = r g(snr / a), with r^2 = ln 2 w s / (W price), g(t) = sqrt(L - v) / L,
    L = ln(1 + t) and v = t / (1 + t). Newton's method solves ln(r g / a) = 0 for ln a. The slope is -s, with s in
    [0.896, 1] and |ds / d ln a| < 0.033. The start a = r g(snr / r) is off by at most 0.35 in ln a. Two steps leave an
    error of ln a below 1e-7, and an error of the value below 1e-13.
    """
    sent, price = costs.sent[:, None], price[..., None, None]
    snr = costs.snr[:, None, :, None]
    cost = math.log(2.0) * np.where(sent > 0.0, sent, 1.0)
    root = np.sqrt(cost / price)
    share = root * _gain(snr / root)[0]
    for _ in range(2):
        gain, slope = _gain(snr / share)
        share = share * np.exp(np.log(root * gain / share) / slope)
    share = np.minimum(share, 1.0)
    return np.where(sent > 0.0, cost / (share * np.log1p(snr / share)) + price * share, 0.0)


def _gain(ratio: PricedCuts) -> tuple[PricedCuts, PricedCuts]:
    """Returns g(t) and s(t) = 1 - d ln g / d ln t."""
    part, log, rest = rate_terms(ratio)
    return np.sqrt(rest) / log, 1.0 + part * (0.5 * part / rest - 1.0 / log)


# The search -----------------------------------------------------------------------------------------------------------


def _optimum(costs: _Costs) -> _Best:
    """Returns the optimum of each environment.

    At the best prices, zeta F and eta are at most the cost of the optimum. So the first grid starts at a known cost.
    """
    best = _equal_shares(costs)
    least = costs.own.min(axis=-1)
    bound = _Bound(value=least.sum(axis=-1), excess=costs.own - least[..., None])  # all prices are 0
    highest = np.where(best.cost > 0.0, best.cost, 1.0)
    center = np.log(np.stack([highest / costs.server_ghz, highest], axis=-1)) - 0.5 * math.log(PRICE_RANGE)
    return _refined(costs, best, bound, center, width=math.log(PRICE_RANGE))


def _equal_shares(costs: _Costs) -> _Best:
    """Returns the cuts that are best if all devices have equal shares of the server and of the bandwidth.

    With N devices their cost is at most N times that of the optimum, for any channels.
    """
    devices = int(costs.own.shape[1])
    efficiency = spectral_efficiency(np.full(costs.snr.shape, 1.0 / devices), costs.snr)[..., None]
    alone = costs.own + devices * costs.server / costs.server_ghz[:, None, None] + costs.sent / efficiency
    cuts = alone.argmin(axis=-1)
    return _Best(cuts=cuts, cost=_cost(costs, np.arange(len(cuts)), cuts))


def _refined(
    costs: _Costs, best: _Best, bound: _Bound, center: Float[np.ndarray, "batch 2"], *, width: float, stage: int = 0
) -> _Best:
    """Returns the optimum: from a grid of prices, then from finer grids, and at last from the enumeration.

    An environment leaves the search as soon as its bound proves its best known cuts.

    Args:
        costs: the cost terms.
        best: the best known cuts.
        bound: the best known bound.
        center: logarithms of the prices of server and bandwidth at the centre of the grid.
        width: the width of the grid, in logarithms of prices.
        stage: the number of grids so far.
    """
    if stage == PRICE_STAGES:
        return _searched(costs, best, bound)
    steps = np.linspace(-0.5, 0.5, PRICE_POINTS) * width
    cuts, point, grid_bound = _bounds(costs, *(np.exp(center[:, i, None] + steps) for i in range(2)))
    best = _better(costs, best, cuts)
    higher = np.flatnonzero(grid_bound.value > bound.value)
    bound = with_rows(bound, higher, _rows(grid_bound, higher))
    center = center + steps[np.stack(np.divmod(point, PRICE_POINTS), axis=-1)]
    unproven = np.flatnonzero(best.cost > bound.value * (1.0 + SLACK))
    if not len(unproven):
        return best
    remaining = _rows(costs, unproven), _rows(best, unproven), _rows(bound, unproven), center[unproven]
    finer = 2.0 * width / (PRICE_POINTS - 1)
    return with_rows(best, unproven, _refined(*remaining, width=finer, stage=stage + 1))


def _rows(record: R, environment: Int[np.ndarray, "rows"]) -> R:
    """Returns a record of arrays with the rows of these environments only."""
    return map_arrays(lambda a: a[environment], record)


def _bounds(
    costs: _Costs, server: Prices, bandwidth: Prices
) -> tuple[Int[np.ndarray, "batch pairs devices"], Int[np.ndarray, "batch"], _Bound]:
    """Returns the best cuts at each pair of prices, the index of the pair of highest bound, and this bound."""
    num_environments, devices, num_cuts = map(int, costs.own.shape)
    phi = costs.own[:, None, None] + _server_part(costs, server)[:, :, None]
    phi = (phi + _bandwidth_part(costs, bandwidth)[:, None]).reshape(num_environments, -1, devices, num_cuts)
    paid = (server * costs.server_ghz[:, None])[:, :, None] + bandwidth[:, None]
    least = phi.min(axis=-1)
    value = least.sum(axis=-1) - paid.reshape(num_environments, -1)
    every, point = np.arange(num_environments), value.argmax(axis=-1)
    excess = phi[every, point] - least[every, point][..., None]
    return phi.argmin(axis=-1), point, _Bound(value=value[every, point], excess=excess)


def _better(costs: _Costs, best: _Best, cuts: Int[np.ndarray, "batch tries devices"]) -> _Best:
    """Returns the best of the known cuts and of some other cuts, for each environment."""
    num_environments, tries, devices = map(int, cuts.shape)
    environment = np.arange(num_environments)
    cost = _cost(costs, np.repeat(environment, tries), cuts.reshape(-1, devices)).reshape(num_environments, tries)
    first = cost.argmin(axis=-1)
    least = cost[environment, first]
    improves = np.flatnonzero(least < best.cost)
    return with_rows(best, improves, _rows(_Best(cuts=cuts[environment, first], cost=least), improves))


def _searched(costs: _Costs, best: _Best, bound: _Bound) -> _Best:
    """Returns the optimum: enumerates all cuts whose bound is below the best known cost, those of low bound first."""
    environment = np.arange(len(bound.value))
    undecided = np.zeros((len(environment), 0), dtype=np.int64)
    for fraction in SEARCHED_FRACTIONS:
        limit = bound.value + fraction * (best.cost * (1.0 + SLACK) - bound.value)
        best = _enumerated(costs, best, bound.excess, limit, environment, undecided, bound.value)
    return best


def _enumerated(
    costs: _Costs,
    best: _Best,
    excess: PerCut,
    limit: PerEnvironment,
    environment: Int[np.ndarray, "rows"],
    cuts: Int[np.ndarray, "rows decided"],
    reached: Float[np.ndarray, "rows"],
) -> _Best:
    """Returns the best of the known cuts and of all cuts that begin with given ones, by branch and bound.

    Cuts are dropped if their bound is above the limit or above the best known cost.

    Args:
        costs: the cost terms.
        best: the best known cuts.
        excess: the excess of each cut of each device over the device's minimum.
        limit: the largest bound that is searched in each environment.
        environment: the environment of each row.
        cuts: the cuts of the first devices, a partial assignment in each row.
        reached: the bound of each partial assignment.
    """
    decided = cuts.shape[1]
    if decided == costs.own.shape[1]:
        return _best_of_rows(costs, best, environment, cuts)
    for i in range(0, len(environment), ROWS_AT_ONCE):
        rows = slice(i, i + ROWS_AT_ONCE)
        bounds = reached[rows, None] + excess[environment[rows], decided]
        largest = np.minimum(limit, best.cost * (1.0 + SLACK))[environment[rows], None]
        row, cut = np.nonzero(bounds <= largest)
        longer = np.concatenate([cuts[rows][row], cut[:, None]], axis=1)
        best = _enumerated(costs, best, excess, limit, environment[rows][row], longer, bounds[row, cut])
    return best


def _best_of_rows(
    costs: _Costs, best: _Best, environment: Int[np.ndarray, "rows"], cuts: Int[np.ndarray, "rows devices"]
) -> _Best:
    """Returns the best of the known cuts and of complete rows of cuts."""
    cost = _cost(costs, environment, cuts)
    order = np.argsort(-cost, kind="stable")  # the lowest cost of an environment is written last
    order = order[cost[order] < best.cost[environment[order]]]
    known = _Best(cuts=best.cuts.copy(), cost=best.cost.copy())
    known.cuts[environment[order]], known.cost[environment[order]] = cuts[order], cost[order]
    return known
