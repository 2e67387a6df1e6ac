"""Intervals cover what they should."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.results.statistics import estimate, grows, small_sample_factor


def test_the_value_is_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=(4, 30))
    assert estimate(values, name="a", resamples=50).value == pytest.approx(values.mean())


@pytest.mark.parametrize(("seeds", "spread_of_seeds"), [(5, 0.5), (5, 0.0), (3, 0.3), (1, 0.0), (20, 0.5)])
def test_coverage_on_a_simulated_normal(seeds: int, spread_of_seeds: float) -> None:
    """Of 300 experiments with a known mean, about 95% have it in their interval: 91 to 99 is four deviations."""
    rng, episodes, covered = np.random.default_rng(seeds), 64, 0
    for experiment in range(300):
        of_seed = rng.normal(0.0, spread_of_seeds, (seeds, 1))
        values = 2.0 + of_seed + rng.normal(0.0, 1.0, episodes) + rng.normal(0.0, 0.5, (seeds, episodes))
        low, high = estimate(values, name=str(experiment), resamples=400).interval
        covered += low <= 2.0 <= high
    assert 0.9 <= covered / 300 <= 0.995


def test_differences_are_paired_on_episodes() -> None:
    """What an episode does to both cancels."""
    rng = np.random.default_rng(1)
    hard = rng.normal(0.0, 10.0, 200)
    mine, other = hard + rng.normal(0.0, 0.1, (1, 200)), 0.5 + hard + rng.normal(0.0, 0.1, (1, 200))
    difference = estimate(other, name="b", resamples=2000) - estimate(mine, name="a", resamples=2000)
    low, high = difference.interval
    assert difference.value == pytest.approx(0.5, abs=0.05)
    assert 0.45 < low < high < 0.55
    assert np.diff(estimate(mine, name="a", resamples=2000).interval)[0] > 1.0


def test_a_single_seed_has_the_interval_of_its_episodes() -> None:
    values = np.random.default_rng(2).normal(size=(1, 400))
    low, high = estimate(values, name="a").interval
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert small_sample_factor(1) == 1.0


def test_a_plain_interval_is_that_of_the_seeds_as_they_are_drawn() -> None:
    values = np.random.default_rng(5).normal(size=(5, 1)) + np.zeros((5, 40))
    wide, plain = (estimate(values, name="a", widened=widened) for widened in (True, False))
    assert plain.value == wide.value
    assert np.diff(wide.interval)[0] == pytest.approx(small_sample_factor(5) * np.diff(plain.interval)[0])
    assert plain.draws.std() == pytest.approx(values[:, 0].std() / np.sqrt(5), rel=0.03)


def test_equal_values_have_an_interval_of_width_0() -> None:
    assert estimate(np.full((5, 8), 3.0), name="a", resamples=100).interval == pytest.approx((3.0, 3.0))


def test_draws_are_repeatable_and_differ_between_names() -> None:
    values = np.random.default_rng(3).normal(size=(5, 20))
    a, again, b = (estimate(values, name=name, resamples=100).draws for name in ("a", "a", "b"))
    np.testing.assert_array_equal(a, again)
    assert not np.array_equal(a, b)


def test_a_ratio_is_that_of_the_sums() -> None:
    rng = np.random.default_rng(4)
    to = rng.uniform(0.0, 2.0, (3, 500))
    of = 7.0 * to + rng.normal(0.0, 0.5, (3, 500))
    ratio = estimate(of, name="a", to=to, resamples=500)
    assert ratio.value == pytest.approx((of.sum(axis=1) / to.sum(axis=1)).mean())
    low, high = ratio.interval
    assert low < 7.0 < high


@pytest.mark.parametrize("values", [np.zeros((0, 4)), np.zeros((3, 0)), np.zeros(4)])
def test_no_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="seeds x episodes"):
        estimate(values, name="a")


def test_a_ratio_with_divisor_0_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        estimate(np.ones((1, 4)), name="a", to=np.zeros((1, 4)), resamples=10)


@pytest.mark.parametrize(("slope", "expected"), [(0.24, False), (0.26, True), (-0.1, False), (0.0, False)])
def test_a_queue_grows_if_its_slope_adds_more_than_a_fraction_of_its_mean(slope: float, expected: bool) -> None:
    of_runs = estimate(np.full((5, 20), slope), name="a", resamples=100)
    assert grows(of_runs, mean=10.0, epochs=30.0) is expected


def test_a_queue_does_not_grow_where_its_slope_may_be_0() -> None:
    slope = estimate(np.tile((1.1, -0.9), (1, 20)), name="a")  # 0.1 on average
    assert slope.value * 30.0 > 0.1 * 10.0
    assert not grows(slope, mean=10.0, epochs=30.0, by=0.1)
