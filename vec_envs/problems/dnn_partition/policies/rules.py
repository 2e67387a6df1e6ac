"""Rules of thumb for `DNNPartition`: the references that any learner must beat."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.policy import Constant, batch_size_of, needs_view, random_legal
from vec_envs.problems.row_generators import RowGenerators
from vec_envs.records import map_arrays

Observation = Float32[np.ndarray, "batch agents features"]
Action = Int[np.ndarray, "batch agents"]


class Random:
    """Every client draws its action uniformly, given a view among the legal ones."""

    def __init__(self, problem: DNNPartition) -> None:
        self._counts, self._limits_reach = np.array(problem.action_counts), problem.radio.limits_reach
        self._generators = RowGenerators(0)

    def reset(self, seed: int) -> None:
        """Seeds the random numbers; environment b uses `seed` + b."""
        self._generators = RowGenerators(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random actions."""
        if view is not None and self._limits_reach:
            mask = view.problem.action_mask(view.state, view.exogenous)
            rows = zip(self._generators.of(len(mask)), mask, strict=True)
            return np.concatenate([random_legal(rng, row[None]) for rng, row in rows])
        return self._generators.stacked(batch_size_of(observation), lambda rng: rng.integers(0, self._counts))


def AllLocal(problem: DNNPartition) -> Constant:
    """Returns the policy under which every client runs all its layers."""
    return Constant(problem.num_layers * problem.num_nodes)


def AllRSU(problem: DNNPartition) -> Constant:
    """Returns the policy under which every client sends its input to the roadside unit."""
    return Constant(np.zeros(problem.num_client_vehicles, dtype=np.int64))


class PaperGreedy:
    """The paper's rule: cut where the data is least, send to the edge node in reach with the shortest queue.

    Of several cuts with the least data, among cuts 0 to L - 1, the first is taken. The roadside unit's queue is the sum
    over DNN types. All clients observe the same queues, so all that reach the same nodes send to the same one. Section
    8.2 of MAD2RL.
    """

    def __init__(self, problem: DNNPartition) -> None:
        cuts = [int(np.argmin(p.cut_mbit[:-1])) for p in problem.profiles]
        self._cut = np.array(cuts)[problem.client_types]
        self._num_nodes, self._limits_reach = problem.num_nodes, problem.radio.limits_reach

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the rule's actions. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        rsu = view.state.rsu_backlog_gcycles.sum(axis=-1, keepdims=True)
        queues = np.concatenate([rsu, view.state.service_backlog_gcycles], axis=-1)[:, None]
        if self._limits_reach:
            at_service = np.where(view.exogenous.v2v_mbps > 0.0, queues[..., 1:], np.inf)
            queues = np.concatenate(
                [np.broadcast_to(queues[..., :1], (*at_service.shape[:-1], 1)), at_service], axis=-1
            )
        return self._cut * self._num_nodes + queues.argmin(axis=-1)


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
        return self._problem.as_played(chosen, view.exogenous)
