"""Seats of vehicles that come and go: who holds them, on any window of traffic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mobility.conftest import of_seats, shape
from vec_envs.mobility import EpisodeShape, TrafficError, TrafficWindow, choose

SLOTS = 7
STAY = st.tuples(st.integers(0, SLOTS - 2), st.integers(2, SLOTS), st.booleans(), st.booleans())


def window_of(stays: list[tuple[int, int, bool, bool]]) -> TrafficWindow:
    """Stays of (first slot, slots, may be client, may be service); a position tells slot and column."""
    first, length = np.array([stay[:2] for stay in stays], dtype=int).reshape(-1, 2).T
    slot, column = np.arange(SLOTS)[:, None], np.arange(len(stays))
    present = (first <= slot) & (slot < first + length)
    position_m = np.where(present, 100.0 * slot + column + 1.0, 0.0)
    return TrafficWindow(
        xy_m=np.stack((position_m, -position_m), axis=-1),
        position_m=position_m,
        speed_mps=position_m / 2.0,
        present=present,
        may_be_client=np.array([stay[2] for stay in stays], dtype=bool),
        may_be_service=np.array([stay[3] for stay in stays], dtype=bool),
    )


@given(
    stays=st.lists(STAY, max_size=25).map(sorted),
    clients=st.integers(0, 4),
    services=st.integers(0, 3),
    seed=st.integers(0, 2**32),
)
def test_seats_pass_to_who_came_in_last(
    stays: list[tuple[int, int, bool, bool]], clients: int, services: int, seed: int
) -> None:
    window, wanted = window_of(stays), shape(clients, services, slots=SLOTS, come_and_go=True)
    here = window.present[0] if stays else np.zeros(0, dtype=bool)
    may_be = (window.may_be_client, window.may_be_service)
    exist = (
        (here & may_be[0]).sum() >= clients
        and (here & may_be[1]).sum() >= services
        and (here & (may_be[0] | may_be[1])).sum() >= clients + services
    )
    if not exist:
        with pytest.raises(
            TrafficError, match=rf"^{here.sum()} vehicles in range in the first slot, .*; ask for fewer"
        ):
            choose(np.random.default_rng(seed), window, wanted)
        return
    block = choose(np.random.default_rng(seed), window, wanted)
    position_m, vehicle = of_seats(block, "position_m"), of_seats(block, "vehicle")
    holder = np.where(vehicle >= 0, position_m % 100.0 - 1.0, -1.0).astype(int)
    assert np.array_equal(of_seats(block, "xy_m"), np.stack((position_m, -position_m), axis=-1))
    assert np.array_equal(of_seats(block, "speed_mps"), position_m / 2.0)
    assert (holder[0] >= 0).all()
    _check_succession(window, holder, clients)
    _check_numbers(holder, vehicle)


def _check_succession(window: TrafficWindow, holder: np.ndarray, clients: int) -> None:
    came_in = window.present.argmax(axis=0)
    had_one: set[int] = set()
    for slot, row in enumerate(holder.tolist()):
        before = holder[slot - 1].tolist() if slot else [-1] * len(row)
        for seat, (column, previous) in enumerate(zip(row, before, strict=True)):
            may_hold = window.may_be_client if seat < clients else window.may_be_service
            if previous >= 0 and window.present[slot, previous]:
                assert column == previous
                continue
            waiting = [v for v in np.flatnonzero(window.present[slot] & may_hold).tolist() if v not in had_one]
            if slot == 0:
                assert column in waiting
            elif waiting:
                latest = came_in[waiting].max()
                assert column == min(v for v in waiting if came_in[v] == latest)
            else:
                assert column == -1
            had_one.add(column)
        if slot == 0:
            had_one = set(row)


def _check_numbers(holder: np.ndarray, vehicle: np.ndarray) -> None:
    numbers: dict[int, int] = {-1: -1}
    for column in holder.ravel().tolist():
        numbers.setdefault(column, len(numbers) - 1)
    assert np.array_equal(vehicle, np.vectorize(numbers.__getitem__, otypes=[int])(holder))


@pytest.mark.slow
def test_the_first_holders_are_drawn_at_random() -> None:
    window = window_of([(0, SLOTS, True, True)] * 5)
    draws = [choose(np.random.default_rng(s), window, shape(2, 1, slots=SLOTS, come_and_go=True)) for s in range(1500)]
    for role in ("client", "service"):
        columns = np.concatenate([getattr(block, f"{role}_position_m")[0] - 1.0 for block in draws]).astype(int)
        share = np.bincount(columns, minlength=5) / len(columns)
        assert np.abs(share - 1 / 5).max() < 0.05


def test_a_seat_stays_empty_until_the_next_vehicle_enters() -> None:
    window = window_of([(0, 2, True, False), (0, SLOTS, False, True), (4, 3, True, False), (5, 2, True, False)])
    block = choose(np.random.default_rng(0), window, shape(1, 0, slots=SLOTS, come_and_go=True))
    assert block.client_vehicle[:, 0].tolist() == [0, 0, -1, -1, 1, 1, 1]
    assert block.client_speed_mps[:, 0].tolist() == [0.5, 50.5, 0.0, 0.0, 201.5, 251.5, 301.5]


def test_vehicles_that_come_and_go_need_two_slots() -> None:
    with pytest.raises(ValueError, match="num_slots must be at least 2 where vehicles come and go, got 1"):
        EpisodeShape(num_client_vehicles=1, num_service_vehicles=0, num_slots=1, slot_s=1.0, come_and_go=True)
