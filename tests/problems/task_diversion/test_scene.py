"""A scene of `TaskDiversion` shows the beginning of a slot and the tasks that are released in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.problems.scene_slots import decision_of, slot_of
from vec_envs import task_diversion_v0
from vec_envs.problems.scenes import Decision

UNITS, SEATS = 4, 6


@pytest.fixture
def env() -> Iterator[Any]:
    options = {"mobility": "straight", "num_client_vehicles": SEATS, "release_rate_hz": 0.6, "episode_slots": 20}
    with closing(task_diversion_v0.vector_env(num_envs=1, **options)) as env:
        env.reset(seed=2)
        yield env


def decided(env: Any, slot: int) -> list[Decision]:
    """Plays up to a slot, and returns its decisions: one task stays on its vehicle, the next is sent, and so on."""
    decisions: list[Decision] = []
    while env.batch.exogenous.slot[0] <= slot:
        action = np.full((1, 1, 3), 1.0 if len(decisions) % 2 else -1.0)
        decision = decision_of(env.batch, action)
        if env.batch.exogenous.slot[0] == slot:
            decisions.append(decision)
        env.batch.step(action)
    return decisions


def test_units_and_vehicles_are_along_the_road(env: Any) -> None:
    scenery, frame = env.problem.scenery(), env.problem.scene(slot_of(env.batch, 5))
    names = [*(f"RSU {unit}" for unit in range(UNITS)), *(f"vehicle {seat}" for seat in range(SEATS))]
    assert [node.name for node in scenery.nodes] == names
    assert [node.kind for node in scenery.nodes] == ["rsu"] * UNITS + ["vehicle"] * SEATS
    assert [(queue.name, queue.unit) for queue in scenery.queues] == [("Busy for", "s")]
    assert frame.x_m[:UNITS] == (-750.0, -250.0, 250.0, 750.0)
    traffic = env.batch.traffic(0)
    np.testing.assert_allclose(frame.x_m[UNITS:], traffic.client_position_m[5], atol=0.051)
    against = traffic.client_speed_mps[5] < 0.0
    assert 0 < against.sum() < SEATS, "the road is two-way"
    ahead = [y for y, back in zip(frame.y_m[UNITS:], against, strict=True) if not back]
    assert max(ahead) < min(y for y, back in zip(frame.y_m[UNITS:], against, strict=True) if back)
    assert max(frame.y_m[:UNITS]) < min(ahead)


def test_an_empty_seat_has_no_place_and_a_new_vehicle_does_not_drive_there(env: Any) -> None:
    traffic = env.batch.traffic(0)
    holder = np.tile(np.arange(SEATS), (21, 1))
    holder[5:, 0], holder[5:, 1] = -1, 50
    frame = env.problem.scene(slot_of(env.batch, 5, traffic=replace(traffic, client_vehicle=holder)))
    assert (frame.x_m[UNITS], frame.y_m[UNITS], frame.waits[UNITS]) == (None, None, None)
    assert frame.arrived == (UNITS + 1,)


def test_queues_are_those_at_the_beginning_of_the_slot(env: Any) -> None:
    holder = env.batch.traffic(0).client_vehicle[3].copy()
    holder[1] = -1
    state = replace(
        env.batch.state,
        rsu_free_s=np.array([[0.0, 2.0, 3.5, 7.25]]),
        holder=holder[None],
        vehicle_free_s=np.array([[4.5, 9.0, 1.0, 3.0, 6.0, 0.0]]),
    )
    frame = env.problem.scene(slot_of(env.batch, 3, state=state))
    assert frame.waits == (0.0, 0.0, 0.5, 4.25, 1.5, 0.0, 0.0, 0.0, 3.0, 0.0), "seat 1 has not decided yet"


def test_every_task_of_the_slot_has_a_link(env: Any) -> None:
    slot = 0
    while len(decisions := decided(env, slot)) < 2:
        slot += 1
    frame = env.problem.scene(slot_of(env.batch, slot, *decisions))
    assert len(frame.links) == len(decisions)
    for (start, end, what), decision in zip(frame.links, decisions, strict=True):
        outcome, profile = decision.outcome, env.problem.profiles[decision.outcome.dnn[0]]
        assert start == UNITS + decision.exogenous.seat[0]
        if outcome.offloaded[0]:
            assert (end, what) == (outcome.unit[0], f"{profile.name} from {profile.layers[outcome.cut[0]].name}")
        else:
            assert (end, what) == (start, f"all of {profile.name}")
    sent = [bool(decision.outcome.offloaded[0]) for decision in decisions]
    assert set(sent) == {True, False}
    late = sum(bool(decision.outcome.task.missed[0]) for decision in decisions)
    mean_s = np.mean([decision.outcome.task.time_s[0] for decision in decisions])
    assert frame.caption == (
        f"{len(sent)} tasks released, {sum(sent)} sent to a roadside unit: {mean_s:.2f} s on average, {late} late"
    )


def test_a_slot_without_tasks_says_so(env: Any) -> None:
    frame = env.problem.scene(slot_of(env.batch, 1))
    assert (frame.links, frame.caption) == ((), "No task is released in this slot")
