"""Tasks of `TaskDiversion`, one per environment, and the states at their release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.made_up import LONG, SHORT
from vec_envs.problems.task_diversion.problem import Exogenous, State, TaskDiversion

INF = np.inf
PROBLEM = TaskDiversion(dnns=(SHORT, LONG), num_client_vehicles=3, num_rsus=4)


def task(num_envs: int = 1, **other: Any) -> Exogenous:
    """Returns tasks of seat 0, released at 10 s between two units, but for what is given otherwise."""
    values: dict[str, Any] = {
        "slot": 10, "release_s": 10.0, "seat": 0, "vehicle": 0, "dnn": 0, "deadline_s": 1e9, "battery": 0.5,
        "position_m": 100.0, "speed_mps": -5.0, "unit": [1, 2], "rate_mbps": [8.0, 4.0], "diversion_draw": 0.5,
        "leave_s": INF,
    } | other  # fmt: skip
    wide = {name: np.asarray(value) for name, value in values.items()}
    row = {"unit": (2,), "rate_mbps": (2,)}
    shapes = {name: (num_envs, *row.get(name, ())) for name in wide}
    return Exogenous(
        **{name: np.ascontiguousarray(np.broadcast_to(value, shapes[name])) for name, value in wide.items()}
    )


def with_queues(problem: TaskDiversion, wait_s: list[float], num_envs: int = 1) -> State:
    """Returns units that are busy for so long from 10 s on."""
    return replace(problem.initial_state((num_envs,)), rsu_free_s=np.tile(10.0 + np.array(wait_s), (num_envs, 1)))


def random_epoch(rng: np.random.Generator, num_envs: int) -> tuple[State, Exogenous, np.ndarray]:
    state = replace(
        PROBLEM.initial_state((num_envs,)),
        rsu_free_s=rng.uniform(0.0, 20.0, (num_envs, 4)),
        holder=rng.integers(-1, 3, (num_envs, 3)),
        battery=rng.uniform(0.1, 1.0, (num_envs, 3)),
    )
    exogenous = task(
        num_envs,
        dnn=rng.integers(0, 2, num_envs),
        seat=rng.integers(0, 3, num_envs),
        vehicle=rng.integers(0, 3, num_envs),
        rate_mbps=rng.uniform(1.0, 100.0, (num_envs, 2)) * (rng.random((num_envs, 2)) > 0.2),
        diversion_draw=rng.random(num_envs),
    )
    return state, exogenous, rng.uniform(-1.0, 1.0, (num_envs, 1, 3))
