"""Requests of `TaskDiversion`: which of the two nearest roadside units a vehicle asks, and what the unit receives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.physics import diversion
from vec_envs.problems.task_diversion.records import MAX_QUEUE_LENGTH, Exogenous, PerTask, Request, State
from vec_envs.records import pick

DIVERSIONS = ("probability", "shortest", "nearest", "chosen")


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Selects the unit that is asked, and builds the request to it.

    The options `diversion`, `broadcast_slots` and `slot_s` are documented in `TaskDiversion`.
    """

    diversion: str
    broadcast_slots: int
    slot_s: float

    def request(self, state: State, exogenous: Exogenous, asked: Int[np.ndarray, "*batch"]) -> Request:
        """Returns the request to the nearest unit (`asked` 0), to the second nearest (1), or to none (-1).

        Paper: RTD Eq. (17).
        Differs: a wait includes the time a unit idles until a queued task's data arrive; the paper's sum omits it.
        """
        link = np.maximum(asked, 0)
        rate_mbps, unit = pick(exogenous.rate_mbps, link), pick(exogenous.unit, link)
        in_range = (asked >= 0) & (rate_mbps > 0.0)
        now_s = np.where(np.isfinite(exogenous.release_s), exogenous.release_s, 0.0)
        free_s, ends_s = pick(state.rsu_free_s, unit), _task_ends_s(state, unit)
        return Request(
            asked=np.where(in_range, asked, -1),
            unit=np.where(in_range, unit, -1),
            rate_mbps=rate_mbps * in_range,
            queue_s=np.maximum(free_s - now_s, 0.0) * in_range,
            length=np.count_nonzero(ends_s > now_s[..., None], axis=-1) * in_range,
            battery=battery_level(state, exogenous),
        )

    def asked(
        self, state: State, exogenous: Exogenous, largest_mbit: Float[np.ndarray, "types"]
    ) -> Int[np.ndarray, "*batch"]:
        """Returns which of the two nearest units is asked: 0, 1, or -1 where none is in range.

        With `diversion="chosen"` this is the nearest unit in range, because the action is not known here.
        """
        in_range = exogenous.rate_mbps > 0.0
        none = np.full(exogenous.dnn.shape, -1)
        if self.diversion in ("nearest", "chosen"):
            return np.where(in_range[..., 0], 0, np.where(in_range[..., 1], 1, none))
        largest = largest_mbit[exogenous.dnn]
        predicted_s = diversion.predicted_wait_s(largest, exogenous.rate_mbps, self.index_s(state, exogenous))
        if self.diversion == "shortest":
            return np.where(in_range.any(axis=-1), predicted_s.argmin(axis=-1), none)
        nearest_probability = diversion.request_probabilities(predicted_s)[..., 0]
        second = (exogenous.diversion_draw >= nearest_probability).astype(np.int64)
        return np.where(in_range.any(axis=-1), second, none)

    def index_s(self, state: State, exogenous: Exogenous) -> Float[np.ndarray, "*batch 2"]:
        """Returns the last broadcast waits in s of the two nearest units.

        Paper: RTD Eq. (22).
        Differs: units broadcast only their queueing wait: vehicles measure their channel and know where the units are.
        """
        return pick(self.broadcast(state, exogenous.slot)[0], exogenous.unit)

    def broadcast(
        self, state: State, slot: Int[np.ndarray, "*batch"]
    ) -> tuple[Float[np.ndarray, "*batch units"], Int[np.ndarray, "*batch"]]:
        """Returns the last broadcast up to a slot, and its number; later decisions do not change a broadcast."""
        number = slot // self.broadcast_slots
        broadcast_s = number * (self.broadcast_slots * self.slot_s)
        new_wait_s = np.maximum(state.rsu_free_s - broadcast_s[..., None], 0.0)
        return np.where((number > state.index_number)[..., None], new_wait_s, state.index_wait_s), number


def battery_level(state: State, exogenous: Exogenous) -> PerTask:
    """Returns the vehicle's battery level; the level on entry where it has not decided on a task yet."""
    has_decided = pick(state.holder, exogenous.seat) == exogenous.vehicle
    return np.where(has_decided, pick(state.battery, exogenous.seat), exogenous.battery)


def chosen_unit(
    second: Bool[np.ndarray, "*batch"], in_range: Bool[np.ndarray, "*batch 2"]
) -> Int[np.ndarray, "*batch"]:
    """Returns which of the two nearest units an action chooses.

    The other unit is taken where the chosen one is out of range; -1 where both are.
    """
    second = np.where(in_range.all(axis=-1), second, in_range[..., 1])
    return np.where(in_range.any(axis=-1), second.astype(np.int64), -1)


def queue_with_task(
    state: State, unit: Int[np.ndarray, "*batch"], end_s: PerTask, offloaded: Bool[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch units remembered"]:
    """Returns `State.task_end_s` with a new task at `unit` where one is offloaded; the oldest entry is dropped."""
    units: int = state.rsu_free_s.shape[-1]
    newest = np.broadcast_to(end_s[..., None, None], (*state.rsu_free_s.shape, 1))
    pushed = np.concatenate([state.task_end_s[..., 1:], newest], axis=-1)
    receives = np.logical_and(offloaded[..., None], np.equal(np.arange(units), unit[..., None]))
    return np.where(receives[..., None], pushed, state.task_end_s)


def _task_ends_s(state: State, unit: Int[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch remembered"]:
    places = unit[..., None] * MAX_QUEUE_LENGTH + np.arange(MAX_QUEUE_LENGTH)
    return pick(state.task_end_s.reshape((*unit.shape, -1)), places)
