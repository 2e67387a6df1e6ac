"""The allocation of processors and bandwidth to devices that share an edge server: exact minimisers, batched.

P3 sets each device's own speed, P4 the server's processor and P5 the bandwidth. Each Newton iteration below converges
to rounding error in a known number of steps. Convergence is therefore not tested: all environments take an equal number
of steps, and a batch gives the same results as its environments one by one.

Allocations are feasible. A device's speed is above its load, and at most its maximum. Shares and server speeds are at
least 0. Their sum over n devices is at most the capacity, with a relative rounding error of at most n x 2^-52.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Real

from vec_envs.physics.inference import MOST_LOAD

_SPEED_STEPS = 2
_FIXED_POINT_ROUNDS = 2
_SHARE_STEPS = 2
_SMALL_RATIO = 1e-4
"""Below this ratio, `rate_terms` uses a series for a difference that would cancel."""
_LEAST_SHARE_PER_SNR = 1e-300
"""Below this share for each unit of SNR, the rate is too small for a float."""


def device_speed_ghz(
    work_gcycles: Real[np.ndarray, "*#batch #devices"],
    arrival_rate_hz: Real[np.ndarray, "*#batch #devices"],
    energy_queue: Real[np.ndarray, "*#batch #devices"],
    *,
    lyapunov_v: float,
    kappa_j_per_gcycle_ghz2: float,
    max_ghz: float,
) -> Float[np.ndarray, "*#batch #devices"]:
    """Returns the speed in GHz of each device that minimises P3 exactly, elementwise.

    P3: minimise  Q kappa f^2 d lambda + V (d / f + d^2 lambda / (2 (f^2 - f d lambda)))  over  d lambda < f <= max.

    The delay term is V d / 2 (1 / f + 1 / (f - d lambda)). The optimal speed is thus below the maximum only where
    (4 Q kappa lambda / V) f = 1 / f^2 + 1 / (f - d lambda)^2 has a root below the maximum. It has none without a queue
    or without arrivals. A device without work gets 0. The caller must exclude loads that no speed can serve: a device
    with such a load gets the maximum speed.

    Args:
        work_gcycles: d, the work of a task's local part, at least 0.
        arrival_rate_hz: lambda, at least 0.
        energy_queue: Q, at least 0.
        lyapunov_v: V, above 0.
        kappa_j_per_gcycle_ghz2: the energy of a Gcycle at 1 GHz, in J.
        max_ghz: the highest speed, above 0.

    Paper: LyMDO Eq. (19).
    """
    load = np.asarray(work_gcycles * arrival_rate_hz, dtype=np.float64)
    price = np.asarray(energy_queue * arrival_rate_hz * (4.0 * kappa_j_per_gcycle_ghz2 / lyapunov_v), dtype=np.float64)
    spare = np.maximum(max_ghz - load, 0.0)
    pays = price * max_ghz * (max_ghz * spare) ** 2 > spare * spare + max_ghz * max_ghz
    inside = pays & (work_gcycles > 0.0)
    speed = np.zeros(inside.shape)
    np.copyto(speed, max_ghz, where=work_gcycles > 0.0)
    if inside.any():
        load, price = np.broadcast_to(load, inside.shape)[inside], np.broadcast_to(price, inside.shape)[inside]
        above = np.maximum(load + _spare_ghz(load, price), load / MOST_LOAD)  # the sum can round to the load
        speed[inside] = np.minimum(above, max_ghz)
    return speed


def _spare_ghz(load: Float[np.ndarray, "cases"], price: Float[np.ndarray, "cases"]) -> Float[np.ndarray, "cases"]:
    """Returns the root y > 0 of price f = 1 / f^2 + 1 / y^2 with f = load + y, for price > 0.

    Newton's method on F(u) = ln(1 / f^2 + 1 / y^2) - ln(price f), u = ln y. With r = y / f in (0, 1] its slope is
    2 (r + r^2) / (1 + r^2) - 3 r - 2, which falls from -2 to -3 as u rises. F is thus decreasing and concave. From any
    start, the iterates are at or above the root after one step and fall from there.

    As |F''| < 0.27, a step reduces an error e of u to less than 0.07 e^2. The start is exact at both ends of r and
    within 0.0065 of the root everywhere, so two steps leave an error below 1e-12. This error is relative to y, so
    precision is kept where the load is just below the speed.
    """
    heavy, light = price * load, np.cbrt(0.5 * price) ** 2
    both = heavy + light
    spare = 1.0 / np.sqrt(both - light * (heavy / both) / 3.0)
    for _ in range(_SPEED_STEPS):
        speed = load + spare
        ratio = spare / speed
        square = 1.0 + ratio * ratio
        fall = 2.0 + 3.0 * ratio - 2.0 * ratio * (1.0 + ratio) / square
        spare = spare * np.exp(np.log(square / (price * speed * spare * spare)) / fall)
    return spare


def server_speed_ghz(
    work_gcycles: Real[np.ndarray, "*batch devices"], *, max_ghz: float
) -> Float[np.ndarray, "*batch devices"]:
    """Returns the speed in GHz that the server allocates to each device: the minimiser of P4, sum_n d_n / f_n.

    All of `max_ghz` is allocated, in proportion to the square root of the work; nothing where no device has work.

    Paper: LyMDO Eqs. (20)-(23).
    Differs: Eq. (21), the condition it is derived from, lacks the square of f.
    """
    root = np.sqrt(work_gcycles, dtype=np.float64)
    total = np.add.reduce(root, axis=-1, keepdims=True)
    return max_ghz * np.divide(root, total, out=np.zeros(root.shape), where=total > 0.0)


def spectral_efficiency(
    share: Real[np.ndarray, "*#batch #devices"], snr: Real[np.ndarray, "*#batch #devices"]
) -> Float[np.ndarray, "*#batch #devices"]:
    """Returns a log2(1 + snr / a): the rate of a share a of the band, in bit/s per Hz of the whole band; 0 for share 0.

    Args:
        share: a, the part of the band, at least 0.
        snr: the received power divided by the noise power of the whole band, at least 0.
    """
    carries = share > snr * _LEAST_SHARE_PER_SNR
    ratio = np.divide(snr, share, out=np.zeros(carries.shape), where=carries)
    return share * np.log1p(ratio) * (1.0 / math.log(2.0))


def bandwidth_share(
    weight: Real[np.ndarray, "*#batch #devices"],
    data_mbit: Real[np.ndarray, "*#batch #devices"],
    snr: Real[np.ndarray, "*#batch #devices"],
) -> Float[np.ndarray, "*#batch #devices"]:
    """Returns the share of the band of each device, the exact minimiser of P5.

    P5: minimise  sum_n w_n data_n / (a_n log2(1 + snr_n / a_n))  over  a_n >= 0,  sum_n a_n <= 1.

    All of the band is allocated if any device sends. A device without data gets 0. So does a device with an snr of 0,
    since no share would help it; the caller must exclude this case.

    Args:
        weight: w = Q p lambda + V, the cost of sending for a second, above 0.
        data_mbit: the data that a task sends, at least 0.
        snr: p h / (W N0), the received power divided by the noise power of the whole band.

    Paper: LyMDO Eq. (24).
    """
    cost = weight * data_mbit
    sends = (cost > 0.0) & (snr > 0.0)
    root = np.sqrt(cost) * sends
    total = np.add.reduce(root, axis=-1, keepdims=True)
    share = np.divide(root, total, out=np.zeros(root.shape), where=total > 0.0)
    contested = np.add.reduce(sends, axis=-1) > 1
    if contested.any():
        share[contested] = _equal_price(share[contested], np.where(sends, snr, 0.0)[contested])
    return share


def _equal_price(
    root: Float[np.ndarray, "batch devices"], snr: Float[np.ndarray, "batch devices"]
) -> Float[np.ndarray, "batch devices"]:
    """Returns the minimiser of P5, given multiples of sqrt(w data) and the snr, both 0 where nothing is sent.

    At the minimum all senders have equal prices: R_n = ln(root_n g(t_n) / a_n) is equal for all, where t = snr / a and
    g(t) = sqrt(L - v) / L with L = ln(1 + t), v = t / (1 + t). The slope of R_n by ln t_n is
    s = 1 + v^2 / (2 (L - v)) - v / L, which lies in [0.896, 1]: R_n is nearly linear, and g nearly constant.

    The search starts with fixed-point rounds: a becomes proportional to root g(t). Let D be the spread, largest minus
    smallest, of the errors of ln a. It starts below 1.7 for t up to 1e22 (below 3 for all floats), and each round
    leaves less than 0.104 D.

    Newton steps follow: ln t_n += (x - R_n) / s_n, where x is the mean of R weighted by a / s; the shares are then
    divided by their sum. Each step leaves less than 0.06 D^2, for two reasons. First, |ds / d ln t| < 0.033. Second,
    the shares sum to 1, as do those of the minimiser. No error therefore exceeds D, and the mean of the errors weighted
    by a is at most D^2 / 8 (Hoeffding). At the end D < 1e-10 (1e-9).
    """
    sends = snr > 0.0
    start = np.divide(root, snr, out=np.ones(snr.shape), where=sends)
    some_small = bool(np.logical_or.reduce(sends & (snr < _SMALL_RATIO), axis=None))
    ratio = np.add.reduce(root, axis=-1, keepdims=True) / start
    for _ in range(_FIXED_POINT_ROUNDS):
        _, log, rest = rate_terms(ratio, some_small=some_small)
        gain = np.sqrt(rest) / log
        ratio = np.add.reduce(root * gain, axis=-1, keepdims=True) / (start * gain)
    share = snr / ratio
    for _ in range(_SHARE_STEPS):
        part, log, rest = rate_terms(ratio, some_small=some_small)
        price = np.log(start * ratio * np.sqrt(rest) / log)
        slope = 1.0 + part * (0.5 * part / rest - 1.0 / log)
        mass = share / slope
        mean = np.add.reduce(mass * price, axis=-1, keepdims=True) / np.add.reduce(mass, axis=-1, keepdims=True)
        ratio = ratio * np.exp((mean - price) / slope)
        share = snr / ratio
        total = np.add.reduce(share, axis=-1, keepdims=True)
        share, ratio = share / total, ratio * total
    return share


def rate_terms(
    ratio: Float[np.ndarray, "*any"], *, some_small: bool = True
) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
    """Returns v = t / (1 + t), L = ln(1 + t) and L - v. A series gives L - v for small t, to avoid cancellation.

    `some_small=False` asserts that no t is small.
    """
    part = ratio / (1.0 + ratio)
    log = np.log1p(ratio)
    rest = log - part
    if some_small:
        series = part * part * (1.0 / 2.0 + part * (1.0 / 3.0 + part * (1.0 / 4.0)))
        rest = np.where(ratio < _SMALL_RATIO, series, rest)
    return part, log, rest
