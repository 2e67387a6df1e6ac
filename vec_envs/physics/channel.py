"""Transmission rates of a client vehicle: path loss, fading and Shannon's formula; the links of a city street.

The power of small-scale Rayleigh fading is exponential with mean 1. It is an argument here; problems draw it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Real

from vec_envs.units import linear_from_db, watt_from_dbm
from vec_envs.validation import check_one_of, shown

MINIMUM_DISTANCE_M = 1.0
"""The distance below which both path losses are constant, because they are fitted to the far field."""
CARRIERS_GHZ = (0.5, 100.0)
"""The carrier frequencies for which 3GPP gives the path losses."""
PAPER_CARRIER_GHZ = 2.0
"""The carrier frequency of MAD2RL's path losses."""
THERMAL_NOISE_DBM_PER_HZ = -174.0
"""The power density of thermal noise at room temperature."""

Inputs = Real[np.ndarray, "*#batch"] | float
Rates = Float[np.ndarray, "*#batch"] | float

RATE_ARGUMENTS = ("distance_m", "fading_power")
RATE_KEYWORDS = ("bandwidth_mhz", "transmit_power_dbm", "noise_dbm")
RateFunction = Callable[..., Any]
"""A channel model: (distance_m, fading_power, *, bandwidth_mhz, transmit_power_dbm, noise_dbm) -> Mbit/s.

It returns an array of the shape of `distance_m` and `fading_power`, or one number for all. A model for several carrier
frequencies also takes the keyword `carrier_ghz`.
"""


def check_carrier(*, carrier_ghz: float) -> None:
    """Raises `ValueError` for a carrier frequency for which 3GPP gives no path losses."""
    low, high = CARRIERS_GHZ
    if not low <= carrier_ghz <= high:
        raise ValueError(
            f"carrier_ghz must be a number from {low:g} to {high:g}, for which 3GPP gives the path losses, "
            f"got {shown(carrier_ghz)}"
        )


def checked_rates_mbps(
    rate_mbps: Any, like: Float[np.ndarray, "*batch"], *, of: str, may_be_0: bool = False
) -> Float[np.ndarray, "*batch"]:
    """Returns the rates of a channel model, in the shape of its inputs.

    Args:
        rate_mbps: The result of the channel model.
        like: The distances that the model received.
        of: The name of the model, for error messages.
        may_be_0: Whether a rate of 0 is allowed.

    Raises:
        ValueError: The shape differs from that of `like`, or a rate is negative, not finite, or 0 without `may_be_0`.
    """
    rates = np.asarray(rate_mbps, dtype=np.float64)
    if rates.shape not in ((), like.shape):
        raise ValueError(f"{of} must return rates of the distances' shape, {like.shape}, got {rates.shape}")
    valid = np.isfinite(rates) & ((rates >= 0.0) if may_be_0 else (rates > 0.0))
    if not valid.all():
        bound = "of at least 0" if may_be_0 else "above 0"
        raise ValueError(f"{of} must return finite rates {bound} Mbit/s, got {rates[~valid][0]}")
    return np.broadcast_to(rates, like.shape)


