"""A small `VEC-TaskDiversion-v0`, and episodes of it through either face."""

from __future__ import annotations

from typing import Any

import numpy as np

from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.slot_env import SlotEnv

ENV_ID = "VEC-TaskDiversion-v0"
SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 4,
    "episode_slots": 5,
    "release_rate_hz": 0.6,
    "observation": "extended",
}
INFOS = {
    "cost", "penalised_cost", "time_s", "energy_j", "vehicle_energy_j", "missed", "failed", "offloaded", "queue_s",
    "cut", "battery", "low_battery", "low_battery_energy_j",
}  # fmt: skip
IDLE = np.zeros(3)


def decision(slot: int, seat: int, size: int = 3) -> np.ndarray:
    """Returns the action of a seat in a slot, the same through every face."""
    return np.random.default_rng([slot, seat]).uniform(-1.0, 1.0, size).astype(np.float32)


def random_actions(steps: int, num_envs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (steps, num_envs, 3)).astype(np.float32)


def turn(env: Any) -> tuple[int, int]:
    """Returns slot and seat of the present task."""
    exogenous = env.view.exogenous
    return int(exogenous.slot[0]), int(exogenous.seat[0])


def play(env: JointEnv, seed: int | None) -> list[Any]:
    """Plays one episode to its end; returns all it gave, step by step."""
    trace: list[Any] = [env.reset(seed=seed)]
    while not (len(trace) > 1 and trace[-1][3]):
        trace.append(env.step(decision(*turn(env))))
    return trace


def play_slots(env: SlotEnv, seed: int | None) -> list[Any]:
    trace: list[Any] = [env.reset(seed=seed)]
    slot = 0
    while env.agents:
        trace.append(env.step({agent: decision(slot, k) for k, agent in enumerate(env.agents)}))
        slot += 1
    return trace
