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


def play(batch: EnvironmentBatch, chosen: np.ndarray) -> list[np.ndarray]:
    """Plays these slots; returns what was seen and earned."""
    trace = [batch.observe()]
    for action in chosen:
        trace += [np.array(batch.step(action).reward), batch.observe()]
    return trace


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    assert len(one) == len(other)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def values(record: Any) -> list[np.ndarray]:
    return [getattr(record, f.name) for f in fields(record)]


def test_the_first_reset_must_be_of_all_environments() -> None:
    with pytest.raises(RuntimeError, match="all environments"):
        make(3).reset([0, 2], [1, 2])


def test_observing_and_stepping_before_the_first_reset_are_refused() -> None:
    batch = make(2)
    assert batch.ended.all()
    with pytest.raises(RuntimeError, match="reset"):
        batch.observe()
    with pytest.raises(RuntimeError, match="reset"):
        batch.step(actions(0, 2)[0])


def test_an_episode_starts_empty_and_ends_after_its_slots() -> None:
    batch = make(2)
    batch.reset([0, 1], [5, 6])
    assert all((queue == 0.0).all() for queue in values(batch.state))
    for slot, action in enumerate(actions(0, 2)):
        assert not batch.ended.any()
        assert batch.epoch.tolist() == [slot, slot]
        batch.step(action)
    assert batch.ended.all()


@BOTH
def test_every_environment_equals_a_batch_of_one_with_its_seed(problem: Problem) -> None:
    chosen = actions(1, 3, problem)
    together = make(3, problem)
    together.reset([0, 1, 2], [7, 8, 7])
    for _ in range(2):
        trace = play(together, chosen)
        for row, seed in enumerate([7, 8, 7]):
            alone = make(1, problem)
            alone.reset([0], [seed])
            for _ in range(together._seeding[row].episodes - 1):  # type: ignore[union-attr]
                alone.reset([0], [None])
            assert_same([part[row : row + 1] for part in trace], play(alone, chosen[:, row : row + 1]))
        together.reset([0, 1, 2], [None] * 3)


def test_a_reset_changes_only_its_environments() -> None:
    batch, chosen = make(3), actions(2, 3)
    batch.reset([0, 1, 2], [1, 2, 3])
    for action in chosen[:2]:
        batch.step(action)
    state, exogenous = values(batch.state), values(batch.exogenous)
    batch.reset([1], [None])
    assert batch.epoch.tolist() == [2, 0, 2]
    for before, after in zip(state + exogenous, values(batch.state) + values(batch.exogenous), strict=True):
        assert np.array_equal(before[[0, 2]], after[[0, 2]])
    assert all((queue[1] == 0.0).all() for queue in values(batch.state))
    assert not np.array_equal(exogenous[2][1], batch.exogenous.v2i_mbps[1])


@BOTH
def test_environments_at_different_slots_read_their_own_slot(problem: Problem) -> None:
    chosen = actions(3, 2, problem)
    batch, late, early = make(2, problem), make(1, problem), make(1, problem)
    batch.reset([0, 1], [1, 2])
    early.reset([0], [1])
    late.reset([0], [2])
    batch.step(chosen[0])
    early.step(chosen[0][:1])
    batch.reset([1], [9])
    late.reset([0], [9])
    for action in chosen[1:3]:
        outcome = batch.step(action)
        assert outcome.reward[0] == early.step(action[:1]).reward[0]
        assert outcome.reward[1] == late.step(action[1:]).reward[0]
        assert np.array_equal(batch.observe(), np.concatenate([early.observe(), late.observe()]))


def test_an_ended_environment_stays_unchanged_while_others_continue() -> None:
    batch, chosen = make(2), actions(4, 2)
    batch.reset([0, 1], [1, 2])
    batch.step(chosen[0])
    batch.reset([1], [None])
    for action in chosen[1:]:
        batch.step(action)
    assert batch.ended.tolist() == [True, False]
    stays = [queue[0].copy() for queue in values(batch.state)]
    batch.step(chosen[0])
    assert batch.epoch.tolist() == [4, 4]
    assert all(np.array_equal(queue[0], before) for queue, before in zip(values(batch.state), stays, strict=True))


@BOTH
def test_stepping_does_not_modify_returned_arrays(problem: Problem) -> None:
    batch, chosen = make(2, problem), actions(5, 2, problem)
    batch.reset([0, 1], [1, 2])
    batch.step(chosen[0])
    held = [*values(batch.state), batch.epoch, *values(batch.exogenous), batch.observe()]
    copies = [array.copy() for array in held]
    batch.step(chosen[1])
    batch.reset([0], [None])
    batch.step(chosen[2])
    assert all(np.array_equal(a, b) for a, b in zip(held, copies, strict=True))


@BOTH
def test_a_snapshot_is_plain_and_gives_the_same_continuation(problem: Problem) -> None:
    batch, chosen = make(2, problem), actions(6, 2, problem)
    batch.reset([0, 1], [11, 12])
    play(batch, chosen)
    batch.reset([0], [None])  # so that the environments have played different numbers of episodes
    saved = json.loads(json.dumps(batch.snapshot()))
    batch.reset([0, 1], [None, None])
    expected = play(batch, chosen)
    batch.reset([0, 1], [None, None])
    expected += play(batch, chosen)

    other = make(2, problem)
    other.restore(saved)
    other.reset([0, 1], [None, None])
    again = play(other, chosen)
    other.reset([0, 1], [None, None])
    assert_same(expected, again + play(other, chosen))


