"""The release of tasks in `TaskDiversion`: which vehicles release tasks, and in which order.

A vehicle releases at most one task per slot, at the beginning of the slot. The tasks of a slot are in random order.
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
    """The order of release: flat indices (`place`) into the grid of slots and seats.

    Places with a task come first, and places without a task after them. The last place is a vehicle of the slot after
    the episode, for the observation after the last decision.
    """

    place: Flat
    exists: Bool[np.ndarray, "*batch tasks"]

    def take(self, grid: Grid) -> Shaped[np.ndarray, "*batch tasks"]:
        """Returns the entries of a grid in the order of release."""
        return np.take_along_axis(grid.reshape((*grid.shape[:-2], -1)), self.place, axis=-1)

    def take_rows(self, grid: Shaped[np.ndarray, "*batch slots seats row"]) -> Shaped[np.ndarray, "*batch tasks row"]:
        """Returns the rows of a grid of rows in the order of release."""
        flat = grid.reshape((*grid.shape[:-3], -1, grid.shape[-1]))
        return np.take_along_axis(flat, self.place[..., None], axis=-2)


def releases(draws: Draws, traffic: TrafficBlock, *, probability: float) -> Releases:
    """Returns the order of release of the tasks of episodes.

    The last slot of the traffic only serves the observation after the last decision. At least one vehicle releases a
    task in the first slot, so that every episode begins with a task.

    Args:
        draws: The random draws of the episodes.
        traffic: The traffic of the episodes.
        probability: Probability with which a vehicle releases a task in a slot.
    """
    present = traffic.client_vehicle >= 0
    turn: Float[np.ndarray, "*batch slots seats"] = np.where(present, draws.order, 2.0)
    released = present & (draws.release < probability)
    first = turn[..., :1, :] == turn[..., :1, :].min(axis=-1, keepdims=True)
    released[..., :1, :] |= first & present[..., :1, :]
    slots: int = present.shape[-2]
    seats: int = present.shape[-1]
    slot = np.arange(slots).reshape(-1, 1)
    # Sorted by slot, then by the random order in the slot; places without a task (inf) come last.
    key = np.where(released, slot + 0.5 * draws.order, np.inf)[..., :-1, :]
    key = key.reshape((*key.shape[:-2], -1))
    order = np.argsort(key, axis=-1, kind="stable")
    last = (slots - 1) * seats + turn[..., -1, :].argmin(axis=-1)
    exists = np.isfinite(np.take_along_axis(key, order, axis=-1))
    return Releases(
        place=np.concatenate([order, last[..., None]], axis=-1),
        exists=np.concatenate([exists, present[..., -1, :].any(axis=-1, keepdims=True)], axis=-1),
    )


def leave_slot(vehicle: Int[np.ndarray, "*batch slots seats"]) -> Float[np.ndarray, "*batch slots seats"]:
    """Returns, for each slot and seat, the first slot without the present holder; inf where the holder stays."""
    slots: int = vehicle.shape[-2]
    changes = np.full(vehicle.shape, np.inf)
    changed = vehicle[..., 1:, :] != vehicle[..., :-1, :]
    changes[..., :-1, :] = np.where(changed, np.arange(1.0, slots)[:, None], np.inf)
    return np.minimum.accumulate(changes[..., ::-1, :], axis=-2)[..., ::-1, :]


def next_released(
    state: State, exogenous: Exogenous, epoch: Int[np.ndarray, "batch"], *, overlap: bool
) -> Int[np.ndarray, "batch"]:
    """Returns the next task that is released, from `epoch` on; the number of epochs where there is none.

    Without `overlap`, a vehicle that still runs layers of its last task releases none.
    """
    found, end = epoch.copy(), exogenous.release_s.shape[-1] - 1
    rows = np.flatnonzero(found < end)
    while len(rows):
        place = rows, found[rows]
        release_s, seat = exogenous.release_s[place], exogenous.seat[place]
        no_task = np.isinf(release_s)
        busy = (state.vehicle_free_s[rows, seat] > release_s) & (state.holder[rows, seat] == exogenous.vehicle[place])
        busy &= not overlap
        found[rows] = np.where(no_task, end, found[rows] + busy)
        rows = rows[busy & ~no_task & (found[rows] < end)]
    return found
