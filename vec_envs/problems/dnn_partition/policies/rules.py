"""Rules of thumb for `DNNPartition`: the references that any learner must beat."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import Constant, batch_size_of, needs_view
from vec_envs.records import map_arrays

Observation = Float32[np.ndarray, "batch agents features"]
Action = Int[np.ndarray, "batch agents"]


class Random:
    """Every client draws its action uniformly."""

    def __init__(self, problem: DNNPartition) -> None:
        self._counts = np.array(problem.action_counts)
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Seeds the random numbers."""
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random actions."""
        return self._rng.integers(0, self._counts, (batch_size_of(observation), len(self._counts)))


def AllLocal(problem: DNNPartition) -> Constant:
    """Returns the policy under which every client runs all its layers."""
    return Constant(problem.num_layers * problem.num_nodes)


def AllRSU(problem: DNNPartition) -> Constant:
    """Returns the policy under which every client sends its input to the roadside unit."""
    return Constant(np.zeros(problem.num_client_vehicles, dtype=np.int64))


class PaperGreedy:
    """The paper's rule: cut where the data is least, send to the edge node with the shortest queue.

    Of several cuts with the least data, among cuts 0 to L - 1, the first is taken. The roadside unit's queue is the sum
    over DNN types. All clients observe the same queues, so all send to the same node. Section 8.2 of MAD2RL.
    """

    def __init__(self, problem: DNNPartition) -> None:
        cuts = [int(np.argmin(p.cut_mbit[:-1])) for p in problem.profiles]
        self._cut = np.array(cuts)[problem.client_types]
        self._num_nodes = problem.num_nodes

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the rule's actions. Raises `ValueError` without a view."""
        state = needs_view(view, self, observation).state
        rsu = state.rsu_backlog_gcycles.sum(axis=-1, keepdims=True)
        node = np.concatenate([rsu, state.service_backlog_gcycles], axis=-1).argmin(axis=-1)
        return self._cut * self._num_nodes + node[:, None]


class LeastDelay:
    """Every client takes the action of least delay for its own task, as if all other clients ran theirs locally.

    It is a stronger greedy policy than the paper's. It knows queues, links, processors and how the roadside unit would
    serve this client alone, but not the actions of the others. Of several best actions the first is taken.
    """

    def __init__(self, problem: DNNPartition) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the actions of least own delay. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        all_local = self._problem.num_layers * self._problem.num_nodes
        state, exogenous = (map_arrays(lambda a: a[:, None], record) for record in (view.state, view.exogenous))
        chosen = np.empty((batch_size_of(observation), len(all_local)), dtype=np.int64)
        for client, count in enumerate(self._problem.action_counts):
            tried = np.tile(all_local, (len(chosen), count, 1))
            tried[..., client] = np.arange(count)
            delay_s = self._problem.transition(state, tried, exogenous)[1].delay_s
            chosen[:, client] = delay_s[..., client].argmin(axis=1)
        return chosen
