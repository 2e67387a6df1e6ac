"""LyMDO's P3, P4 and P5: against golden figures, scipy, bisection and the conditions of optimality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vec_envs.physics.inference import MOST_LOAD
from vec_envs.physics.inference_allocation import (
    bandwidth_share,
    device_speed_ghz,
    server_speed_ghz,
    spectral_efficiency,
)

optimize: Any = scipy.optimize  # has no types
FILE = Path(__file__).parents[3] / "shared" / "golden" / "cooperative_inference.json"
V, KAPPA, MAX_GHZ, SERVER_GHZ, POWER_W = 10.0, 0.1, 1.5, 15.0, 0.1
CYCLES_PER_MAC = 0.12
SNR_AT_UNIT_GAIN = POWER_W / (5e6 * 10.0**-20.4)
CASES = 1000

Golden = dict[str, list[float]]

COPIED: list[Golden] = [
    {
        "device_gmacs": [0.0, 0.3098, 1.7956, 0.4659, 0.0],
        "server_gmacs": [1.7956, 1.0845, 0.0, 0.9284, 1.7956],
        "data_mbit": [4.816896, 6.1078, 0.0, 10.5154, 4.816896],
        "arrival_rate_hz": [1.531, 1.178, 0.891, 1.137, 1.944],
        "energy_queue": [107.643, 18.534, 85.934, 79.231, 17.157],
        "gain": [1.13444e-11, 7.33436e-11, 2.90088e-11, 3.5708e-12, 9.717e-12],
        "device_ghz": [0.0, 1.3331162952518092, 0.9439262733043321, 0.8443929517397477, 0.0],
        "server_ghz": [4.290353671917159, 3.3342877296108417, 0.0, 3.08500492655484, 4.290353671917159],
        "bandwidth_share": [0.2652083705413805, 0.17537636837001322, 0.0, 0.3739056485813092, 0.1855096125072971],
    },
    {
        "device_gmacs": [0.0, 0.4567, 0.5624, 0.4567],
        "server_gmacs": [1.0561, 0.3827, 0.4937, 0.3827],
        "data_mbit": [4.816896, 7.2523, 5.5239, 7.2523],
        "arrival_rate_hz": [0.74, 2.353, 1.926, 2.303],
        "energy_queue": [2.98, 0.431, 59.004, 54.091],
        "gain": [2.97672e-11, 8.216e-13, 2.27362e-11, 2.96566e-11],
        "device_ghz": [0.0, 1.5, 0.8103192742544958, 0.785956310031894],
        "server_ghz": [5.194505928750814, 3.1269501380163245, 3.551593795216535, 3.1269501380163245],
        "bandwidth_share": [0.16124240250734423, 0.2715176136172412, 0.26186645152047955, 0.3053735323549351],
    },
]


def from_file() -> list[Golden]:
    """Returns the cases of the golden file, where it is, in the form of those copied."""
    cases: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []
    return [flat(case["input"], case["expected"]) for case in cases]


def flat(given: dict[str, Any], expected: dict[str, Any]) -> Golden:
    cut = [(given["profiles"][dnn], cut) for dnn, cut in zip(given["dnn_of_device"], given["cuts"], strict=True)]
    return {
        "device_gmacs": [float(sum(profile["gmacs"][:layer])) for profile, layer in cut],
        "server_gmacs": [float(sum(profile["gmacs"][layer:])) for profile, layer in cut],
        "data_mbit": [profile["cut_mbit"][layer] for profile, layer in cut],
        **{name: given[name] for name in ("arrival_rate_hz", "energy_queue", "gain")},
        **{name: expected[name] for name in ("device_ghz", "server_ghz", "bandwidth_share")},
    }


@pytest.mark.parametrize("golden", COPIED + from_file())
def test_results_equal_stored_reference_values(golden: Golden) -> None:
    case = {name: np.array(figures) for name, figures in golden.items()}
    rate, queue = case["arrival_rate_hz"], case["energy_queue"]
    speed = device_ghz(CYCLES_PER_MAC * case["device_gmacs"], rate, queue)
    server = server_speed_ghz(CYCLES_PER_MAC * case["server_gmacs"], max_ghz=SERVER_GHZ)
    share = bandwidth_share(queue * POWER_W * rate + V, case["data_mbit"], case["gain"] * SNR_AT_UNIT_GAIN)
    np.testing.assert_allclose(speed, case["device_ghz"], rtol=1e-6)
    np.testing.assert_allclose(server, case["server_ghz"], rtol=1e-12)
    np.testing.assert_allclose(share, case["bandwidth_share"], rtol=1e-5)


# P3 -------------------------------------------------------------------------------------------------------------------


def device_ghz(work: np.ndarray, rate: np.ndarray, queue: np.ndarray, v: float = V) -> np.ndarray:
    return device_speed_ghz(work, rate, queue, lyapunov_v=v, kappa_j_per_gcycle_ghz2=KAPPA, max_ghz=MAX_GHZ)


def device_cases(seed: int, lowest_power: int = -4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns work, arrival rates and queues of stable cases, up to loads within 1e`lowest_power` of the maximum."""
    rng = np.random.default_rng(seed)
    rate = 10.0 ** rng.uniform(-2, 2, CASES)
    spare = 10.0 ** rng.uniform(lowest_power, 0, CASES)
    load = np.where(rng.random(CASES) < 0.5, 1.0 - spare, spare) * MAX_GHZ * (1.0 - 1e-9)
    return load / rate, rate, 10.0 ** rng.uniform(-2, 6, CASES)


