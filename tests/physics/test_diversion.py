"""Whom a vehicle asks: the waits it predicts, and what it makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vec_envs.physics.diversion import predicted_wait_s, request_probabilities

WAITS = st.floats(0.0, 1e6)
INF = np.inf


def test_a_predicted_wait_is_the_largest_tensor_over_the_rate_and_the_queue() -> None:
    wait_s = predicted_wait_s(np.array([8.0, 8.0]), np.array([[4.0, 2.0], [16.0, 0.0]]), np.array([[1.0, 3.0]] * 2))
    assert wait_s.tolist() == [[3.0, 7.0], [1.5, INF]]


@pytest.mark.parametrize(
    ("wait_s", "expected"),
    [
        ([1.0, 3.0], [0.75, 0.25]),
        ([3.0, 1.0], [0.25, 0.75]),
        ([2.0, 2.0], [0.5, 0.5]),
        ([0.0, 5.0], [1.0, 0.0]),
        ([5.0, 0.0], [0.0, 1.0]),
        ([0.0, 0.0], [0.5, 0.5]),
        ([5.0, INF], [1.0, 0.0]),
        ([INF, 5.0], [0.0, 1.0]),
        ([0.0, INF], [1.0, 0.0]),
        ([INF, INF], [0.0, 0.0]),
    ],
    ids=str,
)
def test_each_unit_gets_the_others_share_of_the_waits(wait_s: list[float], expected: list[float]) -> None:
    assert request_probabilities(np.array(wait_s)).tolist() == expected
    assert request_probabilities(np.array([[wait_s] * 3])).tolist() == [[expected] * 3]


@given(WAITS, WAITS)
def test_probabilities_are_a_distribution_that_favours_the_shorter_wait(first: float, second: float) -> None:
    one, other = request_probabilities(np.array([first, second]))
    assert one + other == pytest.approx(1.0)
    assert 0.0 <= one <= 1.0
    assert (one >= other) == (first <= second)
    assert request_probabilities(np.array([second, first])).tolist() == [other, one]


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_only_the_ratio_of_the_waits_counts(first: float, second: float, factor: float) -> None:
    waits = np.array([first, second])
    np.testing.assert_allclose(request_probabilities(waits * factor), request_probabilities(waits), rtol=1e-9)


@pytest.mark.parametrize("wait_s", [[-1.0, 1.0], [1.0, -1e-9], [np.nan, 1.0], [INF, np.nan], [-INF, 1.0]], ids=str)
def test_a_negative_wait_or_none_is_refused(wait_s: list[float]) -> None:
    with pytest.raises(ValueError, match="predicted waits must be at least 0"):
        request_probabilities(np.array([[1.0, 2.0], wait_s]))
