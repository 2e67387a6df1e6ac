"""What a task of `TaskDiversion` takes: time, energy, cost; and the speeds at which work costs least.

With w the weight of the vehicle's energy, running C Gcycles at f GHz costs C / f + w beta kappa C f^2. That is least at
f = (2 w beta kappa)^(-1/3), whatever C: so a Gcycle has a price at the vehicle, and, with w = 1, one at the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Real

from vec_envs.dnn.profile import DNNProfile, by_type
from vec_envs.physics import energy, offloading
from vec_envs.problems.task_diversion.records import TaskOutcome

Given = dict[str, np.ndarray]
Weights = Float[np.ndarray, "*tasks"]

_BOUNDS = {
    "queue_s": "finite and at least 0 where something is sent (a cut below the number of layers)",
    "battery": "in (0, 1]",
    "deadline_s": "above 0",
    "rate_mbps": "above 0 where something is sent (a cut below the number of layers)",
}


@dataclass(frozen=True, kw_only=True)
class TaskCost:
    """Costs of tasks of some DNN types. Without `battery_factor` a vehicle's energy always weighs 1.

    The three speeds are the slowest of both sides, and the fastest of vehicle and roadside unit.
    """

    profiles: tuple[DNNProfile, ...]
    beta: float
    kappa_j_per_gcycle_ghz2: float
    transmit_power_w: float
    battery_factor: bool
    min_ghz: float
    vehicle_ghz: float
    rsu_ghz: float

    def of(self, given: Given) -> TaskOutcome:
        """Returns what tasks take, from arrays named and shaped as `checked` returns them.

        Paper: RTD Eqs. (18), (19).
        Differs: P_d = P_g: a task is decided when it is generated; one that is all local waits for no unit.
        """
        dnn, cut, queue_s = given["dnn"], given["cut"], given["queue_s"].astype(np.float64)
        sends = cut < self.num_layers[dnn]
        local, edge, sent = (table[dnn, cut] for table in self.by_cut)
        local_s = offloading.local_s(np.zeros(sends.shape), local, given["vehicle_ghz"], np.ones_like(sends))
        transmit_s = offloading.transmit_s(sent, given["rate_mbps"].astype(np.float64))
        service_s = offloading.process_s(np.zeros(sends.shape), edge, given["rsu_ghz"].astype(np.float64), sends)
        start_s = np.where(sends, np.maximum(queue_s, local_s + transmit_s), local_s)
        kappa = {"kappa_j_per_gcycle_ghz2": self.kappa_j_per_gcycle_ghz2}
        own_j = energy.compute_energy_j(local, given["vehicle_ghz"], **kappa)
        own_j = own_j + energy.transmit_energy_j(transmit_s, transmit_power_w=self.transmit_power_w)
        rsu_j = energy.compute_energy_j(edge, given["rsu_ghz"], **kappa)
        time_s, energy_j = start_s + service_s, self.weight(given["battery"]) * own_j + rsu_j
        return TaskOutcome(
            time_s=time_s,
            energy_j=energy_j,
            cost=time_s + self.beta * energy_j,
            missed=np.asarray(time_s > given["deadline_s"]),
            local_s=local_s,
            transmit_s=transmit_s,
            start_s=start_s,
            rsu_service_s=service_s,
            vehicle_energy_j=own_j,
            rsu_energy_j=rsu_j,
        )

    def checked(self, given: dict[str, Real[np.ndarray, "*#tasks"] | float | int]) -> Given:
        """Returns the arguments of `of`, broadcast, with an axis at least.

        Raises `ValueError` with value and bound for one that is wrong.
        """
        whole = ("dnn", "cut")
        tasks = [np.asarray(value, dtype=None if name in whole else np.float64) for name, value in given.items()]
        arrays = dict(zip(given, map(np.atleast_1d, np.broadcast_arrays(*tasks)), strict=True))
        dnn, cut = arrays["dnn"], arrays["cut"]
        if dnn.dtype.kind not in "iu" or ((dnn < 0) | (dnn >= len(self.profiles))).any():
            raise ValueError(f"dnn={dnn} must be integers from 0 to {len(self.profiles) - 1}")
        layers = self.num_layers[dnn]
        if cut.dtype.kind not in "iu" or ((cut < 0) | (cut > layers)).any():
            raise ValueError(f"cut={cut} must be integers from 0 to the DNN's layers, {layers}")
        local = cut == layers
        right = {
            "queue_s": local | (np.isfinite(arrays["queue_s"]) & (arrays["queue_s"] >= 0.0)),
            "battery": (arrays["battery"] > 0.0) & (arrays["battery"] <= 1.0),
            "deadline_s": arrays["deadline_s"] > 0.0,
            "rate_mbps": local | (arrays["rate_mbps"] > 0.0),
        }
        for name, unused in (("vehicle_ghz", False), ("rsu_ghz", local)):
            right[name] = unused | (np.isfinite(arrays[name]) & (arrays[name] > 0.0))
        for name, fine in right.items():
            if not fine.all():
                raise ValueError(f"{name}={arrays[name][~fine][0]} must be {_BOUNDS.get(name, 'finite and above 0')}")
        return arrays

    def layers_within(
        self, dnn: Int[np.ndarray, "*tasks"], within_s: Weights, rate_mbps: Weights
    ) -> Int[np.ndarray, "*tasks"]:
        """Returns the greatest cut whose layers the vehicle can run, and whose data it can send, in a time; else 0."""
        local, _, sent = (table[dnn] for table in self.by_cut)
        rate = np.broadcast_to(rate_mbps[..., None], sent.shape)
        sending_s = np.divide(sent, rate, out=np.where(sent > 0.0, np.inf, 0.0), where=rate > 0.0)
        cut = np.arange(int(self.num_layers.max()) + 1)
        in_time = np.less_equal(local / self.vehicle_ghz + sending_s, within_s[..., None])
        return np.where(in_time & np.less_equal(cut, self.num_layers[dnn][..., None]), cut, 0).max(axis=-1)

    def weight(self, battery: Weights) -> Weights:
        """Returns the weight of a vehicle's own energy at a battery level."""
        return energy.battery_weight(battery) if self.battery_factor else np.ones(battery.shape)

    def thrifty_ghz(self, battery: Weights) -> tuple[Weights, float]:
        """Returns the speeds at which work costs least, time and weighted energy together: vehicle's and unit's."""
        own, unit = self._unbounded_ghz(self.weight(battery)), self._unbounded_ghz(np.ones(1))
        unit_ghz = float(np.clip(unit, self.min_ghz, self.rsu_ghz)[0])
        return np.clip(own, self.min_ghz, self.vehicle_ghz), unit_ghz

    def prices_s(self, battery: Weights) -> tuple[Weights, float]:
        """Returns what a Gcycle costs in s at these speeds: at the vehicle, and at an idle unit."""
        own_ghz, unit_ghz = self.thrifty_ghz(battery)
        joule = self.beta * self.kappa_j_per_gcycle_ghz2
        return 1.0 / own_ghz + self.weight(battery) * joule * own_ghz**2, 1.0 / unit_ghz + joule * unit_ghz**2

    def _unbounded_ghz(self, weight: Weights) -> Weights:
        """Returns the speed at which work of that weight costs least, inf where energy costs nothing."""
        price = 2.0 * weight * self.beta * self.kappa_j_per_gcycle_ghz2
        return np.divide(1.0, np.cbrt(price), out=np.full(weight.shape, np.inf), where=price > 0.0)

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "types"]:
        """Number of layers L of each DNN type."""
        return np.array([profile.num_layers for profile in self.profiles])

    @cached_property
    def work_gcycles(self) -> Float[np.ndarray, "types"]:
        """Work of all layers of each DNN type."""
        return np.array([profile.local_gflops[-1] for profile in self.profiles])

    @cached_property
    def input_mbit(self) -> Float[np.ndarray, "types"]:
        """Raw input of each DNN type."""
        return np.array([profile.input_mbit for profile in self.profiles])

    @cached_property
    def largest_mbit(self) -> Float[np.ndarray, "types"]:
        """The largest tensor of each DNN type that may be sent."""
        return np.array([profile.cut_mbit.max() for profile in self.profiles])

    @cached_property
    def by_cut(self) -> tuple[Float[np.ndarray, "types cuts"], ...]:
        """Gcycles of the vehicle and of the unit, and Mbit sent, by DNN type and cut; short rows end in zeros."""
        return (
            by_type(p.local_gflops for p in self.profiles),
            by_type(p.edge_gflops for p in self.profiles),
            by_type(p.cut_mbit for p in self.profiles),
        )
