"""When which vehicle releases a task: an episode's draws and traffic, put in the order of release.

A vehicle releases at most one task a slot, at its beginning; the vehicles of a slot take turns in random order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.problems.task_diversion.records import Draws, Exogenous, State

Grid = Shaped[np.ndarray, "*batch slots seats"]
Flat = Int[np.ndarray, "*batch tasks"]


@dataclass(frozen=True, kw_only=True)
class Releases:
    """Places in the grid of slots and seats, in the order of release: the tasks that there are, then the rest.

    The last place stands for what is seen when an episode is over: a vehicle of the slot after it.
    """

    place: Flat
    exists: Bool[np.ndarray, "*batch tasks"]

    def take(self, grid: Grid) -> Shaped[np.ndarray, "*batch tasks"]:
        """Returns a grid's entries at the places."""
        return np.take_along_axis(grid.reshape((*grid.shape[:-2], -1)), self.place, axis=-1)

    def take_rows(self, grid: Shaped[np.ndarray, "*batch slots seats row"]) -> Shaped[np.ndarray, "*batch tasks row"]:
        """Returns the rows at the places of a grid of rows."""
        flat = grid.reshape((*grid.shape[:-3], -1, grid.shape[-1]))
        return np.take_along_axis(flat, self.place[..., None], axis=-2)


def releases(draws: Draws, traffic: TrafficBlock, *, probability: float) -> Releases:
    """Returns the tasks of episodes. Their last slot only gives what is seen at the end.

    In the first slot at least one vehicle releases a task: an episode begins with one.
    """
    present = traffic.client_vehicle >= 0
    turn: Float[np.ndarray, "*batch slots seats"] = np.where(present, draws.order, 2.0)
    released = present & (draws.release < probability)
    first = turn[..., :1, :] == turn[..., :1, :].min(axis=-1, keepdims=True)
    released[..., :1, :] |= first & present[..., :1, :]
    slots: int = present.shape[-2]
    seats: int = present.shape[-1]
    slot = np.arange(slots).reshape(-1, 1)
    key = np.where(released, slot + 0.5 * draws.order, np.inf)[..., :-1, :]
    key = key.reshape((*key.shape[:-2], -1))
    order = np.argsort(key, axis=-1, kind="stable")
    last = (slots - 1) * seats + turn[..., -1, :].argmin(axis=-1)
    exists = np.isfinite(np.take_along_axis(key, order, axis=-1))
    return Releases(
        place=np.concatenate([order, last[..., None]], axis=-1),
        exists=np.concatenate([exists, present[..., -1, :].any(axis=-1, keepdims=True)], axis=-1),
    )


def entry_slot(vehicle: Int[np.ndarray, "*batch slots seats"]) -> Int[np.ndarray, "*batch slots seats"]:
    """Returns the slot since which a seat has had its holder."""
    num_slots: int = vehicle.shape[-2]
    slots = np.arange(num_slots).reshape(-1, 1)
    changed = np.ones(vehicle.shape, dtype=np.bool_)
    changed[..., 1:, :] = vehicle[..., 1:, :] != vehicle[..., :-1, :]
    return np.maximum.accumulate(np.where(changed, slots, 0), axis=-2)


def leave_slot(vehicle: Int[np.ndarray, "*batch slots seats"]) -> Float[np.ndarray, "*batch slots seats"]:
    """Returns the slot in which a seat's holder is gone, inf where it stays to the end of what is known."""
    slots: int = vehicle.shape[-2]
    changes = np.full(vehicle.shape, np.inf)
    changed = vehicle[..., 1:, :] != vehicle[..., :-1, :]
    changes[..., :-1, :] = np.where(changed, np.arange(1.0, slots)[:, None], np.inf)
    return np.minimum.accumulate(changes[..., ::-1, :], axis=-2)[..., ::-1, :]


def next_released(
    state: State, exogenous: Exogenous, epoch: Int[np.ndarray, "batch"], *, overlap: bool
) -> Int[np.ndarray, "batch"]:
    """Returns the next task that is released from `epoch` on, one behind the last where there is none.

    Without `overlap` those of vehicles that still run the last one's layers are not.
    """
    found, end = epoch.copy(), exogenous.release_s.shape[-1] - 1
    rows = np.flatnonzero(found < end)
    while len(rows):
        place = rows, found[rows]
        release_s, seat = exogenous.release_s[place], exogenous.seat[place]
        over = np.isinf(release_s)
        busy = (state.vehicle_free_s[rows, seat] > release_s) & (state.holder[rows, seat] == exogenous.vehicle[place])
        busy &= not overlap
        found[rows] = np.where(over, end, found[rows] + busy)
        rows = rows[busy & ~over & (found[rows] < end)]
    return found
