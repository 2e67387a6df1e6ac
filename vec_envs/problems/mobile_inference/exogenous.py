"""The exogenous record of episodes of `MobileInference`, from the random draws and the traffic."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.axis import units_of_road
from vec_envs.mobility.headings import directions, kept_seats
from vec_envs.mobility.traffic import Road, TrafficBlock, entry_slot
from vec_envs.problems.mobile_inference.links import StreetLinks, headings, leaves, slot_before
from vec_envs.problems.mobile_inference.records import Draws, Exogenous


def exogenous_of(
    draws: Draws,
    traffic: TrafficBlock,
    road: Road,
    *,
    links: StreetLinks,
    rsu_spacing_m: float,
    arrival_probability: float,
    client_ghz: tuple[float, float],
    service_ghz: tuple[float, float],
) -> Exogenous:
    """Returns links, positions, processors, arrivals and who leaves, `[*batch, slots, ...]`.

    Raises `TrafficError` where the road lists several roadside units, but fewer than there are.
    """
    units_m, unit_position_m = units_of_road(road, links.num_rsus, rsu_spacing_m)
    unit_m, vehicle_m = links.distances_m(traffic, units_m)
    v2i, v2v = links.of(draws.link_noise, traffic, unit_m, vehicle_m)
    client_leaves, service_leaves = leaves(traffic.client_vehicle), leaves(traffic.service_vehicle)
    present = traffic.client_vehicle >= 0
    arrives = (draws.arrival < arrival_probability) & present & ~client_leaves
    stays = ~client_leaves[..., :-1, :, None] & present[..., :-1, :, None]
    service_stays = ~service_leaves[..., :-1, None, :] & (traffic.service_vehicle >= 0)[..., :-1, None, :]
    return Exogenous(
        v2i_efficiency=v2i,
        v2v_efficiency=v2v,
        client_ghz=_speed_of_holder(draws.client_speed, traffic.client_vehicle, client_ghz),
        service_ghz=_speed_of_holder(draws.service_speed, traffic.service_vehicle, service_ghz),
        arrives=arrives,
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
        unit_position_m=np.broadcast_to(unit_position_m, (*present.shape[:-1], links.num_rsus)),
        v2i_distance_m=unit_m,
        v2v_distance_m=vehicle_m,
        mean_arrivals=_mean_arrivals(arrives),
        **({} if road.axis_xy_m else _ahead_in_plane(traffic, units_m)),
    )


def _ahead_in_plane(traffic: TrafficBlock, units_m: Float[np.ndarray, "units 3"]) -> dict[str, np.ndarray]:
    """Returns the fields of `Exogenous` for nodes ahead of clients, on a road without an axis."""
    client = directions(traffic.client_xy_m, kept_seats(traffic.client_vehicle))[..., None, :]
    service = directions(traffic.service_xy_m, kept_seats(traffic.service_vehicle))
    service_mps = (service * traffic.service_speed_mps[..., None])[..., None, :, :]
    to_unit = units_m[:, :2] - traffic.client_xy_m[..., None, :]
    to_service = traffic.service_xy_m[..., None, :, :] - traffic.client_xy_m[..., None, :]
    return {
        "in_plane": np.ones(traffic.client_vehicle.shape[:-1], np.bool_),
        "unit_ahead_in_plane_m": (to_unit * client).sum(axis=-1),
        "service_ahead_in_plane_m": (to_service * client).sum(axis=-1),
        "service_faster_in_plane_mps": (service_mps * client).sum(axis=-1) - traffic.client_speed_mps[..., None],
    }


def _mean_arrivals(arrives: Bool[np.ndarray, "*batch slots clients"]) -> Float[np.ndarray, "*batch slots"]:
    """Returns the arrivals of all clients in a slot, averaged over the slots with a decision: all but the last one.

    An episode without arrivals counts as one with a single arrival, so that its cost per task is 0.
    """
    decided: int = arrives.shape[-2] - 1
    total = np.maximum(np.count_nonzero(arrives[..., :-1, :], axis=(-2, -1)), 1)
    return np.repeat(total[..., None] / decided, decided + 1, axis=-1)


def _speed_of_holder(
    uniform: Float[np.ndarray, "*batch slots seats"],
    vehicle: Int[np.ndarray, "*batch slots seats"],
    ghz: tuple[float, float],
) -> Float[np.ndarray, "*batch slots seats"]:
    """Returns the processor speed of each seat's vehicle: uniform in the range, constant while it holds the seat."""
    return ghz[0] + (ghz[1] - ghz[0]) * np.take_along_axis(uniform, entry_slot(vehicle), axis=-2)
