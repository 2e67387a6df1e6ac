"""A scene of `CooperativeInference` shows the state, the exogenous record and the decision of a slot."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from tests.problems.scene_slots import decision_of, slot_of
from vec_envs import cooperative_inference_v0


def test_devices_are_around_the_server_with_their_queues_and_links() -> None:
    with closing(cooperative_inference_v0.vector_env(num_envs=1, unstable="clip")) as env:
        env.reset(seed=1)
        for _ in range(2):
            env.batch.step(np.full((1, 5), 2))
        layers = env.problem.num_layers
        action = np.array([[0, layers[1], 3, layers[3], 0]])
        decision = decision_of(env.batch, action)
        frame, scenery = env.problem.scene(slot_of(env.batch, 2, decision)), env.problem.scenery()
        state, problem = env.batch.state, env.problem
    assert [(node.name, node.kind) for node in scenery.nodes][-2:] == [("d4", "device"), ("server", "server")]
    assert [(queue.name, queue.unit) for queue in scenery.queues] == [("Energy queue", ""), ("Memory queue", "")]
    np.testing.assert_allclose(np.hypot(frame.x_m[:5], frame.y_m[:5]), 150.0, atol=0.1)
    assert len(set(zip(frame.x_m, frame.y_m, strict=True))) == 6
    assert (frame.x_m[5], frame.y_m[5]) == (0.0, 0.0)
    energy, memory = frame.waits[:5], frame.waits[6:11]
    assert state.energy_queue.any()
    np.testing.assert_allclose(energy, state.energy_queue[0], atol=5.1e-4)
    np.testing.assert_allclose(memory, state.memory_queue[0], atol=5.1e-4)
    assert frame.waits[5] is None
    assert frame.waits[11] is None
    expected = []
    for device, cut in enumerate(decision.outcome.cut[0].tolist()):
        profile = problem.profiles[problem.dnn_of_device[device]]
        sends = cut < profile.num_layers
        words = f"{profile.name} from {profile.layers[cut].name}" if sends else f"all of {profile.name}"
        expected.append((device, 5 if sends else device, words))
    assert list(frame.links) == expected
    assert {start == end for start, end, _ in expected} == {True, False}
    sending = int((decision.outcome.transmit_s > 0.0).sum())
    mean_s = decision.outcome.delay_s.mean()
    assert frame.caption == f"{sending} of 5 devices send work to the server; a task takes {mean_s:.3f} s on average"


@pytest.mark.parametrize("slot", [0, 3])
def test_devices_that_drive_are_on_their_road(slot: int) -> None:
    options = {"mobility": "straight", "episode_slots": 6, "unstable": "clip"}
    with closing(cooperative_inference_v0.vector_env(num_envs=1, **options)) as env:
        env.reset(seed=1)
        traffic = env.batch.traffic(0)
        holder = traffic.client_vehicle.copy()
        holder[3, 1], holder[3, 2] = -1, 99
        decision = decision_of(env.batch, np.zeros((1, 5), np.int64))
        played = slot_of(env.batch, slot, decision, traffic=replace(traffic, client_vehicle=holder))
        frame = env.problem.scene(played)
    for device in range(5):
        if (slot, device) == (3, 1):
            assert frame.x_m[device] is None
            assert frame.y_m[device] is None
        else:
            assert frame.x_m[device] == pytest.approx(traffic.client_position_m[slot, device], abs=0.051)
    assert frame.x_m[5] == 0.0
    changed = holder[3] != holder[2]
    assert set(frame.arrived) == ({2, *np.flatnonzero(changed).tolist()} - {1} if slot else set())


def test_a_seat_without_a_vehicle_sends_nothing() -> None:
    with closing(cooperative_inference_v0.vector_env(num_envs=1)) as env:
        env.reset(seed=1)
        decision = decision_of(env.batch, np.zeros((1, 5), np.int64))
        none = replace(decision.outcome, has_tasks=np.zeros((1, 5), np.bool_))
        frame = env.problem.scene(slot_of(env.batch, 0, replace(decision, outcome=none)))
    assert frame.links == ()
    assert frame.caption == "No device has tasks in this slot"
