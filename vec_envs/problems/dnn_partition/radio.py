"""The radio of `DNNPartition`: noise, carrier frequency and reach, and the rates of all links."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from vec_envs.physics.channel import (
    PAPER_CARRIER_GHZ,
    RATE_ARGUMENTS,
    RATE_KEYWORDS,
    RateFunction,
    check_carrier,
    checked_rates_mbps,
    thermal_noise_dbm,
)
from vec_envs.validation import check_callable, check_decibels, check_positive, check_takes, shown


@dataclass(frozen=True, kw_only=True)
class Radio:
    """The options of the radio, as `DNNPartition` documents and checks them, and the rates that follow from them."""

    bandwidth_mhz: float
    transmit_power_dbm: float
    noise_dbm: float
    noise_figure_db: float | None
    carrier_ghz: float
    v2v_range_m: float | None
    v2i_rate: RateFunction
    v2v_rate: RateFunction

    @property
    def limits_reach(self) -> bool:
        """Whether service vehicles can be out of reach: whether `v2v_range_m` is a finite number."""
        return _is_limit(self.v2v_range_m)

    @property
    def noise_over_band_dbm(self) -> float:
        """The noise over the bandwidth: `noise_dbm`, or thermal noise plus the noise figure where one is given."""
        if self.noise_figure_db is None:
            return self.noise_dbm
        return thermal_noise_dbm(self.bandwidth_mhz, noise_figure_db=self.noise_figure_db)

    def v2i_mbps(
        self, distance_m: Float[np.ndarray, "*batch"], fading_power: Float[np.ndarray, "*batch"]
    ) -> Float[np.ndarray, "*batch"]:
        """Returns the rates to the roadside unit. Raises `ValueError` for rates that are not finite and above 0."""
        return checked_rates_mbps(self.v2i_rate(distance_m, fading_power, **self._keywords), distance_m, of="v2i_rate")

    def v2v_mbps(
        self, distance_m: Float[np.ndarray, "*batch"], fading_power: Float[np.ndarray, "*batch"]
    ) -> Float[np.ndarray, "*batch"]:
        """Returns the rates to service vehicles, 0 out of reach. Raises `ValueError` as `v2i_mbps` does."""
        found = self.v2v_rate(distance_m, fading_power, **self._keywords)
        rates = checked_rates_mbps(found, distance_m, of="v2v_rate")
        return np.where(distance_m <= self.v2v_range_m, rates, 0.0) if self.limits_reach else rates

    @property
    def _keywords(self) -> dict[str, float]:
        """The keywords of the channel models. One without the keyword `carrier_ghz` is for the paper's carrier only."""
        keywords = {
            "bandwidth_mhz": self.bandwidth_mhz,
            "transmit_power_dbm": self.transmit_power_dbm,
            "noise_dbm": self.noise_over_band_dbm,
        }
        return keywords if self.carrier_ghz == PAPER_CARRIER_GHZ else keywords | {"carrier_ghz": self.carrier_ghz}


def check_radio(options: Any) -> None:
    """Raises `ValueError` for a wrong option of the radio; `options` has the fields of `Radio`, of any type."""
    check_positive(bandwidth_mhz=options.bandwidth_mhz, carrier_ghz=options.carrier_ghz)
    check_decibels(transmit_power_dbm=options.transmit_power_dbm, noise_dbm=options.noise_dbm)
    rates = {"v2i_rate": options.v2i_rate, "v2v_rate": options.v2v_rate}
    check_callable(**rates)
    check_takes(*RATE_ARGUMENTS, keywords=RATE_KEYWORDS, **rates)
    if options.noise_figure_db is not None:
        check_decibels(noise_figure_db=options.noise_figure_db)
    if _is_limit(options.v2v_range_m):
        check_positive(v2v_range_m=options.v2v_range_m)
    _check_carrier(options)


def _is_limit(range_m: Any) -> bool:
    return range_m is not None and not (isinstance(range_m, Real) and range_m == math.inf)


def _check_carrier(radio: Any) -> None:
    check_carrier(carrier_ghz=radio.carrier_ghz)
    if radio.carrier_ghz == PAPER_CARRIER_GHZ:
        return
    for name, rate in (("v2i_rate", radio.v2i_rate), ("v2v_rate", radio.v2v_rate)):
        if not _takes_carrier(rate):
            raise ValueError(
                f"carrier_ghz must be {PAPER_CARRIER_GHZ:g} for a {name} without the keyword carrier_ghz, "
                f"got {shown(radio.carrier_ghz)}: add the keyword to the function"
            )


def _takes_carrier(rate: Any) -> bool:
    """Returns whether a channel model takes the keyword `carrier_ghz`; True where its signature is not known."""
    try:
        parameters = inspect.signature(rate).parameters
    except (TypeError, ValueError):
        return True
    return "carrier_ghz" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
