"""The content of a picture of `TaskDiversion`: vehicles and their positions, the released task, and the last one."""

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
    """The seats and their vehicles at the present epoch.

    `vehicle` is -1 for an empty seat. `direction` is 1 for driving along the axis of the road, and -1 against it.
    """

    vehicle: Int[np.ndarray, "seats"]
    position_m: Float[np.ndarray, "seats"]
    direction: Int[np.ndarray, "seats"]
    battery: Float[np.ndarray, "seats"]
    busy_s: Float[np.ndarray, "seats"]

    @property
    def held(self) -> Bool[np.ndarray, "seats"]:
        """Which seats have a vehicle."""
        return self.vehicle >= 0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The present state of one environment, as the picture shows it.

    `two_way` says whether any vehicle of the episode drives against the axis. `task` is the task to decide on with its
    request; None when the episode is over. `last` is the last task with its outcome; None before the first decision.
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
        """The positions of the units along the road; see `mobility.axis.roadside_units`."""
        count = self.problem.num_rsus
        return (np.arange(count) - (count - 1) / 2.0) * self.problem.rsu_spacing_m

    @property
    def last_is_here(self) -> bool:
        """Whether the vehicle that decided last still has its seat."""
        return self.last is not None and bool(self.seats.vehicle[self.last[0].seat] == self.last[0].vehicle)

    @property
    def half_m(self) -> float:
        """Half the width of the picture, which holds the observed stretch of road and all units."""
        return 1.05 * max(self.road.range_m, float(self.unit_m[-1]) + 0.15 * self.problem.rsu_range_m)


def scene_of(frame: Frame) -> Scene:
    """Returns the scene of an environment at its present epoch."""
    problem, state, present = cast(TaskDiversion, frame.problem), frame.state, frame.exogenous
    batch_of_one = map_arrays(lambda a: a[None], state), map_arrays(lambda a: a[None], present)
    request = map_arrays(lambda a: a[0, ...], problem.request(*batch_of_one))
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
    """Returns the seats in a slot. After the last slot, vehicles are shown as they would drive on."""
    known = min(slot, problem.episode_slots - 1)
    epochs = np.flatnonzero(episode.slot[:-1] == known)
    epochs = epochs[np.argsort(episode.seat[epochs])]
    present: Exogenous = map_arrays(lambda a: a[epochs], episode)
    now_s = slot * problem.slot_s
    vehicle = np.where(present.leave_s > now_s, present.vehicle, -1)
    # A vehicle that stands still keeps the direction in which it drove during the episode.
    driven = np.array([episode.speed_mps[episode.vehicle == holder].sum() for holder in vehicle])
    has_decided = state.holder == vehicle
    return Seats(
        vehicle=vehicle,
        position_m=present.position_m + present.speed_mps * (slot - known) * problem.slot_s,
        direction=np.where(driven < 0.0, -1, 1),
        battery=np.where(has_decided, state.battery, present.battery),
        busy_s=np.where(has_decided, np.maximum(state.vehicle_free_s - now_s, 0.0), 0.0),
    )


def _last(frame: Frame) -> tuple[Exogenous, Outcome] | None:
    """Returns the task of the last decision and its outcome; None before the first decision.

    The task is found by its effect on the state. When an environment has ended while others of the batch go on, its
    outcome may belong to no decision, and then matches no task.
    """
    if frame.last_outcome is None:
        return None
    problem, outcome, state = cast(TaskDiversion, frame.problem), cast(Outcome, frame.last_outcome), frame.state
    drained = outcome.battery - outcome.task.vehicle_energy_j / (1e3 * problem.battery_capacity_kj)
    level = max(drained, min(problem.battery_floor, outcome.battery))
    seats = np.arange(len(state.holder))
    for epoch in range(frame.epoch - 1, -1, -1):
        task: Exogenous = map_arrays(lambda a, at=epoch: a[at, ...], frame.episode)
        matches = (seats == task.seat) & (state.holder == task.vehicle) & (state.battery == level)
        if (matches & (state.vehicle_free_s == task.release_s + outcome.task.local_s)).any():
            return task, outcome
    return None
