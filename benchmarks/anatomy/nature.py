"""The draws and traffic of episodes, and changes of them: old positions, parked vehicles, no fading, other channels.

An exogenous record is a pure function of random draws and traffic. A changed record is therefore computed from changed
draws and traffic, or by changing fields of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.core.batch import EnvironmentBatch, first_draws
from vec_envs.mobility.traffic import Road, TrafficBlock, entry_slot
from vec_envs.problems.base import Problem
from vec_envs.records import stack

ROLES = ("client", "service")
MEASURED = ("xy_m", "position_m", "speed_mps")
"""The arrays of a traffic block that describe where the vehicles are and how they move."""


@dataclass(frozen=True, kw_only=True)
class Nature:
    """The random draws and the traffic of episodes, each array with a first axis of episodes."""

    problem: Problem
    draws: Any
    traffic: TrafficBlock
    road: Road

    @property
    def record(self) -> Any:
        """The exogenous record, each array `[episodes, epochs + 1, ...]`."""
        return self.problem.exogenous(self.draws, self.traffic, self.road)

    @property
    def fading_power(self) -> Float[np.ndarray, "episodes slots ..."] | None:
        """The fading of the draws; None for a problem whose draws have no field of this name."""
        return getattr(self.draws, "fading_power", None)

    def with_fading(self, power: Float[np.ndarray, "episodes slots ..."]) -> Nature:
        """Returns the same episodes with another fading."""
        return replace(self, draws=replace(self.draws, fading_power=power))


def nature_of(batch: EnvironmentBatch, *, seed: int, episodes: int) -> Nature:
    """Returns the nature of the episodes of the seeds from `seed` on, at most one for each environment of the batch."""
    rows = range(batch.batch_size)
    batch.reset(list(rows), [seed + row for row in rows])
    return Nature(
        problem=batch.problem,
        draws=stack([first_draws(batch.problem, seed + row) for row in range(episodes)]),
        traffic=stack([batch.traffic(row) for row in range(episodes)]),
        road=batch.mobility.road,
    )


def aged(nature: Nature, *, slots: int) -> Nature:
    """Returns the same episodes with the positions, speeds and fading of `slots` slots before.

    A vehicle that had no seat at that time is where it first had one. In the first slots, the fading is that of slot 0.
    Where the draws are innovations of links that evolve (`link_noise`), they are old too, but not those of a link's
    first slot. A link between two vehicles that took their seats at different times is then old only nearly.
    """
    traffic = _places_of(nature.traffic, lambda now, entry: np.maximum(now - slots, entry))
    old = replace(nature, traffic=traffic)
    noise: Float[np.ndarray, "episodes slots clients nodes 2"] | None = getattr(nature.draws, "link_noise", None)
    if noise is not None:
        first = _first_slots(nature.traffic, num_nodes=noise.shape[-2])
        index = np.maximum(np.arange(noise.shape[1])[:, None, None] - slots, first)
        old = replace(old, draws=replace(nature.draws, link_noise=np.take_along_axis(noise, index[..., None], axis=1)))
    power = nature.fading_power
    return old if power is None else old.with_fading(power[:, np.maximum(np.arange(power.shape[1]) - slots, 0)])


def _first_slots(traffic: TrafficBlock, *, num_nodes: int) -> Int[np.ndarray, "episodes slots clients nodes"]:
    """Returns the slot in which each link began: when its client took the seat, or its service vehicle if later.

    Nodes are roadside units, then the service vehicles.
    """
    client, service = entry_slot(traffic.client_vehicle), entry_slot(traffic.service_vehicle)
    first = np.repeat(client[..., None], num_nodes, axis=-1)
    units = num_nodes - service.shape[-1]
    first[..., units:] = np.maximum(first[..., units:], service[..., None, :])
    return first


def frozen(nature: Nature) -> Nature:
    """Returns episodes whose vehicles stand where they first had their seat. They come and go as they did."""
    traffic = _places_of(nature.traffic, lambda now, entry: entry)
    still = {f"{role}_speed_mps": np.zeros_like(getattr(traffic, f"{role}_speed_mps")) for role in ROLES}
    return replace(nature, traffic=replace(traffic, **still))


def unfaded(nature: Nature) -> Nature | None:
    """Returns episodes with a fading power of 1, its mean, on every link; None where the draws have no fading."""
    power = nature.fading_power
    return None if power is None else nature.with_fading(np.ones_like(power))


def unshadowed(nature: Nature) -> Nature | None:
    """Returns the same episodes with mean links in place of random line of sight and shadowing.

    None for a problem without an option `shadowing`, or with it off.
    """
    problem: Any = nature.problem
    if not getattr(problem, "shadowing", False):
        return None
    return replace(nature, problem=replace(problem, shadowing=False))


def _places_of(traffic: TrafficBlock, slot_of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> TrafficBlock:
    """Returns a block with the places and speeds of other slots, which `slot_of` gives from slot and entry slot."""
    arrays: dict[str, np.ndarray] = {}
    for role in ROLES:
        vehicle: Int[np.ndarray, "episodes slots seats"] = getattr(traffic, f"{role}_vehicle")
        now = np.arange(vehicle.shape[-2]).reshape(-1, 1)
        slot = np.broadcast_to(slot_of(now, entry_slot(vehicle)), vehicle.shape)
        for name in (f"{role}_{of}" for of in MEASURED):
            array = getattr(traffic, name)
            index = slot.reshape(*slot.shape, *[1] * (array.ndim - slot.ndim))
            arrays[name] = np.take_along_axis(array, index, axis=vehicle.ndim - 2)
    return replace(traffic, **arrays)


def mean_channel(
    record: Any, fields: tuple[str, ...], *, decided: Bool[np.ndarray, "episodes epochs"]
) -> dict[str, float]:
    """Returns the mean of each field over the links in reach, at the epochs that took place; 0 if none is in reach."""
    of_epochs = {name: getattr(record, name)[:, :-1][decided] for name in fields}
    return {name: float(of.sum() / max(np.count_nonzero(of), 1)) for name, of in of_epochs.items()}


def constant_channel(record: Any, means: Mapping[str, float]) -> Any:
    """Returns a record in which every link has the mean of its field, so it does not tell which links are in reach."""
    return replace(record, **{name: np.full_like(getattr(record, name), mean) for name, mean in means.items()})


def scaled_channel(record: Any, fields: tuple[str, ...], *, factor: float) -> Any:
    """Returns a record with the fields times a factor. What is out of reach stays out of reach."""
    return replace(record, **{name: getattr(record, name) * factor for name in fields})
