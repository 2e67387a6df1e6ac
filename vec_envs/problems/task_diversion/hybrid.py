"""Hybrid actions of `TaskDiversion` for learners: an alternative (cut and unit) with two speeds as parameters."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Bool, Float32, Int

from vec_envs.problems.task_diversion.objective import task_reward

if TYPE_CHECKING:
    from vec_envs.problems.task_diversion.problem import TaskDiversion

Observation = Float32[np.ndarray, "batch 1 features"]


class CutAndUnit:
    """Hybrid actions whose alternative is a cut and a roadside unit.

    Alternative `u * x + r` stands for cut x and the r-th nearest of u units. x goes from 0 to the number of layers, and
    r from 0 to u - 1. u is 2 with `diversion="chosen"`, and 1 otherwise. Units out of range are not legal. Without any
    unit in range, only the last cut is legal, because the environment then interprets every action as that cut.
    """

    num_parameters = 2
    num_effects = 3

    def __init__(self, problem: TaskDiversion) -> None:
        self._problem = problem
        self._units = 2 if problem.diversion == "chosen" else 1
        self.count = self._units * (int(problem.num_layers.max()) + 1)

    def present(self, observation: Observation) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives are legal: all cuts of the DNN, or only the last one if no unit is in range."""
        layers = self._problem.num_layers[self._problem.features.dnn_of(observation[:, 0])][:, None]
        in_range = self._rates(observation) > 0.0
        all_local = (self._cut == layers) & (self._unit == 0)
        return np.where(in_range, self._cut <= layers, all_local)

    def terms(self, observation: Observation) -> Float32[np.ndarray, "batch count 8"]:
        """Returns, for each alternative, the eight numbers that `consequences` needs.

        These are: Gcycles of the vehicle, Gcycles of the unit, time to send in s, whether anything is sent, wait at the
        unit in s, weight of the vehicle's energy, deadline in s, and the constant that the reward adds to minus the
        cost.
        """
        problem, features = self._problem, observation[:, 0]
        costs, dnn, rate_mbps = problem.costs, problem.features.dnn_of(features)[:, None], self._rates(observation)
        cut = np.minimum(self._cut, costs.num_layers[dnn])
        local, edge, sent = (table[dnn, cut] for table in costs.by_cut)
        battery = problem.features.battery_of(features)
        weight = costs.weight(battery)
        terms = (
            local,
            edge,
            np.divide(sent, rate_mbps, out=np.zeros(sent.shape), where=rate_mbps > 0.0),
            cut < costs.num_layers[dnn],
            problem.features.waits_of(features)[:, self._unit],
            weight[:, None],
            problem.features.deadline_of(features)[:, None],
            costs.reward_offset_s(problem.reward, dnn[:, 0], battery)[:, None],
        )
        return np.stack(np.broadcast_arrays(*terms), axis=-1, dtype=np.float32, casting="unsafe")

    def consequences(self, terms: Any, parameters: Any) -> tuple[Any, Any]:
        """Returns the rewards of tasks `[n]` and their effects `[n, 3]`.

        The effects are, scaled to order one: the wait at the unit after the decision, the time that the vehicle
        computes, and the vehicle's energy. The reward leaves out the penalty of tasks that fail because their vehicle
        leaves. Tensors stay differentiable.

        Args:
            terms: Array or tensor `[n, 8]`: rows from `terms`, each of one alternative.
            parameters: Array or tensor `[n, 2]` of the numbers of the two speeds, from -1 to 1.
        """
        problem = self._problem
        xp = array_namespace(terms, parameters)
        local, edge, sending_s, sends, wait_s, weight, deadline_s, reward_offset_s = (terms[:, i] for i in range(8))
        half = 0.5 * (parameters + 1.0)
        task = problem.costs.parts(
            local_gcycles=local,
            edge_gcycles=edge,
            sending_s=sending_s,
            sends=sends > 0.0,
            wait_s=wait_s,
            weight=weight,
            vehicle_ghz=problem.min_ghz + half[:, 0] * (problem.vehicle_ghz - problem.min_ghz),
            rsu_ghz=problem.min_ghz + half[:, 1] * (problem.rsu_ghz - problem.min_ghz),
        )
        reward = task_reward(
            task.cost, task.time_s > deadline_s, offset_s=reward_offset_s, deadline_penalty=problem.deadline_penalty
        )
        next_wait_s = xp.where(sends > 0.0, task.time_s, wait_s)
        return reward, xp.stack((xp.log1p(next_wait_s), xp.log1p(task.local_s), 1e-3 * task.vehicle_j), -1)

    def action(
        self,
        alternative: Int[np.ndarray, "batch"],
        parameters: Float32[np.ndarray, "batch 2"],
        observation: Observation,
    ) -> Float32[np.ndarray, "batch 1 numbers"]:
        """Returns the actions of the environment; `parameters` are the numbers of the two speeds, from -1 to 1."""
        action = self._problem.action.encode(
            dnn=self._problem.features.dnn_of(observation[:, 0]),
            cut=self._cut[alternative],
            vehicle_ghz=self._problem.vehicle_ghz,
            rsu_ghz=self._problem.rsu_ghz,
            second=self._unit[alternative],
        ).astype(np.float32)
        action[:, 1:3] = parameters
        return action[:, None]

    def _rates(self, observation: Observation) -> Float32[np.ndarray, "batch count"]:
        return self._problem.features.rates_of(observation[:, 0])[:, self._unit]

    @cached_property
    def _cut(self) -> Int[np.ndarray, "count"]:
        return np.arange(self.count) // self._units

    @cached_property
    def _unit(self) -> Int[np.ndarray, "count"]:
        return np.arange(self.count) % self._units
