"""Actions of `TaskDiversion`: a cut, two speeds and, with `diversion="chosen"`, which unit is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from jaxtyping import Real as RealArray

Number = RealArray[np.ndarray, "*#tasks"] | float | int


@dataclass(frozen=True, kw_only=True)
class TaskActions:
    """Encodes and decodes actions: three numbers in [-1, 1], or four where the action `chooses` the unit.

    Paper: RTD Eq. (27).
    """

    num_layers: Int[np.ndarray, "types"]
    min_ghz: float
    vehicle_ghz: float
    rsu_ghz: float
    chooses: bool

    @property
    def size(self) -> int:
        """The number of numbers in an action."""
        return 4 if self.chooses else 3

    def encode(
        self, *, dnn: Number, cut: Number, vehicle_ghz: Number, rsu_ghz: Number, second: Number = 0
    ) -> Float[np.ndarray, "*tasks numbers"]:
        """Returns the action that `decode` maps to these values; the inverse of `decode`.

        `second` is 1 to ask the second nearest unit and 0 to ask the nearest. It only has an effect where the action
        chooses the unit.
        """
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
        """Returns the cut, the vehicle's speed and the unit's speed in GHz.

        All three are affine in the action, and the cut is rounded to the nearest integer.
        """
        half = 0.5 * (np.clip(action, -1.0, 1.0) + 1.0)
        cut = np.rint(half[..., 0] * self.num_layers[dnn]).astype(np.int64)
        vehicle_ghz = self.min_ghz + half[..., 1] * (self.vehicle_ghz - self.min_ghz)
        return cut, vehicle_ghz, self.min_ghz + half[..., 2] * (self.rsu_ghz - self.min_ghz)

    def checked(self, action: Shaped[np.ndarray, "*batch agents numbers"]) -> Float[np.ndarray, "*batch 1 numbers"]:
        """Returns the action as float64.

        Raises:
            ValueError: For an action of wrong shape or type, or with a number outside [-1, 1].
        """
        action = np.asarray(action)
        if action.shape[-2:] != (1, self.size):
            raise ValueError(f"an action must hold {self.size} numbers in one row, got shape {action.shape}")
        if action.dtype.kind not in "fiu":
            raise ValueError(f"an action must hold integers or floats, got dtype {action.dtype}")
        wrong = ~((action >= -1.0) & (action <= 1.0))
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            raise ValueError(f"number {where[-1]} of the action must be in [-1, 1], got {action[where]}")
        return action.astype(np.float64, copy=False)


def _scaled(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns the value scaled from [low, high] to [-1, 1]."""
    return np.asarray(2.0 * (value - low) / (high - low) - 1.0)
