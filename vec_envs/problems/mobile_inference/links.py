"""The links of `MobileInference`: how line of sight and shadowing evolve as vehicles drive, and the efficiencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.physics.channel import EfficiencyFunction, line_of_sight_probability

SIGHT_DISTANCE_M, SHADOWING_DISTANCE_M = 50.0, 10.0
"""The distances over which line of sight and shadowing decorrelate."""

Links = Float[np.ndarray, "*batch slots clients nodes"]
ToUnits = Float[np.ndarray, "*batch slots clients units"]
ToVehicles = Float[np.ndarray, "*batch slots clients services"]


@dataclass(frozen=True, kw_only=True)
class StreetLinks:
    """Computes the efficiencies of all links of an episode, to the roadside units and to the service vehicles."""

    num_rsus: int
    rsu_bandwidth_mhz: float
    v2v_bandwidth_mhz: float
    carrier_ghz: float
    transmit_power_dbm: float
    noise_figure_db: float
    shadowing: bool
    efficiency: EfficiencyFunction

    def of(
        self,
        noise: Float[np.ndarray, "*batch slots clients nodes 2"],
        traffic: TrafficBlock,
        unit_m: ToUnits,
        vehicle_m: ToVehicles,
    ) -> tuple[ToUnits, ToVehicles]:
        """Returns the efficiencies in bit/s/Hz to units and to service vehicles at these distances; 0 at empty seats.

        Raises `ValueError` where the channel model returns other shapes, or values that are not finite and at least 0.
        """
        client, service = traffic.client_vehicle >= 0, traffic.service_vehicle >= 0
        if self.shadowing:
            z1, z2 = np.moveaxis(link_states(noise, traffic), -1, 0)
            units, vehicles = np.s_[..., : self.num_rsus], np.s_[..., self.num_rsus :]
            v2i = self._modelled(unit_m, z1[units], z2[units], "v2i")
            v2v = self._modelled(vehicle_m, z1[vehicles], z2[vehicles], "v2v")
        else:
            v2i, v2v = self.mean_efficiency(unit_m, "v2i"), self.mean_efficiency(vehicle_m, "v2v")
        both = client[..., None] & service[..., None, :]
        return np.where(client[..., None], v2i, 0.0), np.where(both, v2v, 0.0)

    def distances_m(self, traffic: TrafficBlock, units_m: Float[np.ndarray, "units 3"]) -> tuple[ToUnits, ToVehicles]:
        """Returns the distances in space from the clients to the units at these places, and to the service vehicles."""
        to_unit = traffic.client_xy_m[..., None, :] - units_m[:, :2]
        to_vehicle = traffic.client_xy_m[..., :, None, :] - traffic.service_xy_m[..., None, :, :]
        unit_m = np.sqrt((to_unit**2).sum(axis=-1) + units_m[:, 2] ** 2)
        return unit_m, np.sqrt((to_vehicle**2).sum(axis=-1))

    def mean_efficiency(self, distance_m: Float[np.ndarray, "*links"], link: str) -> Float[np.ndarray, "*links"]:
        """Returns the efficiency without shadowing, averaged over line of sight; `link` is `"v2i"` or `"v2v"`."""
        zero, always = np.zeros_like(distance_m), np.full_like(distance_m, -np.inf)
        sees = line_of_sight_probability(distance_m, link=link)
        clear, blocked = (self._modelled(distance_m, z1, zero, link) for z1 in (always, -always))
        return sees * clear + (1.0 - sees) * blocked

    def _modelled(
        self,
        distance_m: Float[np.ndarray, "*links"],
        z1: Float[np.ndarray, "*links"],
        z2: Float[np.ndarray, "*links"],
        link: str,
    ) -> Float[np.ndarray, "*links"]:
        found = np.asarray(
            self.efficiency(
                distance_m,
                z1,
                z2,
                link=link,
                bandwidth_mhz=self.rsu_bandwidth_mhz if link == "v2i" else self.v2v_bandwidth_mhz,
                carrier_ghz=self.carrier_ghz,
                transmit_power_dbm=self.transmit_power_dbm,
                noise_figure_db=self.noise_figure_db,
            ),
            dtype=np.float64,
        )
        if found.shape not in ((), distance_m.shape):
            raise ValueError(f"efficiency must return values of the shape {distance_m.shape}, got {found.shape}")
        valid = np.isfinite(found) & (found >= 0.0)
        if not valid.all():
            raise ValueError(f"efficiency must return finite values of at least 0 bit/s/Hz, got {found[~valid][0]}")
        return np.broadcast_to(found, distance_m.shape)


def link_states(
    noise: Float[np.ndarray, "*batch slots clients nodes 2"], traffic: TrafficBlock
) -> Float[np.ndarray, "*batch slots clients nodes 2"]:
    """Returns z1 and z2 of each link and slot: Gaussian processes that decorrelate with the metres driven.

    A link keeps the share exp(-moved / D) of its state from one slot to the next. `moved` is what the client drove, for
    a link to a vehicle what both drove. The links of a vehicle begin anew in its first slot in a seat.
    """
    num_units = noise.shape[-2] - traffic.service_vehicle.shape[-1]
    of_client, stays = _moved_m(traffic.client_xy_m, traffic.client_vehicle)
    of_service, service_stays = _moved_m(traffic.service_xy_m, traffic.service_vehicle)
    moved = np.repeat(of_client[..., None], noise.shape[-2], axis=-1)
    moved[..., num_units:] += of_service[..., None, :]
    kept = np.repeat(stays[..., None], noise.shape[-2], axis=-1)
    kept[..., num_units:] &= service_stays[..., None, :]
    share = np.exp(-moved[..., None] / np.array([SIGHT_DISTANCE_M, SHADOWING_DISTANCE_M])) * kept[..., None]
    renewed = np.sqrt(1.0 - share**2)
    states = noise.copy()
    for slot in range(1, noise.shape[-4]):
        now, before = (..., slot, slice(None), slice(None), slice(None)), (..., slot - 1, *[slice(None)] * 3)
        states[now] = share[before] * states[before] + renewed[before] * noise[now]
    return states


def headings(
    speed_mps: Float[np.ndarray, "*batch slots seats"], vehicle: Int[np.ndarray, "*batch slots seats"]
) -> Float[np.ndarray, "*batch slots seats"]:
    """Returns 1 for vehicles that drive in the direction of the road's axis, and -1 for the others.

    A vehicle that stands has the heading with which it drove last, or else that with which it drives first.
    """
    stays = vehicle[..., 1:, :] == vehicle[..., :-1, :]
    heading = np.sign(speed_mps)
    for slot in range(1, heading.shape[-2]):
        held = (heading[..., slot, :] == 0.0) & stays[..., slot - 1, :]
        heading[..., slot, :] = np.where(held, heading[..., slot - 1, :], heading[..., slot, :])
    for slot in reversed(range(heading.shape[-2] - 1)):
        held = (heading[..., slot, :] == 0.0) & stays[..., slot, :]
        heading[..., slot, :] = np.where(held, heading[..., slot + 1, :], heading[..., slot, :])
    return np.where(heading == 0.0, 1.0, heading)


def slot_before(links: Links, stays: Bool[np.ndarray, "*batch slots-1 clients nodes"]) -> Links:
    """Returns the efficiencies one slot before; those of the slot itself where a link is new."""
    before = links.copy()
    before[..., 1:, :, :] = np.where(stays, links[..., :-1, :, :], links[..., 1:, :, :])
    return before


def leaves(vehicle: Int[np.ndarray, "*batch slots seats"]) -> Bool[np.ndarray, "*batch slots seats"]:
    """Returns whether the vehicle of a seat gives it up when the slot ends; False in the last slot."""
    gives_up = np.zeros(vehicle.shape, np.bool_)
    gives_up[..., :-1, :] = (vehicle[..., :-1, :] >= 0) & (vehicle[..., 1:, :] != vehicle[..., :-1, :])
    return gives_up


def _moved_m(
    xy_m: Float[np.ndarray, "*batch slots seats 2"], vehicle: Int[np.ndarray, "*batch slots seats"]
) -> tuple[Float[np.ndarray, "*batch slots-1 seats"], Bool[np.ndarray, "*batch slots-1 seats"]]:
    """Returns the metres that each vehicle drove from one slot to the next, and whether it kept its seat."""
    step_m = xy_m[..., 1:, :, :] - xy_m[..., :-1, :, :]
    return np.sqrt((step_m**2).sum(axis=-1)), vehicle[..., 1:, :] == vehicle[..., :-1, :]