def p3(speed: float, work: float, rate: float, queue: float) -> float:
    sojourn = work / speed + work**2 * rate / (2.0 * (speed**2 - speed * work * rate))
    return queue * KAPPA * speed**2 * work * rate + V * sojourn


def test_speed_is_the_one_scipy_finds() -> None:
    cases = device_cases(1)
    for speed, work, rate, queue in zip(device_ghz(*cases), *cases, strict=True):
        bounds = (work * rate, MAX_GHZ)
        found = optimize.minimize_scalar(
            p3, bounds=bounds, args=(work, rate, queue), method="bounded", options={"xatol": 1e-10}
        )
        least = p3(speed, work, rate, queue)
        assert least <= found.fun * (1.0 + 1e-12)
        assert min(found.fun, p3(MAX_GHZ, work, rate, queue)) <= least * (1.0 + 1e-9)
        assert abs(speed - found.x) <= 1e-5 * MAX_GHZ


def test_speed_is_the_root_of_the_derivative() -> None:
    cases = device_cases(2, lowest_power=-9)
    inside = 0
    for speed, work, rate, queue in zip(device_ghz(*cases), *cases, strict=True):
        load = work * rate

        def slope(spare: float, load: float = load, price: float = 4.0 * queue * KAPPA * rate / V) -> float:
            return price * (load + spare) - 1.0 / (load + spare) ** 2 - 1.0 / spare**2

        if slope(MAX_GHZ - load) <= 0.0:
            assert speed == MAX_GHZ
            continue
        expected = optimize.brentq(slope, 1e-12, MAX_GHZ - load, xtol=1e-300, rtol=1e-14)
        np.testing.assert_allclose(speed, load + expected, rtol=1e-12)
        np.testing.assert_allclose(speed - load, expected, rtol=1e-10, atol=1e-15)
        inside += 1
    assert CASES / 4 < inside < CASES * 3 / 4


@pytest.mark.parametrize("queue", [1e-12, 1e-3, 1.0, 1e3, 1e6, 1e12, 1e30, 1e200])
@pytest.mark.parametrize("load", [1e-200, 1e-9, 1e-3, 0.5, 0.999, 0.999999])
def test_extreme_device_meets_the_condition(load: float, queue: float) -> None:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        speed = device_ghz(np.array([load * MAX_GHZ / 2.0]), np.array([2.0]), np.array([queue]))[0]
    assert load * MAX_GHZ <= speed <= MAX_GHZ
    if load * MAX_GHZ / MOST_LOAD < speed < MAX_GHZ and speed / load > 1e-6 * speed:
        pull, price = 4.0 * queue * KAPPA * 2.0 / V * speed, 1.0 / speed**2 + 1.0 / (speed - load * MAX_GHZ) ** 2
        assert pull == pytest.approx(price, rel=1e-9 + 1e-14 / (1.0 - load * MAX_GHZ / speed))


