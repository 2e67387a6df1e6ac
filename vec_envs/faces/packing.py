"""What the faces share: spaces, and arrays of lanes as the values of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces


def observation_box(*shape: int) -> spaces.Box:
    """Returns the space of float32 observations of that shape: of order one, but unbounded."""
    return spaces.Box(-np.inf, np.inf, shape, np.float32)


def first_lane(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Returns figures of `[1]` arrays as numbers."""
    return {
        name: first_lane(value) if isinstance(value, Mapping) else value.item()  # pyright: ignore[reportUnknownArgumentType]
        for name, value in figures.items()
    }


def own_copy(info: dict[str, Any]) -> dict[str, Any]:
    """Returns what `first_lane` gave, with dictionaries of its own."""
    return {name: value.copy() if type(value) is dict else value for name, value in info.items()}
