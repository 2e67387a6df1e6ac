"""What exogenous draws for an episode, and what roads and vehicles make of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.made_up import SHORT, assert_same
from tests.problems.dnn_partition.partition_slots import EYES
from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.physics.channel import v2i_rate_mbps, v2v_rate_mbps
from vec_envs.problems.dnn_partition.problem import DNNPartition


def still_traffic(problem: DNNPartition) -> TrafficBlock:
    """Every client 30 m off the RSU's foot and every service vehicle 40 m to its side, in every slot."""
    slots, clients, services = problem.episode_slots + 1, problem.num_client_vehicles, problem.num_service_vehicles
    return TrafficBlock(
        client_xy_m=np.tile([30.0, 10.0], (slots, clients, 1)),
        service_xy_m=np.tile([30.0, 50.0], (slots, services, 1)),
        client_position_m=np.full((slots, clients), 30.0),
        service_position_m=np.full((slots, services), 31.0),
        client_speed_mps=np.full((slots, clients), 4.0),
        service_speed_mps=np.full((slots, services), 5.0),
        client_vehicle=np.tile(np.arange(clients), (slots, 1)),
        service_vehicle=np.tile(clients + np.arange(services), (slots, 1)),
    )


ROAD = Road(
    name="x", rsu_xyz_m=(0.0, 10.0, 40.0), range_m=500.0, speed_limit_mps=20.0, axis_xy_m=((-1.0, 0.0), (1.0, 0.0))
)


def test_rates_are_of_the_straight_distance_and_the_drawn_fading() -> None:
    problem = replace(EYES, episode_slots=4)
    draws = problem.sample(np.random.default_rng(3))
    exogenous = problem.exogenous(draws, still_traffic(problem), ROAD)
    np.testing.assert_allclose(exogenous.v2i_mbps, v2i_rate_mbps(50.0, draws.fading_power[..., 0]))
    np.testing.assert_allclose(exogenous.v2v_mbps, v2v_rate_mbps(40.0, draws.fading_power[..., 1:]))
    assert (exogenous.client_position_m == 30.0).all()
    assert (exogenous.service_position_m == 31.0).all()
    assert (exogenous.client_speed_mps == 4.0).all()
    assert (exogenous.service_speed_mps == 5.0).all()


def test_the_radio_and_the_channel_are_options() -> None:
    problem = replace(EYES, episode_slots=4, bandwidth_mhz=20.0, v2v_rate=lambda d, fading, **_: d + 0.0 * fading)
    draws = problem.sample(np.random.default_rng(3))
    exogenous = problem.exogenous(draws, still_traffic(problem), ROAD)
    np.testing.assert_allclose(exogenous.v2i_mbps, 2.0 * v2i_rate_mbps(50.0, draws.fading_power[..., 0]))
    np.testing.assert_allclose(exogenous.v2v_mbps, 40.0)


def test_draw_is_sample_then_exogenous() -> None:
    problem, traffic = replace(EYES, episode_slots=4), still_traffic(replace(EYES, episode_slots=4))
    drawn = problem.draw(np.random.default_rng(5), traffic, ROAD)
    assert_same(drawn, problem.exogenous(problem.sample(np.random.default_rng(5)), traffic, ROAD))


def test_processors_are_uniform_in_their_range_and_last_the_episode() -> None:
    problem = DNNPartition(dnns=(SHORT,), num_client_vehicles=500, num_service_vehicles=500, episode_slots=2)
    draws = problem.sample(np.random.default_rng(0))
    for drawn, (low, high) in ((draws.client_ghz, (4.0, 6.0)), (draws.service_ghz, (6.0, 8.0))):
        assert ((drawn >= low) & (drawn <= high)).all()
        assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.1)
        assert drawn.std() == pytest.approx((high - low) / math.sqrt(12.0), abs=0.05)
    exogenous = problem.exogenous(draws, still_traffic(problem), ROAD)
    assert (exogenous.client_ghz == draws.client_ghz).all()
    assert exogenous.service_ghz.shape == (3, 500)


def test_fading_is_exponential_with_mean_one_fresh_each_slot_and_link() -> None:
    problem = DNNPartition(dnns=(SHORT,), num_client_vehicles=50, num_service_vehicles=9, episode_slots=99)
    fading = problem.sample(np.random.default_rng(0)).fading_power
    assert fading.shape == (100, 50, 10)
    assert np.unique(fading).size == fading.size
    assert fading.mean() == pytest.approx(1.0, abs=0.02)
    assert fading.var() == pytest.approx(1.0, abs=0.05)
