"""Observations of `TaskDiversion`: the features of a released task, scaled to order one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.task_diversion.objective import TaskCost
from vec_envs.problems.task_diversion.records import Exogenous, PerTask, Request

OBSERVATIONS = ("paper", "extended")

# Each feature is divided by its scale, so that it is of order one.
POSITION_SCALE_M = 1000.0
SPEED_SCALE_MPS = 20.0
TIME_SCALE_S = 10.0
CAPACITY_SCALE_GHZ = 10.0
RATE_SCALE_MBPS = 200.0
LENGTH_SCALE = 4.0
WORK_SCALE_GCYCLES = 10.0
DATA_SCALE_MBIT = 10.0
SAVING_SCALE_S = 2.0
MAX_SHARE = 2.0
"""The upper bound of the share of the work that a vehicle can do during a wait."""


@dataclass(frozen=True, kw_only=True)
class TaskObservation:
    """Computes observations that describe `num_units` roadside units, and reads quantities back from them.

    `TaskDiversion.observe` lists the features in their order.

    `observation` is `"paper"` or `"extended"`, as in `TaskDiversion`.
    """

    observation: str
    num_units: int
    costs: TaskCost

    @property
    def size(self) -> int:
        """The number of features."""
        num_extended = 7 if self.observation == "extended" else 0
        return self._first_unit_feature + self._features_per_unit * self.num_units + num_extended

    @property
    def bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature."""
        inf, types = np.inf, len(self.costs.profiles)
        per_unit = [(0, 1), (0, inf), (0, inf), (0, inf)]
        per_task = [(-inf, inf), (-inf, inf), *[(0, 1)] * types, (0, inf), (0, 1), (0, inf), (0, inf)]
        if self.observation == "paper":
            bounds = per_task + per_unit * self.num_units
        else:
            per_unit += [(0, MAX_SHARE), (-inf, inf), (0, 1)]
            bounds = per_task + per_unit * self.num_units
            bounds += [(0, inf), (0, inf), (0, inf), (-inf, inf), (0, inf), (0, inf), (0, 1)]
        low, high = np.array(bounds, np.float32).T
        return low, high

    def of(
        self, exogenous: Exogenous, requests: list[Request], index_s: Float[np.ndarray, "*batch 2"]
    ) -> Float32[np.ndarray, "*batch 1 features"]:
        """Returns the features of a task.

        Args:
            exogenous: The task.
            requests: The task as each described unit would receive it.
            index_s: The last broadcast waits of the two nearest units.
        """
        columns = self._task_features(exogenous, requests[0].battery)
        for request in requests:
            columns += self._unit_features(exogenous, request)
        if self.observation == "extended":
            columns += self._extended_task_features(exogenous, requests[0].battery, index_s)
        return np.stack(columns, axis=-1, dtype=np.float32, casting="same_kind")[..., None, :]

    def dnn_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Int[np.ndarray, "*batch"]:
        """Returns the DNN type of the observed task."""
        return observation[..., 2 : 2 + len(self.costs.profiles)].argmax(axis=-1)

    def battery_of(self, observation: Float32[np.ndarray, "*batch features"]) -> PerTask:
        """Returns the battery level of the vehicle."""
        return observation[..., 3 + len(self.costs.profiles)].astype(np.float64)

    def rates_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Float32[np.ndarray, "*batch units"]:
        """Returns the rates in Mbit/s to the described units; 0 for a unit out of range."""
        first, step = self._first_unit_feature + 1, self._features_per_unit
        return observation[..., first : first + step * self.num_units : step] * np.float32(RATE_SCALE_MBPS)

    def waits_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Float32[np.ndarray, "*batch units"]:
        """Returns the waits in s in the queues of the described units; 0 for a unit out of range."""
        first, step = self._first_unit_feature + 2, self._features_per_unit
        return observation[..., first : first + step * self.num_units : step] * np.float32(TIME_SCALE_S)

    def deadline_of(self, observation: Float32[np.ndarray, "*batch features"]) -> Float32[np.ndarray, "*batch"]:
        """Returns the deadline in s of the observed task."""
        return observation[..., 2 + len(self.costs.profiles)] * np.float32(TIME_SCALE_S)

    @property
    def _first_unit_feature(self) -> int:
        return 6 + len(self.costs.profiles)

    @property
    def _features_per_unit(self) -> int:
        return 4 if self.observation == "paper" else 7

    def _task_features(self, exogenous: Exogenous, battery: PerTask) -> list[np.ndarray]:
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

    def _unit_features(self, exogenous: Exogenous, request: Request) -> list[np.ndarray]:
        in_range = request.asked >= 0
        columns = [
            in_range,
            request.rate_mbps / RATE_SCALE_MBPS,
            request.queue_s / TIME_SCALE_S,
            request.length / LENGTH_SCALE,
        ]
        if self.observation == "paper":
            return columns
        work = self.costs.work_gcycles[exogenous.dnn]
        sending_s = np.divide(
            self.costs.input_mbit[exogenous.dnn], request.rate_mbps, out=np.zeros(work.shape), where=in_range
        )
        saving_s = (self._saving_s(exogenous, request.battery) - request.queue_s - sending_s) * in_range
        done_gcycles = request.queue_s * self.costs.vehicle_ghz
        share = np.divide(done_gcycles, work, out=np.where(done_gcycles > 0.0, np.inf, 0.0), where=work > 0.0)
        layers = self.costs.layers_within(exogenous.dnn, request.queue_s, request.rate_mbps)
        layers_share = layers * in_range / self.costs.num_layers[exogenous.dnn]
        return [*columns, np.minimum(share, MAX_SHARE), saving_s / SAVING_SCALE_S, layers_share]

    def _extended_task_features(
        self, exogenous: Exogenous, battery: PerTask, index_s: Float[np.ndarray, "*batch 2"]
    ) -> list[np.ndarray]:
        in_range = exogenous.rate_mbps > 0.0
        waits_s = np.where(in_range, index_s, 0.0)
        return [
            self.costs.work_gcycles[exogenous.dnn] / WORK_SCALE_GCYCLES,
            self.costs.input_mbit[exogenous.dnn] / DATA_SCALE_MBIT,
            self.costs.weight(battery),
            self._saving_s(exogenous, battery) / SAVING_SCALE_S,
            waits_s[..., 0] / TIME_SCALE_S,
            waits_s[..., 1] / TIME_SCALE_S,
            in_range[..., 1],
        ]

    def _saving_s(self, exogenous: Exogenous, battery: PerTask) -> PerTask:
        """Returns how much less all layers cost at an idle unit than at the vehicle, both at their best speeds."""
        vehicle_s, rsu_s = self.costs.least_cost_per_gcycle_s(battery)
        return self.costs.work_gcycles[exogenous.dnn] * (vehicle_s - rsu_s)
