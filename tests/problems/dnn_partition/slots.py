"""Slots of `DNNPartition` to decide in, and what decisions in them cost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.made_up import profile
from vec_envs import dnn_partition_v0
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import View
from vec_envs.problems.dnn_partition.problem import DNNPartition, Exogenous, State
from vec_envs.records import map_arrays

BATCH_SIZE = 5
OBJECTIVES = pytest.mark.parametrize("objective", ["drift", "drift_bound"])


def make_env(**options: object) -> BatchVectorEnv:
    sizes = {"num_client_vehicles": 4, "num_service_vehicles": 2, "episode_slots": 6}
    return dnn_partition_v0.vector_env(num_envs=BATCH_SIZE, mobility="straight", **(sizes | options))


A = profile("a", (1.0, 1.0, 1.0), (4.0, 2.0, 3.0, 0.1))
B = profile("b", (1.0, 1.0), (5.0, 9.0, 0.2))
C = profile("c", (1.0, 1.0, 1.0), (7.0, 2.0, 2.0, 0.1))
RULES = DNNPartition(dnns=(A, B, C), num_client_vehicles=4, num_service_vehicles=2)
TINY = DNNPartition(
    dnns=(profile("x", (2.0, 4.0), (4.0, 1.0, 0.1)), profile("y", (1.0, 5.0, 9.0), (8.0, 6.0, 2.0, 0.1))),
    num_client_vehicles=2,
    num_service_vehicles=1,
)


def blank(problem: DNNPartition, batch_size: int) -> np.ndarray:
    return np.zeros((batch_size, problem.num_client_vehicles, problem.observation_size), dtype=np.float32)


def random_view(problem: DNNPartition, batch_size: int, seed: int) -> View:
    rng = np.random.default_rng(seed)
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles

    def backlog(queues: int) -> np.ndarray:
        return rng.exponential(10.0, (batch_size, queues)) * (rng.random((batch_size, queues)) > 0.4)

    state = State(
        client_backlog_gcycles=backlog(clients),
        rsu_backlog_gcycles=backlog(len(problem.dnns)),
        service_backlog_gcycles=backlog(services),
    )
    exogenous = Exogenous(
        client_position_m=np.zeros((batch_size, clients)),
        service_position_m=np.zeros((batch_size, services)),
        v2i_mbps=rng.uniform(1.0, 150.0, (batch_size, clients)),
        v2v_mbps=rng.uniform(1.0, 150.0, (batch_size, clients, services)),
        client_ghz=rng.uniform(4.0, 6.0, (batch_size, clients)),
        service_ghz=rng.uniform(6.0, 8.0, (batch_size, services)),
    )
    return View(problem=problem, state=state, exogenous=exogenous)


def cost(view: View, action: np.ndarray, objective: str) -> np.ndarray:
    """Returns what the policy minimises, of actions `[batch, clients]` or `[batch, choices, clients]`."""
    state, exogenous = view.state, view.exogenous
    if action.ndim == 3:
        state, exogenous = (map_arrays(lambda a: a[:, None], record) for record in (state, exogenous))
    outcome = view.problem.transition(state, action, exogenous)[1]
    return getattr(outcome, objective) + view.problem.lyapunov_v * outcome.delay_s.sum(axis=-1)


def least_cost(view: View, batch_size: int, objective: str) -> np.ndarray:
    """Returns the least cost over all joint actions."""
    every = np.array(list(itertools.product(*map(range, view.problem.action_counts))))
    return cost(view, np.tile(every, (batch_size, 1, 1)), objective).min(axis=1)
