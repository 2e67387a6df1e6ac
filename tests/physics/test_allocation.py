"""The shares of the roadside unit, against scipy and against the conditions of optimality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq, minimize

from vec_envs.physics.allocation import allocate_rsu, allocate_rsu_capped

BATCH_SIZE = 100


def random_cases(seed: int, types: int, batch_size: int = BATCH_SIZE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns weights, backlogs and capacities over many orders of magnitude, a third of the entries 0."""
    rng = np.random.default_rng(seed)
    gamma = 10.0 ** rng.uniform(-6, 6, (batch_size, types)) * (rng.random((batch_size, types)) > 1 / 3)
    backlog = 10.0 ** rng.uniform(-4, 4, (batch_size, types)) * (rng.random((batch_size, types)) > 1 / 3)
    return gamma, backlog, 10.0 ** rng.uniform(-2, 3, batch_size)


def optimum(gamma: np.ndarray, pull: np.ndarray, capacity: float) -> np.ndarray:
    """Returns the minimiser of one case, its multiplier bracketed on a log scale.

    The multiplier is the highest Q tau of an active type plus x; solving for x avoids cancellation.
    """
    speed, active, x = np.zeros_like(gamma), gamma > 0.0, 0.0
    highest = pull[active].max(initial=0.0)
    gap = highest - pull[active]
    if active.any():

        def surplus(log_x: float) -> float:
            return float(np.log(np.sqrt(gamma[active] / (np.exp(log_x) + gap)).sum() / capacity))

        x = np.exp(brentq(surplus, -200.0, 100.0, xtol=1e-13, rtol=1e-15, maxiter=500))
    idle_pull = np.where(active, 0.0, pull)
    takes_rest = idle_pull.max() - highest > x
    x = max(x, idle_pull.max() - highest)
    speed[active] = np.sqrt(gamma[active] / (x + gap))
    if takes_rest:
        speed[idle_pull.argmax()] = capacity - speed[active].sum()
    return speed


