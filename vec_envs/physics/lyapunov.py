"""The Lyapunov function of a set of queues, its drift, and a bound on the drift."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

PerEnvironment = Float[np.ndarray, "*batch"] | np.float64
"""One number for each environment; a NumPy scalar without batch axes, as NumPy's sums return."""


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
    Differs: for one realised slot, not an expectation: runs average over slots, not over exogenous draws.
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


def queue_drift(backlog: Any, next_backlog: Any) -> Any:
    """Returns the term of each queue in `drift`, in the shape of the arguments; arrays or tensors."""
    return 0.5 * (next_backlog * next_backlog - backlog * backlog)


def queue_drift_bound(backlog: Any, arrivals: Any, service: Any) -> Any:
    """Returns the term of each queue in `drift_bound`, in the shape of the arguments; arrays or tensors."""
    return backlog * (arrivals - service)
