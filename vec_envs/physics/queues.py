"""Work that waits: the queue update shared by clients, roadside unit and service vehicles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def next_backlog_gcycles(
    backlog_gcycles: Float[np.ndarray, "*batch queues"],
    arrivals_gcycles: Float[np.ndarray, "*batch queues"],
    service_gcycles: Float[np.ndarray, "*batch queues"],
) -> Float[np.ndarray, "*batch queues"]:
    """Returns the backlog in Gcycles after a slot in which `arrivals` came and up to `service` could be done.

    Work that arrives in a slot can be served in the same slot.

    Paper: MAD2RL Eqs. (8), (10), (14).
    """
    return np.maximum(backlog_gcycles + arrivals_gcycles - service_gcycles, 0.0)