def optimality_gap(
    gamma: np.ndarray, pull: np.ndarray, speed: np.ndarray, usable: np.ndarray, capacity: np.ndarray
) -> np.ndarray:
    """Returns the relative violation of the optimality conditions of P3; 0 at the optimum.

    At the optimum, the largest marginal gain of types below their bound is at most the smallest at positive speed (up
    to rounding). Unallocated speed counts as a type with marginal gain 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        marginal = np.where(gamma > 0.0, gamma / speed**2, 0.0) + pull
    wants = np.where(speed < usable, marginal, -np.inf).max(axis=-1)
    bears = np.where(speed > 1e-12 * capacity[:, None], marginal, np.inf).min(axis=-1)
    bears = np.where(speed.sum(axis=-1) < capacity * (1.0 - 1e-9), 0.0, bears)
    return np.where(wants <= bears, 0.0, (wants - bears) / np.maximum(wants, 1e-300))


def p3(gamma: np.ndarray, pull: np.ndarray, speed: np.ndarray) -> float:
    paid = np.divide(gamma, speed, out=np.zeros_like(gamma), where=gamma > 0.0)
    return float((paid - pull * speed).sum())


@pytest.mark.parametrize("slot_s", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("types", [1, 2, 3, 4, 6])
def test_speeds_equal_those_of_a_bracketed_multiplier(types: int, slot_s: float) -> None:
    gamma, backlog, capacity = random_cases(types, types)
    speed = allocate_rsu(gamma, backlog, capacity_ghz=capacity, slot_s=slot_s)
    for case in range(BATCH_SIZE):
        expected = optimum(gamma[case], backlog[case] * slot_s, capacity[case])
        np.testing.assert_allclose(speed[case], expected, rtol=1e-8, atol=1e-9 * capacity[case])


@pytest.mark.parametrize("slot_s", [0.1, 1.0])
@pytest.mark.parametrize("types", [1, 2, 3, 7, 20])
def test_conditions_of_optimality_hold(types: int, slot_s: float) -> None:
    gamma, backlog, capacity = random_cases(100 + types, types, batch_size=1000)
    speed = allocate_rsu(gamma, backlog, capacity_ghz=capacity, slot_s=slot_s)
    gap = optimality_gap(gamma, backlog * slot_s, speed, np.full_like(speed, np.inf), capacity)
    assert gap.max() <= 1e-8
    assert (speed >= 0.0).all()
    assert (speed[gamma > 0.0] > 0.0).all()
    assert (speed.sum(axis=-1) <= capacity * (1.0 + 1e-12)).all()


def test_no_general_solver_finds_better() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        gamma, backlog = rng.uniform(1.0, 300.0, 3), rng.uniform(0.0, 40.0, 3)
        speed = allocate_rsu(gamma, backlog, capacity_ghz=30.0, slot_s=1.0)
        found = minimize(
            lambda f, g=gamma, q=backlog: p3(g, q, f),
            np.full(3, 10.0),
            method="SLSQP",
            bounds=[(1e-6, 30.0)] * 3,
            constraints={"type": "ineq", "fun": lambda f: 30.0 - f.sum()},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert p3(gamma, backlog, speed) <= found.fun + 1e-6 * abs(found.fun)
        np.testing.assert_allclose(speed, found.x, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("gamma", "backlog", "expected"),
    [
        pytest.param([0, 0, 0], [0, 0, 0], [0, 0, 0], id="nothing anywhere"),
        pytest.param([0, 0, 0], [1, 5, 2], [0, 30, 0], id="nobody offloads: the largest backlog takes all"),
        pytest.param([0, 0, 0], [1, 5, 5], [0, 30, 0], id="of equal backlogs the first"),
        pytest.param([7, 0, 0], [0, 0, 0], [30, 0, 0], id="one active type, no backlog"),
        pytest.param([7, 0, 0], [4, 0, 0], [30, 0, 0], id="one active type with a backlog"),
        pytest.param([4, 4, 4], [0, 0, 0], [10, 10, 10], id="equal types share equally"),
        pytest.param([1, 4, 0], [0, 0, 0], [10, 20, 0], id="without backlogs by the root of the weights"),
        pytest.param([100, 0], [0, 4], [5, 25], id="idle: the active type stops at sqrt(100 / 4)"),
        pytest.param([100, 0, 0], [0, 4, 4], [5, 25, 0], id="idle ties: the first gets what is left"),
        pytest.param([100, 0, 0], [0, 3, 4], [5, 0, 25], id="idle: only the larger one"),
        pytest.param([9e4, 0], [0, 4], [30, 0], id="idle, but the active one still wants more"),
        pytest.param([900, 0], [5, 4], [30, 0], id="idle backlog below an active one"),
        pytest.param([900, 0], [4, 5], [30, 0], id="idle backlog at the price of the last unit"),
        pytest.param([400, 0], [4, 5], [20, 10], id="idle backlog just above an active one"),
    ],
)
def test_hand_made_case(gamma: list[float], backlog: list[float], expected: list[float]) -> None:
    speed = allocate_rsu(np.array(gamma), np.array(backlog), capacity_ghz=30.0, slot_s=1.0)
    np.testing.assert_allclose(speed, expected, rtol=1e-9, atol=1e-9)


def test_slot_length_weighs_the_backlog() -> None:
    speed = allocate_rsu(np.array([100.0, 0.0]), np.array([0.0, 4.0]), capacity_ghz=30.0, slot_s=0.25)
    np.testing.assert_allclose(speed, [10.0, 20.0])


@pytest.mark.parametrize("weight", [1e-250, 1e-30, 1e-12, 1e12, 1e30, 1e250])
def test_extreme_weights_stay_finite_and_fill_the_capacity(weight: float) -> None:
    gamma = np.array([[weight, weight, 0.0], [weight, 1.0, 0.0], [weight, 1e3 * weight, weight]])
    for backlog in (np.zeros(3), np.array([1e-9, 1e9, 0.0]), np.array([3.0, 3.0, 0.0])):
        speed = allocate_rsu(gamma, np.tile(backlog, (3, 1)), capacity_ghz=30.0, slot_s=1.0)
        assert np.isfinite(speed).all()
        np.testing.assert_allclose(speed.sum(axis=-1), 30.0, rtol=1e-9)


@given(
    arrays(float, (4, 3), elements=st.floats(0.0, 1e6, allow_subnormal=False)),
    arrays(float, (4, 3), elements=st.floats(0.0, 1e4, allow_subnormal=False)),
    st.floats(0.1, 1e3),
)
def test_any_case_is_optimal_and_within_the_capacity(gamma: np.ndarray, backlog: np.ndarray, capacity: float) -> None:
    gamma, backlog = np.where(gamma < 1e-9, 0.0, gamma), np.where(backlog < 1e-9, 0.0, backlog)
    speed = allocate_rsu(gamma, backlog, capacity_ghz=capacity, slot_s=1.0)
    gap = optimality_gap(gamma, backlog, speed, np.full_like(speed, np.inf), np.full(4, capacity))
    assert gap.max() <= 1e-8
    assert (speed.sum(axis=-1) <= capacity * (1.0 + 1e-12)).all()


@pytest.mark.parametrize("types", [1, 3, 5, 12])
def test_a_batch_equals_row_by_row_results_bit_for_bit(types: int) -> None:
    gamma, backlog, capacity = random_cases(7, types)
    together = allocate_rsu(gamma, backlog, capacity_ghz=capacity, slot_s=1.0)
    for case in range(BATCH_SIZE):
        alone = allocate_rsu(gamma[case], backlog[case], capacity_ghz=float(capacity[case]), slot_s=1.0)
        assert (alone == together[case]).all()
    shaped = allocate_rsu(
        gamma.reshape(5, -1, types), backlog.reshape(5, -1, types), capacity_ghz=capacity.reshape(5, -1), slot_s=1.0
    )
    assert (shaped.reshape(together.shape) == together).all()


def test_inputs_are_not_modified_and_integers_are_accepted() -> None:
    gamma, backlog = np.array([100, 0]), np.array([0, 4])
    np.testing.assert_allclose(allocate_rsu(gamma, backlog, capacity_ghz=30, slot_s=1), [5.0, 25.0])
    assert gamma.tolist() == [100, 0]
    assert backlog.tolist() == [0, 4]


# Capped ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("types", [1, 2, 3, 5, 9])
def test_capped_conditions_of_optimality_hold(types: int) -> None:
    gamma, backlog, _ = random_cases(200 + types, types, batch_size=1000)
    usable = 10.0 ** np.random.default_rng(types).uniform(-2, 3, gamma.shape) * ((gamma > 0.0) | (backlog > 0.0))
    speed = allocate_rsu_capped(gamma, backlog, usable, capacity_ghz=30.0, slot_s=1.0)
    assert optimality_gap(gamma, backlog, speed, usable, np.full(1000, 30.0)).max() <= 1e-8
    assert (speed <= usable).all()
    assert (speed >= 0.0).all()
    assert (speed.sum(axis=-1) <= 30.0 * (1.0 + 1e-12)).all()


def test_no_general_solver_finds_better_within_the_bounds() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        gamma, backlog, usable = rng.uniform(1.0, 300.0, 3), rng.uniform(0.0, 40.0, 3), rng.uniform(1.0, 25.0, 3)
        speed = allocate_rsu_capped(gamma, backlog, usable, capacity_ghz=30.0, slot_s=1.0)
        found = minimize(
            lambda f, g=gamma, q=backlog: p3(g, q, f),
            usable * min(1.0, 30.0 / usable.sum()),
            method="SLSQP",
            bounds=[(1e-6, u) for u in usable],
            constraints={"type": "ineq", "fun": lambda f: 30.0 - f.sum()},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert p3(gamma, backlog, speed) <= found.fun + 1e-6 * abs(found.fun)


def test_capped_is_uncapped_where_no_bound_binds() -> None:
    gamma, backlog, _ = random_cases(3, 4)
    free = allocate_rsu(gamma, backlog, capacity_ghz=30.0, slot_s=1.0)
    capped = allocate_rsu_capped(gamma, backlog, np.full_like(gamma, 31.0), capacity_ghz=30.0, slot_s=1.0)
    assert (free == capped).all()


def test_speed_above_a_bound_goes_to_the_other_types() -> None:
    gamma, backlog, usable = np.array([100.0, 0.0, 0.0]), np.array([0.0, 4.0, 3.0]), np.array([50.0, 10.0, 20.0])
    speed = allocate_rsu_capped(gamma, backlog, usable, capacity_ghz=30.0, slot_s=1.0)
    np.testing.assert_allclose(speed, [np.sqrt(100.0 / 3.0), 10.0, 20.0 - np.sqrt(100.0 / 3.0)])


def test_capped_leaves_speed_that_nobody_can_use() -> None:
    usable = np.array([1.0, 2.0, 0.0])
    speed = allocate_rsu_capped(
        np.array([9.0, 0.0, 0.0]), np.array([0.0, 5.0, 0.0]), usable, capacity_ghz=30.0, slot_s=1.0
    )
    np.testing.assert_allclose(speed, usable)


def test_a_capped_batch_equals_row_by_row_results_bit_for_bit() -> None:
    gamma, backlog, _ = random_cases(11, 3)
    usable = np.random.default_rng(0).uniform(0.0, 20.0, gamma.shape)
    together = allocate_rsu_capped(gamma, backlog, usable, capacity_ghz=30.0, slot_s=1.0)
    for case in range(BATCH_SIZE):
        alone = allocate_rsu_capped(gamma[case], backlog[case], usable[case], capacity_ghz=30.0, slot_s=1.0)
        assert (alone == together[case]).all()
