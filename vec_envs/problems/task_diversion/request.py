"""Which of the two nearest roadside units a vehicle of `TaskDiversion` asks, and what that unit then knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.physics import diversion
from vec_envs.problems.task_diversion.records import QUEUE_SEEN, Exogenous, PerTask, Request, State
from vec_envs.records import pick

DIVERSIONS = ("probability", "shortest", "nearest", "chosen")


@dataclass(frozen=True, kw_only=True)
class Requests:
    """How requests are made: the kind of diversion, and how often units broadcast how long one waits at them."""

    kind: str
    broadcast_slots: int
    slot_s: float

    def request(self, state: State, exogenous: Exogenous, asked: Int[np.ndarray, "*batch"]) -> Request:
        """Returns what the unit that is asked knows, the nearest (0), the second (1) or none (-1).

        Paper: RTD Eq. (17).
        Differs: a wait holds the time a unit idles until a queued task's data arrive; the paper's sum leaves it out.
        """
        link = np.maximum(asked, 0)
        rate_mbps, unit = pick(exogenous.rate_mbps, link), pick(exogenous.unit, link)
        in_range = (asked >= 0) & (rate_mbps > 0.0)
        now_s = np.where(np.isfinite(exogenous.release_s), exogenous.release_s, 0.0)
        free_s, ends_s = pick(state.rsu_free_s, unit), _ends(state, unit)
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
        """Returns which of the two nearest units is asked where no action chooses: 0, 1, or -1 for none in range."""
        heard = exogenous.rate_mbps > 0.0
        none = np.full(exogenous.dnn.shape, -1)
        if self.kind in ("nearest", "chosen"):
            return np.where(heard[..., 0], 0, np.where(heard[..., 1], 1, none))
        largest = largest_mbit[exogenous.dnn]
        predicted_s = diversion.predicted_wait_s(largest, exogenous.rate_mbps, self.index_s(state, exogenous))
        if self.kind == "shortest":
            return np.where(heard.any(axis=-1), predicted_s.argmin(axis=-1), none)
        first = diversion.request_probabilities(predicted_s)[..., 0]
        return np.where(heard.any(axis=-1), (exogenous.diversion_draw >= first).astype(np.int64), none)

    def index_s(self, state: State, exogenous: Exogenous) -> Float[np.ndarray, "*batch 2"]:
        """Returns the waits of the two nearest units as they were last broadcast.

        Paper: RTD Eq. (22).
        Differs: a vehicle measures its own channel and knows where units stand, so the wait is all that must be sent.
        """
        return pick(self.broadcast(state, exogenous)[0], exogenous.unit)

    def broadcast(
        self, state: State, exogenous: Exogenous
    ) -> tuple[Float[np.ndarray, "*batch units"], Int[np.ndarray, "*batch"]]:
        """Returns the last broadcast at the time of a task, and its number: what was decided since is not in it."""
        number = exogenous.slot // self.broadcast_slots
        began_s = number * (self.broadcast_slots * self.slot_s)
        anew = np.maximum(state.rsu_free_s - began_s[..., None], 0.0)
        return np.where((number > state.index_number)[..., None], anew, state.index_wait_s), number


def battery_level(state: State, exogenous: Exogenous) -> PerTask:
    """Returns the vehicle's battery level: what it brought along, where it has had no task yet."""
    known = pick(state.holder, exogenous.seat) == exogenous.vehicle
    return np.where(known, pick(state.battery, exogenous.seat), exogenous.battery)


def chosen(second: Bool[np.ndarray, "*batch"], heard: Bool[np.ndarray, "*batch 2"]) -> Int[np.ndarray, "*batch"]:
    """Returns the unit that an action chooses; the other one where it is out of range, -1 where both are."""
    second = np.where(heard.all(axis=-1), second, heard[..., 1])
    return np.where(heard.any(axis=-1), second.astype(np.int64), -1)


def with_task(
    state: State, unit: Int[np.ndarray, "*batch"], end_s: PerTask, offloaded: Bool[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch units remembered"]:
    """Returns the ends of the units' tasks with a new one where something is offloaded; the oldest is forgotten."""
    units: int = state.rsu_free_s.shape[-1]
    newest = np.broadcast_to(end_s[..., None, None], (*state.rsu_free_s.shape, 1))
    pushed = np.concatenate([state.task_end_s[..., 1:], newest], axis=-1)
    gets = np.logical_and(offloaded[..., None], np.equal(np.arange(units), unit[..., None]))
    return np.where(gets[..., None], pushed, state.task_end_s)


def _ends(state: State, unit: Int[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch remembered"]:
    places = unit[..., None] * QUEUE_SEEN + np.arange(QUEUE_SEEN)
    return pick(state.task_end_s.reshape((*unit.shape, -1)), places)
