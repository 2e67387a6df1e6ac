"""The straight road: constant speeds, always in range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.mobility.conftest import assert_in_range, assert_seats_hold, of_seats, same, shape, take
from vec_envs.mobility import StraightMobility, TrafficError


@given(
    seed=st.integers(0, 2**63),
    speed_mps=st.floats(0.0, 40.0),
    speed_spread=st.floats(0.0, 0.2),
    range_m=st.floats(800.0, 2000.0),
    lanes=st.integers(1, 6),
)
def test_vehicles_keep_their_speed_and_stay_in_range(
    seed: int, speed_mps: float, speed_spread: float, range_m: float, lanes: int
) -> None:
    mobility = StraightMobility(speed_mps=speed_mps, speed_spread=speed_spread, range_m=range_m, lanes=lanes)
    (block,) = take(mobility.blocks(seed, shape(4, 3, slots=31)), 1)
    assert_in_range(mobility, block)
    assert np.allclose(np.diff(block.client_position_m, axis=0), block.client_speed_mps[1:])
    assert (np.ptp(block.service_speed_mps, axis=0) == 0.0).all()
    assert (np.abs(block.client_speed_mps - speed_mps) <= speed_spread * speed_mps + 1e-9).all()
    assert np.array_equal(block.client_xy_m[..., 0], block.client_position_m)
    assert len(np.unique(block.client_xy_m[..., 1])) <= lanes


def test_places_cover_the_range() -> None:
    mobility = StraightMobility()
    blocks = take(mobility.blocks(0, shape(50, 50, slots=31)), 20)
    first_m = np.concatenate([block.client_position_m[0] for block in blocks])
    last_m = np.concatenate([block.client_position_m[-1] for block in blocks])
    assert first_m.min() < -700.0
    assert last_m.max() > 700.0
    assert len(np.unique(np.concatenate([block.client_xy_m[0, :, 1] for block in blocks]))) == mobility.lanes


def test_seeds_decide_and_seeking_is_skipping() -> None:
    mobility = StraightMobility()
    blocks = take(mobility.blocks(3, shape()), 8)
    assert same(blocks[5:], take(mobility.blocks(3, shape(), start=5), 3))
    assert not same(blocks[:1], take(mobility.blocks(4, shape()), 1))
    assert not same(blocks[:1], blocks[1:2])


def test_an_episode_longer_than_the_range_is_refused_with_the_numbers() -> None:
    with pytest.raises(TrafficError, match="1575 m in 81 slots of 1 s, but only 1499 m"):
        StraightMobility().blocks(0, shape(slots=81))
    take(StraightMobility(speed_mps=0.0).blocks(0, shape(slots=1000)), 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed_mps": -1.0}, "speed_mps must be a finite number of at least 0, got -1.0"),
        ({"speed_spread": 1.0}, "speed_spread must be at least 0 and below 1, got 1.0"),
        ({"lanes": 0}, "lanes must be an integer of at least 1, got 0"),
        ({"lanes": 2.5}, "lanes must be an integer of at least 1, got 2.5"),
        ({"lane_width_m": 0.0}, "lane_width_m must be a finite number above 0, got 0.0"),
        ({"range_m": 10.0}, "range_m must be above 21.6, the distance to the far lane, got 10.0"),
        ({"range_m": float("nan")}, "range_m must be a finite number above 0, got nan"),
        ({"range_m": None}, "range_m must be a finite number above 0, got None"),
        ({"speed_mps": "fast"}, "speed_mps must be a finite number of at least 0, got 'fast'"),
        ({"speed_spread": "x"}, "speed_spread must be a finite number of at least 0, got 'x'"),
    ],
)
def test_numbers_out_of_bounds_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        StraightMobility(**options)


@example(seed=0, speed_mps=5e-324, speed_spread=0.5, range_m=100.0, slots=2)
@example(seed=0, speed_mps=2e-311, speed_spread=0.0, range_m=100.0, slots=2)
@given(
    seed=st.integers(0, 2**63),
    speed_mps=st.floats(0.0, 40.0),
    speed_spread=st.floats(0.0, 0.9),
    range_m=st.floats(100.0, 2000.0),
    slots=st.integers(2, 90),
)
def test_seats_are_never_empty_and_their_holders_keep_their_speed(
    seed: int, speed_mps: float, speed_spread: float, range_m: float, slots: int
) -> None:
    mobility = StraightMobility(speed_mps=speed_mps, speed_spread=speed_spread, range_m=range_m)
    (block,) = take(mobility.blocks(seed, shape(4, 3, slots=slots, come_and_go=True)), 1)
    assert_seats_hold(mobility, block, top_speed_mps=speed_mps * (1.0 + speed_spread))
    vehicle, speeds_mps = of_seats(block, "vehicle"), of_seats(block, "speed_mps")
    assert (vehicle >= 0).all()
    for number in np.unique(vehicle):
        assert np.ptp(speeds_mps[vehicle == number]) == 0.0
    assert (np.abs(np.abs(speeds_mps) - speed_mps) <= speed_spread * speed_mps + 1e-9).all()


def test_a_road_of_coming_and_going_is_stationary() -> None:
    mobility = StraightMobility(speed_spread=0.6)
    blocks = take(mobility.blocks(0, shape(200, 0, slots=241, come_and_go=True)), 25)
    for slot in (0, 120, 240):
        position_m = np.concatenate([block.client_position_m[slot] for block in blocks])
        speed_mps = np.concatenate([block.client_speed_mps[slot] for block in blocks])
        assert np.abs(np.histogram(position_m, bins=5, range=(-750.0, 750.0))[0] / 5000 - 0.2).max() < 0.02
        assert abs((speed_mps > 0.0).mean() - 0.5) < 0.025
        # On the road the harmonic mean is that of those who enter: (b - a) / log(b / a).
        assert abs(np.abs(speed_mps).mean() / (1.2 * 17.9 / np.log(1.6 / 0.4)) - 1.0) < 0.02


def test_a_stretch_shorter_than_a_slot_is_refused_with_the_numbers() -> None:
    with pytest.raises(TrafficError, match="a vehicle drives 1969 m in a slot of 100 s, but only 1499 m"):
        StraightMobility().blocks(0, shape(slot_s=100.0, come_and_go=True))
    with pytest.raises(TrafficError, match="in a slot of 1 s, but only 0 m of a road with 6 lanes are in range"):
        StraightMobility(range_m=22.0).blocks(0, shape(come_and_go=True))
