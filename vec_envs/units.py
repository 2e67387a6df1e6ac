"""Conversions between decibels and linear units."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float


def linear_from_db(value_db: Float[np.ndarray, "*batch"] | float) -> Float[np.ndarray, "*batch"] | float:
    """Returns the power ratio of a value in dB."""
    return 10.0 ** (value_db / 10.0)


def watt_from_dbm(value_dbm: float) -> float:
    """Returns the power in W of a value in dBm (0 dBm is 1 mW)."""
    return 10.0 ** (value_dbm / 10.0 - 3.0)


def dbm_from_watt(value_w: float) -> float:
    """Returns the power in dBm of a value in W above 0."""
    return 10.0 * math.log10(value_w) + 30.0