@pytest.mark.parametrize(
    ("work", "rate", "queue", "expected"),
    [
        pytest.param(0.0, 2.0, 50.0, 0.0, id="no work"),
        pytest.param(0.0, 0.0, 0.0, 0.0, id="nothing at all"),
        pytest.param(0.2, 2.0, 0.0, MAX_GHZ, id="no queue"),
        pytest.param(0.2, 0.0, 50.0, MAX_GHZ, id="no arrivals"),
        pytest.param(0.75, 2.0, 50.0, MAX_GHZ, id="load at the maximum: unstable"),
        pytest.param(3.0, 2.0, 50.0, MAX_GHZ, id="load beyond it"),
        pytest.param(0.25, 2.0, 12.5 * (1.0 + 1.0 / 0.25), 1.0, id="by hand: load 1/2, speed 1"),
    ],
)
def test_device_speeds_of_hand_made_cases(work: float, rate: float, queue: float, expected: float) -> None:
    with np.errstate(all="raise"):
        speed = device_ghz(np.array([work]), np.array([rate]), np.array([queue]))
    np.testing.assert_allclose(speed, [expected], rtol=1e-14)


def test_lyapunov_weight_and_queue_are_one_ratio() -> None:
    work, rate, queue = device_cases(3)
    np.testing.assert_allclose(device_ghz(work, rate, queue, v=50.0), device_ghz(work, rate, queue / 5.0), rtol=1e-13)


@given(
    arrays(float, (3, 4), elements=st.floats(0.0, 0.999999)),
    arrays(float, (3, 1), elements=st.floats(1e-3, 1e3)),
    arrays(float, (4,), elements=st.floats(0.0, 1e6)),
)
def test_any_speed_is_above_the_load_and_at_most_the_maximum(
    load: np.ndarray, rate: np.ndarray, queue: np.ndarray
) -> None:
    work = load * MAX_GHZ / rate
    speed = device_ghz(work, rate, queue)
    assert speed.shape == (3, 4)
    assert (speed <= MAX_GHZ).all()
    assert ((speed > work * rate) | (work == 0.0)).all()
    assert (speed[work == 0.0] == 0.0).all()


# P4 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        pytest.param([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], id="nobody has work"),
        pytest.param([0.0, 0.3, 0.0], [0.0, SERVER_GHZ, 0.0], id="one has"),
        pytest.param([1.0, 4.0, 4.0], [3.0, 6.0, 6.0], id="by the root"),
        pytest.param([1, 4, 0], [5.0, 10.0, 0.0], id="integers"),
    ],
)
def test_server_speeds_of_hand_made_cases(work: list[float], expected: list[float]) -> None:
    with np.errstate(all="raise"):
        speed = server_speed_ghz(np.array([work, work]), max_ghz=SERVER_GHZ)
    np.testing.assert_allclose(speed, [expected, expected], rtol=1e-15)


def test_no_exchange_of_server_speed_is_better() -> None:
    rng = np.random.default_rng(4)
    work = 10.0 ** rng.uniform(-5, 5, (CASES, 4))
    speed = server_speed_ghz(work, max_ghz=SERVER_GHZ)
    moved = speed.copy()
    moved[:, 0] += 0.01 * speed.min(axis=-1)
    moved[:, 1] -= 0.01 * speed.min(axis=-1)
    np.testing.assert_allclose(speed.sum(axis=-1), SERVER_GHZ)
    assert ((work / moved).sum(axis=-1) >= (work / speed).sum(axis=-1) * (1.0 - 1e-14)).all()
    np.testing.assert_allclose(work / speed**2, np.broadcast_to((work / speed**2)[:, :1], work.shape), rtol=1e-12)


# P5 -------------------------------------------------------------------------------------------------------------------


