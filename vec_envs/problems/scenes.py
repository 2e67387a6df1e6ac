"""Scenes: a slot of an episode as pictures and the player of episodes show it, in terms that all problems share.

A scene holds the places of nodes, the lengths of their queues, and links for the data that they send. A problem
describes its slots as scenes by the protocol `HasScenes` in `abilities.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.mobility.traffic import Road, TrafficBlock

RSU_Y_M = -7.0
"""The place of roadside units across the road: they stand beside it."""
_STRIP_M, _STRIPS, _MEDIAN_M = 3.5, 4, 3.5
"""Vehicles of one direction are shown on this many parallel strips, so that few overlap.

A vehicle's index selects its strip, which has no other meaning. The median separates the two directions.
"""

Numbers = tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class SceneNode:
    """A vehicle, device, roadside unit or server of an episode."""

    name: str
    kind: Literal["client", "service", "rsu", "vehicle", "device", "server"]
    """The kind of the node, which selects its mark, its colour and its word in the legend."""


@dataclass(frozen=True, kw_only=True)
class SceneQueue:
    """A kind of queue; each node may have one of each kind."""

    name: str = "Waiting"
    unit: str = ""
    """The unit of its length; "" where it has none."""


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """The part of an episode's scenes that stays the same."""

    slot_s: float
    nodes: tuple[SceneNode, ...]
    queues: tuple[SceneQueue, ...]


@dataclass(frozen=True, kw_only=True)
class SceneFrame:
    """The part of a scene that changes from slot to slot. The arrays are in the order of the nodes."""

    x_m: Numbers
    """The place of each node along the road, or to the east; None for a node that is absent in this slot."""
    y_m: Numbers
    """The place of each node across the road, or to the north; None for a node that is absent in this slot."""
    waits: Numbers
    """The length of each node's queue of the first kind, then of the second kind, and so on; None for no queue."""
    links: tuple[tuple[int, int, str], ...]
    """Index of the sending node, index of the receiving node, and a description such as "vgg16 from layer 5".

    A link from a node to itself describes the work that the node keeps.
    """
    caption: str
    arrived: tuple[int, ...] = ()
    """Indices of the nodes whose vehicle is another one than in the slot before. They jump to their places."""
    cuts: tuple[tuple[int, int, int], ...] = ()
    """Index of a node, how many layers of its DNN it runs itself, and how many there are. Recordings leave them out."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A decision epoch with its outcome. The records have a batch axis, which has length 1 where scenes use them."""

    state: Any
    """The state before the decision."""
    action: Shaped[np.ndarray, "batch ..."]
    exogenous: Any
    outcome: Any
    next_state: Any
    """The state after the decision."""


@dataclass(frozen=True, kw_only=True)
class PlayedSlot:
    """A slot of one environment that has been played."""

    slot: int
    state: Any
    """The state at the beginning of the slot, with a batch axis of length 1."""
    decisions: tuple[Decision, ...]
    """The decisions in this slot, in their order: one where all agents decide together, or any number."""
    traffic: TrafficBlock
    """The traffic of the episode, without a batch axis."""
    road: Road


def rounded(values: Float[np.ndarray, " values"], decimals: int) -> tuple[float, ...]:
    """Returns rounded values, so that a recording stays small."""
    return tuple(cast(list[float], np.round(values, decimals).tolist()))


def where_present(values: tuple[float, ...], present: Bool[np.ndarray, " values"]) -> Numbers:
    """Returns the values, with None in the place of those that are not present."""
    return tuple(value if there else None for value, there in zip(values, present.tolist(), strict=True))


def strip_y_m(index: int) -> float:
    """Returns the place across the road of the strip on which a vehicle of this index is shown."""
    return _STRIP_M * (index % _STRIPS + 0.5)


def clients_on_road(traffic: TrafficBlock, slot: int) -> tuple[Numbers, Numbers]:
    """Returns the places of the clients along and across the road in a slot; None for a seat without a vehicle.

    Vehicles that drive against the direction of the axis are shown beyond the median, also while they stand still.
    """
    return _on_road(traffic.client_vehicle, traffic.client_position_m, traffic.client_speed_mps, slot)


def services_on_road(traffic: TrafficBlock, slot: int) -> tuple[Numbers, Numbers]:
    """Returns the places of the service vehicles; see `clients_on_road`."""
    return _on_road(traffic.service_vehicle, traffic.service_position_m, traffic.service_speed_mps, slot)


def _on_road(
    vehicle: Int[np.ndarray, "slots seats"],
    position_m: Float[np.ndarray, "slots seats"],
    speed_mps: Float[np.ndarray, "slots seats"],
    slot: int,
) -> tuple[Numbers, Numbers]:
    held = vehicle >= 0
    driven = np.bincount(vehicle[held], weights=speed_mps[held], minlength=1)
    against = driven[np.maximum(vehicle[slot], 0)] < 0.0
    beyond_m = np.where(against, _STRIPS * _STRIP_M + _MEDIAN_M, 0.0)
    y_m = np.array([strip_y_m(seat) for seat in range(vehicle.shape[-1])]) + beyond_m
    x_m = rounded(position_m[slot], 1)
    return where_present(x_m, held[slot]), where_present(rounded(y_m, 2), held[slot])


def arrived_clients(traffic: TrafficBlock, slot: int) -> tuple[int, ...]:
    """Returns the clients' seats that have another vehicle than in the slot before."""
    return _arrived(traffic.client_vehicle, slot)


def arrived_services(traffic: TrafficBlock, slot: int) -> tuple[int, ...]:
    """Returns the seats of service vehicles that have another vehicle than in the slot before."""
    return _arrived(traffic.service_vehicle, slot)


def _arrived(vehicle: Int[np.ndarray, "slots seats"], slot: int) -> tuple[int, ...]:
    changed = (vehicle[slot] != vehicle[max(slot - 1, 0)]) & (vehicle[slot] >= 0)
    return tuple(np.flatnonzero(changed).tolist())
