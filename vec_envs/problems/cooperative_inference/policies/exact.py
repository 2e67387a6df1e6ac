"""The least drift bound plus V times the delays that any cuts of a slot of `CooperativeInference` allow, proven.

What cuts cost is, with the best resources for them, a sum of three: what each device's own cut takes (its speed, P3,
and memory), V (sum_n sqrt(d_n))^2 / F for work d_n at a server of F GHz (P4), and the value of P5 for the bandwidth.
With prices zeta of a GHz of the server and eta of the bandwidth, both at least 0, the problem falls apart by device:

    sum_n min_c phi_n(c) - zeta F - eta,
    phi_n(c) = own_n(c) + min_{0 < f <= F} (V d_n(c) / f + zeta f) + min_{0 < a <= 1} (w_n s_n(c) / rate_n(a) + eta a)

is at most what any cuts cost (weak duality), and cuts that cost less than a known cost U have
sum_n (phi_n(c_n) - min_c phi_n(c)) <= U - bound. So good prices are looked for on a grid that is refined about its
best point; the cuts that are best at each point's prices give U; and the few cuts that may be better still are
enumerated and evaluated. So the answer does not depend on how good prices and U were, only the time does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.physics.inference import sojourn_s
from vec_envs.physics.inference_allocation import bandwidth_share, device_speed_ghz, rate_terms, spectral_efficiency
from vec_envs.problems.base import View
from vec_envs.problems.cooperative_inference.policies.rules import needs_cuts
from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.policy import needs_view
from vec_envs.records import map_arrays, with_rows
from vec_envs.validation import one_of

R = TypeVar("R")
PerCut = Float[np.ndarray, "batch devices cuts"]
PerEnvironment = Float[np.ndarray, "batch"]
Prices = Float[np.ndarray, "batch prices"]
PricedCuts = Float[np.ndarray, "batch prices devices cuts"]

LANES_AT_ONCE = 64
ROWS_AT_ONCE = 1 << 12
"""How many beginnings of cut vectors the enumeration takes further at once."""
PRICE_POINTS = 9
PRICE_STAGES = 3
PRICE_RANGE = 1e4
"""The first grid goes from the highest price that may be best down by this factor."""
SLACK = 1e-10
"""Cuts are dropped when their bound is above U by more than this part of it: far above rounding."""
SEARCHED_PARTS = (1e-2, 1e-1, 1.0)
"""Cuts are enumerated up to bounds these parts of the way from the lane's bound to U: U falls on the way."""


@dataclass(frozen=True, kw_only=True)
class _Costs:
    """What cuts cost; `own` is infinite for those that are not there. Arrays have a row for each lane."""

    own: PerCut
    server: PerCut
    """V d."""
    sent: PerCut
    """w s / W, what sending costs at 1 bit/s for each Hz of the whole band."""
    snr: Float[np.ndarray, "batch devices"]
    server_ghz: Float[np.ndarray, "batch"]


@dataclass(frozen=True, kw_only=True)
class _Best:
    """The best cuts known in each lane, and their cost."""

    cuts: Int[np.ndarray, "batch devices"]
    cost: PerEnvironment


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """What all cuts cost at least, and how much more those with a given one: phi_n(c) - min_c phi_n(c)."""

    value: PerEnvironment
    excess: PerCut


