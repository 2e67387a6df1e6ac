"""A recording for the player has the street of a network in its true shape, with the nodes at their places on it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest

from vec_envs.interfaces.recording import EpisodeRecorder
from vec_envs.mobility import ReplayMobility
from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.traffic import Road
from vec_envs.problems.base import View
from vec_envs.registration import factory_of


def recorded(env_id: str, **options: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Returns the recordings of a decision with and without the street, and the traffic of the episode."""
    with closing(factory_of(env_id).vector_env(num_envs=1, **options)) as env:
        env.reset(seed=3)
        batch, recorder = env.batch, EpisodeRecorder(env)
        view = View(problem=env.problem, state=batch.state, exogenous=batch.exogenous)
        recorder.add(view, np.zeros((1, *env.single_action_space.shape), dtype=np.int64))
        return recorder.written(street=True), recorder.written(), batch.traffic(0)


def of_kind(recording: dict[str, Any], kind: str) -> np.ndarray:
    frame = recording["frames"][0]
    places = zip(recording["nodes"], frame["x_m"], frame["y_m"], strict=True)
    return np.array([(x, y) for node, x, y in places if node["kind"] == kind])


def beside_m(lane: list[float], points: np.ndarray) -> np.ndarray:
    axis = tuple(map(tuple, np.reshape(lane[1:], (-1, 2)).tolist()))
    road = Road(name="", rsu_xyz_m=(0.0, 0.0, 0.0), range_m=1.0, speed_limit_mps=1.0, axis_xy_m=axis)
    return RoadAxis(road).nearest_m(points)[1]


def test_vehicles_are_on_the_lanes_of_the_street() -> None:
    with_street, without, traffic = recorded("VEC-DNNPartition-v0", mobility="replay", scenario="motorway")
    vehicles = np.concatenate([of_kind(with_street, kind) for kind in ("client", "service")])
    lanes = with_street["street"]["lanes"]
    assert np.min([beside_m(lane, vehicles) for lane in lanes], axis=0).max() < lanes[0][0] / 2.0
    road = ReplayMobility("motorway").road
    away_m = np.hypot(*(traffic.client_xy_m[0] - road.rsu_xyz_m[:2]).T)
    assert np.hypot(*of_kind(with_street, "client").T) == pytest.approx(away_m, abs=0.1)
    assert of_kind(with_street, "rsu").tolist() == [[0.0, 0.0]]
    assert "street" not in without
    for name in ("waits", "links", "caption"):
        assert with_street["frames"][0][name] == without["frames"][0][name]


def test_lanes_out_of_reach_are_left_out_and_units_have_their_places() -> None:
    street, _, _ = recorded("VEC-MobileInference-v0", scenario="arterial", mobility="replay")
    units, lanes = of_kind(street, "rsu"), street["street"]["lanes"]
    assert np.diff(units[:, 0]).tolist() == pytest.approx(np.diff(units[:, 0])[:1].tolist() * (len(units) - 1))
    reach_m = 1.1 * max(ReplayMobility("arterial").road.range_m, np.abs(units).max())
    assert all(beside_m(lane, np.zeros((1, 2)))[0] <= reach_m for lane in lanes)
    assert len(lanes) > 8


@pytest.mark.parametrize("mobility", ["straight", "still"])
def test_a_road_without_a_network_is_recorded_as_before(mobility: str) -> None:
    env_id = "VEC-CooperativeInference-v0" if mobility == "still" else "VEC-DNNPartition-v0"
    with_street, without, _ = recorded(env_id, mobility=mobility)
    assert with_street == without
