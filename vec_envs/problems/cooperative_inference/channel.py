"""How a device of `CooperativeInference` hears the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vec_envs.physics.inference import Factor, free_space_gain


@dataclass(frozen=True, kw_only=True)
class InferenceChannel:
    """A channel of free space with Rayleigh fading: its gain on average, and what a gain means over the whole band.

    Section V.A of LyMDO.
    """

    antenna_gain: float
    carrier_mhz: float
    exponent: float
    transmit_power_w: float
    noise_w: float
    """Of the whole band."""

    def mean_gain(self, distance_m: Factor) -> Factor:
        """Returns the mean gain of a channel of this length, at least 1 m."""
        return free_space_gain(
            np.maximum(distance_m, 1.0),
            antenna_gain=self.antenna_gain,
            carrier_mhz=self.carrier_mhz,
            exponent=self.exponent,
        )

    def snr(self, gain: Factor) -> Any:
        """Returns the signal-to-noise ratio of a device that has the whole band."""
        return self.transmit_power_w * gain / self.noise_w
