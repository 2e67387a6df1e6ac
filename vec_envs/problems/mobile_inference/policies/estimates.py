"""Greedy references for `MobileInference`: each client starts its task where it expects the least time.

Each client decides for itself, as if no other client started a task in the same slot.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.mobile_inference.actions import WAIT
from vec_envs.problems.mobile_inference.dynamics import decides
from vec_envs.problems.mobile_inference.links import SIGHT_DISTANCE_M
from vec_envs.problems.mobile_inference.loads import loads
from vec_envs.problems.mobile_inference.problem import MobileInference
from vec_envs.problems.mobile_inference.records import Exogenous, State
from vec_envs.problems.policy import needs_view

Observation = Float32[np.ndarray, "batch agents features"]
Action = Int[np.ndarray, "batch agents"]
Who = tuple[Int[np.ndarray, "rows"], Int[np.ndarray, "rows"]]
"""The environments and the clients that decide, a row each."""


class LeastEstimate:
    """Every client takes the start of least estimated time, with the links as they are in the present slot.

    The estimate counts present senders and tasks, plus one. Of several best starts the first is taken.
    """

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the starts of least estimated time. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        who = who_decides(view.state)
        unit, vehicle = view.exogenous.v2i_efficiency[who], view.exogenous.v2v_efficiency[who]
        times_s = start_times_s(self._problem, view.state, view.exogenous, who, unit.max(axis=-1), vehicle)
        return of_rows(view.state, who, 1 + times_s.argmin(axis=-1))


class Predicted:
    """Every client takes the start of least estimated time, with the mean efficiencies predicted for the next seconds.

    Vehicles are expected to drive straight on at their present speeds. The mean path loss at the expected distance is
    corrected by how far the present efficiency is off its own mean, less and less as the link decorrelates.
    """

    horizon_s = 5.0

    def __init__(self, problem: MobileInference) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the starts of least predicted time. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        who = who_decides(view.state)
        unit, vehicle = self._efficiencies(view.exogenous, who)
        times_s = start_times_s(self._problem, view.state, view.exogenous, who, unit, vehicle)
        return of_rows(view.state, who, 1 + times_s.argmin(axis=-1))

    def _efficiencies(
        self, now: Exogenous, who: Who
    ) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows services"]]:
        """Returns the mean efficiencies of the next seconds, to the best unit of each slot and to vehicles."""
        env, _ = who
        own_mps = np.abs(_rows(now.client_speed_mps, who))[:, None]
        vehicle_mps = np.abs(np.asarray(now.service_speed_mps)[env])
        units = self._ahead(
            "v2i",
            now.v2i_efficiency[who],
            _rows(now.v2i_distance_m, who),
            _rows(now.unit_ahead_m, who),
            -own_mps,
            own_mps,
        )
        vehicles = self._ahead(
            "v2v",
            now.v2v_efficiency[who],
            _rows(now.v2v_distance_m, who),
            _rows(now.service_ahead_m, who),
            _rows(now.service_faster_mps, who),
            own_mps + vehicle_mps,
        )
        present = now.service_present[env]
        return units.max(axis=-1).mean(axis=0), vehicles.mean(axis=0) * present

    def _ahead(
        self,
        link: str,
        efficiency: Float[np.ndarray, "rows nodes"],
        distance_m: Float[np.ndarray, "rows nodes"],
        ahead_m: Float[np.ndarray, "rows nodes"],
        faster_mps: Float[np.ndarray, "rows #nodes"],
        both_mps: Float[np.ndarray, "rows #nodes"],
    ) -> Float[np.ndarray, "times rows nodes"]:
        """Returns the predicted efficiencies at times from now to the horizon.

        `ahead_m` is how far a node is ahead of the client, `faster_mps` how fast this grows, and `both_mps` the sum of
        their speeds.
        """
        count = max(round(self.horizon_s / self._problem.slot_s), 1)
        time_s = (np.arange(count) * self._problem.slot_s)[:, None, None]
        beside = np.maximum(distance_m**2 - ahead_m**2, 0.0)
        later_m = np.sqrt(beside + (ahead_m + faster_mps * time_s) ** 2)
        mean = self._problem.links.mean_efficiency(later_m, link)
        moved_m = both_mps * time_s
        return np.maximum(mean + np.exp(-moved_m / SIGHT_DISTANCE_M) * (efficiency - mean[0]), 0.0)


def start_times_s(
    problem: MobileInference,
    state: State,
    exogenous: Exogenous,
    who: Who,
    unit_efficiency: Float[np.ndarray, "rows"],
    vehicle_efficiency: Float[np.ndarray, "rows services"],
) -> Float[np.ndarray, "rows starts"]:
    """Returns the estimated time of every start of the clients in `who`: start k is action k + 1.

    Illegal starts, and starts at a node that the client does not hear, take forever. `unit_efficiency` is that of the
    unit that the client hears best.
    """
    starts, (env, _) = problem.starts, who
    busy = loads(state, exogenous.v2i_efficiency, problem.num_nodes)
    dnn, access = state.waiting_type[who], exogenous.v2i_efficiency[who].argmax(axis=-1)
    nodes = np.arange(problem.num_nodes)
    hops = np.where(nodes < problem.num_rsus, np.abs(access[:, None] - nodes), 0)
    senders = busy.senders[env[:, None], np.where(nodes < problem.num_rsus, access[:, None], nodes)]
    mbps = _link_mbps(problem, unit_efficiency, vehicle_efficiency)
    s_per_mbit = np.divide(senders + 1.0, mbps, out=np.full(mbps.shape, math.inf), where=mbps > 0.0)
    s_per_gcycle = (busy.tasks[env] + 1.0) / _node_ghz(problem, exogenous, env)
    local_s = starts.local_gcycles[dnn] / exogenous.client_ghz[who][:, None]
    mbit = starts.task_mbit[dnn][..., None]
    with np.errstate(invalid="ignore"):  # 0 Mbit at a rate of 0, which is an all-local or an illegal start
        remote_s = mbit * (s_per_mbit[:, None] + hops[:, None] / problem.backhaul_mbps) + hops[:, None] * problem.hop_s
    remote_s = np.where(mbit > 0.0, remote_s, 0.0) + starts.edge_gcycles[dnn][..., None] * s_per_gcycle[:, None]
    times_s = (local_s[..., None] + remote_s).reshape((len(env), starts.count - 1))
    present = _present(problem, exogenous, env)
    legal = starts.mask(np.ones((len(env), 1), np.bool_), dnn[:, None], present)[:, 0, 1:]
    return np.where(legal, times_s, math.inf)


def _link_mbps(
    problem: MobileInference,
    unit_efficiency: Float[np.ndarray, "rows"],
    vehicle_efficiency: Float[np.ndarray, "rows services"],
) -> Float[np.ndarray, "rows nodes"]:
    """Returns the rate of a lone sender towards each node."""
    to_units = np.repeat(unit_efficiency[:, None], problem.num_rsus, axis=1) * problem.rsu_bandwidth_mhz
    return np.concatenate([to_units, vehicle_efficiency * problem.v2v_bandwidth_mhz], axis=1)


def _node_ghz(
    problem: MobileInference, exogenous: Exogenous, env: Int[np.ndarray, "rows"]
) -> Float[np.ndarray, "rows nodes"]:
    units = np.full((len(env), problem.num_rsus), float(problem.rsu_ghz))
    return np.concatenate([units, exogenous.service_ghz[env]], axis=1)


def who_decides(state: State) -> Who:
    """Returns the environments and the clients that decide, a row each."""
    env, client = np.nonzero(decides(state))
    return env, client


def of_rows(state: State, who: Who, action: Int[np.ndarray, "rows"]) -> Action:
    """Returns the joint action in which the clients in `who` take these actions, and the others wait."""
    joint = np.full(state.waiting.shape, WAIT)
    joint[who] = action
    return joint


def _present(problem: MobileInference, exogenous: Exogenous, env: Int[np.ndarray, "rows"]) -> np.ndarray:
    units = np.ones((len(env), problem.num_rsus), np.bool_)
    return np.concatenate([units, exogenous.service_present[env]], axis=1)


def _rows(values: np.ndarray | None, who: Who) -> np.ndarray:
    """Returns the rows of the clients that decide, of a field that has a default."""
    return np.asarray(values)[who]
