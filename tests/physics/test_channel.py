"""Rates against values worked by hand, and what every channel must do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vec_envs.physics.channel import RateFunction, checked_rates_mbps, shannon_rate_mbps, v2i_rate_mbps, v2v_rate_mbps

BOTH = pytest.mark.parametrize("rate", [v2i_rate_mbps, v2v_rate_mbps])


@pytest.mark.parametrize(
    ("rate", "distance_m", "fading_power", "snr_db"),
    [
        (v2i_rate_mbps, 1.0, 1.0, 23.0 + 114.0 - 38.4),
        (v2i_rate_mbps, 100.0, 1.0, 23.0 + 114.0 - 38.4 - 42.0),
        (v2i_rate_mbps, 1000.0, 1.0, 23.0 + 114.0 - 38.4 - 63.0),
        (v2i_rate_mbps, 100.0, 0.01, 23.0 + 114.0 - 38.4 - 42.0 - 20.0),
        (v2v_rate_mbps, 1.0, 1.0, 23.0 + 114.0 - 44.23),
        (v2v_rate_mbps, 100.0, 1.0, 23.0 + 114.0 - 44.23 - 33.4),
        (v2v_rate_mbps, 10.0, 10.0, 23.0 + 114.0 - 44.23 - 16.7 + 10.0),
    ],
)
def test_rate_is_shannons_with_the_path_loss_of_the_paper(
    rate: RateFunction, distance_m: float, fading_power: float, snr_db: float
) -> None:
    expected = 10.0 * math.log(1.0 + 10.0 ** (snr_db / 10.0)) / math.log(2.0)
    assert rate(np.array(distance_m), np.array(fading_power)) == pytest.approx(expected, rel=1e-12)


def test_rate_worked_by_hand() -> None:
    # 23 dBm - 80.4 dB over -114 dBm is 56.6 dB, a ratio of 457088; log2(457089) = 18.8021.
    assert v2i_rate_mbps(100.0, 1.0) == pytest.approx(188.021, abs=1e-3)
    # 23 dBm - 77.63 dB over -114 dBm is 59.37 dB, a ratio of 864968; log2(864969) = 19.7223.
    assert v2v_rate_mbps(100.0, 1.0) == pytest.approx(197.223, abs=1e-3)


@BOTH
def test_rate_falls_with_distance_and_rises_with_fading_power(rate: RateFunction) -> None:
    distance_m = np.linspace(1.0, 2000.0, 500)
    assert (np.diff(rate(distance_m, np.ones(500))) < 0.0).all()
    assert (np.diff(rate(np.full(500, 300.0), np.linspace(1e-3, 5.0, 500))) > 0.0).all()


@BOTH
def test_rate_is_constant_below_a_metre(rate: RateFunction) -> None:
    near = rate(np.array([0.0, 1e-6, 0.5, 1.0]), np.ones(4))
    assert (near == near[-1]).all()
    assert rate(np.array(1.01), np.array(1.0)) < near[-1]


@BOTH
def test_options_of_the_radio(rate: RateFunction) -> None:
    standard = rate(100.0, 1.0)
    assert rate(100.0, 1.0, bandwidth_mhz=20.0) == pytest.approx(2.0 * standard)
    louder = rate(100.0, 1.0, transmit_power_dbm=26.0)
    assert louder == pytest.approx(rate(100.0, 1.0, noise_dbm=-117.0))
    assert louder == pytest.approx(rate(100.0, 10.0**0.3))
    assert louder > standard


@BOTH
def test_no_fading_power_carries_nothing(rate: RateFunction) -> None:
    assert rate(np.array(50.0), np.array(0.0)) == 0.0


def test_rates_broadcast_over_the_batch() -> None:
    distance_m, fading_power = np.array([[10.0], [500.0]]), np.array([0.5, 1.0, 2.0])
    rates = v2i_rate_mbps(distance_m, fading_power)
    assert rates.shape == (2, 3)
    assert rates[1, 2] == v2i_rate_mbps(500.0, 2.0)


def test_power_at_the_noise_carries_one_bit_a_hertz() -> None:
    rate = shannon_rate_mbps(0.0, 1.0, bandwidth_mhz=3.0, transmit_power_dbm=-90.0, noise_dbm=-90.0)
    assert rate == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (np.array([1.0, np.nan]), "mine must return finite rates above 0 Mbit/s, got nan"),
        (np.array([1.0, np.inf]), "above 0 Mbit/s, got inf"),
        (np.array([0.0, 1.0]), "above 0 Mbit/s, got 0.0"),
        (-1.0, "above 0 Mbit/s, got -1.0"),
        (np.ones(3), r"mine must return rates of the distances' shape, \(2,\), got \(3,\)"),
    ],
    ids=str,
)
def test_invalid_rates_of_a_channel_are_refused(rate: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_rates_mbps(rate, np.ones(2), of="mine")


def test_a_channel_may_give_one_rate_for_all_and_none_where_it_may() -> None:
    assert checked_rates_mbps(3.0, np.ones((2, 2)), of="mine").tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert checked_rates_mbps(np.array([0.0, 2.0]), np.ones(2), of="mine", may_be_0=True).tolist() == [0.0, 2.0]
    with pytest.raises(ValueError, match=r"mine must return finite rates of at least 0 Mbit/s, got -2\.0"):
        checked_rates_mbps(-2.0, np.ones(2), of="mine", may_be_0=True)
