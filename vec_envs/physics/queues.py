"""The update of queues of work, for clients, the roadside unit and service vehicles."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Queues: TypeAlias = Any
"""Arrays or tensors of one shape, an entry for each queue."""


def next_backlog_gcycles(
    backlog_gcycles: Queues,
    arrivals_gcycles: Queues,
    service_gcycles: Queues,
) -> Queues:
    """Returns the backlog in Gcycles after a slot with `arrivals` and a capacity of `service`.

    Work that arrives in a slot can be served in the same slot.

    Paper: MAD2RL Eqs. (8), (10), (14).
    """
    left = backlog_gcycles + arrivals_gcycles - service_gcycles
    return left.clip(min=0.0) if hasattr(left, "detach") else np.maximum(left, 0.0)  # a tensor, or an array
