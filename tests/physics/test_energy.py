"""Energy of computing and of sending, and the weight of a battery, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vec_envs.physics.energy import battery_weight, compute_energy_j, transmit_energy_j


def test_computing_costs_kappa_times_work_times_the_square_of_speed() -> None:
    energy = compute_energy_j(np.array([2.0, 2.0, 0.0]), np.array([1.0, 3.0, 7.0]), kappa_j_per_gcycle_ghz2=10.0)
    assert energy.tolist() == [20.0, 180.0, 0.0]


def test_kappa_is_the_papers_in_cycles_and_hertz() -> None:
    cycles, hertz = 2.5e9, 1.7e9
    energy = compute_energy_j(np.array([cycles / 1e9]), np.array([hertz / 1e9]), kappa_j_per_gcycle_ghz2=10.0)
    assert energy[0] == pytest.approx(1e-26 * cycles * hertz**2)


def test_sending_costs_power_times_time() -> None:
    assert transmit_energy_j(np.array([2.5, 0.0]), transmit_power_w=0.2).tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("level", "weight"),
    [(1.0, 1.0), (0.8, 1.25), (0.5, 2.0), (0.4, 2.5), (1.0 / 3.0, 3.0), (0.33, 3.0), (0.1, 3.0), (1e-9, 3.0)],
)
def test_a_battery_weighs_its_inverse_but_three_at_most(level: float, weight: float) -> None:
    assert battery_weight(np.array([level]))[0] == pytest.approx(weight, rel=1e-12)


@given(st.lists(st.floats(0.0, 1.0, exclude_min=True), min_size=2, max_size=2).map(sorted))
def test_an_emptier_battery_never_weighs_less(levels: list[float]) -> None:
    emptier, fuller = battery_weight(np.array(levels))
    assert 3.0 >= emptier >= fuller >= 1.0


def test_arguments_broadcast() -> None:
    energy = compute_energy_j(np.ones((2, 1)), np.array([[1.0, 2.0, 3.0]]), kappa_j_per_gcycle_ghz2=1.0)
    assert energy.tolist() == [[1.0, 4.0, 9.0]] * 2
