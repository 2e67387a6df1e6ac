"""EnvironmentBatch: seeds, partial resets, ends, and going on from a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from vec_envs.core.batch import EnvironmentBatch, fresh_seed
from vec_envs.mobility.straight import StraightMobility
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficError
from vec_envs.problems.base import ContinuousActions, Problem, action_shape
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.records import map_arrays

PROBLEM = DNNPartition(num_client_vehicles=3, num_service_vehicles=2, episode_slots=4, observation="extended")
TASKS = TaskDiversion(num_client_vehicles=3, episode_slots=4, release_rate_hz=1.0, observation="extended")
BOTH = pytest.mark.parametrize("problem", [PROBLEM, TASKS], ids=["partition", "diversion"])


def make(batch_size: int, problem: Problem = PROBLEM) -> EnvironmentBatch:
    return EnvironmentBatch(problem, StraightMobility(), batch_size)


def actions(seed: int, batch_size: int, problem: Problem = PROBLEM) -> np.ndarray:
    """Returns the actions of some epochs, epoch by epoch."""
    rng = np.random.default_rng(seed)
    if isinstance(problem.actions, ContinuousActions):
        return rng.uniform(-1.0, 1.0, (4, batch_size, *action_shape(problem)))
    return rng.integers(0, problem.actions.counts, (4, batch_size, *action_shape(problem)))


def play(lanes: EnvironmentBatch, chosen: np.ndarray) -> list[np.ndarray]:
    """Plays these slots; returns what was seen and earned."""
    trace = [lanes.observe()]
    for action in chosen:
        trace += [np.array(lanes.step(action).reward), lanes.observe()]
    return trace


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    assert len(one) == len(other)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def values(record: Any) -> list[np.ndarray]:
    return [getattr(record, f.name) for f in fields(record)]


def test_the_first_reset_must_be_of_all_lanes() -> None:
    with pytest.raises(RuntimeError, match="all environments"):
        make(3).reset([0, 2], [1, 2])


def test_nothing_runs_before_the_first_reset() -> None:
    lanes = make(2)
    assert lanes.ended.all()
    with pytest.raises(RuntimeError, match="reset"):
        lanes.observe()
    with pytest.raises(RuntimeError, match="reset"):
        lanes.step(actions(0, 2)[0])


def test_an_episode_starts_empty_and_ends_after_its_slots() -> None:
    lanes = make(2)
    lanes.reset([0, 1], [5, 6])
    assert all((queue == 0.0).all() for queue in values(lanes.state))
    for slot, action in enumerate(actions(0, 2)):
        assert not lanes.ended.any()
        assert lanes.epoch.tolist() == [slot, slot]
        lanes.step(action)
    assert lanes.ended.all()


@BOTH
def test_every_lane_is_the_single_lane_of_its_seed(problem: Problem) -> None:
    chosen = actions(1, 3, problem)
    together = make(3, problem)
    together.reset([0, 1, 2], [7, 8, 7])
    for _ in range(2):
        trace = play(together, chosen)
        for lane, seed in enumerate([7, 8, 7]):
            alone = make(1, problem)
            alone.reset([0], [seed])
            for _ in range(together._seeding[lane].episodes - 1):  # type: ignore[union-attr]
                alone.reset([0], [None])
            assert_same([part[lane : lane + 1] for part in trace], play(alone, chosen[:, lane : lane + 1]))
        together.reset([0, 1, 2], [None] * 3)


def test_a_reset_touches_only_its_lanes() -> None:
    lanes, chosen = make(3), actions(2, 3)
    lanes.reset([0, 1, 2], [1, 2, 3])
    for action in chosen[:2]:
        lanes.step(action)
    state, exogenous = values(lanes.state), values(lanes.exogenous)
    lanes.reset([1], [None])
    assert lanes.epoch.tolist() == [2, 0, 2]
    for before, after in zip(state + exogenous, values(lanes.state) + values(lanes.exogenous), strict=True):
        assert np.array_equal(before[[0, 2]], after[[0, 2]])
    assert all((queue[1] == 0.0).all() for queue in values(lanes.state))
    assert not np.array_equal(exogenous[2][1], lanes.exogenous.v2i_mbps[1])


@BOTH
def test_lanes_out_of_step_read_their_own_slot(problem: Problem) -> None:
    chosen = actions(3, 2, problem)
    lanes, late, early = make(2, problem), make(1, problem), make(1, problem)
    lanes.reset([0, 1], [1, 2])
    early.reset([0], [1])
    late.reset([0], [2])
    lanes.step(chosen[0])
    early.step(chosen[0][:1])
    lanes.reset([1], [9])
    late.reset([0], [9])
    for action in chosen[1:3]:
        outcome = lanes.step(action)
        assert outcome.reward[0] == early.step(action[:1]).reward[0]
        assert outcome.reward[1] == late.step(action[1:]).reward[0]
        assert np.array_equal(lanes.observe(), np.concatenate([early.observe(), late.observe()]))


def test_an_ended_lane_stays_while_the_others_go_on() -> None:
    lanes, chosen = make(2), actions(4, 2)
    lanes.reset([0, 1], [1, 2])
    lanes.step(chosen[0])
    lanes.reset([1], [None])
    for action in chosen[1:]:
        lanes.step(action)
    assert lanes.ended.tolist() == [True, False]
    stays = [queue[0].copy() for queue in values(lanes.state)]
    lanes.step(chosen[0])
    assert lanes.epoch.tolist() == [4, 4]
    assert all(np.array_equal(queue[0], before) for queue, before in zip(values(lanes.state), stays, strict=True))


@BOTH
def test_stepping_does_not_write_to_what_was_handed_out(problem: Problem) -> None:
    lanes, chosen = make(2, problem), actions(5, 2, problem)
    lanes.reset([0, 1], [1, 2])
    lanes.step(chosen[0])
    held = [*values(lanes.state), lanes.epoch, *values(lanes.exogenous), lanes.observe()]
    copies = [array.copy() for array in held]
    lanes.step(chosen[1])
    lanes.reset([0], [None])
    lanes.step(chosen[2])
    assert all(np.array_equal(a, b) for a, b in zip(held, copies, strict=True))


@BOTH
def test_a_snapshot_is_plain_and_gives_the_same_continuation(problem: Problem) -> None:
    lanes, chosen = make(2, problem), actions(6, 2, problem)
    lanes.reset([0, 1], [11, 12])
    play(lanes, chosen)
    lanes.reset([0], [None])  # so that the lanes have played a different number of episodes
    saved = json.loads(json.dumps(lanes.snapshot()))
    lanes.reset([0, 1], [None, None])
    expected = play(lanes, chosen)
    lanes.reset([0, 1], [None, None])
    expected += play(lanes, chosen)

    other = make(2, problem)
    other.restore(saved)
    other.reset([0, 1], [None, None])
    again = play(other, chosen)
    other.reset([0, 1], [None, None])
    assert_same(expected, again + play(other, chosen))


def test_an_unseeded_lane_is_seeded_afresh_and_can_be_repeated() -> None:
    one, other = make(1), make(1)
    one.reset([0], [None])
    other.reset([0], [None])
    assert not np.array_equal(one.exogenous.v2i_mbps, other.exogenous.v2i_mbps)
    again = make(1)
    again.reset([0], [one.snapshot()[0]["seed"]])
    assert np.array_equal(one.exogenous.v2i_mbps, again.exogenous.v2i_mbps)
    assert fresh_seed() != fresh_seed()


def test_traffic_does_not_depend_on_how_much_else_is_drawn() -> None:
    lanes = make(1)
    lanes.reset([0], [3])
    more_links = EnvironmentBatch(
        DNNPartition(num_client_vehicles=3, num_service_vehicles=2, episode_slots=5), StraightMobility(), 1
    )
    more_links.reset([0], [3])
    # The longer episode draws more fading, and yet the speeds of its vehicles are the same.
    assert np.array_equal(lanes.exogenous.client_speed_mps, more_links.exogenous.client_speed_mps)


@pytest.mark.parametrize("shape", [(3,), (2,), (1, 3), (2, 3, 3), (2, 2, 3), (3, 3)])
def test_an_action_of_other_lanes_or_agents_is_refused(shape: tuple[int, ...]) -> None:
    lanes = make(2)
    lanes.reset([0, 1], [1, 2])
    with pytest.raises(ValueError, match=r"actions must have shape \(2, 3\), got"):
        lanes.step(np.zeros(shape, dtype=int))
    assert lanes.epoch.tolist() == [0, 0]


class Unreliable:
    """A straight road whose blocks pass through `spoil`, which may raise."""

    def __init__(self, spoil: Any) -> None:
        self._straight, self._spoil = StraightMobility(), spoil

    @property
    def road(self) -> Road:
        return self._straight.road

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        for block in self._straight.blocks(seed, shape, start=start):
            yield self._spoil(block)

    def close(self) -> None:
        """Has nothing to end."""


def test_after_a_failure_the_streams_go_on_as_if_it_had_not_been() -> None:
    calls = iter([False, False, True])

    def spoil(block: TrafficBlock) -> TrafficBlock:
        if next(calls, False):
            raise TrafficError("a road works")
        return block

    lanes, sound = EnvironmentBatch(PROBLEM, Unreliable(spoil), 2), make(2)
    sound.reset([0, 1], [5, 6])
    lanes.reset([0, 1], [5, 6])
    with pytest.raises(TrafficError, match="a road works"):
        lanes.reset([0, 1], [None, None])
    lanes.reset([0, 1], [None, None])
    sound.reset([0, 1], [None, None])
    assert_same(play(lanes, actions(0, 2)), play(sound, actions(0, 2)))
    assert lanes.snapshot() == sound.snapshot()


def one_service_less(block: TrafficBlock) -> TrafficBlock:
    names = [f.name for f in fields(block) if f.name.startswith("service")]
    return replace(block, **{name: getattr(block, name)[:, :1] for name in names})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda b: map_arrays(lambda a: a[1:], b), r"client_xy_m .* must have shape \(5, 3, 2\)"),
        (one_service_less, r"service_xy_m .* must have shape \(5, 2, 2\)"),
        (lambda b: replace(b, client_xy_m=b.client_xy_m * np.nan), "client_xy_m .* not finite"),
    ],
)
def test_traffic_that_is_not_as_asked_for_is_refused(spoil: Any, message: str) -> None:
    calls = iter([True])
    lanes, sound = EnvironmentBatch(PROBLEM, Unreliable(lambda b: spoil(b) if next(calls, False) else b), 1), make(1)
    with pytest.raises(TrafficError, match=message):
        lanes.reset([0], [0])
    lanes.reset([0], [None])
    sound.reset([0], [0])
    assert_same(play(lanes, actions(0, 1)), play(sound, actions(0, 1)))


def test_traffic_that_ends_is_refused() -> None:
    class Ends(Unreliable):
        def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
            return iter([])

    with pytest.raises(TrafficError, match="must be endless"):
        EnvironmentBatch(PROBLEM, Ends(None), 1).reset([0], [0])


@BOTH
def test_the_order_in_which_lanes_are_named_does_not_matter(problem: Problem) -> None:
    one, other = make(2, problem), make(2, problem)
    one.reset([0, 1], [5, 6])
    other.reset([1, 0], [6, 5])
    assert_same(play(one, actions(0, 2, problem)), play(other, actions(0, 2, problem)))


def test_an_episode_of_tasks_ends_when_the_last_is_decided_and_stays() -> None:
    lanes = make(3, TASKS)
    lanes.reset([0, 1, 2], [5, 6, 7])
    steps = np.zeros(3, dtype=int)
    while not lanes.ended.all():
        before, state = lanes.ended, lanes.state
        assert (lanes.exogenous.slot[~before] < 4).all()
        lanes.step(np.zeros((3, 1, 3)))
        steps += ~before
        for old, new in zip(values(state), values(lanes.state), strict=True):
            assert np.array_equal(old[before], new[before])
    assert len(set(steps.tolist())) > 1
    assert lanes.epoch.tolist() == [TASKS.episode_epochs] * 3
    assert (lanes.exogenous.slot == 4).all()
    assert np.isfinite(lanes.observe()).all()


def test_a_seat_may_be_empty_but_in_the_first_slot_of_those_who_come_and_go() -> None:
    def emptied(block: TrafficBlock, slot: int) -> TrafficBlock:
        vehicle = block.client_vehicle.copy()
        vehicle[slot, 1] = -1
        return replace(block, client_vehicle=vehicle)

    EnvironmentBatch(TASKS, Unreliable(lambda block: emptied(block, 1)), 1).reset([0], [0])
    for problem, slot in ((TASKS, 0), (PROBLEM, 1)):
        with pytest.raises(TrafficError, match="client_vehicle of a traffic block has empty seats"):
            EnvironmentBatch(problem, Unreliable(lambda block, at=slot: emptied(block, at)), 1).reset([0], [0])