class ExactCuts:
    """Takes the cuts of least queues x use plus V times the delays of the slot: its exact optimum.

    `objective="drift_bound"` is the paper's, minus the reward; there is no other yet.
    """

    def __init__(self, problem: CooperativeInference, *, objective: str = "drift_bound") -> None:
        needs_cuts(problem, self)
        one_of(("drift_bound",), objective=objective)
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Has nothing to start anew."""

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Int[np.ndarray, "batch agents"]:
        """Returns the best cuts. Raises `ValueError` without a view."""
        costs = _costs(self._problem, needs_view(view, self, observation))
        starts = range(0, len(costs.own), LANES_AT_ONCE)
        blocks = (map_arrays(lambda a, i=i: a[i : i + LANES_AT_ONCE], costs) for i in starts)
        return np.concatenate([_optimum(block).cuts for block in blocks])


def _costs(problem: CooperativeInference, view: View) -> _Costs:
    there = problem.action_mask(view.state, view.exogenous)
    table, v = problem.cut_table, problem.lyapunov_v
    rate_hz, queue = view.exogenous.arrival_rate_hz[..., None], view.state.energy_queue[..., None]
    arrives = rate_hz > 0.0  # an empty seat needs nothing, whatever its cut
    local = np.where(there & arrives, table.local_gcycles, 0.0)
    kappa = problem.kappa_j_per_gcycle_ghz2
    speed = device_speed_ghz(
        local, rate_hz, queue, lyapunov_v=v, kappa_j_per_gcycle_ghz2=kappa, max_ghz=problem.device_ghz
    )
    energy_j = kappa * local * rate_hz * speed**2
    memory_gb = table.memory_gb * arrives
    own = v * sojourn_s(local, speed, rate_hz) + queue * energy_j + view.state.memory_queue[..., None] * memory_gb
    weight = queue * problem.transmit_power_w * rate_hz + v
    return _Costs(
        own=np.where(there, own, np.inf),
        server=v * table.server_gcycles * arrives,
        sent=weight * table.sent_mbit * arrives / problem.bandwidth_mhz,
        snr=problem.channel.snr(view.exogenous.gain),
        server_ghz=np.full(len(own), problem.server_ghz),
    )


def _cost(
    costs: _Costs, lane: Int[np.ndarray, "rows"], cuts: Int[np.ndarray, "rows devices"]
) -> Float[np.ndarray, "rows"]:
    """Returns what these cuts of all devices cost with the best resources for them."""
    row, device, snr = lane[:, None], np.arange(int(cuts.shape[1])), costs.snr[lane]
    own, server, sent = (part[row, device, cuts] for part in (costs.own, costs.server, costs.sent))
    efficiency = spectral_efficiency(bandwidth_share(np.ones(sent.shape), sent, snr), snr)
    sending = np.divide(sent, efficiency, out=np.zeros(sent.shape), where=sent > 0.0)
    root = np.sqrt(server).sum(axis=-1)
    return (own + sending).sum(axis=-1) + root**2 / costs.server_ghz[lane]


# The bound ------------------------------------------------------------------------------------------------------------


def _server_part(costs: _Costs, price: Prices) -> PricedCuts:
    """Returns the least of V d / f + price f over speeds f up to all of the server."""
    work, price = costs.server[:, None], price[..., None, None]
    speed = np.minimum(np.sqrt(work / price), costs.server_ghz[:, None, None, None])
    return np.divide(work, speed, out=np.zeros(speed.shape), where=work > 0.0) + price * speed


def _bandwidth_part(costs: _Costs, price: Prices) -> PricedCuts:
    """Returns the least of w s / (W a log2(1 + snr / a)) + price a over shares a up to 1.

    Without that limit the best is a = r g(snr / a), r^2 = ln 2 w s / (W price), g(t) = sqrt(L - v) / L, L = ln(1 + t),
    v = t / (1 + t). By ln a, the slope of ln(r g / a) is -s with s in [0.896, 1] and |ds / d ln a| < 0.033: from
    a = r g(snr / r), at most 0.35 off, two Newton steps leave an error of ln a below 1e-7, of the value below 1e-13.
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
    """Returns the optimum. The best prices zeta F and eta are at most its cost: part of the relaxed problem's own."""
    best = _equal_parts(costs)
    least = costs.own.min(axis=-1)
    bound = _Bound(value=least.sum(axis=-1), excess=costs.own - least[..., None])  # where nothing has a price
    highest = np.where(best.cost > 0.0, best.cost, 1.0)
    center = np.log(np.stack([highest / costs.server_ghz, highest], axis=-1)) - 0.5 * math.log(PRICE_RANGE)
    return _refined(costs, best, bound, center, width=math.log(PRICE_RANGE))


def _equal_parts(costs: _Costs) -> _Best:
    """Returns the cuts that are best if every device has an equal part of server and bandwidth.

    They cost at most as many times the optimum as there are devices, however poor the channel of some may be.
    """
    devices = int(costs.own.shape[1])
    efficiency = spectral_efficiency(np.full(costs.snr.shape, 1.0 / devices), costs.snr)[..., None]
    alone = costs.own + devices * costs.server / costs.server_ghz[:, None, None] + costs.sent / efficiency
    cuts = alone.argmin(axis=-1)
    return _Best(cuts=cuts, cost=_cost(costs, np.arange(len(cuts)), cuts))


