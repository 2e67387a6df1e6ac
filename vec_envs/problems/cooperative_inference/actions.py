"""The actions of `CooperativeInference`: cuts, and also resources where the policy decides them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.physics.inference import MOST_LOAD
from vec_envs.problems.cooperative_inference.records import Allocation, Cuts, PerDevice

Devices = Bool[np.ndarray, "*batch devices"]

LOGIT_SCALE = 4.0
"""Shares are a softmax of this factor times numbers in [-1, 1], so they differ by a factor of at most e^8."""
LEAST_SPARE_FRACTION = 1e-3
"""The least speed of a device above its load, as a fraction of the range from its load to its maximum.

At the load itself delays are infinite.
"""


@dataclass(frozen=True, kw_only=True)
class CutActions:
    """Converts actions to cuts and resources.

    The action of a device is an integer cut, or four numbers in [-1, 1] where `learned`: the cut, its own speed, and
    the logits of its shares of the server and of the bandwidth.
    """

    num_layers: Int[np.ndarray, "devices"]
    learned: bool

    def cuts(self, action: Shaped[np.ndarray, "..."]) -> tuple[Cuts, Float[np.ndarray, "*batch devices 3"] | None]:
        """Returns the cuts, and the three numbers of the resources where those are learned (None otherwise).

        Raises:
            ValueError: the shape, type or range is wrong; the message names the device and its bound.
        """
        action, num_devices = np.asarray(action), len(self.num_layers)
        if not self.learned:
            return self._checked(action), None
        if action.shape[-2:] != (num_devices, 4):
            raise ValueError(
                f"an action must hold 4 numbers for each of {num_devices} devices, got shape {action.shape}"
            )
        if action.dtype.kind not in "fiu" or not ((action >= -1.0) & (action <= 1.0)).all():
            raise ValueError(f"the numbers of an action must be in [-1, 1], got {action}")
        return cut_of(action[..., 0].astype(np.float64), self.num_layers), action[..., 1:].astype(np.float64)

    def _checked(self, action: Shaped[np.ndarray, "*batch devices"]) -> Cuts:
        if action.dtype.kind not in "iu":
            raise ValueError(f"the cuts of an action must be integers, got dtype {action.dtype}")
        if action.shape[-1:] != self.num_layers.shape:
            num_devices = len(self.num_layers)
            raise ValueError(f"an action must hold a cut for each of {num_devices} devices, got shape {action.shape}")
        outside = (action < 0) | (action > self.num_layers)
        if outside.any():
            device = int(np.argwhere(outside)[0][-1])
            last = int(self.num_layers[device])
            raise ValueError(
                f"the cut of device {device} must be from 0 to {last}, the number of its DNN's layers, "
                f"got {action[outside][0]}"
            )
        return action.astype(np.int64, copy=False)

    def resources(
        self,
        numbers: Float[np.ndarray, "*batch devices 3"],
        *,
        local: Devices,
        load_ghz: PerDevice,
        at_server: Devices,
        sends: Devices,
        device_ghz: float,
        server_ghz: float,
    ) -> Allocation:
        """Returns the resources that numbers in [-1, 1] encode: own speed, shares of the server and of the bandwidth.

        The own speed grows linearly with its number, from the device's load to `device_ghz`. The shares are a softmax
        over the devices that need any.

        Args:
            numbers: the numbers of each device, for its own speed, the server and the bandwidth.
            local: whether the device runs layers itself.
            load_ghz: the speed at which the device would only just carry its load.
            at_server: whether the device leaves layers to the server.
            sends: whether the device sends anything.
            device_ghz: the maximum speed of a device.
            server_ghz: the speed of the whole server.
        """
        spare = np.maximum(0.5 * (numbers[..., 0] + 1.0), LEAST_SPARE_FRACTION)
        speed = np.maximum(load_ghz + spare * (device_ghz - load_ghz), load_ghz / MOST_LOAD)
        return Allocation(
            device_ghz=np.where(local, np.minimum(speed, device_ghz), 0.0),
            server_ghz=server_ghz * _softmax(numbers[..., 1], at_server),
            bandwidth_share=_softmax(numbers[..., 2], sends),
        )


def cut_of(number: Float[np.ndarray, "*batch devices"], num_layers: Int[np.ndarray, "devices"]) -> Cuts:
    """Returns the cuts that numbers in [-1, 1] encode. Each cut from 0 to L has an equal part of that range.

    Paper: LyMDO Eq. (13).
    Differs: min(L, floor((L + 1) (tanh y + 1) / 2)), so that cut L needs no infinite y; the caller applies the tanh.
    """
    fraction = 0.5 * (number + 1.0)
    return np.minimum(np.floor(fraction * (num_layers + 1)), num_layers).astype(np.int64)


def _softmax(numbers: Float[np.ndarray, "*batch devices"], need: Devices) -> PerDevice:
    """Returns shares that add up to 1 over the devices that need any; all shares are 0 where no device does."""
    weight = np.exp(LOGIT_SCALE * numbers) * need
    total = weight.sum(axis=-1, keepdims=True)
    return np.divide(weight, total, out=np.zeros(weight.shape), where=total > 0.0)
