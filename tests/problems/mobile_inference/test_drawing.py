"""The picture of `MobileInference`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vec_envs import mobile_inference_v0
from vec_envs.problems.mobile_inference.policies import LeastEstimate

pytest.importorskip("matplotlib")

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "arrival_rate_hz": 2.0,
    "render_mode": "rgb_array",
}
CLIENT, SERVICE, RSU = (0x33, 0x62, 0x9C), (0x2E, 0x85, 0x40), (0xC8, 0x50, 0x1E)
STREET, BELOW = np.s_[:390], np.s_[390:]


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def started(**options: Any) -> Any:
    env = mobile_inference_v0.vector_env(num_envs=1, **(SMALL | options))
    env.reset(seed=1)
    return env


def test_units_and_vehicles_are_on_the_street() -> None:
    with_services, without = started().render()[0][STREET], started(num_service_vehicles=0).render()[0][STREET]
    for colour in (CLIENT, SERVICE, RSU):
        assert pixels(with_services, colour) > 100
    assert pixels(without, SERVICE) == 0


def test_tasks_in_flight_and_energy_queues_are_bars() -> None:
    env = started(energy_budget_w=0.001)
    policy = LeastEstimate(env.problem)
    before = env.render()[0]
    for _ in range(4):
        env.step(policy.act(env.batch.observe(), env.view))
    assert env.batch.state.in_flight.any()
    after = env.render()[0]
    assert pixels(before[BELOW], CLIENT) == 0
    assert pixels(after[BELOW], CLIENT) > 500
    assert pixels(after[BELOW], SERVICE) > 100


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"num_rsus": 1, "num_client_vehicles": 1, "num_service_vehicles": 0},
    {"num_rsus": 7, "num_client_vehicles": 40, "num_service_vehicles": 20},
    {"mobility": "replay", "num_rsus": 2},
])  # fmt: skip
def test_episodes_of_any_size_can_be_drawn_to_their_end(options: dict[str, Any]) -> None:
    env = started(episode_slots=6, **options)
    policy = LeastEstimate(env.problem)
    for _ in range(6):
        env.step(policy.act(env.batch.observe(), env.view))
    picture = env.render()[0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    for edge in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
        assert (edge == 255).all()
