"""What a decider of `TaskDiversion` chooses from, as learners see it: a cut, and a roadside unit where that is chosen.

An alternative is a number; whatever else an action holds, the two speeds, goes beside it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32, Int

from vec_envs.problems.task_diversion import TaskDiversion

Observation = Float32[np.ndarray, "batch 1 features"]


class Alternatives(Protocol):
    """What one decider chooses from, and what the environment takes for it."""

    @property
    def count(self) -> int: ...
    @property
    def num_effects(self) -> int: ...
    def present(self, observation: Observation) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives there are; at least one."""
        ...

    def effects(self, observation: Observation) -> Float32[np.ndarray, "batch count effects"]:
        """Returns what each alternative means, as numbers of order one."""
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

    num_effects = 6

    def __init__(self, problem: TaskDiversion) -> None:
        self._problem = problem
        self._units = 2 if problem.diversion == "chosen" else 1
        self.count = self._units * (int(problem.num_layers.max()) + 1)

    def present(self, observation: Observation) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives a task has: no cut is beyond its last layer, and only that one sends nothing."""
        layers = self._problem.num_layers[self._problem.dnn_of(observation[:, 0])][:, None]
        in_range = self._rates(observation) > 0.0
        alone = (self._cut == layers) & (self._unit == 0)
        return np.where(in_range, self._cut <= layers, alone)

    def effects(self, observation: Observation) -> Float32[np.ndarray, "batch count effects"]:
        """Returns each one's cut as part of the layers, log(1 + x) of the Gcycles of vehicle and unit, of the Mbit sent
        and of the seconds that takes, and whether anything is."""
        costs, dnn, rate_mbps = (
            self._problem.costs,
            self._problem.dnn_of(observation[:, 0])[:, None],
            self._rates(observation),
        )
        layers = costs.num_layers[dnn]
        cut = np.minimum(self._cut, layers)
        local, edge, sent = (table[dnn, cut] for table in costs.by_cut)
        sending_s = np.divide(sent, rate_mbps, out=np.zeros(sent.shape), where=rate_mbps > 0.0)
        sizes = np.log1p(np.stack((local, edge, sent, sending_s), axis=-1))
        shares = np.stack((cut / layers, cut < layers), axis=-1)
        return np.concatenate((shares, sizes), axis=-1, dtype=np.float32, casting="same_kind")

    def taken(
        self, index: Int[np.ndarray, "batch"], numbers: Float32[np.ndarray, "batch 2"], observation: Observation
    ) -> Float32[np.ndarray, "batch 1 all"]:
        """Returns the environment's actions; `numbers` are those of the speeds, in [-1, 1]."""
        action = self._problem.encode(
            dnn=self._problem.dnn_of(observation[:, 0]),
            cut=self._cut[index],
            vehicle_ghz=self._problem.vehicle_ghz,
            rsu_ghz=self._problem.rsu_ghz,
            second=self._unit[index],
        ).astype(np.float32)
        action[:, 1:3] = numbers
        return action[:, None]

    def _rates(self, observation: Observation) -> Float32[np.ndarray, "batch count"]:
        return self._problem.rates_of(observation[:, 0])[:, self._unit]

    @cached_property
    def _cut(self) -> Int[np.ndarray, "count"]:
        return np.arange(self.count) // self._units

    @cached_property
    def _unit(self) -> Int[np.ndarray, "count"]:
        return np.arange(self.count) % self._units
