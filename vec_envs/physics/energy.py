"""Energy of computing and sending, and the weight of a vehicle's energy by its battery level.

All arguments broadcast; the results have their common shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

Tasks = Float[np.ndarray, "*#tasks"]

LEAST_WEIGHED_LEVEL = 1.0 / 3.0
"""Battery levels below this level have the weight of this level."""


def compute_energy_j(work_gcycles: Any, speed_ghz: Any, *, kappa_j_per_gcycle_ghz2: float) -> Any:
    """Returns the energy in J of a processor that does `work_gcycles` at `speed_ghz`; arrays or tensors.

    Paper: RTD Eqs. (10), (15).
    """
    return kappa_j_per_gcycle_ghz2 * work_gcycles * speed_ghz**2


def transmit_energy_j(transmit_s: Any, *, transmit_power_w: float) -> Any:
    """Returns the energy in J of sending for `transmit_s`; arrays or tensors.

    Paper: RTD Eq. (14).
    """
    return transmit_s * transmit_power_w


def battery_weight(level: Tasks) -> Tasks:
    """Returns the weight of a vehicle's own energy at a battery level in (0, 1]: the inverse of the level, at most 3.

    Paper: RTD Eq. (20).
    Differs: a full battery, which the paper leaves out, weighs 1.
    """
    return 1.0 / np.maximum(level, LEAST_WEIGHED_LEVEL)
