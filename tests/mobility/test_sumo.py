"""Live SUMO: what a stream holds, and that nothing but its arguments decides it."""

from __future__ import annotations

import threading
from itertools import islice

import numpy as np
import pytest

from tests.mobility.conftest import assert_in_range, needs_sumo, same, shape, take
from vec_envs.mobility import EpisodeShape, SumoMobility, TrafficBlock, TrafficError, choose, make_mobility
from vec_envs.mobility.selection import EpisodeRandom
from vec_envs.mobility.sumo import FIRST_TAPE, LONGEST_TAPE, tape_part

FIRST_LONG = LONGEST_TAPE - FIRST_TAPE
"""The first episode of a tape of full length."""


@pytest.mark.parametrize("scenario", ["fdr-drive", "motorway"])
def test_vehicles_drive_along_the_road_and_stay_in_range(scenario: str) -> None:
    mobility = SumoMobility(scenario)
    for block in take(mobility.blocks(0, shape(10, 10, slots=31)), 3):
        assert block.client_xy_m.shape == (31, 10, 2)
        assert block.service_speed_mps.shape == (31, 10)
        assert_in_range(mobility, block)
        moved_m = np.diff(block.client_position_m, axis=0)
        assert (moved_m > 0.0).all()
        assert np.allclose(moved_m, block.client_speed_mps[1:])
        assert abs(block.client_speed_mps.mean() / mobility.road.speed_limit_mps - 0.93) < 0.12
        assert np.abs(np.diff(block.client_speed_mps, axis=0)).max() < 10.0
    mobility.close()


@needs_sumo
def test_traci_and_libsumo_give_the_same_bits(live: SumoMobility) -> None:
    traci = make_mobility("sumo", sumo_backend="traci")
    number = FIRST_TAPE + 3
    assert same(take(traci.blocks(5, shape()), number), take(live.blocks(5, shape()), number))
    traci.close()


def test_the_same_seed_gives_the_same_bits_in_another_worker(live: SumoMobility) -> None:
    first = take(live.blocks(1, shape()), 4)
    other = SumoMobility()
    assert same(first, take(other.blocks(1, shape()), 4))
    assert same(first, take(other.blocks(1, shape()), 4))
    other.close()


def test_seeds_and_episodes_differ_in_their_traffic(live: SumoMobility) -> None:
    first, second = islice(live.windows(1, shape()), 2)
    other = next(live.windows(2, shape()))
    for window in (second, other):
        assert not np.isin(window.position_m, first.position_m).any()


def test_an_episode_draws_its_roles_from_its_window(live: SumoMobility) -> None:
    random, windows = EpisodeRandom(6), live.windows(6, shape())
    for episode, (block, window) in enumerate(zip(take(live.blocks(6, shape()), 3), windows, strict=False)):
        drawn = choose(random.at(episode), window, shape())
        assert np.array_equal(block.client_xy_m, drawn.client_xy_m)
        assert np.array_equal(block.service_xy_m, drawn.service_xy_m)
        assert np.allclose(block.client_speed_mps, drawn.client_speed_mps)


@pytest.mark.parametrize("start", [1, FIRST_TAPE, 9, FIRST_LONG - 1, FIRST_LONG + 2])
def test_starting_at_an_episode_equals_skipping_the_earlier_ones(live: SumoMobility, start: int) -> None:
    skipped = take(live.blocks(4, shape()), start + 3)[start:]
    assert same(skipped, take(live.blocks(4, shape(), start=start), 3))


def test_tapes_cover_every_episode_once() -> None:
    parts = [tape_part(episode) for episode in range(3 * LONGEST_TAPE)]
    expected_tape, expected_window, longest = 0, 0, 0
    for part in parts:
        assert (part.tape, part.window) == (expected_tape, expected_window)
        longest = max(longest, part.num_windows)
        last = part.window == part.num_windows - 1
        expected_tape, expected_window = (expected_tape + 1, 0) if last else (expected_tape, expected_window + 1)
    assert longest == LONGEST_TAPE


@pytest.mark.parametrize("num_workers", [1, 2])
def test_iterators_are_independent(live: SumoMobility, num_workers: int) -> None:
    mobility = SumoMobility(num_workers=num_workers)
    plans: list[tuple[int, EpisodeShape]] = [(0, shape()), (1, shape()), (0, shape(2, 2, slots=4))]
    iterators = [mobility.blocks(seed, wanted) for seed, wanted in plans]
    got: list[list[TrafficBlock]] = [[] for _ in plans]
    for turn in range(5):
        for iterator, blocks in zip(iterators, got, strict=True):
            blocks += take(iterator, 1 + turn % 2)
    for (seed, wanted), blocks in zip(plans, got, strict=True):
        assert same(blocks, take(live.blocks(seed, wanted), len(blocks)))
    mobility.close()


def test_two_mobilities_and_a_thread_at_once(live: SumoMobility) -> None:
    other = SumoMobility("motorway")
    found: list[TrafficBlock] = []
    thread = threading.Thread(target=lambda: found.extend(take(other.blocks(0, shape()), 3)))
    thread.start()
    mine = take(live.blocks(0, shape()), 3)
    thread.join()
    assert len(found) == 3
    assert not same(mine, found)
    assert same(found, take(other.blocks(0, shape()), 3))
    other.close()


def test_a_slot_may_be_shorter_or_longer_than_a_second(live: SumoMobility) -> None:
    for slot_s in (0.5, 2.5):
        block = next(live.blocks(0, shape(slots=4, slot_s=slot_s)))
        speed_mps = np.diff(block.client_position_m, axis=0) / slot_s
        assert np.allclose(speed_mps, block.client_speed_mps[1:])
        assert 8.0 < speed_mps.mean() < 24.0
    with pytest.raises(ValueError, match="milliseconds"):
        live.blocks(0, shape(slot_s=0.0005))


def test_one_slot_and_one_role_are_enough(live: SumoMobility) -> None:
    block = next(live.blocks(0, shape(3, 0, slots=1)))
    assert block.client_xy_m.shape == (1, 3, 2)
    assert block.service_xy_m.shape == (1, 0, 2)
    assert (block.client_speed_mps > 0.0).all()


@pytest.mark.slow
def test_too_few_vehicles_raise_an_error_with_advice(live: SumoMobility) -> None:
    with pytest.raises(TrafficError, match=r"40 clients and 30 service vehicles; ask for fewer"):
        next(live.blocks(0, shape(40, 30, slots=3)))
    assert len(take(live.blocks(0, shape()), 2)) == 2


def test_roles_are_limited_to_their_vehicle_types(edited_scenario) -> None:
    roles = 'client_types = ["car"]\nservice_types = ["van"]\n[road]'
    mobility = SumoMobility(edited_scenario("scenario.toml", lambda text: text.replace("[road]", roles)))
    window = next(mobility.windows(0, shape(3, 2)))
    assert window.may_be_client.any()
    assert window.may_be_service.any()
    assert not (window.may_be_client & window.may_be_service).any()
    with pytest.raises(TrafficError, match="types for the roles"):
        next(mobility.blocks(0, shape(1, 20)))
    mobility.close()
