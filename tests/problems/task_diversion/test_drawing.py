"""The picture of `TaskDiversion`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vec_envs import task_diversion_v0 as factory
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.mobility.straight import StraightMobility
from vec_envs.problems.task_diversion.drawing_road import scene_of
from vec_envs.problems.task_diversion.problem import TaskDiversion

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.slow

ROAD: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 5,
    "num_rsus": 2,
    "episode_slots": 12,
    "render_mode": "rgb_array",
}
NOW, LAST, UNIT, IDLE, BUSY = (
    (0xF0, 0xB4, 0),
    (0xC8, 0x50, 0x1E),
    (0x2E, 0x85, 0x40),
    (0x33, 0x62, 0x9C),
    (0x9A, 0xA9, 0xBD),
)
TO_UNIT, ALL_LOCAL = np.array([-1.0, 0.0, 0.0]), np.array([1.0, -1.0, 0.0])


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def on_the_road(**options: Any) -> Any:
    env = factory.joint_env(**(ROAD | options))
    env.reset(seed=1)
    return env


def road(picture: np.ndarray) -> np.ndarray:
    return picture[105:335]


def queues(picture: np.ndarray) -> np.ndarray:
    return picture[395:572, 50:530]


def bars(picture: np.ndarray, what: str) -> np.ndarray:
    return picture[395:492, 595:] if what == "battery" else picture[505:572, 595:]


def assert_nothing_is_cut_off(picture: np.ndarray) -> None:
    for edge in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
        assert (edge == 255).all()


@pytest.mark.parametrize(("vehicles", "units"), [(1, 1), (5, 2), (25, 4), (40, 9)])
@pytest.mark.parametrize("epochs", [0, 30])
def test_roads_of_any_size_fit_the_canvas(vehicles: int, units: int, epochs: int) -> None:
    env = on_the_road(num_client_vehicles=vehicles, num_rsus=units, episode_slots=30)
    for epoch in range(epochs):
        if env.step(TO_UNIT if epoch % 2 else ALL_LOCAL)[3]:
            break
    picture = env.render()
    assert_nothing_is_cut_off(picture)


@pytest.mark.parametrize("options", [
    {"diversion": "chosen"},
    {"on_leaving": "fail", "rsu_range_m": 60.0},
    {"mobility": "replay", "scenario": "two-way-road", "episode_slots": 60},
    {"dnns": ("mobilenetv2", "resnet50")},
])  # fmt: skip
def test_every_kind_of_episode_can_be_drawn_to_its_end(options: dict[str, Any]) -> None:
    env = on_the_road(**options)
    env.action_space.seed(0)
    for epoch in range(200):
        ended = env.step(env.action_space.sample())[3]
        if epoch == 20 or ended:
            assert_nothing_is_cut_off(env.render())
        if ended:
            break
    assert env.view.exogenous.slot[0] == env.problem.episode_slots


def test_the_task_and_the_last_decision_are_marked_while_there_are_any() -> None:
    env = on_the_road()
    first = env.render()
    env.step(TO_UNIT)
    second = env.render()
    while not env.step(TO_UNIT)[3]:
        pass
    ended = env.render()
    assert pixels(road(first), NOW) > 100
    assert pixels(road(first), LAST) == 0
    assert pixels(road(second), NOW) > 100
    assert pixels(road(second), LAST) > 50
    assert pixels(road(ended), NOW) == 0
    assert pixels(road(ended), LAST) > 50


def test_a_line_leads_to_the_unit_that_received_the_task() -> None:
    env = on_the_road()

    def last(action: np.ndarray) -> int:
        env.reset(seed=1)
        env.step(action)
        return pixels(road(env.render()), LAST)

    assert last(TO_UNIT) > last(ALL_LOCAL) + 50


def test_queues_grow_with_what_is_sent() -> None:
    env = on_the_road()
    assert pixels(queues(env.render()), UNIT) == 0
    env.step(ALL_LOCAL)
    empty = queues(env.render())
    assert pixels(empty, UNIT) + pixels(empty, LAST) == 0
    for _ in range(6):
        env.step(TO_UNIT)
    full = queues(env.render())
    assert pixels(full, UNIT) > 500
    assert pixels(full, LAST) > 50


def test_vehicles_that_compute_are_busy_and_drain() -> None:
    env = on_the_road(battery_capacity_kj=5.0, battery=(0.9, 1.0))
    before = env.render()
    env.step(np.array([1.0, 1.0, 0.0]))
    after = env.render()
    assert pixels(bars(before, "busy"), BUSY) == 0
    assert pixels(bars(after, "busy"), BUSY) > 100
    assert pixels(road(after), BUSY) > 100
    assert pixels(bars(after, "battery"), IDLE) < pixels(bars(before, "battery"), IDLE) - 50


def scene(batch_size: int = 1, **options: Any) -> EnvironmentBatch:
    batch = EnvironmentBatch(
        TaskDiversion(num_client_vehicles=6, episode_slots=12, **options), StraightMobility(), batch_size
    )
    batch.reset(list(range(batch_size)), [3 + row for row in range(batch_size)])
    return batch


def test_every_seat_is_where_the_traffic_has_it() -> None:
    batch = scene()
    traffic = batch.traffic(0)
    while not batch.ended[0]:
        shown, slot = scene_of(batch.frame(0)).seats, int(batch.exogenous.slot[0])
        np.testing.assert_array_equal(shown.position_m, traffic.client_position_m[slot])
        np.testing.assert_array_equal(shown.vehicle, traffic.client_vehicle[slot])
        np.testing.assert_array_equal(shown.direction, np.sign(traffic.client_speed_mps[slot]))
        batch.step(TO_UNIT[None, None])
    shown, stays = scene_of(batch.frame(0)).seats, traffic.client_vehicle[-1] == traffic.client_vehicle[-2]
    np.testing.assert_allclose(shown.position_m[stays], traffic.client_position_m[-1, stays])
    np.testing.assert_array_equal(shown.vehicle, np.where(stays, traffic.client_vehicle[-1], -1))


def test_the_last_decision_belongs_to_the_drawn_environment() -> None:
    batch, rng = scene(2), np.random.default_rng(0)
    known: list[Any] = [None, None]
    while not batch.ended.all():
        tasks, went_on = batch.exogenous, ~batch.ended
        action = rng.uniform(-1.0, 1.0, (2, 1, 3)) if rng.random() < 0.5 else np.stack([ALL_LOCAL] * 2)[:, None]
        outcome = batch.step(action)
        for row in range(2):
            if went_on[row]:
                known[row] = tasks.seat[row], tasks.release_s[row], outcome.reward[row]
            last = scene_of(batch.frame(row)).last
            if went_on[row] or last is not None:
                assert last is not None
                assert (last[0].seat, last[0].release_s, last[1].reward) == known[row]
    batch.reset([0], [None])
    assert scene_of(batch.frame(0)).last is None


def test_drawing_a_road_changes_nothing() -> None:
    rendered, silent = on_the_road(), on_the_road()
    for _ in range(2):
        rendered.render()
        one, other = rendered.step(TO_UNIT), silent.step(TO_UNIT)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:] == other[1:]
