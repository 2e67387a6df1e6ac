"""Roles are disjoint, allowed, and found whenever they exist; a stream's numbers depend on the episode only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mobility.conftest import shape
from vec_envs.mobility import TrafficError, TrafficWindow, choose
from vec_envs.mobility.selection import EpisodeRandom, choose_vehicles

FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12)


@given(flags=FLAGS, clients=st.integers(0, 6), services=st.integers(0, 6), seed=st.integers(0, 2**32))
def test_roles_are_disjoint_allowed_and_found_where_they_exist(
    flags: list[tuple[bool, bool]], clients: int, services: int, seed: int
) -> None:
    may_be_client = np.array([client for client, _ in flags], dtype=bool)
    may_be_service = np.array([service for _, service in flags], dtype=bool)
    exist = (
        may_be_client.sum() >= clients
        and may_be_service.sum() >= services
        and (may_be_client | may_be_service).sum() >= clients + services
    )
    rng = np.random.default_rng(seed)
    if not exist:
        with pytest.raises(TrafficError, match=f"cannot fill {clients} client and {services} service vehicles"):
            choose_vehicles(rng, may_be_client, may_be_service, shape(clients, services))
        return
    chosen_clients, chosen_services = choose_vehicles(rng, may_be_client, may_be_service, shape(clients, services))
    assert len(chosen_clients) == clients
    assert len(chosen_services) == services
    assert len({*chosen_clients, *chosen_services}) == clients + services
    assert may_be_client[chosen_clients].all()
    assert may_be_service[chosen_services].all()


def test_the_short_cut_for_vehicles_of_any_role_is_the_general_rule() -> None:
    anyone = np.ones(20, dtype=bool)
    nobody_extra = np.append(anyone, False)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        order = np.random.default_rng(seed).permutation(20)
        clients, services = choose_vehicles(rng, anyone, anyone, shape(7, 5))
        assert np.array_equal(np.concatenate((clients, services)), order[:12])
        general = choose_vehicles(np.random.default_rng(seed), nobody_extra, nobody_extra, shape(7, 5))
        order = np.random.default_rng(seed).permutation(21)
        assert np.array_equal(np.concatenate(general), order[order < 20][:12])


def test_every_vehicle_gets_every_role() -> None:
    rng, anyone = np.random.default_rng(0), np.ones(5, dtype=bool)
    draws = [choose_vehicles(rng, anyone, anyone, shape(2, 2)) for _ in range(2000)]
    for role in zip(*draws, strict=True):
        share = np.bincount(np.concatenate(role), minlength=5) / len(draws)
        assert np.abs(share - 2 / 5).max() < 0.05


def test_a_block_holds_the_chosen_vehicles_throughout() -> None:
    slots, vehicles = 4, 9
    position_m = np.arange(slots * vehicles, dtype=float).reshape(slots, vehicles)
    anyone = np.ones(vehicles, dtype=bool)
    window = TrafficWindow(
        xy_m=np.stack((position_m, -position_m), axis=-1),
        position_m=position_m,
        speed_mps=position_m + 0.5,
        present=np.ones((slots, vehicles), dtype=bool),
        may_be_client=anyone,
        may_be_service=anyone,
    )
    block = choose(np.random.default_rng(1), window, shape(3, 2, slots=slots))
    clients, services = choose_vehicles(np.random.default_rng(1), anyone, anyone, shape(3, 2))
    assert np.array_equal(block.client_position_m, position_m[:, clients])
    assert np.array_equal(block.service_position_m, position_m[:, services])
    assert np.array_equal(block.client_xy_m[..., 1], -block.client_position_m)
    assert np.array_equal(block.service_speed_mps, block.service_position_m + 0.5)
    assert (block.client_vehicle == [0, 1, 2]).all()
    assert (block.service_vehicle == [3, 4]).all()
    assert block.client_vehicle.shape == block.client_position_m.shape


def test_random_numbers_of_an_episode_do_not_depend_on_earlier_ones() -> None:
    one, other = EpisodeRandom(7), EpisodeRandom(7)
    one.at(0).random(1000)
    one.at(41).random(3)
    assert np.array_equal(one.at(5).random(4), other.at(5).random(4))
    numbers = np.array([random.at(k).random() for random in (one, EpisodeRandom(8)) for k in range(50)])
    assert len(np.unique(numbers)) == 100
    assert one.at(5).random() != EpisodeRandom(7, purpose=1).at(5).random()
    with pytest.raises(ValueError, match="at least 0"):
        EpisodeRandom(-1)
