"""What an action of `TaskDiversion` says: a cut, two speeds, and which unit is asked where that is chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from jaxtyping import Real as RealArray

Number = RealArray[np.ndarray, "*#tasks"] | float | int


@dataclass(frozen=True, kw_only=True)
class TaskActions:
    """Reads and writes actions: three numbers in [-1, 1], or where it `chooses` the unit four.

    Paper: RTD Eq. (27).
    """

    num_layers: Int[np.ndarray, "types"]
    min_ghz: float
    vehicle_ghz: float
    rsu_ghz: float
    chooses: bool

    @property
    def size(self) -> int:
        """How many numbers an action holds."""
        return 4 if self.chooses else 3

    def encode(
        self, *, dnn: Number, cut: Number, vehicle_ghz: Number, rsu_ghz: Number, second: Number = 0
    ) -> Float[np.ndarray, "*tasks numbers"]:
        """Returns the action that `decode` reads as these; `second` asks the second nearest unit, where chosen."""
        parts = [
            2.0 * np.asarray(cut) / self.num_layers[np.asarray(dnn)] - 1.0,
            _scaled(np.asarray(vehicle_ghz), self.min_ghz, self.vehicle_ghz),
            _scaled(np.asarray(rsu_ghz), self.min_ghz, self.rsu_ghz),
            2.0 * np.asarray(second) - 1.0,
        ]
        return np.stack(np.broadcast_arrays(*parts[: self.size]), axis=-1)

    def decode(
        self, action: Shaped[np.ndarray, "*tasks numbers"], dnn: Int[np.ndarray, "*tasks"]
    ) -> tuple[Int[np.ndarray, "*tasks"], Float[np.ndarray, "*tasks"], Float[np.ndarray, "*tasks"]]:
        """Returns cut, vehicle's and unit's speed in GHz; affine in the action, the cut to the nearest integer."""
        half = 0.5 * (np.clip(action, -1.0, 1.0) + 1.0)
        cut = np.rint(half[..., 0] * self.num_layers[dnn]).astype(np.int64)
        vehicle_ghz = self.min_ghz + half[..., 1] * (self.vehicle_ghz - self.min_ghz)
        return cut, vehicle_ghz, self.min_ghz + half[..., 2] * (self.rsu_ghz - self.min_ghz)

    def checked(self, action: Shaped[np.ndarray, "*batch agents numbers"]) -> Float[np.ndarray, "*batch 1 numbers"]:
        """Returns the action as float64. Raises `ValueError` where its shape, type or range is wrong."""
        action = np.asarray(action)
        if action.shape[-2:] != (1, self.size):
            raise ValueError(f"an action holds {self.size} numbers in one row, got shape {action.shape}")
        if action.dtype.kind not in "fiu":
            raise ValueError(f"actions are numbers, got dtype {action.dtype}")
        wrong = ~((action >= -1.0) & (action <= 1.0))
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            raise ValueError(f"number {where[-1]} of the action, {action[where]}, is outside [-1, 1]")
        return action.astype(np.float64, copy=False)


def _scaled(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns where in [-1, 1] a value of [low, high] lies."""
    return np.asarray(2.0 * (value - low) / (high - low) - 1.0)
