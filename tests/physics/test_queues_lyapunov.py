"""Queues, their Lyapunov function, and the bound of Lemma 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jaxtyping import TypeCheckError

from vec_envs.physics.lyapunov import drift, drift_bound, lyapunov
from vec_envs.physics.queues import next_backlog_gcycles

QUEUES = arrays(float, (2, 5), elements=st.floats(0.0, 1e3))


def test_queue_keeps_what_cannot_be_served() -> None:
    after = next_backlog_gcycles(
        np.array([5.0, 5.0, 0.0, 0.0]), np.array([2.0, 2.0, 3.0, 0.0]), np.array([4.0, 9.0, 1.0, 1.0])
    )
    assert after.tolist() == [3.0, 0.0, 2.0, 0.0]


@given(QUEUES, QUEUES, QUEUES)
def test_queue_is_never_negative_and_never_loses_unserved_work(
    backlog: np.ndarray, arrivals: np.ndarray, service: np.ndarray
) -> None:
    after = next_backlog_gcycles(backlog, arrivals, service)
    assert (after >= 0.0).all()
    done = backlog + arrivals - after
    assert (done <= service + 1e-9).all()
    assert (done >= -1e-9).all()


def test_annotated_shapes_are_held_under_pytest() -> None:
    with pytest.raises(TypeCheckError, match="next_backlog"):
        drift(np.zeros(2), np.zeros(3))


def test_lyapunov_is_half_the_squares_summed_over_queues_only() -> None:
    values = lyapunov(np.array([[3.0, 4.0], [0.0, 2.0]]))
    assert values.tolist() == [12.5, 2.0]


def test_drift_is_the_difference_of_the_function() -> None:
    assert drift(np.array([3.0, 0.0]), np.array([1.0, 2.0])) == pytest.approx(2.5 - 4.5)


def test_drift_bound_weighs_the_net_arrivals_by_the_backlog() -> None:
    bound = drift_bound(np.array([3.0, 0.0, 2.0]), np.array([1.0, 9.0, 5.0]), np.array([2.0, 0.0, 1.0]))
    assert bound == pytest.approx(3.0 * -1.0 + 2.0 * 4.0)


@given(QUEUES, QUEUES, QUEUES)
def test_lemma_1_with_its_quadratic_term(backlog: np.ndarray, arrivals: np.ndarray, service: np.ndarray) -> None:
    after = next_backlog_gcycles(backlog, arrivals, service)
    linear = drift_bound(backlog, arrivals, service)
    quadratic = 0.5 * ((arrivals - service) ** 2).sum(axis=-1)
    assert (drift(backlog, after) <= linear + quadratic + 1e-6).all()
    busy = (backlog + arrivals >= service).all(axis=-1)
    np.testing.assert_allclose(drift(backlog, after)[busy], (linear + quadratic)[busy], rtol=1e-9, atol=1e-6)
