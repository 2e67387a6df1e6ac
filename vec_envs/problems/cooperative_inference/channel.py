"""The radio channel between a device of `CooperativeInference` and the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vec_envs.physics.inference import Factor, free_space_gain


@dataclass(frozen=True, kw_only=True)
class InferenceChannel:
    """A free-space channel with Rayleigh fading: its mean gain, and the signal-to-noise ratio of a gain.

    The numbers are those of Section V.A of LyMDO. Gains are ratios of powers.
    """

    antenna_gain: float
    carrier_mhz: float
    exponent: float
    transmit_power_w: float
    noise_w: float
    """The power of the noise in the whole band."""

    def mean_gain(self, distance_m: Factor) -> Factor:
        """Returns the mean gain at a distance; distances below 1 m count as 1 m."""
        return free_space_gain(
            np.maximum(distance_m, 1.0),
            antenna_gain=self.antenna_gain,
            carrier_mhz=self.carrier_mhz,
            exponent=self.exponent,
        )

    def snr(self, gain: Factor) -> Any:
        """Returns the signal-to-noise ratio of a device that uses the whole band."""
        return self.transmit_power_w * gain / self.noise_w