def shannon_rate_mbps(
    gain_db: Inputs,
    fading_power: Inputs,
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


def thermal_noise_dbm(bandwidth_mhz: float, *, noise_figure_db: float) -> float:
    """Returns the noise in dBm over a bandwidth: thermal noise at room temperature plus a noise figure."""
    return THERMAL_NOISE_DBM_PER_HZ + 10.0 * math.log10(1e6 * bandwidth_mhz) + noise_figure_db


def carrier_loss_db(carrier_ghz: float, *, per_decade_db: float) -> float:
    """Returns how much the path loss at a carrier frequency exceeds that at 2 GHz, in dB."""
    return per_decade_db * math.log10(carrier_ghz / PAPER_CARRIER_GHZ)


def v2i_rate_mbps(
    distance_m: Inputs,
    fading_power: Inputs,
    *,
    bandwidth_mhz: float = 10.0,
    transmit_power_dbm: float = 23.0,
    noise_dbm: float = -114.0,
    carrier_ghz: float = PAPER_CARRIER_GHZ,
) -> Rates:
    """Returns the rate in Mbit/s from a vehicle to the roadside unit, elementwise over `distance_m` and `fading_power`.

    The path loss is that of 3GPP TR 38.901, urban micro cell in line of sight: 32.4 + 21 log10(d) + 20 log10(f) dB, for
    a distance d in m and a carrier f in GHz.

    Paper: MAD2RL Eq. (1).
    Differs: the carrier is an argument. The paper's constant, 38.4 dB, is the case of 2 GHz, where it takes 0.3 for
    log10(2). So the path loss is 0.02 dB below that of 3GPP at every carrier.
    """
    loss_at_1m_db = 38.4 + carrier_loss_db(carrier_ghz, per_decade_db=20.0)
    gain_db = -loss_at_1m_db - 21.0 * np.log10(np.maximum(distance_m, MINIMUM_DISTANCE_M))
    return shannon_rate_mbps(
        gain_db,
        fading_power,
        bandwidth_mhz=bandwidth_mhz,
        transmit_power_dbm=transmit_power_dbm,
        noise_dbm=noise_dbm,
    )


def v2v_rate_mbps(
    distance_m: Inputs,
    fading_power: Inputs,
    *,
    bandwidth_mhz: float = 10.0,
    transmit_power_dbm: float = 23.0,
    noise_dbm: float = -114.0,
    carrier_ghz: float = PAPER_CARRIER_GHZ,
) -> Rates:
    """Returns the rate in Mbit/s from a vehicle to another vehicle, elementwise over `distance_m` and `fading_power`.

    The path loss is that of 3GPP TR 37.885, urban road in line of sight: 38.77 + 16.7 log10(d) + 18.2 log10(f) dB, for
    a distance d in m and a carrier f in GHz.

    Paper: MAD2RL Eq. (2).
    Differs: the carrier is an argument, as for `v2i_rate_mbps`. The paper's constant at 2 GHz is 44.23 dB.
    """
    loss_at_1m_db = 44.23 + carrier_loss_db(carrier_ghz, per_decade_db=18.2)
    gain_db = -loss_at_1m_db - 16.7 * np.log10(np.maximum(distance_m, MINIMUM_DISTANCE_M))
    return shannon_rate_mbps(
        gain_db,
        fading_power,
        bandwidth_mhz=bandwidth_mhz,
        transmit_power_dbm=transmit_power_dbm,
        noise_dbm=noise_dbm,
    )


EFFICIENCY_KEYWORDS = ("link", "bandwidth_mhz", "carrier_ghz", "transmit_power_dbm", "noise_figure_db")
EfficiencyFunction = Callable[..., Any]
"""A model of a street's links: (distance_m, z1, z2, *, link, bandwidth_mhz, carrier_ghz, transmit_power_dbm,
noise_figure_db) -> bit/s/Hz, in the shape of its arrays; 0 where nothing can be sent. `street_efficiency` is one."""
STREET_LINKS = ("v2i", "v2v")
"""The links of a street: from a vehicle to a roadside unit, and from a vehicle to another vehicle."""
V2V_REACH_M = 400.0
"""The distance beyond which vehicles of a street do not hear each other."""
_LEAST_SNR_DB, _MOST_SNR_DB, _SHANNON_FACTOR = -10.0, 22.0, 0.6
_normal_error = np.frompyfunc(math.erf, 1, 1)


def street_efficiency(
    distance_m: Inputs,
    z1: Inputs,
    z2: Inputs,
    *,
    link: str = "v2i",
    bandwidth_mhz: float = 20.0,
    carrier_ghz: float = 5.9,
    transmit_power_dbm: float = 23.0,
    noise_figure_db: float = 9.0,
) -> Rates:
    """Returns the spectral efficiency in bit/s/Hz of a link in a street, elementwise over its three arrays.

    The link is in line of sight where Phi(z1), uniform for a standard normal z1, is below `line_of_sight_probability`.
    Its path loss exceeds the median by z2 times the standard deviation of the shadowing. The efficiency is Shannon's,
    times 0.6, up to a signal-to-noise ratio of 22 dB; below -10 dB it is 0.

    Sources: 3GPP TR 38.901, UMi street canyon, for `link="v2i"`. 3GPP TR 37.885, urban, for `link="v2v"`, which is 0
    beyond 400 m. 3GPP TR 36.942, Annex A, for the efficiency of a signal-to-noise ratio.

    Args:
        distance_m: the distance in space; below 1 m it counts as 1 m.
        z1: a standard normal number that decides on line of sight: -inf is always in sight, inf never.
        z2: a standard normal number, the shadowing.
        link: `"v2i"`, to a roadside unit, or `"v2v"`, to a vehicle.
        bandwidth_mhz: the band over which noise is received.
        carrier_ghz: the carrier frequency.
        transmit_power_dbm: the power of the sender.
        noise_figure_db: the noise figure of the receiver.

    Raises:
        ValueError: `link` is neither "v2i" nor "v2v".
    """
    check_one_of(STREET_LINKS, link=link)
    distance = np.asarray(np.maximum(distance_m, MINIMUM_DISTANCE_M))
    in_sight = np.asarray(_normal_probability(z1) < line_of_sight_probability(distance, link=link))
    loss_db = _street_loss_db(distance, in_sight, np.asarray(z2), link, carrier_ghz)
    noise_dbm = thermal_noise_dbm(bandwidth_mhz, noise_figure_db=noise_figure_db)
    efficiency = shannon_efficiency(transmit_power_dbm - loss_db - noise_dbm)
    return efficiency if link == "v2i" else np.where(distance > V2V_REACH_M, 0.0, efficiency)


def shannon_efficiency(snr_db: Inputs) -> Rates:
    """Returns the efficiency in bit/s/Hz of a signal-to-noise ratio in dB: attenuated and truncated Shannon.

    Source: 3GPP TR 36.942, Annex A, with the attenuation 0.6 and the least ratio of -10 dB.
    """
    linear = linear_from_db(np.minimum(snr_db, _MOST_SNR_DB))
    return np.where(np.less(snr_db, _LEAST_SNR_DB), 0.0, _SHANNON_FACTOR * np.log2(1.0 + linear))


def line_of_sight_probability(distance_m: Inputs, *, link: str) -> Rates:
    """Returns the probability that a link of a street is in line of sight, by its distance in m.

    Sources: 3GPP TR 38.901, UMi street canyon, for `link="v2i"`; 3GPP TR 37.885, urban, for `link="v2v"`.
    """
    distance = np.maximum(distance_m, MINIMUM_DISTANCE_M)
    if link == "v2v":
        return np.minimum(1.0, 1.05 * np.exp(-0.0114 * distance))
    near = np.minimum(18.0 / distance, 1.0)
    return near + np.exp(-distance / 36.0) * (1.0 - near)


def _normal_probability(z: Inputs) -> Any:
    """Returns Phi(z), the probability that a standard normal number is below z."""
    return 0.5 + 0.5 * np.asarray(_normal_error(np.divide(z, math.sqrt(2.0))), dtype=np.float64)


def _street_loss_db(
    distance: np.ndarray, in_sight: np.ndarray, z2: np.ndarray, link: str, carrier_ghz: float
) -> np.ndarray:
    """Returns the path loss: the median with or without line of sight, and z2 deviations of the shadowing."""
    decades, carrier = np.log10(distance), math.log10(carrier_ghz)
    if link == "v2v":
        clear, blocked = 38.77 + 16.7 * decades + 18.2 * carrier, 36.85 + 30.0 * decades + 18.9 * carrier
        return np.where(in_sight, clear + 3.0 * z2, blocked + 4.0 * z2)
    clear = 32.4 + 21.0 * decades + 20.0 * carrier
    blocked = np.maximum(clear, 35.3 * decades + 22.4 + 21.3 * carrier)
    return np.where(in_sight, clear + 4.0 * z2, blocked + 7.82 * z2)
