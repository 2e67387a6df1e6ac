"""Slots of `DNNPartition`: random ones, a plain one, and one in which every number is another."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT, profile
from vec_envs.dnn import DNNProfile
from vec_envs.problems.dnn_partition.problem import DNNPartition, Exogenous, Outcome, State

BATCH_SIZE = 6
EYES = DNNPartition(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=2)
STATE = State(
    client_backlog_gcycles=np.array([30.0, 60.0, 90.0]),
    rsu_backlog_gcycles=np.array([3.0, 6.0]),
    service_backlog_gcycles=np.array([15.0, 45.0]),
)
EXOGENOUS = Exogenous(
    client_position_m=np.array([-500.0, 0.0, 250.0]),
    service_position_m=np.array([100.0, -50.0]),
    v2i_mbps=np.array([100.0, 200.0, 50.0]),
    v2v_mbps=np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]),
    client_ghz=np.array([4.0, 5.0, 6.0]),
    service_ghz=np.array([7.0, 8.0]),
    client_speed_mps=np.array([15.0, 30.0, 3.0]),
    service_speed_mps=np.array([6.0, 9.0]),
)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A random slot of a random problem, in a batch of BATCH_SIZE."""

    problem: DNNPartition
    state: State
    action: np.ndarray
    exogenous: Exogenous

    def play(self, **options: Any) -> tuple[State, Outcome]:
        return replace(self.problem, **options).transition(self.state, self.action, self.exogenous)


def random_profile(rng: np.random.Generator, name: str) -> DNNProfile:
    num_layers = int(rng.integers(1, 6))
    gflops = rng.uniform(0.1, 5.0, num_layers) * (rng.random(num_layers) > 0.2)
    return profile(name, tuple(gflops), tuple(rng.uniform(0.01, 30.0, num_layers + 1)))


def random_problem(rng: np.random.Generator) -> DNNPartition:
    clients, types = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    return DNNPartition(
        dnns=tuple(random_profile(rng, f"dnn{k}") for k in range(types)),
        dnn_of_client=tuple(int(k) for k in rng.integers(0, types, clients)),
        num_client_vehicles=clients,
        num_service_vehicles=int(rng.integers(0, 4)),
        lyapunov_v=float(10.0 ** rng.uniform(-1, 2)),
        slot_s=float(rng.uniform(0.2, 3.0)),
        rsu_ghz=float(rng.uniform(5.0, 50.0)),
        allocation=str(rng.choice(["exact", "capped", "eq46"])),
    )


def random_slot(seed: int) -> Slot:
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles

    def backlog(queues: int) -> np.ndarray:
        return rng.exponential(20.0, (BATCH_SIZE, queues)) * (rng.random((BATCH_SIZE, queues)) > 0.5)

    return Slot(
        problem=problem,
        state=State(
            client_backlog_gcycles=backlog(clients),
            rsu_backlog_gcycles=backlog(len(problem.dnns)),
            service_backlog_gcycles=backlog(services),
        ),
        action=rng.integers(0, problem.action_counts, (BATCH_SIZE, clients)),
        exogenous=Exogenous(
            client_position_m=rng.uniform(-700.0, 700.0, (BATCH_SIZE, clients)),
            service_position_m=rng.uniform(-700.0, 700.0, (BATCH_SIZE, services)),
            v2i_mbps=rng.uniform(1.0, 200.0, (BATCH_SIZE, clients)),
            v2v_mbps=rng.uniform(1.0, 200.0, (BATCH_SIZE, clients, services)),
            client_ghz=rng.uniform(4.0, 6.0, (BATCH_SIZE, clients)),
            service_ghz=rng.uniform(6.0, 8.0, (BATCH_SIZE, services)),
        ),
    )


SLOTS = st.integers(0, 2**32 - 1).map(random_slot)
common = settings(max_examples=30)


def in_a_row(state: State) -> np.ndarray:
    return np.concatenate([getattr(state, f.name) for f in fields(state)], axis=-1)


def arrivals_of(slot: Slot) -> np.ndarray:
    """Returns the arrivals at each queue: its growth over a slot too short to serve any work."""
    following, _ = slot.play(slot_s=1e-15)
    return in_a_row(following) - in_a_row(slot.state)


def service_of(slot: Slot, outcome: Outcome) -> np.ndarray:
    speed = [slot.exogenous.client_ghz, outcome.rsu_allocation_ghz, slot.exogenous.service_ghz]
    return np.concatenate(speed, axis=-1) * slot.problem.slot_s


def cut_and_node(slot: Slot) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(slot.action, slot.problem.num_nodes)


def with_cut(slot: Slot, cut: np.ndarray) -> Slot:
    """Returns the slot with another cut, a number a client, and the same nodes."""
    return replace(slot, action=cut * slot.problem.num_nodes + cut_and_node(slot)[1])


def plain_exogenous(problem: DNNPartition, **other: np.ndarray) -> Exogenous:
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles
    values: dict[str, np.ndarray] = {
        "client_position_m": np.zeros(clients),
        "service_position_m": np.zeros(services),
        "v2i_mbps": np.full(clients, 100.0),
        "v2v_mbps": np.full((clients, services), 100.0),
        "client_ghz": np.full(clients, 5.0),
        "service_ghz": np.full(services, 7.0),
    }
    return Exogenous(**(values | other))
