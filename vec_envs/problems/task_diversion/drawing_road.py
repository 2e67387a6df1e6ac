"""What a picture of `TaskDiversion` shows of a lane's present: who is where, which task is released, which was last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.traffic import Road
from vec_envs.problems.base import Frame
from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.problems.task_diversion.records import Exogenous, Outcome, Request, State
from vec_envs.records import map_arrays


@dataclass(frozen=True, kw_only=True)
class Seats:
    """Who holds the seats at the present: vehicle -1 where nobody does; `way` is 1 along the axis, -1 against it."""

    vehicle: Int[np.ndarray, "seats"]
    position_m: Float[np.ndarray, "seats"]
    way: Int[np.ndarray, "seats"]
    battery: Float[np.ndarray, "seats"]
    busy_s: Float[np.ndarray, "seats"]

    @property
    def held(self) -> Bool[np.ndarray, "seats"]:
        return self.vehicle >= 0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is known of a lane's present.

    `two_way` says whether any vehicle of the episode drives against the axis. `task` is None when the episode is over,
    `last` before the first decision.
    """

    problem: TaskDiversion
    road: Road
    now_s: float
    state: State
    seats: Seats
    two_way: bool
    task: tuple[Exogenous, Request] | None
    last: tuple[Exogenous, Outcome] | None

    @property
    def unit_m(self) -> Float[np.ndarray, "units"]:
        """Where along the road the units stand; see `mobility.axis.roadside_units`."""
        count = self.problem.num_rsus
        return (np.arange(count) - (count - 1) / 2.0) * self.problem.rsu_spacing_m

    @property
    def last_is_here(self) -> bool:
        """Whether the vehicle that decided last still has its seat."""
        return self.last is not None and bool(self.seats.vehicle[self.last[0].seat] == self.last[0].vehicle)

    @property
    def half_m(self) -> float:
        """Half of what is shown: the observed stretch, and all units."""
        return 1.05 * max(self.road.range_m, float(self.unit_m[-1]) + 0.15 * self.problem.rsu_range_m)


def scene_of(frame: Frame) -> Scene:
    """Returns what is known of the present epoch of a lane. Raises `RuntimeError` before the first reset."""
    problem, state, present = cast(TaskDiversion, frame.problem), frame.state, frame.exogenous
    one = map_arrays(lambda a: a[None], state), map_arrays(lambda a: a[None], present)
    request = map_arrays(lambda a: a[0, ...], problem.request(*one))
    return Scene(
        problem=problem,
        road=frame.road,
        now_s=float(present.slot * problem.slot_s),
        state=state,
        seats=_seats(problem, state, frame.episode, int(present.slot)),
        two_way=bool((frame.episode.speed_mps < 0.0).any()),
        task=None if frame.ended else (present, request),
        last=_last(frame),
    )


def _seats(problem: TaskDiversion, state: State, episode: Exogenous, slot: int) -> Seats:
    """Returns the seats in a slot. After the last one vehicles are shown as they go on from there."""
    known = min(slot, problem.episode_slots - 1)
    epochs = np.flatnonzero(episode.slot[:-1] == known)
    epochs = epochs[np.argsort(episode.seat[epochs])]
    here: Exogenous = map_arrays(lambda a: a[epochs], episode)
    now_s = slot * problem.slot_s
    vehicle = np.where(here.leave_s > now_s, here.vehicle, -1)
    # One that stands has no direction of its own now, but it drove here.
    driven = np.array([episode.speed_mps[episode.vehicle == holder].sum() for holder in vehicle])
    same = state.holder == vehicle
    return Seats(
        vehicle=vehicle,
        position_m=here.position_m + here.speed_mps * (slot - known) * problem.slot_s,
        way=np.where(driven < 0.0, -1, 1),
        battery=np.where(same, state.battery, here.battery),
        busy_s=np.where(same, np.maximum(state.vehicle_free_s - now_s, 0.0), 0.0),
    )


def _last(frame: Frame) -> tuple[Exogenous, Outcome] | None:
    """Returns the task that was decided last and its outcome.

    It is the task whose traces are in the state: after its end an environment keeps no outcome while others go on.
    """
    if frame.last_outcome is None:
        return None
    problem, outcome, state = cast(TaskDiversion, frame.problem), cast(Outcome, frame.last_outcome), frame.state
    drained = outcome.battery - outcome.task.vehicle_energy_j / (1e3 * problem.battery_capacity_kj)
    level = max(drained, min(problem.battery_floor, outcome.battery))
    seats = np.arange(len(state.holder))
    for epoch in range(frame.epoch - 1, -1, -1):
        task: Exogenous = map_arrays(lambda a, at=epoch: a[at, ...], frame.episode)
        traces = (seats == task.seat) & (state.holder == task.vehicle) & (state.battery == level)
        if (traces & (state.vehicle_free_s == task.release_s + outcome.task.local_s)).any():
            return task, outcome
    return None
