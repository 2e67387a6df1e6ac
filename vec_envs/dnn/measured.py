"""Measured times of a network's layers on a device."""

from __future__ import annotations

from dataclasses import dataclass

from vec_envs.validation import check_list, check_not_negative


@dataclass(frozen=True, kw_only=True)
class MeasuredTimes:
    """The time that each layer of a profile takes on a device.

    Raises:
        ValueError: A time is negative or not finite.
    """

    device: str
    layer_s: tuple[float, ...]
    """Time of each layer in s, in the order of the profile's layers."""
    source: str = ""
    """Who measured, and how: batch size, data type, library, number of threads."""

    def __post_init__(self) -> None:
        check_list(layer_s=self.layer_s)
        for index, time_s in enumerate(self.layer_s):
            check_not_negative(**{f"layer_s[{index}] on {self.device!r}": time_s})
        object.__setattr__(self, "layer_s", tuple(map(float, self.layer_s)))
