"""The records of `TaskDiversion`: what its functions take and return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from jaxtyping import Real as RealArray

QUEUE_SEEN = 32
"""Tasks at a roadside unit whose ends are remembered: the length of a longer queue is seen as this."""

PerTask = Float[np.ndarray, "*batch"]


@dataclass(frozen=True, kw_only=True)
class State:
    """Roadside units, vehicles, and what was last broadcast. Times are since the episode began.

    A seat without a holder yet has `holder` -1: the vehicle brings its battery along (`Exogenous.battery`).

    Paper: RTD Eq. (16).
    Differs: a queue is kept as the times its tasks end, which its order and their speeds fix.
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
    """One task, as its vehicle releases it: all of it that no decision changes.

    `release_s` is inf where there is no task. `unit` are the two nearest roadside units, the nearest first; the rate to
    one out of range is 0. `battery` is the level with which the vehicle came, `draws` the uniform number that decides
    which unit it asks, `leave_s` when it leaves the road, inf where the episode ends before.

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
    """The raw draws of an episode, slot by slot and seat by seat, uniform in [0, 1) but for the fading power."""

    release: Float[np.ndarray, "*batch slots seats"]
    order: Float[np.ndarray, "*batch slots seats"]
    dnn: Float[np.ndarray, "*batch slots seats"]
    deadline: Float[np.ndarray, "*batch slots seats"]
    battery: Float[np.ndarray, "*batch slots seats"]
    diversion: Float[np.ndarray, "*batch slots seats"]
    fading_power: Float[np.ndarray, "*batch slots seats units"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A task as the roadside unit that is asked gets it.

    `asked` is which of the two nearest units that is: 0, 1, or -1 where none is in range; then `unit` is -1, and rate
    and wait of its queue are 0. `battery` is the vehicle's level.
    """

    asked: Int[np.ndarray, "*batch"]
    unit: Int[np.ndarray, "*batch"]
    rate_mbps: PerTask
    queue_s: PerTask
    length: Int[np.ndarray, "*batch"]
    battery: PerTask


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """What a task takes, in the common shape of what was asked.

    `start_s` is when the roadside unit starts on it, `time_s` when it is done, both after its release. `energy_j` is
    weighted as in Eq. (19); `vehicle_energy_j` and `rsu_energy_j` are what is spent.
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
    """What a decision brought: the task's cost, and how it came about.

    `unit` is the roadside unit asked (-1: none in range), `offloaded` whether it got anything, `queue_s` the wait of
    its queue at the release, `failed` whether the vehicle left before the result came, `battery` the level at the
    release.
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