def sender_cases(seed: int, devices: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns weights, data and snr, costs over ten decades, snr over twenty-one, some without data."""
    rng = np.random.default_rng(seed)
    shape = (CASES, devices)
    width = rng.uniform(0.0, 1.0, (CASES, 1))  # from all alike to all ranges in one row
    weight, data = 10.0 ** (width * rng.uniform(-2, 3, shape)), 10.0 ** (width * rng.uniform(-3, 2, shape))
    snr = 10.0 ** (rng.uniform(-9, 12, (CASES, 1)) * (1.0 - width) + width * rng.uniform(-9, 12, shape))
    return weight, data * (rng.random(shape) > 0.2), snr


SERIES = [0.0, 0.0, *((-1.0) ** k * (k - 1.0) / k for k in range(2, 10))]
"""ln(1 + t) - t / (1 + t) = t^2 / 2 - 2 t^3 / 3 + ..., by powers of t."""


def log_marginal(share: np.ndarray, cost: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """Returns ln of what the last bit of share saves: cost r' / r^2 with r = a ln(1 + snr / a)."""
    ratio = snr / share
    small = np.minimum(ratio, 1e-2)
    series = np.polynomial.polynomial.polyval(small, SERIES)
    slope = np.where(ratio < 1e-2, series, np.log1p(ratio) - ratio / (1.0 + ratio))
    return np.log(cost) + np.log(slope) - 2.0 * np.log(share * np.log1p(ratio))


def bisected_share(cost: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """Returns the minimiser of P5 by bisection on the log of the price, and at each on the logs of the shares.

    Shares below 1e-13 are out of its reach: costs over ten decades and snr over twenty-one give none.
    """

    def log_share(log_price: np.ndarray) -> np.ndarray:
        low, high = np.full(cost.shape, -30.0), np.zeros(cost.shape)
        for _ in range(45):
            middle = 0.5 * (low + high)
            wants_more = log_marginal(np.exp(middle), cost, snr) > log_price
            low, high = np.where(wants_more, middle, low), np.where(wants_more, high, middle)
        return low

    sends = cost > 0.0
    cost, snr = np.where(sends, cost, 1.0), np.where(sends, snr, 1.0)
    ends = [np.where(sends, log_marginal(np.full(cost.shape, end), cost, snr), np.nan) for end in (1.0, np.exp(-30.0))]
    low: np.ndarray = np.nanmin(ends[0], axis=-1, keepdims=True)
    high: np.ndarray = np.nanmax(ends[1], axis=-1, keepdims=True)
    for _ in range(45):
        middle = 0.5 * (low + high)
        over = (np.exp(log_share(middle)) * sends).sum(axis=-1, keepdims=True) > 1.0
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.exp(log_share(low)) * sends


def unused(share: np.ndarray) -> float:
    return 1.0 - float(share.sum())


def p5(share: np.ndarray, cost: np.ndarray, snr: np.ndarray) -> float:
    return float((cost / (share * np.log2(1.0 + snr / share))).sum())


@pytest.mark.parametrize("devices", [2, 5])
def test_shares_are_those_of_a_bisected_price(devices: int) -> None:
    weight, data, snr = sender_cases(devices, devices)
    several = (data > 0.0).any(axis=-1)
    weight, data, snr = weight[several], data[several], snr[several]
    share = bandwidth_share(weight, data, snr)
    np.testing.assert_allclose(share, bisected_share(weight * data, snr), rtol=1e-10)


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 20])
def test_conditions_of_optimality_hold(devices: int) -> None:
    weight, data, snr = sender_cases(100 + devices, devices)
    share = bandwidth_share(weight, data, snr)
    sends = data > 0.0
    assert (share[~sends] == 0.0).all()
    assert (share[sends] > 0.0).all()
    np.testing.assert_allclose(share.sum(axis=-1), sends.any(axis=-1), rtol=1e-14)
    share, cost = np.where(sends, share, 1.0), np.where(sends, weight * data, 1.0)
    marginal = log_marginal(share, cost, snr)
    most, least = np.where(sends, marginal, -np.inf).max(axis=-1), np.where(sends, marginal, np.inf).min(axis=-1)
    assert (most - least)[sends.any(axis=-1)].max() <= 1e-10


