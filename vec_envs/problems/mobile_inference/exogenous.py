"""The exogenous record of episodes of `MobileInference`, from the random draws and the traffic."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from vec_envs.mobility.traffic import Road, TrafficBlock, entry_slot
from vec_envs.problems.mobile_inference.links import StreetLinks, headings, leaves, slot_before
from vec_envs.problems.mobile_inference.records import Draws, Exogenous


def exogenous_of(
    draws: Draws,
    traffic: TrafficBlock,
    road: Road,
    *,
    links: StreetLinks,
    arrival_probability: float,
    client_ghz: tuple[float, float],
    service_ghz: tuple[float, float],
) -> Exogenous:
    """Returns links, positions, processors, arrivals and who leaves, `[*batch, slots, ...]`."""
    unit_m, vehicle_m = links.distances_m(traffic, road)
    v2i, v2v = links.of(draws.link_noise, traffic, unit_m, vehicle_m)
    client_leaves, service_leaves = leaves(traffic.client_vehicle), leaves(traffic.service_vehicle)
    present = traffic.client_vehicle >= 0
    stays = ~client_leaves[..., :-1, :, None] & present[..., :-1, :, None]
    service_stays = ~service_leaves[..., :-1, None, :] & (traffic.service_vehicle >= 0)[..., :-1, None, :]
    return Exogenous(
        v2i_efficiency=v2i,
        v2v_efficiency=v2v,
        client_ghz=_speed_of_holder(draws.client_speed, traffic.client_vehicle, client_ghz),
        service_ghz=_speed_of_holder(draws.service_speed, traffic.service_vehicle, service_ghz),
        arrives=(draws.arrival < arrival_probability) & present & ~client_leaves,
        arriving_type=draws.arriving_type,
        client_leaves=client_leaves,
        service_present=traffic.service_vehicle >= 0,
        service_leaves=service_leaves,
        client_present=present,
        client_position_m=traffic.client_position_m,
        service_position_m=traffic.service_position_m,
        client_speed_mps=traffic.client_speed_mps,
        service_speed_mps=traffic.service_speed_mps,
        client_heading=headings(traffic.client_speed_mps, traffic.client_vehicle),
        v2i_efficiency_before=slot_before(v2i, np.broadcast_to(stays, v2i[..., 1:, :, :].shape)),
        v2v_efficiency_before=slot_before(v2v, stays & service_stays),
        v2i_distance_m=unit_m,
        v2v_distance_m=vehicle_m,
    )


def _speed_of_holder(
    uniform: Float[np.ndarray, "*batch slots seats"],
    vehicle: Int[np.ndarray, "*batch slots seats"],
    ghz: tuple[float, float],
) -> Float[np.ndarray, "*batch slots seats"]:
    """Returns the processor speed of the vehicle in each seat: uniform in the range, constant while it holds it."""
    return ghz[0] + (ghz[1] - ghz[0]) * np.take_along_axis(uniform, entry_slot(vehicle), axis=-2)
