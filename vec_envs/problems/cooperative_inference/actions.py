"""What an action of `CooperativeInference` says: cuts, and resources where these are learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.problems.cooperative_inference.records import Allocation, Cuts, PerDevice

Devices = Bool[np.ndarray, "*batch devices"]

LOGIT_SCALE = 4.0
"""A learned part is a softmax of this times a number in [-1, 1]: the largest is e^8 times the smallest at most."""
LEAST_SPARE = 1e-3
"""The least part of the speed above its load that a device is given when learned: at the load delays are infinite."""


@dataclass(frozen=True, kw_only=True)
class CutActions:
    """Reads actions of devices with so many layers: a cut each, or where `learned` four numbers in [-1, 1]."""

    num_layers: Int[np.ndarray, "devices"]
    learned: bool

    def cuts(
        self, action: Shaped[np.ndarray, "*batch devices ..."]
    ) -> tuple[Cuts, Float[np.ndarray, "*batch devices 3"] | None]:
        """Returns the cuts, and the numbers of the resources where those are learned.

        Raises `ValueError` for a wrong shape, type or range, with the device and its bound.
        """
        action, devices = np.asarray(action), len(self.num_layers)
        if not self.learned:
            return self._checked(action), None
        if action.shape[-2:] != (devices, 4):
            raise ValueError(f"an action holds 4 numbers for each of {devices} devices, got shape {action.shape}")
        if action.dtype.kind not in "fiu" or not ((action >= -1.0) & (action <= 1.0)).all():
            raise ValueError("the numbers of an action must be in [-1, 1]")
        return cut_of(action[..., 0].astype(np.float64), self.num_layers), action[..., 1:].astype(np.float64)

    def _checked(self, action: Shaped[np.ndarray, "*batch devices"]) -> Cuts:
        if action.dtype.kind not in "iu":
            raise ValueError(f"the cuts of an action are integers, got dtype {action.dtype}")
        if action.shape[-1:] != self.num_layers.shape:
            devices = len(self.num_layers)
            raise ValueError(f"an action holds a cut for each of {devices} devices, got shape {action.shape}")
        wrong = (action < 0) | (action > self.num_layers)
        if wrong.any():
            device = int(np.argwhere(wrong)[0][-1])
            bound = int(self.num_layers[device])
            raise ValueError(f"cut {action[wrong][0]} of device {device} must be from 0 to {bound}, its DNN's layers")
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
        """Returns the resources that numbers in [-1, 1] stand for: speed, parts of the server and of the bandwidth.

        The speed of a device that runs layers is affine between its load and the fastest; the parts of server and
        bandwidth are a softmax over those that need any.
        """
        spare = np.maximum(0.5 * (numbers[..., 0] + 1.0), LEAST_SPARE)
        return Allocation(
            device_ghz=np.where(local, load_ghz + spare * (device_ghz - load_ghz), 0.0),
            server_ghz=server_ghz * _softmax(numbers[..., 1], at_server),
            bandwidth_share=_softmax(numbers[..., 2], sends),
        )


def cut_of(number: Float[np.ndarray, "*batch devices"], num_layers: Int[np.ndarray, "devices"]) -> Cuts:
    """Returns the cuts that numbers in [-1, 1] stand for: equal parts of that range, for 0 to L layers.

    Paper: LyMDO Eq. (13).
    Differs: min(L, floor((L + 1) (tanh y + 1) / 2)), so that cut L needs no infinite y; the tanh is the caller's.
    """
    part = 0.5 * (number + 1.0)
    return np.minimum(np.floor(part * (num_layers + 1)), num_layers).astype(np.int64)


def _softmax(numbers: Float[np.ndarray, "*batch devices"], needs: Devices) -> PerDevice:
    """Returns parts that add up to 1 over the devices that need any; all 0 where none does."""
    weight = np.exp(LOGIT_SCALE * numbers) * needs
    total = weight.sum(axis=-1, keepdims=True)
    return np.divide(weight, total, out=np.zeros(weight.shape), where=total > 0.0)
