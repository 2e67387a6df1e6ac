"""The three allocations of `CooperativeInference` by cvxpy, as a reference for the batched solvers.

Needs cvxpy: `pip install -e ".[convex]"`. The convex problems are stated once with parameters, so that the measured
time is that of solving alone.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from vec_envs.problems.cooperative_inference.problem import Allocation, CooperativeInference, Exogenous, State
from vec_envs.validation import missing_extra

NEEDS = missing_extra("the convex reference", "cvxpy", "convex")


class ConvexSlots:
    """The problems P3, P4 and P5 of one slot for cvxpy and Clarabel. Raises `RuntimeError` where cvxpy is missing."""

    def __init__(self, problem: CooperativeInference) -> None:
        try:
            import cvxpy
        except ImportError as error:
            raise RuntimeError(NEEDS) from error
        cp: Any = cvxpy
        self._problem, devices = problem, problem.num_devices

        def parameter() -> Any:
            return cp.Parameter(devices, nonneg=True)

        self._energy, self._local, self._load = parameter(), parameter(), parameter()
        self.device_ghz, spare_ghz = cp.Variable(devices), cp.Variable(devices)
        half = cp.multiply(0.5 * self._local, cp.inv_pos(self.device_ghz) + cp.inv_pos(spare_ghz))
        p3 = cp.sum(cp.multiply(self._energy, cp.square(self.device_ghz)) + problem.lyapunov_v * half)
        within = [self.device_ghz <= problem.device_ghz, spare_ghz == self.device_ghz - self._load]
        self._p3 = cp.Problem(cp.Minimize(p3), within)

        self._server, self._no_work = parameter(), parameter()
        self.server_ghz, speed = cp.Variable(devices, nonneg=True), cp.Variable(devices)
        p4 = problem.lyapunov_v * cp.sum(cp.multiply(self._server, cp.inv_pos(speed)))
        within = [cp.sum(self.server_ghz) <= problem.server_ghz, speed == self.server_ghz + self._no_work]
        self._p4 = cp.Problem(cp.Minimize(p4), within)

        self._sent, self._snr, self._silent, self._alone = parameter(), parameter(), parameter(), parameter()
        self.share, rate = cp.Variable(devices, nonneg=True), cp.Variable(devices)  # of the rate with all the bandwidth
        most = -cp.rel_entr(self.share, self.share + self._snr) / np.log(2.0)
        p5 = cp.sum(cp.multiply(self._sent, cp.inv_pos(rate)))
        within = [cp.sum(self.share) <= 1.0, cp.multiply(self._alone, rate) <= most + self._silent]
        self._p5 = cp.Problem(cp.Minimize(p5), within)

    def solve(self, state: State, cut: np.ndarray, now: Exogenous) -> tuple[Allocation, float]:
        """Returns the allocation of one slot, `[devices]`, and the CPU seconds of solving it."""
        problem = self._problem
        local, server, sent, _ = problem.cut_table.of(cut)
        queue, rate_hz = np.asarray(state.energy_queue), np.asarray(now.arrival_rate_hz)
        self._energy.value = queue * problem.kappa_j_per_gcycle_ghz2 * local * rate_hz
        self._local.value, self._load.value = local, local * rate_hz
        self._server.value, self._no_work.value = server, 1.0 * (server == 0.0)
        weight = queue * problem.transmit_power_w * rate_hz + problem.lyapunov_v
        snr = problem.channel.snr(np.asarray(now.gain))
        self._snr.value, self._alone.value, self._silent.value = snr, np.log2(1.0 + snr), 1.0 * (sent == 0.0)
        cost = weight * sent / np.log2(1.0 + snr)
        self._sent.value = cost / max(cost.max(), np.finfo(float).tiny)
        began = time.process_time()
        for convex in (self._p3, self._p4, self._p5):
            convex.solve(solver="CLARABEL")
        took_s = time.process_time() - began
        found = self.device_ghz.value, self.server_ghz.value, self.share.value
        device_ghz, server_ghz, share = (np.asarray(value, dtype=np.float64) for value in found)
        return Allocation(
            device_ghz=np.where(local > 0.0, device_ghz, 0.0),
            server_ghz=np.where(server > 0.0, server_ghz, 0.0),
            bandwidth_share=np.where(sent > 0.0, share, 0.0),
        ), took_s


def compare(
    problem: CooperativeInference, state: State, cut: np.ndarray, now: Exogenous, slots: int
) -> dict[str, float]:
    """Returns cvxpy's median CPU seconds of a slot, and the largest relative difference between the rewards of its
    allocations and of ours, over the first `slots` slots."""
    reference = ConvexSlots(problem)
    seconds: list[float] = []
    worst = 0.0
    for row in range(slots):
        one = State(energy_queue=state.energy_queue[row], memory_queue=state.memory_queue[row])
        exogenous = Exogenous(gain=now.gain[row], arrival_rate_hz=now.arrival_rate_hz[row])
        found, took_s = reference.solve(one, cut[row], exogenous)
        seconds.append(took_s)
        ours, theirs = (
            problem.outcome_of(one, cut[row], allocation, exogenous).reward
            for allocation in (problem.allocate(one, cut[row], exogenous), found)
        )
        worst = max(worst, abs(float(theirs / ours) - 1.0))
    return {"slot_s": float(np.median(seconds)), "largest_difference": worst}