def test_no_general_solver_finds_better() -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        cost, snr = rng.uniform(1.0, 100.0, 4), 10.0 ** rng.uniform(-1, 3, 4)
        share = bandwidth_share(np.ones(4), cost, snr)
        found = optimize.minimize(
            p5,
            np.full(4, 0.25),
            args=(cost / cost.sum(), snr),
            method="SLSQP",
            bounds=[(1e-6, 1.0)] * 4,
            constraints={"type": "eq", "fun": unused},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        best = p5(share, cost / cost.sum(), snr)
        assert best <= found.fun * (1.0 + 1e-10)
        assert found.fun <= best * (1.0 + 1e-5)


@pytest.mark.parametrize(
    ("data", "snr", "expected"),
    [
        pytest.param([0, 0, 0], [1, 2, 3], [0, 0, 0], id="nobody sends"),
        pytest.param([0, 7, 0], [1, 2, 3], [0, 1, 0], id="one sends"),
        pytest.param([5, 5, 0], [9, 9, 1], [0.5, 0.5, 0], id="two alike"),
        pytest.param([5, 5, 5], [0, 9, 9], [0, 0.5, 0.5], id="one is not heard"),
        pytest.param([5, 0, 0], [0, 9, 9], [0, 0, 0], id="the only sender is not heard"),
        pytest.param([1, 4, 4], [1e-30, 1e-30, 1e-30], [0.2, 0.4, 0.4], id="tiny snr: by the root of the cost"),
    ],
)
def test_bandwidth_shares_of_hand_made_cases(data: list[float], snr: list[float], expected: list[float]) -> None:
    with np.errstate(all="raise"):
        share = bandwidth_share(np.full(3, 10.0), np.array(data), np.array(snr))
    exact = np.isin(expected, (0.0, 1.0))
    assert (share[exact] == np.array(expected)[exact]).all()
    np.testing.assert_allclose(share, expected, rtol=1e-12)


@pytest.mark.parametrize("cost", [1e-100, 1e-5, 1.0, 1e5, 1e100])
@pytest.mark.parametrize("snr", [1e-100, 1e-9, 1e-6, 1e-4, 1.001e-4, 1.0, 1e12, 1e100])
def test_extreme_senders_share_one_price(snr: float, cost: float) -> None:
    data, all_snr = np.array([1.0, cost, cost, 0.0]), np.array([1.0, 1.0, snr, snr])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        share = bandwidth_share(np.full(4, V), data, all_snr)
    price = log_marginal(share[:3], V * data[:3], all_snr[:3])
    assert np.ptp(price) <= 1e-9
    assert share.sum() == pytest.approx(1.0, rel=1e-14)


@given(
    arrays(float, (3, 4), elements=st.floats(1e-5, 1e5)),
    arrays(float, (3, 4), elements=st.just(0.0) | st.floats(1e-5, 1e5)),
    arrays(float, (3, 4), elements=st.floats(1e-6, 1e12)),
)
def test_bandwidth_is_shared_among_the_senders(weight: np.ndarray, data: np.ndarray, snr: np.ndarray) -> None:
    share = bandwidth_share(weight, data, snr)
    np.testing.assert_allclose(share.sum(axis=-1), (data > 0.0).any(axis=-1), rtol=1e-14)
    assert ((share > 0.0) == (data > 0.0)).all()
    assert (share <= 1.0).all()


def test_spectral_efficiency() -> None:
    share = np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 0.25, 1e-320, 1e-12])
    snr = np.array([0.0, 9.0, 0.5, 3.5, 1e-30, 1e30, 0.0, 50.0, 1e12])
    expected = [0.0, 0.0, 0.5, 1.5, 1e-30 / np.log(2.0), 30.0 * np.log2(10.0), 0.0, 0.0, 24e-12 * np.log2(10.0)]
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        efficiency = spectral_efficiency(share, snr)
    np.testing.assert_allclose(efficiency, expected, rtol=1e-14, atol=1e-300)


# All ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_shape", [(), (1,), (0,), (2, 3), (4, 1, 2)])
def test_any_batch_shape_equals_row_by_row_results_bit_for_bit(batch_shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(6)
    shape = (*batch_shape, 5)
    work, queue = rng.uniform(0.0, 0.5, shape) * (rng.random(shape) > 0.3), rng.uniform(0.0, 200.0, shape)
    rate = rng.uniform(0.5, 2.5, 5)
    data, snr = rng.uniform(0.1, 9.0, shape) * (rng.random(shape) > 0.4), 10.0 ** rng.uniform(-4, 3, shape)
    weight = queue * POWER_W * rate + V
    speed, server = device_ghz(work, rate, queue), server_speed_ghz(work, max_ghz=SERVER_GHZ)
    share = bandwidth_share(weight, data, snr)
    efficiency = spectral_efficiency(share, snr)
    assert speed.shape == server.shape == share.shape == efficiency.shape == shape
    for index in np.ndindex(batch_shape):
        assert (speed[index] == device_ghz(work[index], rate, queue[index])).all()
        assert (server[index] == server_speed_ghz(work[index], max_ghz=SERVER_GHZ)).all()
        assert (share[index] == bandwidth_share(weight[index], data[index], snr[index])).all()
        assert (efficiency[index] == spectral_efficiency(share[index], snr[index])).all()


def test_arguments_broadcast_and_are_left_alone() -> None:
    weight, data, snr = np.array([[10], [20]]), np.array([3, 0, 5]), np.full((1, 1), 50)
    share = bandwidth_share(weight, data, snr)
    full = [np.broadcast_to(array, (2, 3)).astype(float) for array in (weight, data, snr)]
    assert (share == bandwidth_share(*full)).all()
    assert (device_ghz(np.array([1, 0]), np.array([[1]]), np.array([[0], [9]])) > 0).tolist() == [[True, False]] * 2
    assert data.tolist() == [3, 0, 5]
    assert snr.tolist() == [[50]]
