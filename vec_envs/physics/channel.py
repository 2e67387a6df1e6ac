"""How fast a client vehicle sends: path loss, fading and Shannon's rate.

The power of small-scale Rayleigh fading is exponential with mean 1; it is drawn at the door and handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Real

from vec_envs.units import linear_from_db, watt_from_dbm

MINIMUM_DISTANCE_M = 1.0
"""Both path losses are far-field fits: nearer than this, they are held."""

ContinuousActions = Real[np.ndarray, "*#batch"] | float
Rates = Float[np.ndarray, "*#batch"] | float

RateFunction = Callable[..., Any]
"""(distance_m, fading_power, *, bandwidth_mhz, transmit_power_dbm, noise_dbm) -> Mbit/s: a channel model.

Of arrays of one shape it gives one of that shape, or a number for all.
"""


def checked_rates_mbps(
    rate_mbps: Any, like: Float[np.ndarray, "*batch"], *, of: str, may_be_0: bool = False
) -> Float[np.ndarray, "*batch"]:
    """Returns what the channel model `of` that name gave, in the shape of what it was asked for.

    Raises `ValueError` for another shape, and for what is no finite rate above 0, or of 0 where it may be.
    """
    rates = np.asarray(rate_mbps, dtype=np.float64)
    if rates.shape not in ((), like.shape):
        raise ValueError(f"{of} gave rates of shape {rates.shape} for distances of shape {like.shape}")
    sound = np.isfinite(rates) & ((rates >= 0.0) if may_be_0 else (rates > 0.0))
    if not sound.all():
        bound = "of at least 0" if may_be_0 else "above 0"
        raise ValueError(f"{of} gave {rates[~sound][0]}, which is no finite rate {bound} Mbit/s")
    return np.broadcast_to(rates, like.shape)


def shannon_rate_mbps(
    gain_db: ContinuousActions,
    fading_power: ContinuousActions,
    *,
    bandwidth_mhz: float,
    transmit_power_dbm: float,
    noise_dbm: float,
) -> Rates:
    """Returns the rate in Mbit/s of a channel with a large-scale gain in dB and a small-scale fading power.

    Paper: RTD Eq. (12).
    """
    snr_at_unit_gain = watt_from_dbm(transmit_power_dbm) / watt_from_dbm(noise_dbm)
    return bandwidth_mhz * np.log2(1.0 + snr_at_unit_gain * linear_from_db(gain_db) * fading_power)


def v2i_rate_mbps(
    distance_m: ContinuousActions,
    fading_power: ContinuousActions,
    *,
    bandwidth_mhz: float = 10.0,
    transmit_power_dbm: float = 23.0,
    noise_dbm: float = -114.0,
) -> Rates:
    """Returns the rate in Mbit/s from vehicle to roadside unit, elementwise over `distance_m` and `fading_power`.

    Paper: MAD2RL Eq. (1).
    """
    gain_db = -38.4 - 21.0 * np.log10(np.maximum(distance_m, MINIMUM_DISTANCE_M))
    return shannon_rate_mbps(
        gain_db,
        fading_power,
        bandwidth_mhz=bandwidth_mhz,
        transmit_power_dbm=transmit_power_dbm,
        noise_dbm=noise_dbm,
    )


def v2v_rate_mbps(
    distance_m: ContinuousActions,
    fading_power: ContinuousActions,
    *,
    bandwidth_mhz: float = 10.0,
    transmit_power_dbm: float = 23.0,
    noise_dbm: float = -114.0,
) -> Rates:
    """Returns the rate in Mbit/s from vehicle to vehicle, elementwise over `distance_m` and `fading_power`.

    Paper: MAD2RL Eq. (2).
    """
    gain_db = -44.23 - 16.7 * np.log10(np.maximum(distance_m, MINIMUM_DISTANCE_M))
    return shannon_rate_mbps(
        gain_db,
        fading_power,
        bandwidth_mhz=bandwidth_mhz,
        transmit_power_dbm=transmit_power_dbm,
        noise_dbm=noise_dbm,
    )
