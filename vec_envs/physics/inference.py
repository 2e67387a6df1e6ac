"""Delay, channel gain and virtual queues of inference tasks that are divided between a device and a server.

All arguments broadcast; the results have their common shape.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

LIGHT_M_PER_US = 300.0
MOST_LOAD = 1.0 - 2.0**-48
"""The largest load of an M/D/1 queue, as a fraction of its speed. Nearer to 1, rounding could make it 1."""

Devices = Float[np.ndarray, "*#devices"]
Factor = Float[np.ndarray, "*any"] | np.float64 | float


def sojourn_s(work_gcycles: Devices, speed_ghz: Devices, arrival_rate_hz: Devices) -> Devices:
    """Returns the mean time in s that a task spends waiting and being served in an M/D/1 queue; 0 without work.

    The load, work x rate / speed, must be at most `MOST_LOAD`, but for rounding.

    Paper: LyMDO Eq. (2).
    """
    busy = work_gcycles > 0.0
    shape = np.broadcast_shapes(work_gcycles.shape, speed_ghz.shape, arrival_rate_hz.shape)
    service_s = np.divide(work_gcycles, speed_ghz, out=np.zeros(shape), where=busy)
    load = service_s * arrival_rate_hz
    return service_s + 0.5 * load * service_s / (1.0 - load)


def free_space_gain(distance_m: Factor, *, antenna_gain: float, carrier_mhz: float, exponent: float) -> Factor:
    """Returns the mean channel gain at a distance, as a ratio of powers, by Section V.A of LyMDO."""
    return antenna_gain * (LIGHT_M_PER_US / (4.0 * np.pi * carrier_mhz * distance_m)) ** exponent


def next_virtual_queue(queue: Devices, used: Devices, budget: Devices, *, scale: float) -> Devices:
    """Returns the virtual queue of a long-term budget after a slot: the accumulated excess, multiplied by `scale`.

    Paper: LyMDO Eqs. (8), (9).
    """
    return np.maximum(queue + scale * (used - budget), 0.0)