def test_an_unseeded_environment_gets_a_new_seed_that_can_be_repeated() -> None:
    one, other = make(1), make(1)
    one.reset([0], [None])
    other.reset([0], [None])
    assert not np.array_equal(one.exogenous.v2i_mbps, other.exogenous.v2i_mbps)
    again = make(1)
    again.reset([0], [one.snapshot()[0]["seed"]])
    assert np.array_equal(one.exogenous.v2i_mbps, again.exogenous.v2i_mbps)
    assert fresh_seed() != fresh_seed()


def test_traffic_does_not_depend_on_the_number_of_other_draws() -> None:
    batch = make(1)
    batch.reset([0], [3])
    more_links = EnvironmentBatch(
        DNNPartition(num_client_vehicles=3, num_service_vehicles=2, episode_slots=5), StraightMobility(), 1
    )
    more_links.reset([0], [3])
    # The longer episode draws more fading, and yet the speeds of its vehicles are the same.
    assert np.array_equal(batch.exogenous.client_speed_mps, more_links.exogenous.client_speed_mps)


@pytest.mark.parametrize("shape", [(3,), (2,), (1, 3), (2, 3, 3), (2, 2, 3), (3, 3)])
def test_an_action_of_a_wrong_batch_or_agent_axis_is_refused(shape: tuple[int, ...]) -> None:
    batch = make(2)
    batch.reset([0, 1], [1, 2])
    with pytest.raises(ValueError, match=r"actions must have shape \(2, 3\), got"):
        batch.step(np.zeros(shape, dtype=int))
    assert batch.epoch.tolist() == [0, 0]


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


def test_after_a_failure_the_draws_continue_as_without_it() -> None:
    calls = iter([False, False, True])

    def spoil(block: TrafficBlock) -> TrafficBlock:
        if next(calls, False):
            raise TrafficError("a road works")
        return block

    batch, sound = EnvironmentBatch(PROBLEM, Unreliable(spoil), 2), make(2)
    sound.reset([0, 1], [5, 6])
    batch.reset([0, 1], [5, 6])
    with pytest.raises(TrafficError, match="a road works"):
        batch.reset([0, 1], [None, None])
    batch.reset([0, 1], [None, None])
    sound.reset([0, 1], [None, None])
    assert_same(play(batch, actions(0, 2)), play(sound, actions(0, 2)))
    assert batch.snapshot() == sound.snapshot()


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
    batch, sound = EnvironmentBatch(PROBLEM, Unreliable(lambda b: spoil(b) if next(calls, False) else b), 1), make(1)
    with pytest.raises(TrafficError, match=message):
        batch.reset([0], [0])
    batch.reset([0], [None])
    sound.reset([0], [0])
    assert_same(play(batch, actions(0, 1)), play(sound, actions(0, 1)))


def test_traffic_that_ends_is_refused() -> None:
    class Ends(Unreliable):
        def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
            return iter([])

    with pytest.raises(TrafficError, match="must be endless"):
        EnvironmentBatch(PROBLEM, Ends(None), 1).reset([0], [0])


@BOTH
def test_the_order_of_reset_indices_does_not_matter(problem: Problem) -> None:
    one, other = make(2, problem), make(2, problem)
    one.reset([0, 1], [5, 6])
    other.reset([1, 0], [6, 5])
    assert_same(play(one, actions(0, 2, problem)), play(other, actions(0, 2, problem)))


def test_an_episode_of_tasks_ends_when_the_last_is_decided_and_stays() -> None:
    batch = make(3, TASKS)
    batch.reset([0, 1, 2], [5, 6, 7])
    steps = np.zeros(3, dtype=int)
    while not batch.ended.all():
        before, state = batch.ended, batch.state
        assert (batch.exogenous.slot[~before] < 4).all()
        batch.step(np.zeros((3, 1, 3)))
        steps += ~before
        for old, new in zip(values(state), values(batch.state), strict=True):
            assert np.array_equal(old[before], new[before])
    assert len(set(steps.tolist())) > 1
    assert batch.epoch.tolist() == [TASKS.episode_epochs] * 3
    assert (batch.exogenous.slot == 4).all()
    assert np.isfinite(batch.observe()).all()


def test_a_seat_may_be_empty_except_in_the_first_slot() -> None:
    def emptied(block: TrafficBlock, slot: int) -> TrafficBlock:
        vehicle = block.client_vehicle.copy()
        vehicle[slot, 1] = -1
        return replace(block, client_vehicle=vehicle)

    EnvironmentBatch(TASKS, Unreliable(lambda block: emptied(block, 1)), 1).reset([0], [0])
    for problem, slot, when in ((TASKS, 0, "in the first slot"), (PROBLEM, 1, "in every slot")):
        with pytest.raises(TrafficError, match=f"client_vehicle of a traffic block must .* in every seat {when}"):
            EnvironmentBatch(problem, Unreliable(lambda block, at=slot: emptied(block, at)), 1).reset([0], [0])
