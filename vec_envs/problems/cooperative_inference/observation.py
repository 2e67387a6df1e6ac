"""The observation of each device of `CooperativeInference`, scaled to numbers of order one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.physics.inference import MOST_LOAD
from vec_envs.problems.cooperative_inference.channel import InferenceChannel
from vec_envs.problems.cooperative_inference.records import Exogenous, State

OBSERVATIONS = ("paper", "extended")

GAIN_DISTANCE_M = 150.0
RATE_SCALE_HZ = 2.5
QUEUE_SCALE = 10.0


@dataclass(frozen=True, kw_only=True)
class InferenceObservation:
    """Computes the observations of devices, of `kind` `"paper"` or `"extended"`.

    The four features are log(1 + signal-to-noise ratio over the whole band), in units of its value at 150 m; the
    arrival rate; the energy queue; the memory queue. `"extended"` adds the DNN type (one-hot) and a flag (1 or 0):
    whether the device can carry the load of all layers.

    Paper: LyMDO Eq. (12).
    Differs: the gain as a logarithm, since it varies over decades.
    """

    kind: str
    device_types: Int[np.ndarray, "devices"]
    num_types: int
    whole_gcycles: Float[np.ndarray, "devices"]
    """The work of all layers of each device's DNN."""
    device_ghz: float
    channel: InferenceChannel

    @property
    def size(self) -> int:
        """The number of features of a device: 4, or 5 + the number of DNN types where extended."""
        return 4 if self.kind == "paper" else 5 + self.num_types

    @property
    def bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature: none is negative, and types and flags are at most 1."""
        high = np.full(self.size, np.inf, np.float32)
        high[4:] = 1.0
        return np.zeros(self.size, np.float32), high

    def of(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch devices features"]:
        """Returns one row of features for each device."""
        features = np.zeros((*exogenous.gain.shape, self.size), dtype=np.float32)
        log_snr_scale = np.log1p(self.channel.snr(self.channel.mean_gain(GAIN_DISTANCE_M)))
        features[..., 0] = np.log1p(self.channel.snr(exogenous.gain)) / log_snr_scale
        features[..., 1] = exogenous.arrival_rate_hz / RATE_SCALE_HZ
        features[..., 2] = state.energy_queue / QUEUE_SCALE
        features[..., 3] = state.memory_queue / QUEUE_SCALE
        if self.kind == "extended":
            features[..., 4:-1] = self.device_types[:, None] == np.arange(self.num_types)
            load_ghz = self.whole_gcycles * exogenous.arrival_rate_hz
            features[..., -1] = np.less(load_ghz, MOST_LOAD * self.device_ghz)
        return features

    def rates_of(
        self, observation: Float32[np.ndarray, "*batch devices features"]
    ) -> Float32[np.ndarray, "*batch devices"]:
        """Returns the arrival rates in 1/s, recovered from observations in float32."""
        return observation[..., 1] * np.float32(RATE_SCALE_HZ)
