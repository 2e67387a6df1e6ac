"""The objective of `TaskDiversion`: time, energy and cost of a task, its reward, and the speeds of least cost.

With w the weight of the vehicle's energy, running C Gcycles at f GHz costs C / f + w beta kappa C f^2. The minimum is
at f = (2 w beta kappa)^(-1/3), which does not depend on C. So the least cost of a Gcycle at the vehicle is known in
closed form. The least cost at the unit follows with w = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Float, Int, Real

from vec_envs.dnn.processors import Processors, work_by_cut
from vec_envs.dnn.profile import DNNProfile, by_type
from vec_envs.physics import energy, offloading
from vec_envs.problems.task_diversion.records import TaskOutcome

Tasks = dict[str, np.ndarray]
Weights = Float[np.ndarray, "*tasks"]

_BOUNDS = {
    "queue_s": "finite and at least 0 where something is sent (a cut below the number of layers)",
    "battery": "in (0, 1]",
    "deadline_s": "above 0",
    "rate_mbps": "above 0 where something is sent (a cut below the number of layers)",
}


class TaskParts(NamedTuple):
    """Time, energy and cost of tasks with their components: arrays or tensors of equal shape.

    Fields with a name in `TaskOutcome` have the same meaning. `service_s` corresponds to `rsu_service_s` there.
    """

    time_s: Any
    energy_j: Any
    cost: Any
    local_s: Any
    start_s: Any
    service_s: Any
    vehicle_j: Any
    rsu_j: Any


def task_reward(cost: Any, penalised: Any, *, offset_s: Any, deadline_penalty: float) -> Any:
    """Returns the rewards of tasks; arrays or tensors.

    `penalised` is True for tasks that miss their deadline or are lost. `offset_s` does not depend on the decision.

    Paper: RTD Eq. (28).
    Differs: an optional penalty is subtracted for tasks that miss their deadline or are lost.
    """
    return offset_s - cost - deadline_penalty * penalised


@dataclass(frozen=True, kw_only=True)
class TaskCost:
    """The cost model: computes time, energy and cost of tasks of the DNN types in `profiles`.

    `min_ghz` is the minimum speed of both sides; `vehicle_ghz` and `rsu_ghz` are their maximum speeds. Without
    `battery_factor`, the weight of a vehicle's energy is always 1.
    """

    profiles: tuple[DNNProfile, ...]
    beta: float
    kappa_j_per_gcycle_ghz2: float
    transmit_power_w: float
    battery_factor: bool
    min_ghz: float
    vehicle_ghz: float
    rsu_ghz: float
    processors: Processors | None = None

    def of(self, tasks: Tasks) -> TaskOutcome:
        """Returns time, energy and cost of tasks, given by the arrays that `checked` returns."""
        dnn, cut, queue_s = tasks["dnn"], tasks["cut"], tasks["queue_s"].astype(np.float64)
        sends = cut < self.num_layers[dnn]
        local, edge, sent = (table[dnn, cut] for table in self.by_cut)
        transmit_s = offloading.transmit_s(sent, tasks["rate_mbps"].astype(np.float64))
        parts = self.parts(
            local_gcycles=local,
            edge_gcycles=edge,
            sending_s=transmit_s,
            sends=sends,
            wait_s=queue_s,
            weight=self.weight(tasks["battery"]),
            vehicle_ghz=tasks["vehicle_ghz"],
            rsu_ghz=tasks["rsu_ghz"].astype(np.float64),
        )
        return TaskOutcome(
            time_s=parts.time_s,
            energy_j=parts.energy_j,
            cost=parts.cost,
            missed=np.asarray(parts.time_s > tasks["deadline_s"]),
            local_s=parts.local_s,
            transmit_s=transmit_s,
            start_s=parts.start_s,
            rsu_service_s=parts.service_s,
            vehicle_energy_j=parts.vehicle_j,
            rsu_energy_j=parts.rsu_j,
        )

    def parts(
        self,
        *,
        local_gcycles: Any,
        edge_gcycles: Any,
        sending_s: Any,
        sends: Any,
        wait_s: Any,
        weight: Any,
        vehicle_ghz: Any,
        rsu_ghz: Any,
    ) -> TaskParts:
        """Returns time, energy and cost of tasks. Takes arrays or tensors; tensors stay differentiable.

        Args:
            local_gcycles: Work of the vehicle.
            edge_gcycles: Work of the roadside unit.
            sending_s: Time to send the data to the unit.
            sends: Whether anything is sent.
            wait_s: Wait in the unit's queue.
            weight: Weight of the vehicle's energy.
            vehicle_ghz: Speed of the vehicle.
            rsu_ghz: Speed of the unit.

        Paper: RTD Eqs. (18), (19).
        Differs: P_d = P_g: a task is decided when it is generated. An all-local task does not wait for a unit.
        """
        xp = array_namespace(local_gcycles, vehicle_ghz)
        local_s = local_gcycles / vehicle_ghz
        ready_s = local_s + sending_s
        service_s = edge_gcycles / xp.where(sends, rsu_ghz, xp.ones_like(rsu_ghz))
        start_s = xp.where(sends, xp.maximum(wait_s, ready_s), ready_s)
        kappa = {"kappa_j_per_gcycle_ghz2": self.kappa_j_per_gcycle_ghz2}
        vehicle_j = energy.compute_energy_j(local_gcycles, vehicle_ghz, **kappa)
        vehicle_j = vehicle_j + energy.transmit_energy_j(sending_s, transmit_power_w=self.transmit_power_w)
        rsu_j = energy.compute_energy_j(edge_gcycles, xp.where(sends, rsu_ghz, xp.ones_like(rsu_ghz)), **kappa)
        time_s, energy_j = start_s + service_s, weight * vehicle_j + rsu_j
        return TaskParts(
            time_s=time_s,
            energy_j=energy_j,
            cost=time_s + self.beta * energy_j,
            local_s=local_s,
            start_s=start_s,
            service_s=service_s,
            vehicle_j=vehicle_j,
            rsu_j=rsu_j,
        )

    def reward_offset_s(
        self, reward: str, dnn: Int[np.ndarray, "*tasks"], battery: Weights
    ) -> Float[np.ndarray, "*tasks"]:
        """Returns the part of the reward that no decision on the task changes.

        It is 0 for `reward="cost"`. For `"excess"` it is the cost of all layers at least cost, at the vehicle or at an
        idle unit, whichever is less.
        """
        if reward == "cost":
            return np.zeros(dnn.shape)
        vehicle_s, rsu_s = self.least_cost_per_gcycle_s(battery)
        return self.work_gcycles[dnn] * np.minimum(vehicle_s, rsu_s)

    def checked(self, tasks: dict[str, Real[np.ndarray, "*#tasks"] | float | int]) -> Tasks:
        """Returns the arguments of `of`, broadcast to a common shape with at least one axis.

        Raises:
            ValueError: With the value and what is allowed, for the first argument that is wrong.
        """
        integers = ("dnn", "cut")
        values = [np.asarray(value, dtype=None if name in integers else np.float64) for name, value in tasks.items()]
        arrays = dict(zip(tasks, map(np.atleast_1d, np.broadcast_arrays(*values)), strict=True))
        dnn, cut = arrays["dnn"], arrays["cut"]
        if dnn.dtype.kind not in "iu" or ((dnn < 0) | (dnn >= len(self.profiles))).any():
            raise ValueError(f"dnn={dnn} must be integers from 0 to {len(self.profiles) - 1}")
        layers = self.num_layers[dnn]
        if cut.dtype.kind not in "iu" or ((cut < 0) | (cut > layers)).any():
            raise ValueError(f"cut={cut} must be integers from 0 to the DNN's layers, {layers}")
        local = cut == layers
        valid = {
            "queue_s": local | (np.isfinite(arrays["queue_s"]) & (arrays["queue_s"] >= 0.0)),
            "battery": (arrays["battery"] > 0.0) & (arrays["battery"] <= 1.0),
            "deadline_s": arrays["deadline_s"] > 0.0,
            "rate_mbps": local | (arrays["rate_mbps"] > 0.0),
        }
        for name, unused in (("vehicle_ghz", False), ("rsu_ghz", local)):
            valid[name] = unused | (np.isfinite(arrays[name]) & (arrays[name] > 0.0))
        for name, is_valid in valid.items():
            if not is_valid.all():
                allowed = _BOUNDS.get(name, "finite and above 0")
                raise ValueError(f"{name}={arrays[name][~is_valid][0]} must be {allowed}")
        return arrays

    def layers_within(
        self, dnn: Int[np.ndarray, "*tasks"], within_s: Weights, rate_mbps: Weights
    ) -> Int[np.ndarray, "*tasks"]:
        """Returns the largest cut whose layers the vehicle can run and whose data it can send within a time, or 0."""
        local, _, sent = (table[dnn] for table in self.by_cut)
        rate = np.broadcast_to(rate_mbps[..., None], sent.shape)
        sending_s = np.divide(sent, rate, out=np.where(sent > 0.0, np.inf, 0.0), where=rate > 0.0)
        cut = np.arange(int(self.num_layers.max()) + 1)
        in_time = np.less_equal(local / self.vehicle_ghz + sending_s, within_s[..., None])
        return np.where(in_time & np.less_equal(cut, self.num_layers[dnn][..., None]), cut, 0).max(axis=-1)

    def weight(self, battery: Weights) -> Weights:
        """Returns the weight of a vehicle's energy at a battery level."""
        return energy.battery_weight(battery) if self.battery_factor else np.ones(battery.shape)

    def least_cost_ghz(self, battery: Weights) -> tuple[Weights, float]:
        """Returns the speeds of least cost (time plus weighted energy): of the vehicle, and of the unit."""
        vehicle_ghz, rsu_ghz = self._unbounded_ghz(self.weight(battery)), self._unbounded_ghz(np.ones(1))
        bounded_rsu_ghz = float(np.clip(rsu_ghz, self.min_ghz, self.rsu_ghz)[0])
        return np.clip(vehicle_ghz, self.min_ghz, self.vehicle_ghz), bounded_rsu_ghz

    def least_cost_per_gcycle_s(self, battery: Weights) -> tuple[Weights, float]:
        """Returns the cost in s of a Gcycle at the speeds of least cost: at the vehicle, and at an idle unit."""
        vehicle_ghz, rsu_ghz = self.least_cost_ghz(battery)
        beta_kappa = self.beta * self.kappa_j_per_gcycle_ghz2
        vehicle_s = 1.0 / vehicle_ghz + self.weight(battery) * beta_kappa * vehicle_ghz**2
        return vehicle_s, 1.0 / rsu_ghz + beta_kappa * rsu_ghz**2

    def _unbounded_ghz(self, weight: Weights) -> Weights:
        """Returns the speed of least cost without bounds, for a weight of the energy; inf where energy is free."""
        # The zero of the derivative of 1 / f + w beta kappa f^2 is f^-3 = 2 w beta kappa.
        energy_price = 2.0 * weight * self.beta * self.kappa_j_per_gcycle_ghz2
        return np.divide(1.0, np.cbrt(energy_price), out=np.full(weight.shape, np.inf), where=energy_price > 0.0)

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "types"]:
        """The number of layers L of each DNN type."""
        return np.array([profile.num_layers for profile in self.profiles])

    @cached_property
    def work_gcycles(self) -> Float[np.ndarray, "types"]:
        """The work of all layers of each DNN type."""
        return self.by_cut[0][np.arange(len(self.profiles)), self.num_layers]

    @cached_property
    def input_mbit(self) -> Float[np.ndarray, "types"]:
        """The size of the raw input of each DNN type."""
        return np.array([profile.input_mbit for profile in self.profiles])

    @cached_property
    def largest_mbit(self) -> Float[np.ndarray, "types"]:
        """The size of the largest tensor of each DNN type that a cut can send."""
        return np.array([profile.cut_mbit.max() for profile in self.profiles])

    @cached_property
    def by_cut(self) -> tuple[Float[np.ndarray, "types cuts"], ...]:
        """Gcycles of the vehicle, Gcycles of the unit and Mbit sent, by DNN type and cut; short rows end in zeros."""
        return *work_by_cut(self.profiles, self.processors), by_type(p.cut_mbit for p in self.profiles)
