"""The global state of `TaskDiversion` at the beginning of a slot, for `state()` in PettingZoo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.problems.task_diversion.observation import (
    LENGTH_SCALE,
    POSITION_SCALE_M,
    RATE_SCALE_MBPS,
    SPEED_SCALE_MPS,
    TIME_SCALE_S,
)
from vec_envs.problems.task_diversion.records import Exogenous, State
from vec_envs.problems.task_diversion.request import Requests, battery_level


@dataclass(frozen=True, kw_only=True)
class SlotState:
    """Computes the global state, in the scales of the observation.

    - Of each roadside unit: the wait in its queue, the length of its queue, and the wait that it broadcast last.
    - Of each seat: whether a vehicle holds it, the vehicle's position and speed along the road, its battery level (0
      where it is not known before the first task), and how long it still computes.
    - Of each seat's task: its turn in the slot, from 1 on (0 without a task), the DNN type (one-hot), the deadline, and
      the rate to each roadside unit (0 where the unit is out of range or not one of the two nearest).
    """

    num_units: int
    num_seats: int
    num_types: int
    requests: Requests

    @property
    def size(self) -> int:
        """The number of features."""
        return 3 * self.num_units + self.num_seats * (7 + self.num_types + self.num_units)

    def of(
        self, state: State, due: Sequence[Exogenous], traffic: TrafficBlock, slot: int
    ) -> Float32[np.ndarray, "features"]:
        """Returns the features of one environment: `state` and `due` have a batch axis of length 1."""
        now_s = slot * self.requests.slot_s
        index_s, _ = self.requests.broadcast(state, np.array([slot]))
        units = (
            np.maximum(state.rsu_free_s[0] - now_s, 0.0) / TIME_SCALE_S,
            np.count_nonzero(state.task_end_s[0] > now_s, axis=-1) / LENGTH_SCALE,
            index_s[0] / TIME_SCALE_S,
        )
        vehicle = traffic.client_vehicle[slot]
        knows = (state.holder[0] == vehicle) & (vehicle >= 0)
        seats = np.stack(
            (
                vehicle >= 0,
                traffic.client_position_m[slot] / POSITION_SCALE_M,
                traffic.client_speed_mps[slot] / SPEED_SCALE_MPS,
                np.where(knows, state.battery[0], 0.0),
                np.where(knows, np.maximum(state.vehicle_free_s[0] - now_s, 0.0), 0.0) / TIME_SCALE_S,
            ),
            axis=-1,
        )
        tasks = np.zeros((self.num_seats, 2 + self.num_types + self.num_units))
        for turn, task in enumerate(due):
            seat, rates = int(task.seat[0]), tasks[task.seat[0], 2 + self.num_types :]
            tasks[seat, :2] = 1 + turn, task.deadline_s[0] / TIME_SCALE_S
            tasks[seat, 2 + int(task.dnn[0])] = 1.0
            rates[task.unit[0]] = task.rate_mbps[0] / RATE_SCALE_MBPS
            seats[seat, 3] = battery_level(state, task)[0]
        return np.concatenate((*units, seats.ravel(), tasks.ravel()), dtype=np.float32, casting="same_kind")
