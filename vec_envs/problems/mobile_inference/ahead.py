"""The links that a client can expect for the next seconds from its own observation, if all vehicles drive straight on.

As in the reference `predicted`, the expected efficiency is the mean at the expected distance, plus a correction: how
far the present efficiency is off its own mean. The correction decays as the link decorrelates. A client observes
distances along the road only, so the distance across the road is taken to be `BESIDE_M`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from vec_envs.problems.mobile_inference.links import SIGHT_DISTANCE_M

TIMES_S = (0.0, 1.0, 2.0, 3.0, 4.0)
BESIDE_M = 15.0
"""The distance across the road to a unit or a vehicle."""
KNOTS_M = (0.0, 15.0, 20.0, 30.0, 45.0, 60.0, 80.0, 105.0, 135.0, 170.0, 210.0, 260.0, 320.0, 400.0, 500.0, 700.0)
"""The distances between which the mean efficiency is taken to be linear; beyond the last one it is constant."""

Array: TypeAlias = Any
"""A numpy array, or a tensor by which a learner has replaced it."""


@dataclass(frozen=True, kw_only=True)
class MeanEfficiency:
    """The mean efficiency of a link as a piecewise linear function of the distance."""

    first: Array
    knots_m: Array
    bends: Array
    """The change of the slope at each knot."""

    def of(self, distance_m: Array) -> Array:
        """Returns the efficiencies at distances of at least 0."""
        over = (distance_m[..., None] - self.knots_m).clip(min=0.0)
        return (self.first + over @ self.bends).clip(min=0.0)

    @staticmethod
    def numbers(mean: Callable[[np.ndarray, str], np.ndarray], link: str) -> np.ndarray:
        """Returns the value at the first knot and the bends, from a function of distances and the kind of link."""
        knots = np.array(KNOTS_M)
        value = mean(knots, link)
        slope = np.append(np.diff(value) / np.diff(knots), 0.0)
        return np.concatenate([value[:1], np.diff(slope, prepend=0.0)])


def expected_efficiency(
    mean: MeanEfficiency, efficiency: Array, ahead_m: Array, faster_mps: Array, moved_mps: Array
) -> list[Array]:
    """Returns the efficiencies expected at each of `TIMES_S`, in the shape of `efficiency`.

    Args:
        mean: The mean efficiency by distance.
        efficiency: The present one.
        ahead_m: How far the other end is ahead along the road.
        faster_mps: How much faster than the client it drives in the client's direction.
        moved_mps: The sum of the speeds of both ends along the road.
    """
    at_first, found = None, list[Array]()
    for time_s in TIMES_S:
        along_m = ahead_m + faster_mps * time_s
        at_time = mean.of((along_m**2 + BESIDE_M**2) ** 0.5)
        at_first = at_time if at_first is None else at_first
        kept = math.e ** (-moved_mps * time_s / SIGHT_DISTANCE_M)
        found.append((at_time + kept * (efficiency - at_first)).clip(min=0.0))
    return found
