"""The records of `TaskDiversion`: state, exogenous record, draws, requests and outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from jaxtyping import Real as RealArray

MAX_QUEUE_LENGTH = 32
"""Number of tasks at a roadside unit whose end times are stored. A longer queue is observed with this length."""

PerTask = Float[np.ndarray, "*batch"]


@dataclass(frozen=True, kw_only=True)
class State:
    """The queues of the units, the seats of the vehicles, and the last broadcast.

    Times count from the beginning of the episode.

    - `rsu_free_s`: when each unit has finished its queue.
    - `task_end_s`: when the last tasks of each unit end, the newest last.
    - `index_wait_s`, `index_number`: the waits that the units broadcast last, and the number of that broadcast.
    - `holder`: the vehicle that last decided on a task in each seat; -1 before the first one. A vehicle that has not
      decided yet has the battery level `Exogenous.battery`.
    - `battery`, `vehicle_free_s`: the holder's battery level, and when it has finished computing.

    Paper: RTD Eq. (16).
    Differs: a queue is stored as the end times of its tasks, which follow from their order and speeds.
    """

    rsu_free_s: Float[np.ndarray, "*batch units"]
    task_end_s: Float[np.ndarray, "*batch units remembered"]
    index_wait_s: Float[np.ndarray, "*batch units"]
    index_number: Int[np.ndarray, "*batch"]
    holder: Int[np.ndarray, "*batch seats"]
    battery: Float[np.ndarray, "*batch seats"]
    vehicle_free_s: Float[np.ndarray, "*batch seats"]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """A released task: everything about it that does not depend on decisions.

    - `release_s`: when the task is released; inf where there is no task.
    - `battery`: the level with which the vehicle entered.
    - `unit`: the two nearest roadside units, the nearest first.
    - `rate_mbps`: the rates to them; 0 for a unit out of range.
    - `diversion_draw`: the uniform random number that selects one of them.
    - `leave_s`: when the vehicle leaves the road; inf where the episode ends before.

    Paper: RTD Eq. (1).
    """

    slot: Int[np.ndarray, "*batch"]
    release_s: PerTask
    seat: Int[np.ndarray, "*batch"]
    vehicle: Int[np.ndarray, "*batch"]
    dnn: Int[np.ndarray, "*batch"]
    deadline_s: PerTask
    battery: PerTask
    position_m: PerTask
    speed_mps: PerTask
    unit: Int[np.ndarray, "*batch 2"]
    rate_mbps: Float[np.ndarray, "*batch 2"]
    diversion_draw: PerTask
    leave_s: PerTask


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random draws of an episode by slot and seat, uniform in [0, 1) except for the fading power."""

    release: Float[np.ndarray, "*batch slots seats"]
    order: Float[np.ndarray, "*batch slots seats"]
    dnn: Float[np.ndarray, "*batch slots seats"]
    deadline: Float[np.ndarray, "*batch slots seats"]
    battery: Float[np.ndarray, "*batch slots seats"]
    diversion: Float[np.ndarray, "*batch slots seats"]
    fading_power: Float[np.ndarray, "*batch slots seats units"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A task as the roadside unit receives it.

    - `asked`: which of the two nearest units receives it: 0, 1, or -1 where none is in range.
    - `unit`: the index of that unit; -1 where none is in range.
    - `rate_mbps`, `queue_s`, `length`: the rate to it, the wait in its queue and the number of tasks in its queue; 0
      where none is in range.
    - `battery`: the battery level of the vehicle.
    """

    asked: Int[np.ndarray, "*batch"]
    unit: Int[np.ndarray, "*batch"]
    rate_mbps: PerTask
    queue_s: PerTask
    length: Int[np.ndarray, "*batch"]
    battery: PerTask


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """Time, energy and cost of tasks, in the broadcast shape of the arguments of `task_outcome`.

    - `time_s`: time from release to completion. `missed`: whether it is longer than the deadline.
    - `start_s`: time from release to the start at the roadside unit.
    - `local_s`, `transmit_s`, `rsu_service_s`: time of the vehicle's part, of sending, and of the unit's part.
    - `energy_j`: weighted energy as in Eq. (19). `vehicle_energy_j`, `rsu_energy_j`: energy without weights.
    """

    time_s: RealArray[np.ndarray, "*tasks"]
    energy_j: RealArray[np.ndarray, "*tasks"]
    cost: RealArray[np.ndarray, "*tasks"]
    missed: Bool[np.ndarray, "*tasks"]
    local_s: RealArray[np.ndarray, "*tasks"]
    transmit_s: RealArray[np.ndarray, "*tasks"]
    start_s: RealArray[np.ndarray, "*tasks"]
    rsu_service_s: RealArray[np.ndarray, "*tasks"]
    vehicle_energy_j: RealArray[np.ndarray, "*tasks"]
    rsu_energy_j: RealArray[np.ndarray, "*tasks"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a decision: time, energy and cost of the task, the decoded action, and the reward.

    - `unit`: the roadside unit that was asked; -1 where none was in range.
    - `offloaded`: whether that unit runs any layer.
    - `failed`: whether the vehicle left before the result came; see `TaskDiversion.on_leaving`.
    - `queue_s`, `battery`: the wait in the unit's queue and the vehicle's battery level at the release.
    """

    task: TaskOutcome
    dnn: Int[np.ndarray, "*batch"]
    cut: Int[np.ndarray, "*batch"]
    vehicle_ghz: PerTask
    rsu_ghz: PerTask
    unit: Int[np.ndarray, "*batch"]
    offloaded: Bool[np.ndarray, "*batch"]
    failed: Bool[np.ndarray, "*batch"]
    queue_s: PerTask
    battery: PerTask
    reward: PerTask
