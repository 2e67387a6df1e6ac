"""Headings, positions and speeds in the plane, computed from places."""

from __future__ import annotations

import numpy as np
import pytest

from tests.mobility.conftest import take
from vec_envs.mobility import EpisodeShape, Road, StraightMobility, TrafficError
from vec_envs.mobility.headings import headings_rad
from vec_envs.mobility.motion import Motion
from vec_envs.mobility.traffic import TrafficWindow

AREA = Road(name="area", rsu_xyz_m=(10.0, 20.0, 6.0), range_m=300.0, speed_limit_mps=13.9)
STREET = Road(
    name="street",
    rsu_xyz_m=(0.0, -10.0, 6.0),
    range_m=300.0,
    speed_limit_mps=13.9,
    axis_xy_m=((-200.0, 0.0), (200.0, 0.0)),
)


def column(*places: tuple[float, float]) -> np.ndarray:
    return np.array(places, dtype=np.float64)[:, None]


def staying(road: Road, xy_m: np.ndarray, top_speed_mps: float = 25.0) -> tuple[np.ndarray, np.ndarray]:
    first_mps = np.hypot(*(xy_m[1] - xy_m[0]).T)
    return Motion(road, top_speed_mps).of_staying(xy_m, first_mps, 1.0)


def always(xy_m: np.ndarray) -> np.ndarray:
    return np.ones((len(xy_m) - 1, xy_m.shape[1]), np.bool_)


def test_a_vehicle_that_stands_keeps_its_heading() -> None:
    north = column((0, 0), (0, 0), (0, 5), (0, 5), (-5, 5), (-5, 5))
    assert np.allclose(headings_rad(north, always(north))[:, 0], np.pi * np.array([0.5, 0.5, 0.5, 0.5, 1, 1]))
    still = column((3, 4), (3, 4))
    assert (headings_rad(still, always(still)) == 0.0).all()


def test_another_vehicle_in_the_seat_has_its_own_heading() -> None:
    xy_m = column((0, 0), (0, 5), (50, 50), (55, 50))
    stays = np.array([[True], [False], [True]])
    assert np.allclose(headings_rad(xy_m, stays)[:, 0], [np.pi / 2, np.pi / 2, 0.0, 0.0])


def test_a_change_of_lane_is_no_turn_but_a_corner_is_one() -> None:
    lane = column((0, 0), (8, 0), (8.5, 3.3), (8.6, 3.3), (16, 3.3))
    assert np.allclose(headings_rad(lane, always(lane)), 0.0)
    corner = column((0, 0), (8, 0), (9, 6), (9, 14))
    assert headings_rad(corner, always(corner))[2, 0] > 1.0


def test_blocks_know_the_headings_of_their_vehicles() -> None:
    shape = EpisodeShape(num_client_vehicles=6, num_service_vehicles=2, num_slots=5, slot_s=1.0, come_and_go=True)
    (block,) = take(StraightMobility().blocks(0, shape), 1)
    assert (np.cos(block.client_heading_rad) * block.client_speed_mps > 0.0).all()
    assert block.service_heading_rad.shape == (5, 2)


def test_without_an_axis_a_position_is_the_distance_negative_on_the_way_to_the_unit() -> None:
    passes = column((10, -20), (10, -10), (10, 19), (10, 30), (10, 50))
    position_m, speed_mps = staying(AREA, passes)
    assert np.allclose(position_m[:, 0], [-40, -30, -1, 10, 30])
    assert np.allclose(speed_mps[:, 0], [10, 10, 29, 11, 20])


def test_vehicles_that_come_and_go_have_distances_while_they_are_there() -> None:
    xy_m = column((0, 0), (10, -20), (10, -10), (0, 0))
    present = np.array([[False], [True], [True], [False]])
    position_m, speed_mps = Motion(AREA).of_coming_and_going(xy_m, present, 0.5)
    assert np.allclose(position_m[:, 0], [0, -40, -30, 0])
    assert np.allclose(speed_mps[:, 0], [0, 20, 20, 0])


@pytest.mark.parametrize("step_m", [0.5, 3.0, 9.0, 14.0])
@pytest.mark.parametrize("x", [0.0, 60.0, 250.0])
def test_a_vehicle_that_drives_across_the_axis_does_not_seem_to_stand(x: float, step_m: float) -> None:
    """Also beyond the end of the axis, where all positions are equal."""
    across = column(*((x, -20.0 + step_m * slot) for slot in range(6)))
    assert np.allclose(staying(STREET, across)[1], step_m)
    beyond = column(*((230.0 + step_m * slot, 1.0) for slot in range(6)))
    assert np.allclose(staying(STREET, beyond)[1], step_m)


def test_a_change_of_lane_in_a_queue_is_no_drive_across() -> None:
    queue = column((0, 1.7), (0, 1.7), (0.3, 5.0), (0.3, 5.0), (0.3, 5.0))
    assert np.allclose(staying(STREET, queue)[1][1:, 0], [0.0, 0.3, 0.0, 0.0])


def test_along_the_axis_a_speed_is_the_change_of_the_position() -> None:
    back = column((50, 2), (40, 2), (30, 5.3), (28, 5.3))
    position_m, speed_mps = staying(STREET, back)
    assert position_m[:, 0].tolist() == [50.0, 40.0, 30.0, 28.0]
    assert speed_mps[1:, 0].tolist() == [-10.0, -10.0, -2.0]
    assert speed_mps[0, 0] < 0.0


def test_an_axis_that_folds_is_refused_with_numbers() -> None:
    loop = Road(
        name="loop",
        rsu_xyz_m=(0.0, -10.0, 6.0),
        range_m=300.0,
        speed_limit_mps=13.9,
        axis_xy_m=((-200.0, 0.0), (0.0, 0.0), (0.0, 100.0), (20.0, 100.0), (20.0, 0.0), (200.0, 0.0)),
    )
    drives = column(*((2.0 + 5.0 * slot, 0.0) for slot in range(5)))
    with pytest.raises(TrafficError, match=r"the axis of 'loop' folds: .* jumps by \d+ m in a slot of 1 s, but top_"):
        staying(loop, drives)
    far_off = drives - np.array([0.0, 40.0])
    assert np.allclose(staying(loop, far_off)[1][1:], 5.0)


def window_of(xy_m: np.ndarray) -> TrafficWindow:
    position_m, speed_mps = staying(STREET, xy_m, top_speed_mps=1e9)
    roles = np.ones(xy_m.shape[1], np.bool_)
    present = np.ones(xy_m.shape[:2], np.bool_)
    return TrafficWindow(
        xy_m=xy_m,
        position_m=position_m,
        speed_mps=speed_mps,
        present=present,
        may_be_client=roles,
        may_be_service=roles,
    )


def test_an_axis_beside_the_road_or_across_it_is_refused_with_numbers() -> None:
    slots = np.arange(12.0)[:, None] * np.ones(4)
    along = np.stack((slots * 10.0 - 50.0, 0.0 * slots), axis=-1)
    across = np.stack((0.0 * slots + np.arange(4.0), slots * 10.0 - 50.0), axis=-1)
    motion = Motion(STREET)
    motion.check(window_of(along))
    motion.check(window_of(np.concatenate((along[:, :1], across), axis=1)))
    with pytest.raises(TrafficError, match=r"axis of 'street' misses .* of 48 places of vehicles is 120 m beside it"):
        motion.check(window_of(along + np.array([0.0, 120.0])))
    with pytest.raises(TrafficError, match=r"follows it best drives 110 m, 0 m of them along it"):
        motion.check(window_of(across))
