"""A scene of `MobileInference` shows units, vehicles, work, energy queues and the tasks in flight of a slot."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from tests.problems.scene_slots import decision_of, slot_of
from vec_envs import mobile_inference_v0
from vec_envs.problems.abilities import HasScenes
from vec_envs.problems.mobile_inference.policies import LeastEstimate

SMALL = {"num_client_vehicles": 4, "num_service_vehicles": 3, "episode_slots": 60, "arrival_rate_hz": 1.0}


@pytest.mark.parametrize("slot", [0, 24, 48])
def test_a_scene_shows_who_is_where_and_what_is_in_flight(slot: int) -> None:
    with closing(mobile_inference_v0.vector_env(num_envs=1, mobility="replay", **SMALL)) as env:
        observation, _ = env.reset(seed=2)
        problem, batch, policy = env.problem, env.batch, LeastEstimate(env.problem)
        for _ in range(slot):
            batch.step(policy.act(observation, batch.view))
        decision = decision_of(batch, policy.act(observation, batch.view))
        frame, scenery = problem.scene(slot_of(batch, slot, decision)), problem.scenery()
        state, now, traffic = batch.state, batch.exogenous, batch.traffic(0)
    assert isinstance(problem, HasScenes)
    names = [node.name for node in scenery.nodes]
    assert names == ["c0", "c1", "c2", "c3", "RSU 0", "RSU 1", "RSU 2", "s0", "s1", "s2"]
    assert [(queue.name, queue.unit) for queue in scenery.queues] == [("Work", "Gcycles"), ("Energy queue", "J")]
    assert frame.x_m[4:7] == (-600.0, 0.0, 600.0)
    np.testing.assert_allclose(frame.x_m[:4], now.client_position_m[0], atol=0.051)
    np.testing.assert_allclose(frame.x_m[7:], traffic.service_position_m[slot], atol=0.051)
    np.testing.assert_allclose(frame.waits[:4], state.local_gcycles[0], atol=5.1e-4)
    np.testing.assert_allclose(frame.waits[10:14], state.energy_queue_j[0], atol=5.1e-4)
    assert frame.waits[14:] == (None,) * 6
    assert sum(frame.waits[4:10]) == pytest.approx(state.edge_gcycles.sum(), abs=0.01)
    begun, _ = problem.dynamics.start(state, decision.action, now)
    assert [start for start, _, _ in frame.links] == np.flatnonzero(begun.in_flight[0]).tolist()
    for start, end, words in frame.links:
        node = int(begun.node[0, start])
        assert end == (start if node < 0 else 4 + node)
        assert words.endswith("left")
    assert frame.caption.startswith(f"Tasks: {state.in_flight.sum()} in flight, {state.waiting.sum()} waiting; ")
    assert frame.caption.endswith(f"cost {float(decision.outcome.cost_s[0]):.1f} s")
    if slot:
        assert frame.links


def test_a_seat_that_changes_hands_jumps() -> None:
    with closing(mobile_inference_v0.vector_env(num_envs=1, mobility="replay", num_client_vehicles=4)) as env:
        env.reset(seed=2)
        decision = decision_of(env.batch, np.zeros((1, 4), np.int64))
        traffic = env.batch.traffic(0)
        changes = np.argwhere(np.diff(traffic.service_vehicle, axis=0))
        slot, seat = (int(number) for number in changes[0] + (1, 0))
        frame = env.problem.scene(slot_of(env.batch, slot, decision))
    assert 7 + seat in frame.arrived
