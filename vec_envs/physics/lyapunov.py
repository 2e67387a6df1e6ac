"""Lyapunov's view of a set of queues: how full they are, and which way they drift."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

PerEnvironment = Float[np.ndarray, "*batch"] | np.float64
"""One number a lane; without lanes a NumPy scalar, as NumPy's sums are."""


def lyapunov(backlog: Float[np.ndarray, "*batch queues"]) -> PerEnvironment:
    """Returns half the sum of the squared backlogs, in the square of their unit.

    Paper: MAD2RL Eq. (28).
    """
    return 0.5 * np.add.reduce(backlog * backlog, axis=-1)


def drift(
    backlog: Float[np.ndarray, "*batch queues"], next_backlog: Float[np.ndarray, "*batch queues"]
) -> PerEnvironment:
    """Returns the change of the Lyapunov function over a slot.

    Paper: MAD2RL Eq. (29).
    Differs: of one realised slot, not its expectation: the core averages over slots, not over exogenous.
    """
    return lyapunov(next_backlog) - lyapunov(backlog)


def drift_bound(
    backlog: Float[np.ndarray, "*batch queues"],
    arrivals: Float[np.ndarray, "*batch queues"],
    service: Float[np.ndarray, "*batch queues"],
) -> PerEnvironment:
    """Returns the linear part of the bound on the drift: the sum of backlog x (arrivals - service).

    Paper: MAD2RL Eq. (31).
    Differs: without the constant of Eq. (18), as in Eq. (32), and without the penalty.
    """
    return np.add.reduce(backlog * (arrivals - service), axis=-1)
