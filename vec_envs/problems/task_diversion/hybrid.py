"""What a decider of `TaskDiversion` chooses from, as learners see it: a cut, and a roadside unit where that is chosen.

An alternative is a number; whatever else an action holds, the two speeds, goes beside it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32, Int

from vec_envs.problems.task_diversion.problem import TaskDiversion

Observation = Float32[np.ndarray, "batch 1 features"]


class Alternatives(Protocol):
    """What one decider chooses from, and what the environment takes for it."""

    @property
    def count(self) -> int: ...
    def present(self, observation: Observation) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives there are; at least one."""
        ...

    def terms(self, observation: Observation) -> Float32[np.ndarray, "batch count terms"]:
        """Returns what each alternative brings into what its decision takes."""
        ...

    def taken(
        self, index: Int[np.ndarray, "batch"], numbers: Float32[np.ndarray, "batch numbers"], observation: Observation
    ) -> Float32[np.ndarray, "batch 1 all"]:
        """Returns the environment's actions: an alternative each, with the numbers beside it."""
        ...


class CutAndUnit:
    """Alternative u x + r: cut x, 0 to the layers of the task's own DNN, and the r-th nearest of u roadside units.

    u is 2 where the action chooses the unit (`diversion="chosen"`), else 1. Units out of range, and sending without
    one, are no alternatives: the environment would read them as others.
    """

    def __init__(self, problem: TaskDiversion) -> None:
        self._problem = problem
        self._units = 2 if problem.diversion == "chosen" else 1
        self.count = self._units * (int(problem.num_layers.max()) + 1)

    def present(self, observation: Observation) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives a task has: no cut is beyond its last layer, and only that one sends nothing."""
        layers = self._problem.num_layers[self._problem.features.dnn_of(observation[:, 0])][:, None]
        in_range = self._rates(observation) > 0.0
        alone = (self._cut == layers) & (self._unit == 0)
        return np.where(in_range, self._cut <= layers, alone)

    def terms(self, observation: Observation) -> Float32[np.ndarray, "batch count 8"]:
        """Returns what each one's task takes but for the speeds, as `networks.consequences.TaskTerms` names it."""
        problem, seen = self._problem, observation[:, 0]
        costs, dnn, rate_mbps = problem.costs, problem.features.dnn_of(seen)[:, None], self._rates(observation)
        cut = np.minimum(self._cut, costs.num_layers[dnn])
        local, edge, sent = (table[dnn, cut] for table in costs.by_cut)
        weight = costs.weight(problem.features.battery_of(seen))
        least_s = np.minimum(*costs.prices_s(problem.features.battery_of(seen)))
        terms = (
            local,
            edge,
            np.divide(sent, rate_mbps, out=np.zeros(sent.shape), where=rate_mbps > 0.0),
            cut < costs.num_layers[dnn],
            problem.features.waits_of(seen)[:, self._unit],
            weight[:, None],
            problem.features.deadline_of(seen)[:, None],
            (least_s * costs.work_gcycles[dnn[:, 0]] * (problem.reward == "excess"))[:, None],
        )
        return np.stack(np.broadcast_arrays(*terms), axis=-1, dtype=np.float32, casting="unsafe")

    def taken(
        self, index: Int[np.ndarray, "batch"], numbers: Float32[np.ndarray, "batch 2"], observation: Observation
    ) -> Float32[np.ndarray, "batch 1 all"]:
        """Returns the environment's actions; `numbers` are those of the speeds, in [-1, 1]."""
        action = self._problem.action.encode(
            dnn=self._problem.features.dnn_of(observation[:, 0]),
            cut=self._cut[index],
            vehicle_ghz=self._problem.vehicle_ghz,
            rsu_ghz=self._problem.rsu_ghz,
            second=self._unit[index],
        ).astype(np.float32)
        action[:, 1:3] = numbers
        return action[:, None]

    def _rates(self, observation: Observation) -> Float32[np.ndarray, "batch count"]:
        return self._problem.features.rates_of(observation[:, 0])[:, self._unit]

    @cached_property
    def _cut(self) -> Int[np.ndarray, "count"]:
        return np.arange(self.count) // self._units

    @cached_property
    def _unit(self) -> Int[np.ndarray, "count"]:
        return np.arange(self.count) % self._units
