"""The straight road: constant speeds, always in range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mobility.conftest import assert_in_range, same, shape, take
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
        ({"speed_mps": -1.0}, "speed_mps must be at least 0, got -1.0"),
        ({"speed_spread": 1.0}, "speed_spread must be at least 0 and below 1, got 1.0"),
        ({"lanes": 0}, "lanes must be at least 1"),
        ({"range_m": 10.0}, "range_m must be above 21.6, the distance to the far lane, got 10.0"),
        ({"range_m": float("nan")}, "range_m must be above"),
    ],
)
def test_numbers_out_of_bounds_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        StraightMobility(**options)  # type: ignore[arg-type]
