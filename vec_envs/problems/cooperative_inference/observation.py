"""What each device of `CooperativeInference` sees, as numbers of order one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.cooperative_inference.channel import InferenceChannel
from vec_envs.problems.cooperative_inference.records import Exogenous, State

OBSERVATIONS = ("paper", "extended")

GAIN_DISTANCE_M = 150.0
RATE_SCALE_HZ = 2.5
QUEUE_SCALE = 10.0


@dataclass(frozen=True, kw_only=True)
class InferenceObservation:
    """How a slot is seen by devices of these DNN types: `kind` of observation.

    Features: logarithm of 1 + the signal-to-noise ratio over the whole band, in units of that at 150 m; arrival rate;
    energy and memory queue. Where extended: DNN type (one for each, 1 or 0), whether it may run all layers.

    Paper: LyMDO Eq. (12).
    Differs: the gain as a logarithm, since it varies over decades.
    """

    kind: str
    device_types: Int[np.ndarray, "devices"]
    num_types: int
    whole_gcycles: Float[np.ndarray, "devices"]
    """Work of all layers."""
    device_ghz: float
    channel: InferenceChannel

    @property
    def size(self) -> int:
        """Number of features a device observes: 4, and the number of types and 1 more where extended."""
        return 4 if self.kind == "paper" else 5 + self.num_types

    def of(self, state: State, exogenous: Exogenous) -> Float32[np.ndarray, "*batch devices features"]:
        """Returns the features of every device's slot."""
        seen = np.zeros((*exogenous.gain.shape, self.size), dtype=np.float32)
        usual = np.log1p(self.channel.snr(self.channel.mean_gain(GAIN_DISTANCE_M)))
        seen[..., 0] = np.log1p(self.channel.snr(exogenous.gain)) / usual
        seen[..., 1] = exogenous.arrival_rate_hz / RATE_SCALE_HZ
        seen[..., 2] = state.energy_queue / QUEUE_SCALE
        seen[..., 3] = state.memory_queue / QUEUE_SCALE
        if self.kind == "extended":
            seen[..., 4:-1] = self.device_types[:, None] == np.arange(self.num_types)
            seen[..., -1] = np.less(self.whole_gcycles * exogenous.arrival_rate_hz, self.device_ghz)
        return seen

    def rates_of(
        self, observation: Float32[np.ndarray, "*batch devices features"]
    ) -> Float32[np.ndarray, "*batch devices"]:
        """Returns the arrival rates in 1/s that are seen."""
        return observation[..., 1] * np.float32(RATE_SCALE_HZ)
