"""Radio links of `TaskDiversion`: the two nearest roadside units of a vehicle, and the rates to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vec_envs.mobility.axis import roadside_units, units_of_road
from vec_envs.mobility.traffic import Road
from vec_envs.physics.channel import RateFunction, checked_rates_mbps
from vec_envs.units import dbm_from_watt

Pair = tuple[Int[np.ndarray, "*batch tasks 2"], Float[np.ndarray, "*batch tasks 2"]]


@dataclass(frozen=True, kw_only=True)
class RoadsideLinks:
    """Computes the rates to the roadside units.

    They stand at regular spacing about the middle of the road. A road without an axis lists its units instead.
    """

    num_rsus: int
    rsu_spacing_m: float
    rsu_range_m: float
    bandwidth_mhz: float
    transmit_power_w: float
    noise_w: float
    v2i_rate: RateFunction

    def of(
        self, xy_m: Float[np.ndarray, "*batch tasks 2"], fading: Float[np.ndarray, "*batch tasks units"], road: Road
    ) -> Pair:
        """Returns the two nearest units of each vehicle and the rates to them in Mbit/s; 0 for a unit out of range."""
        unit, distance_m = nearest_two(xy_m, self._units_m(road))
        in_range = distance_m <= self.rsu_range_m
        in_range[..., 1] &= self.num_rsus > 1
        rate_mbps = self.v2i_rate(
            distance_m,
            np.take_along_axis(fading, unit, axis=-1),
            bandwidth_mhz=self.bandwidth_mhz,
            transmit_power_dbm=dbm_from_watt(self.transmit_power_w),
            noise_dbm=dbm_from_watt(self.noise_w),
        )
        return unit, np.where(in_range, checked_rates_mbps(rate_mbps, distance_m, of="v2i_rate", may_be_0=True), 0.0)

    def _units_m(self, road: Road) -> Float[np.ndarray, "units 3"]:
        """Returns the places of the units: as a road without an axis lists them, or at regular spacing.

        Raises `TrafficError` where such a road lists several, but fewer than `num_rsus`.
        """
        if road.axis_xy_m:
            return roadside_units(road, self.num_rsus, self.rsu_spacing_m)
        return units_of_road(road, self.num_rsus, self.rsu_spacing_m)[0]


def nearest_two(xy_m: Float[np.ndarray, "*batch tasks 2"], unit_xyz_m: Float[np.ndarray, "units 3"]) -> Pair:
    """Returns the two units nearest to each position and their distances in m; a single unit is returned twice."""
    offset_m = xy_m[..., None, :] - unit_xyz_m[:, :2]
    distance_m = np.sqrt((offset_m**2).sum(axis=-1) + unit_xyz_m[:, 2] ** 2)
    nearest = np.argsort(distance_m, axis=-1, kind="stable")[..., :2]
    if len(unit_xyz_m) == 1:
        nearest = np.concatenate([nearest, nearest], axis=-1)
    return nearest, np.take_along_axis(distance_m, nearest, axis=-1)
