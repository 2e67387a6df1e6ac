"""What is seen of a released task of `TaskDiversion`, as numbers of order one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.task_diversion.objective import TaskCost
from vec_envs.problems.task_diversion.records import Exogenous, PerTask, Request

OBSERVATIONS = ("paper", "extended")

POSITION_SCALE_M = 1000.0
SPEED_SCALE_MPS = 20.0
TIME_SCALE_S = 10.0
CAPACITY_SCALE_GHZ = 10.0
RATE_SCALE_MBPS = 200.0
LENGTH_SCALE = 4.0
WORK_SCALE_GCYCLES = 10.0
DATA_SCALE_MBIT = 10.0
SAVING_SCALE_S = 2.0
LARGEST_SHARE = 2.0


@dataclass(frozen=True, kw_only=True)
class TaskObservation:
    """How a task is seen: `kind` of observation, of so many `units`."""

    kind: str
    units: int
    costs: TaskCost

    @property
    def size(self) -> int:
        """Number of features."""
        return self._units_from + self._of_each_unit * self.units + (7 if self.kind == "extended" else 0)

    def of(
        self, exogenous: Exogenous, requests: list[Request], index_s: Float[np.ndarray, "*batch 2"]
    ) -> Float32[np.ndarray, "*batch 1 features"]:
        """Returns the features of a task, given what the units that may be asked know, and the broadcast waits."""
        columns = self._of_task(exogenous, requests[0].battery)
        for request in requests:
            columns += self._of_unit(exogenous, request)
        if self.kind == "extended":
            columns += self._more_of_task(exogenous, requests[0].battery, index_s)
        return np.stack(columns, axis=-1, dtype=np.float32, casting="same_kind")[..., None, :]

    def dnn_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Int[np.ndarray, "*batch"]:
        """Returns the DNN type of the task that is seen."""
        return observation[..., 2 : 2 + len(self.costs.profiles)].argmax(axis=-1)

    def battery_of(self, observation: Float32[np.ndarray, "*batch features"]) -> PerTask:
        """Returns the battery level of the vehicle that is seen."""
        return observation[..., 3 + len(self.costs.profiles)].astype(np.float64)

    def rates_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Float32[np.ndarray, "*batch units"]:
        """Returns the rates in Mbit/s to the units that may be asked, 0 out of range."""
        first, step = self._units_from + 1, self._of_each_unit
        return observation[..., first : first + step * self.units : step] * np.float32(RATE_SCALE_MBPS)

    def waits_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Float32[np.ndarray, "*batch units"]:
        """Returns the waits in s at the units that may be asked, 0 out of range."""
        first, step = self._units_from + 2, self._of_each_unit
        return observation[..., first : first + step * self.units : step] * np.float32(TIME_SCALE_S)

    def deadline_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Float32[np.ndarray, "*batch"]:
        """Returns the deadline in s of the task that is seen."""
        return observation[..., 2 + len(self.costs.profiles)] * np.float32(TIME_SCALE_S)

    @property
    def _units_from(self) -> int:
        return 6 + len(self.costs.profiles)

    @property
    def _of_each_unit(self) -> int:
        return 4 if self.kind == "paper" else 7

    def _of_task(self, exogenous: Exogenous, battery: PerTask) -> list[np.ndarray]:
        dnn = exogenous.dnn
        return [
            exogenous.position_m / POSITION_SCALE_M,
            exogenous.speed_mps / SPEED_SCALE_MPS,
            *(dnn == k for k in range(len(self.costs.profiles))),
            exogenous.deadline_s / TIME_SCALE_S,
            battery,
            np.full(dnn.shape, self.costs.vehicle_ghz / CAPACITY_SCALE_GHZ),
            np.full(dnn.shape, self.costs.rsu_ghz / CAPACITY_SCALE_GHZ),
        ]

    def _of_unit(self, exogenous: Exogenous, request: Request) -> list[np.ndarray]:
        in_range = request.asked >= 0
        columns = [
            in_range,
            request.rate_mbps / RATE_SCALE_MBPS,
            request.queue_s / TIME_SCALE_S,
            request.length / LENGTH_SCALE,
        ]
        if self.kind == "paper":
            return columns
        work = self.costs.work_gcycles[exogenous.dnn]
        sending_s = np.divide(
            self.costs.input_mbit[exogenous.dnn], request.rate_mbps, out=np.zeros(work.shape), where=in_range
        )
        saving_s = (self._saving_s(exogenous, request.battery) - request.queue_s - sending_s) * in_range
        in_wait = request.queue_s * self.costs.vehicle_ghz
        share = np.divide(in_wait, work, out=np.where(in_wait > 0.0, np.inf, 0.0), where=work > 0.0)
        layers = self.costs.layers_within(exogenous.dnn, request.queue_s, request.rate_mbps)
        reached = layers * in_range / self.costs.num_layers[exogenous.dnn]
        return [*columns, np.minimum(share, LARGEST_SHARE), saving_s / SAVING_SCALE_S, reached]

    def _more_of_task(
        self, exogenous: Exogenous, battery: PerTask, index_s: Float[np.ndarray, "*batch 2"]
    ) -> list[np.ndarray]:
        heard = exogenous.rate_mbps > 0.0
        waits_s = np.where(heard, index_s, 0.0)
        return [
            self.costs.work_gcycles[exogenous.dnn] / WORK_SCALE_GCYCLES,
            self.costs.input_mbit[exogenous.dnn] / DATA_SCALE_MBIT,
            self.costs.weight(battery),
            self._saving_s(exogenous, battery) / SAVING_SCALE_S,
            waits_s[..., 0] / TIME_SCALE_S,
            waits_s[..., 1] / TIME_SCALE_S,
            heard[..., 1],
        ]

    def _saving_s(self, exogenous: Exogenous, battery: PerTask) -> PerTask:
        """Returns what all layers cost less at an idle unit than at the vehicle, each at its best speed."""
        own, unit = self.costs.prices_s(battery)
        return self.costs.work_gcycles[exogenous.dnn] * (own - unit)