def _refined(
    costs: _Costs, best: _Best, bound: _Bound, center: Float[np.ndarray, "batch 2"], *, width: float, stage: int = 0
) -> _Best:
    """Returns the optimum, from a grid of prices, where that leaves it open a finer one, and enumeration at last.

    `center` and `width` are of logarithms: of the prices of server and bandwidth.
    """
    if stage == PRICE_STAGES:
        return _searched(costs, best, bound)
    steps = np.linspace(-0.5, 0.5, PRICE_POINTS) * width
    cuts, point, met = _bounds(costs, *(np.exp(center[:, i, None] + steps) for i in range(2)))
    best = _better(costs, best, cuts)
    higher = np.flatnonzero(met.value > bound.value)
    bound = with_rows(bound, higher, _rows(met, higher))
    center = center + steps[np.stack(np.divmod(point, PRICE_POINTS), axis=-1)]
    left = np.flatnonzero(best.cost > bound.value * (1.0 + SLACK))
    if not len(left):
        return best
    open_lanes = _rows(costs, left), _rows(best, left), _rows(bound, left), center[left]
    finer = 2.0 * width / (PRICE_POINTS - 1)
    return with_rows(best, left, _refined(*open_lanes, width=finer, stage=stage + 1))


def _rows(record: R, lane: Int[np.ndarray, "rows"]) -> R:
    return map_arrays(lambda a: a[lane], record)


def _bounds(
    costs: _Costs, server: Prices, bandwidth: Prices
) -> tuple[Int[np.ndarray, "batch pairs devices"], Int[np.ndarray, "batch"], _Bound]:
    """Returns the cuts that are best at each pair of prices, the pair of highest bound, and this bound."""
    lanes, devices, count = map(int, costs.own.shape)
    phi = costs.own[:, None, None] + _server_part(costs, server)[:, :, None]
    phi = (phi + _bandwidth_part(costs, bandwidth)[:, None]).reshape(lanes, -1, devices, count)
    paid = (server * costs.server_ghz[:, None])[:, :, None] + bandwidth[:, None]
    least = phi.min(axis=-1)
    value = least.sum(axis=-1) - paid.reshape(lanes, -1)
    every, point = np.arange(lanes), value.argmax(axis=-1)
    excess = phi[every, point] - least[every, point][..., None]
    return phi.argmin(axis=-1), point, _Bound(value=value[every, point], excess=excess)


def _better(costs: _Costs, best: _Best, cuts: Int[np.ndarray, "batch tries devices"]) -> _Best:
    """Returns the best of what is known and of some cuts in each lane."""
    lanes, tries, devices = map(int, cuts.shape)
    lane = np.arange(lanes)
    cost = _cost(costs, np.repeat(lane, tries), cuts.reshape(-1, devices)).reshape(lanes, tries)
    first = cost.argmin(axis=-1)
    least = cost[lane, first]
    improves = np.flatnonzero(least < best.cost)
    return with_rows(best, improves, _rows(_Best(cuts=cuts[lane, first], cost=least), improves))


def _searched(costs: _Costs, best: _Best, bound: _Bound) -> _Best:
    """Returns the optimum: the best of all cuts whose bound is below the best known, those of lowest bound first."""
    lane = np.arange(len(bound.value))
    nothing = np.zeros((len(lane), 0), dtype=np.int64)
    for part in SEARCHED_PARTS:
        limit = bound.value + part * (best.cost * (1.0 + SLACK) - bound.value)
        best = _enumerated(costs, best, bound.excess, limit, lane, nothing, bound.value)
    return best


def _enumerated(
    costs: _Costs,
    best: _Best,
    excess: PerCut,
    limit: PerEnvironment,
    lane: Int[np.ndarray, "rows"],
    cuts: Int[np.ndarray, "rows decided"],
    reached: Float[np.ndarray, "rows"],
) -> _Best:
    """Returns the best of what is known and of all cuts that begin with these, whose bound is `reached`; but for cuts
    whose bound is above the limit, or above what is known by then.
    """
    decided = cuts.shape[1]
    if decided == costs.own.shape[1]:
        return _best_of_rows(costs, best, lane, cuts)
    for i in range(0, len(lane), ROWS_AT_ONCE):
        rows = slice(i, i + ROWS_AT_ONCE)
        bounds = reached[rows, None] + excess[lane[rows], decided]
        most = np.minimum(limit, best.cost * (1.0 + SLACK))[lane[rows], None]
        row, cut = np.nonzero(bounds <= most)
        longer = np.concatenate([cuts[rows][row], cut[:, None]], axis=1)
        best = _enumerated(costs, best, excess, limit, lane[rows][row], longer, bounds[row, cut])
    return best


def _best_of_rows(
    costs: _Costs, best: _Best, lane: Int[np.ndarray, "rows"], cuts: Int[np.ndarray, "rows devices"]
) -> _Best:
    cost = _cost(costs, lane, cuts)
    order = np.argsort(-cost, kind="stable")  # the least is written last
    order = order[cost[order] < best.cost[lane[order]]]
    known = _Best(cuts=best.cuts.copy(), cost=best.cost.copy())
    known.cuts[lane[order]], known.cost[lane[order]] = cuts[order], cost[order]
    return known
