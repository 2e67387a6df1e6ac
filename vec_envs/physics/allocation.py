"""Allocations that minimise a sum of delays exactly: the roadside unit's processor by P3, and a receiver's band.

P3 allocates the processor to the DNN types:

    minimise  sum_k Gamma_k / f_k - Q_k tau f_k  over  0 <= f_k,  sum_k f_k <= F.

Where Gamma_k > 0, stationarity gives f_k = sqrt(Gamma_k / (eta - Q_k tau)) for the multiplier eta of the capacity.
Where Gamma_k = 0, the cost is linear. Such a type receives nothing or, once eta has fallen to its Q_k tau, all of the
remaining capacity. This leaves one scalar equation, g(eta) = sum_k f_k(eta) = F.

The solver is Newton's method on 1 / g^2. With u_k = (eta - Q_k tau) / Gamma_k, 1 / g^2 = (sum_k u_k^(-1/2))^-2 is a
power mean of linear functions, hence increasing and concave in eta. From any start at or below the root, the iterates
therefore rise and never pass the root, so no safeguard is needed. With one active type the first step is exact.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Real

_RELATIVE_TOLERANCE = 1e-10
_MAX_ITERATIONS = 60


def allocate_rsu(
    gamma: Real[np.ndarray, "*batch types"],
    backlog_gcycles: Real[np.ndarray, "*batch types"],
    *,
    capacity_ghz: Real[np.ndarray, "*batch"] | float,
    slot_s: float,
) -> Float[np.ndarray, "*batch types"]:
    """Returns the speed in GHz of each DNN type at the roadside unit that minimises P3 exactly.

    All capacity is allocated, because P3 rewards this. A type without new tasks receives capacity if its backlog is the
    largest (the first of equal ones), even more than it can use. Nothing is allocated where there is neither work nor
    backlog.

    Args:
        gamma: weight of 1 / f in the objective, at least 0; 0 where no task of the type arrives.
        backlog_gcycles: backlog of the type's queue, at least 0.
        capacity_ghz: the speed to allocate, above 0: a number, or one for each environment.
        slot_s: the length of a slot in s.

    Paper: MAD2RL Eqs. (25), (26), (42)-(44), (47)-(51).
    """
    gamma, backlog_gcycles = np.asarray(gamma, dtype=np.float64), np.asarray(backlog_gcycles, dtype=np.float64)
    active = gamma > 0.0
    pull = backlog_gcycles * slot_s
    highest = np.maximum.reduce(pull * active, axis=-1, keepdims=True)
    idle_pull = pull * ~active
    floor = np.maximum(np.maximum.reduce(idle_pull, axis=-1, keepdims=True) - highest, 0.0)
    capacity = np.asarray(capacity_ghz, dtype=np.float64)[..., None]
    speed = _speed_of_active(gamma, np.where(active, highest - pull, np.inf), floor=floor, capacity=capacity)
    if not np.logical_or.reduce(floor, axis=None):
        return speed
    left = np.where(floor > 0.0, capacity - np.add.reduce(speed, axis=-1, keepdims=True), 0.0)
    takes_rest = np.zeros(gamma.shape, dtype=np.bool_)
    np.put_along_axis(takes_rest, idle_pull.argmax(axis=-1, keepdims=True), left > 0.0, axis=-1)
    return np.where(takes_rest, left, speed)


def _speed_of_active(
    gamma: Float[np.ndarray, "*batch types"],
    gap: Float[np.ndarray, "*batch types"],
    *,
    floor: Float[np.ndarray, "*batch 1"],
    capacity: Float[np.ndarray, "*#batch 1"],
) -> Float[np.ndarray, "*batch types"]:
    """Returns f_k = sqrt(Gamma_k / (x + gap_k)) with the least x >= floor at which the types fit the capacity.

    x is the multiplier minus the highest Q tau of an active type. `gap` is the difference between that highest value
    and type k's, and infinite for an idle type. These differences are computed before the search, so that no digits
    cancel in the search. The search starts where x + gap_k is at least Gamma_k / F^2 for all k; at equality, type k
    takes all capacity.
    """
    x = np.maximum(np.maximum.reduce(gamma / (capacity * capacity) - gap, axis=-1, keepdims=True), floor)
    speed = np.sqrt(gamma / (x + gap))
    total = np.add.reduce(speed, axis=-1, keepdims=True)
    for _ in range(_MAX_ITERATIONS):
        over = total > capacity * (1.0 + _RELATIVE_TOLERANCE)
        if not np.logical_or.reduce(over, axis=None):
            break
        ratio = total / capacity
        slope = np.add.reduce(speed / (x + gap), axis=-1, keepdims=True)
        x = x + np.divide(total * (ratio * ratio - 1.0), slope, out=np.zeros(x.shape), where=over)
        speed = np.sqrt(gamma / (x + gap))
        total = np.add.reduce(speed, axis=-1, keepdims=True)
    return speed * np.minimum(capacity / np.maximum(total, capacity), 1.0)


def allocate_rsu_capped(
    gamma: Float[np.ndarray, "*batch types"],
    backlog_gcycles: Float[np.ndarray, "*batch types"],
    usable_ghz: Float[np.ndarray, "*batch types"],
    *,
    capacity_ghz: float,
    slot_s: float,
) -> Float[np.ndarray, "*batch types"]:
    """Returns the minimiser of P3 in GHz under an additional bound: no type receives more than `usable_ghz`.

    Only the capacity couples the types. When a type is fixed at its bound, the others receive the rest. The fixed type
    would exceed its bound then too, so it stays fixed. Each round therefore fixes the types that exceed their bounds,
    until no other type exceeds its bound.

    The paper has no bound of this kind: its P3, which `allocate_rsu` solves, also rewards speed that is not used.
    """
    speed = np.zeros_like(gamma)
    fixed = np.zeros(gamma.shape, dtype=bool)
    for _ in range(gamma.shape[-1]):
        remaining_ghz = capacity_ghz - np.where(fixed, usable_ghz, 0.0).sum(axis=-1)
        some_remains = remaining_ghz > 0.0
        free = some_remains[..., None] * allocate_rsu(
            np.where(fixed, 0.0, gamma),
            np.where(fixed, 0.0, backlog_gcycles),
            capacity_ghz=np.where(some_remains, remaining_ghz, capacity_ghz),
            slot_s=slot_s,
        )
        speed = np.where(fixed, usable_ghz, free)
        exceeds = free > usable_ghz
        if not exceeds.any():
            break
        fixed |= exceeds
    return np.minimum(speed, usable_ghz)


def band_shares(
    alone_s: Float[np.ndarray, "*batch senders"], receiver: Int[np.ndarray, "*batch senders"]
) -> Float[np.ndarray, "*batch senders"]:
    """Returns the shares of each receiver's band that minimise the sum of the transmission times.

    Each receiver has one band, which its senders divide in time or in frequency. With the share s a sender needs the
    time alone / s. The sum of these times, for shares that add up to 1, is least where s is proportional to
    sqrt(alone): there the derivatives, -alone / s^2, are equal. For b bits at the spectral efficiency e, this is
    sqrt(b / e).

    Args:
        alone_s: the time that each sender needs with the whole band, in s; 0 where it sends nothing.
        receiver: the receiver of each sender, as an index that no two environments share.

    Returns the shares; 0 where nothing is sent.
    """
    root = np.sqrt(alone_s)
    total = np.bincount(receiver.ravel(), root.ravel()).take(receiver)
    return np.divide(root, total, out=np.zeros(root.shape), where=root > 0.0)
