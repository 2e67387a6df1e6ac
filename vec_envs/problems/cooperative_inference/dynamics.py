"""The dynamics of `CooperativeInference`: the allocation of resources in a slot, and its delays and energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Real

from vec_envs.physics import energy, offloading
from vec_envs.physics.inference import sojourn_s
from vec_envs.physics.inference_allocation import (
    bandwidth_share,
    device_speed_ghz,
    server_speed_ghz,
    spectral_efficiency,
)
from vec_envs.problems.cooperative_inference.budgets import Budgets, drift
from vec_envs.problems.cooperative_inference.channel import InferenceChannel
from vec_envs.problems.cooperative_inference.cuts import CutTable
from vec_envs.problems.cooperative_inference.objective import DriftPlusPenalty, Objective, SlotTerms
from vec_envs.problems.cooperative_inference.records import Allocation, Cuts, Exogenous, Outcome, PerDevice, State


@dataclass(frozen=True, kw_only=True)
class SlotDynamics:
    """Computes the allocation and the outcome of a slot, from the queues, the cuts and the exogenous record."""

    cut_table: CutTable
    channel: InferenceChannel
    budgets: Budgets
    device_ghz: float
    """The maximum speed of a device."""
    server_ghz: float
    bandwidth_mhz: float
    transmit_power_w: float
    kappa_j_per_gcycle_ghz2: float
    lyapunov_v: float

    @property
    def drift_bound(self) -> DriftPlusPenalty:
        """The objective that the allocation minimises. P3, P4 and P5 are its parts."""
        return DriftPlusPenalty(name="drift_bound", lyapunov_v=self.lyapunov_v)

    def needs(self, cut: Cuts, exogenous: Exogenous) -> tuple[PerDevice, PerDevice, PerDevice, PerDevice]:
        """Returns the needs of a task: Gcycles at the device, Gcycles at the server, Mbit sent, GB occupied.

        All are 0 for a device without arrivals, such as a seat without a vehicle.
        """
        arrives = exogenous.arrival_rate_hz > 0.0
        local, server, sent, memory = (entry * arrives for entry in self.cut_table.of(cut))
        return local, server, sent, memory

    def allocate(self, state: State, cut: Cuts, exogenous: Exogenous) -> Allocation:
        """Returns the resources that minimise the drift bound for these cuts: exact solutions of P3, P4 and P5."""
        local, server, sent, _ = self.needs(cut, exogenous)
        weight = self.drift_bound.second_of_sending(
            state.energy_queue, exogenous.arrival_rate_hz, transmit_power_w=self.transmit_power_w
        )
        return Allocation(
            device_ghz=device_speed_ghz(
                local,
                exogenous.arrival_rate_hz,
                state.energy_queue,
                lyapunov_v=self.lyapunov_v,
                kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
                max_ghz=self.device_ghz,
            ),
            server_ghz=server_speed_ghz(server, max_ghz=self.server_ghz),
            bandwidth_share=bandwidth_share(weight, sent, self.channel.snr(exogenous.gain)),
        )

    def outcome(
        self, state: State, cut: Cuts, allocation: Allocation, exogenous: Exogenous, *, objective: Objective
    ) -> Outcome:
        """Returns the outcome of a slot with these cuts and resources. The reward is minus `objective`.

        Paper: LyMDO Eqs. (1), (3), (4), (5).
        """
        local, server, sent, memory_gb = self.needs(cut, exogenous)
        rate_hz = exogenous.arrival_rate_hz
        rate_mbps = self.bandwidth_mhz * spectral_efficiency(
            allocation.bandwidth_share, self.channel.snr(exogenous.gain)
        )
        local_s = sojourn_s(local, allocation.device_ghz, rate_hz)
        transmit_s = offloading.transmit_s(sent, rate_mbps)
        server_s = np.divide(server, allocation.server_ghz, out=np.zeros(server.shape), where=server > 0.0)
        delay_s = local_s + transmit_s + server_s
        energy_j = self._energy_j(local, transmit_s, allocation.device_ghz, rate_hz)
        next_state = self.budgets.next_state(state, energy_j=energy_j, memory_gb=memory_gb)
        terms = SlotTerms(
            delay_s=delay_s,
            energy_j=energy_j,
            memory_gb=memory_gb,
            energy_queue=state.energy_queue,
            memory_queue=state.memory_queue,
            drift=drift(state, next_state),
        )
        return Outcome(
            cut=cut,
            delay_s=delay_s,
            local_s=local_s,
            transmit_s=transmit_s,
            server_s=server_s,
            energy_j=energy_j,
            memory_gb=memory_gb,
            device_ghz=allocation.device_ghz,
            server_ghz=allocation.server_ghz,
            bandwidth_share=allocation.bandwidth_share,
            has_tasks=np.broadcast_to(rate_hz > 0.0, local.shape),
            drift=terms.drift,
            reward=-objective(terms),
        )

    def _energy_j(
        self,
        local_gcycles: PerDevice,
        transmit_s: PerDevice,
        device_ghz: PerDevice,
        rate_hz: Real[np.ndarray, "*#batch devices"],
    ) -> PerDevice:
        """Returns the energy that each device spends in a second, for computing and for sending."""
        computing_j = energy.compute_energy_j(
            local_gcycles * rate_hz, device_ghz, kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2
        )
        sending_j = energy.transmit_energy_j(transmit_s * rate_hz, transmit_power_w=self.transmit_power_w)
        return computing_j + sending_j
