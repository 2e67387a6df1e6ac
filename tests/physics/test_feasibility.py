"""Allocations are feasible at all magnitudes: at least 0, and within the capacity but for rounding."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vec_envs.physics.allocation import allocate_rsu, allocate_rsu_capped
from vec_envs.physics.inference import MOST_LOAD, sojourn_s
from vec_envs.physics.inference_allocation import bandwidth_share, device_speed_ghz, server_speed_ghz
from vec_envs.problems.cooperative_inference.actions import CutActions

DEVICES = 5
MAGNITUDES = st.floats(-12.0, 12.0).map(lambda decades: 10.0**decades)
NUMBERS = arrays(float, (3, DEVICES), elements=MAGNITUDES)
SOME = arrays(float, (3, DEVICES), elements=st.just(0.0) | MAGNITUDES)
ROUNDING = DEVICES * 2.0**-52
"""The relative rounding error of a sum over devices."""


def check_feasible(allocation: np.ndarray, capacity: float) -> None:
    assert np.isfinite(allocation).all()
    assert (allocation >= 0.0).all()
    assert (allocation.sum(axis=-1) <= capacity * (1.0 + ROUNDING)).all()


@given(SOME, SOME, SOME, MAGNITUDES)
def test_the_roadside_unit_is_shared_within_its_speed(
    gamma: np.ndarray, backlog: np.ndarray, usable: np.ndarray, capacity: float
) -> None:
    check_feasible(allocate_rsu(gamma, backlog, capacity_ghz=capacity, slot_s=1.0), capacity)
    capped = allocate_rsu_capped(gamma, backlog, usable, capacity_ghz=capacity, slot_s=1.0)
    check_feasible(capped, capacity)
    assert (capped <= usable).all()


@given(SOME, MAGNITUDES)
def test_the_server_is_shared_within_its_speed(work: np.ndarray, capacity: float) -> None:
    speed = server_speed_ghz(work, max_ghz=capacity)
    check_feasible(speed, capacity)
    assert ((speed > 0.0) == (work > 0.0)).all()


@given(NUMBERS, SOME, NUMBERS)
def test_the_band_is_shared_within_its_width(weight: np.ndarray, data: np.ndarray, snr: np.ndarray) -> None:
    share = bandwidth_share(weight, data, snr)
    check_feasible(share, 1.0)
    assert ((share > 0.0) == (data > 0.0)).all()


@given(st.floats(1e-16, 1.0), MAGNITUDES, MAGNITUDES.map(np.square), MAGNITUDES, st.integers(2, 40))
@example(0.5, 1.0, 1e24, 1e-12, 2)
@example(1e-16, 1.0, 1e24, 1e-12, 2)
def test_a_device_is_faster_than_its_load_and_its_delay_is_finite(
    spare: float, rate_hz: float, queue: float, lyapunov_v: float, halvings: int
) -> None:
    """With a long queue and a small V, the speed above the load is so small that the sum rounds to the load."""
    max_ghz = 1.5
    load = min(max_ghz * (1.0 - spare), 0.999999999999996 * max_ghz)
    work, rate = np.array([load / rate_hz, load / rate_hz / 2.0**halvings]), np.full(2, rate_hz)
    assert (work * rate < MOST_LOAD * max_ghz).all()
    speed = device_speed_ghz(
        work, rate, np.full(2, queue), lyapunov_v=lyapunov_v, kappa_j_per_gcycle_ghz2=0.1, max_ghz=max_ghz
    )
    assert (speed <= max_ghz).all()
    assert ((speed > work * rate) | (work == 0.0)).all()
    delay_s = sojourn_s(work, speed, rate)
    assert (np.isfinite(delay_s) & (delay_s >= 0.0)).all()


@given(arrays(float, (3, DEVICES, 3), elements=st.floats(-1.0, 1.0)), st.floats(0.0, 1.0), MAGNITUDES)
@example(np.full((3, DEVICES, 3), -1.0), MOST_LOAD, 1.5)
@example(np.full((3, DEVICES, 3), 1.0), 0.1, 0.7)
def test_learned_resources_are_feasible(numbers: np.ndarray, load: float, capacity: float) -> None:
    needs = np.full((3, DEVICES), True)
    load_ghz = np.full((3, DEVICES), min(load, 1.0 - 2.0**-47) * capacity)
    allocation = CutActions(num_layers=np.full(DEVICES, 8), learned=True).resources(
        numbers,
        local=needs,
        load_ghz=load_ghz,
        at_server=needs,
        sends=needs,
        device_ghz=capacity,
        server_ghz=capacity,
    )
    check_feasible(allocation.server_ghz, capacity)
    check_feasible(allocation.bandwidth_share, 1.0)
    assert (allocation.device_ghz <= capacity).all()
    assert (allocation.device_ghz > load_ghz).all()
