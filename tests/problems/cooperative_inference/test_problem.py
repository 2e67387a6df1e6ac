"""The inference problem: outcomes by hand and by properties, and errors."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.dnn import DNNProfile
from vec_envs.mobility import StillMobility, StraightMobility
from vec_envs.problems.cooperative_inference.problem import CooperativeInference, Exogenous, Outcome, State

PROBLEM = CooperativeInference()
LOCAL = PROBLEM.num_layers
EDGE = np.zeros(5, dtype=np.int64)
HEAVY = CooperativeInference(
    dnns=("vgg16",), dnn_of_device=(0, 0), energy_budget_j=(1.0,), memory_budget_gb=(0.5,), arrival_rate_hz=(0.5, 2.5)
)


def state(problem: CooperativeInference = PROBLEM, *, energy: float = 0.0, memory: float = 0.0) -> State:
    shape = (problem.num_devices,)
    return State(energy_queue=np.full(shape, energy), memory_queue=np.full(shape, memory))


def slot(problem: CooperativeInference = PROBLEM, *, rate_hz: float = 1.5, fading: float = 1.0) -> Exogenous:
    gain = problem.channel.mean_gain(np.full(problem.num_devices, 150.0)) * fading
    return Exogenous(gain=gain, arrival_rate_hz=np.full(problem.num_devices, rate_hz))


def outcome(cuts: np.ndarray, before: State, now: Exogenous, problem: CooperativeInference = PROBLEM) -> Outcome:
    return problem.transition(before, cuts, now)[1]


def test_the_papers_numbers() -> None:
    assert PROBLEM.num_devices == 5
    assert [PROBLEM.profiles[k].name for k in PROBLEM.dnn_of_device] == ["alexnet"] * 2 + ["resnet18"] * 3
    assert PROBLEM.channel.mean_gain(150.0) == pytest.approx(3.0 * (3e8 / (4 * np.pi * 915e6 * 150.0)) ** 3)


def test_all_local_takes_the_devices_time_and_energy_alone() -> None:
    result = outcome(LOCAL, state(), slot())
    for n, profile in enumerate(PROBLEM.profiles[k] for k in PROBLEM.dnn_of_device):
        service_s = 0.12 * profile.local_gmacs[-1] / 1.5
        load = 1.5 * service_s
        assert result.delay_s[n] == pytest.approx(service_s * (1.0 + load / (2.0 * (1.0 - load))))
        assert result.energy_j[n] == pytest.approx(0.1 * 1.5**2 * 0.12 * profile.local_gmacs[-1] * 1.5)
        parameters = 0.2 * profile.local_parameter_mbyte[-1] / 1e3
        assert result.memory_gb[n] == pytest.approx(parameters + profile.output_mbit.max() / 8e3)
    assert not result.server_ghz.any()
    assert not result.bandwidth_share.any()


def test_all_at_the_server_shares_server_and_bandwidth() -> None:
    result = outcome(EDGE, state(), slot())
    assert result.server_ghz.sum() == pytest.approx(15.0)
    assert result.bandwidth_share.sum() == pytest.approx(1.0)
    assert (result.device_ghz == 0.0).all()
    assert (result.local_s == 0.0).all()
    rate_mbps = (
        5.0 * result.bandwidth_share * np.log2(1.0 + 0.1 * slot().gain / (result.bandwidth_share * 5e6 * 10 ** (-20.4)))
    )
    sent = np.array([PROBLEM.profiles[k].input_mbit for k in PROBLEM.dnn_of_device])
    np.testing.assert_allclose(result.transmit_s, sent / rate_mbps)
    np.testing.assert_allclose(result.energy_j, 0.1 * result.transmit_s * 1.5)


@pytest.mark.parametrize("reward", ["drift_bound", "drift", "delay"])
def test_rewards_equal_their_definitions(reward: str) -> None:
    problem, before = replace(PROBLEM, reward=reward), state(energy=3.0, memory=2.0)
    after, result = problem.transition(before, EDGE, slot())
    delay = 10.0 * result.delay_s.sum()
    used = 3.0 * result.energy_j.sum() + 2.0 * result.memory_gb.sum()
    drift = 0.5 * sum((getattr(after, f.name) ** 2 - getattr(before, f.name) ** 2).sum() for f in fields(before))
    assert result.drift == pytest.approx(drift)
    assert result.reward == pytest.approx(
        -{"drift_bound": used + delay, "drift": drift + delay, "delay": delay}[reward]
    )


def test_draw_is_sample_then_exogenous() -> None:
    mobility = StillMobility(distance_m=150.0)
    traffic = next(mobility.blocks(0, PROBLEM.traffic_shape))
    drawn, again = (PROBLEM.draw(np.random.default_rng(seed), traffic, mobility.road) for seed in (3, 4))
    by_hand = PROBLEM.exogenous(PROBLEM.sample(np.random.default_rng(3)), traffic, mobility.road)
    assert all(np.array_equal(getattr(drawn, f.name), getattr(by_hand, f.name)) for f in fields(drawn))
    assert not np.array_equal(drawn.gain, again.gain)


def test_virtual_queues_count_what_exceeds_the_budgets() -> None:
    after, result = PROBLEM.transition(state(energy=1.0, memory=1.0), LOCAL, slot(rate_hz=2.5))
    budget_j, budget_gb = np.array([0.04, 0.04, 0.06, 0.06, 0.06]), np.array([0.1, 0.1, 0.03, 0.03, 0.03])
    np.testing.assert_allclose(after.energy_queue, np.maximum(1.0 + 100.0 * (result.energy_j - budget_j), 0.0))
    np.testing.assert_allclose(after.memory_queue, np.maximum(1.0 + 10.0 * (result.memory_gb - budget_gb), 0.0))


CUTS = st.tuples(*(st.integers(0, int(n)) for n in LOCAL))
QUEUES = st.floats(0.0, 200.0)
RATES = st.floats(0.0, 3.0)


@pytest.mark.slow
@given(CUTS, QUEUES, QUEUES, RATES, st.floats(1e-6, 1e3), st.integers(0, 2**32))
def test_no_other_allocation_is_better(
    cuts: tuple[int, ...], energy: float, memory: float, rate_hz: float, fading: float, seed: int
) -> None:
    """Learned resources, drawn at random, never beat the exact ones for the same cuts: by Eq. (11)."""
    before, now = state(energy=energy, memory=memory), slot(rate_hz=rate_hz, fading=fading)
    best = outcome(np.array(cuts), before, now)
    learned = replace(PROBLEM, allocation="learned")
    numbers = np.random.default_rng(seed).uniform(-1.0, 1.0, (20, 5, 4))
    numbers[..., 0] = 2.0 * (np.array(cuts) + 0.5) / (LOCAL + 1) - 1.0
    rows = State(energy_queue=before.energy_queue[None], memory_queue=before.memory_queue[None])
    tried = outcome(numbers, rows, Exogenous(gain=now.gain[None], arrival_rate_hz=now.arrival_rate_hz[None]), learned)
    assert (tried.cut == np.array(cuts)).all()
    assert (tried.reward <= best.reward + 1e-9 * abs(best.reward)).all()


def test_learned_resources_are_used_up_and_carry_the_load() -> None:
    learned = replace(HEAVY, allocation="learned", unstable="clip")
    numbers = np.random.default_rng(0).uniform(-1.0, 1.0, (500, 2, 4))
    result = outcome(numbers, state(HEAVY), slot(HEAVY, rate_hz=1.2), learned)
    sends = result.cut < HEAVY.num_layers
    np.testing.assert_allclose(result.server_ghz.sum(-1), 15.0 * sends.any(-1))
    np.testing.assert_allclose(result.bandwidth_share.sum(-1), 1.0 * sends.any(-1))
    assert ((result.server_ghz > 0.0) == sends).all()
    local = result.cut > 0
    load = HEAVY.cut_table.local_gcycles[0][result.cut] * 1.2
    assert (result.device_ghz[local] > load[local]).all()
    assert (result.device_ghz <= 1.5).all()
    assert np.isfinite(result.delay_s).all()


def test_cuts_that_cannot_be_stable_are_masked_and_refused_or_clipped() -> None:
    now, whole = slot(HEAVY, rate_hz=2.0), HEAVY.num_layers
    legal = HEAVY.action_mask(state(HEAVY), now)
    work = HEAVY.cut_table.local_gcycles[0]
    assert legal[0].tolist() == (work * 2.0 < 1.5).tolist()
    assert legal[0, [0, -1]].tolist() == [True, False]
    with pytest.raises(ValueError, match=r"cut 21 of device 0 is not stable.*unstable='clip'"):
        outcome(whole, state(HEAVY), now, HEAVY)
    clipped = outcome(whole, state(HEAVY), now, replace(HEAVY, unstable="clip"))
    assert (clipped.cut == legal[0].sum() - 1).all()
    assert np.isfinite(clipped.delay_s).all()


def test_a_busier_device_waits_longer_and_a_worse_channel_sends_longer() -> None:
    delays = [outcome(LOCAL, state(), slot(rate_hz=rate)).delay_s for rate in (0.01, 0.5, 1.5, 2.5)]
    assert (np.diff(delays, axis=0) > 0.0).all()
    sending = [outcome(EDGE, state(), slot(fading=fading)).transmit_s for fading in (10.0, 1.0, 0.1)]
    assert (np.diff(sending, axis=0) > 0.0).all()


def test_a_device_without_arrivals_needs_nothing() -> None:
    now = slot()
    now = Exogenous(gain=now.gain, arrival_rate_hz=np.array([1.5, 0.0, 1.5, 0.0, 1.5]))
    for problem in (PROBLEM, replace(PROBLEM, allocation="learned")):
        action = EDGE if problem is PROBLEM else np.zeros((5, 4))
        result = outcome(action, state(energy=5.0), now, problem)
        for name in ("delay_s", "energy_j", "memory_gb", "device_ghz", "server_ghz", "bandwidth_share"):
            assert (getattr(result, name)[[1, 3]] == 0.0).all()
            assert (getattr(result, name)[[0, 2, 4]] >= 0.0).all()
        metrics = problem.metrics(state(), result)
        for name in ("delay_s", "energy_j", "memory_gb"):
            assert metrics[name] == pytest.approx(getattr(result, name)[[0, 2, 4]].mean()), "empty seats do not count"
        assert result.server_ghz.sum() == pytest.approx(15.0)
        assert result.bandwidth_share.sum() == pytest.approx(1.0)


def test_a_dnn_that_nobody_has_is_not_reported() -> None:
    problem = replace(PROBLEM, dnn_of_device=(1, 1))
    metrics = problem.metrics(*problem.transition(state(problem), np.array([0, 3]), slot(problem)))
    assert "energy_to_budget_resnet18" in metrics
    assert "energy_to_budget_alexnet" not in metrics


def test_devices_at_150_m_have_the_papers_mean_gain() -> None:
    batch = EnvironmentBatch(replace(PROBLEM, episode_slots=400), StillMobility(), batch_size=20)
    batch.reset(range(20), list(range(20)))
    gain = batch.episode(0).gain
    assert gain.shape == (401, 5)
    every = np.concatenate([batch.episode(n).gain for n in range(20)])
    assert every.mean() == pytest.approx(PROBLEM.channel.mean_gain(150.0), rel=0.03)
    rates = batch.episode(3).arrival_rate_hz
    assert (rates.min(), rates.max()) == (pytest.approx(0.5, abs=0.02), pytest.approx(2.5, abs=0.02))


def test_vehicles_on_a_road_have_gains_of_their_distance() -> None:
    problem = replace(PROBLEM, episode_slots=20)
    batch = EnvironmentBatch(problem, StraightMobility(speed_mps=15.0), batch_size=200)
    batch.reset(range(200), list(range(200)))
    near_and_far = np.stack([batch.episode(n).gain for n in range(200)]).ravel()
    assert near_and_far.max() / near_and_far.min() > 1e4


def test_rates_may_be_constant_or_a_function() -> None:
    for options, expected in (
        ({"arrival_rate_hz": (2.5, 2.5)}, [2.5] * 5),
        ({"arrival_profile_hz": (1.0, 2.0, 3.0)}, [1.0, 2.0, 3.0, 3.0, 3.0]),
    ):
        batch = EnvironmentBatch(replace(PROBLEM, episode_slots=4, **options), StillMobility(), batch_size=1)
        batch.reset([0], [1])
        assert (batch.episode(0).arrival_rate_hz == np.array(expected)[:, None]).all()


@pytest.mark.parametrize("observation", ["paper", "extended"])
def test_observations_hold_the_papers_state(observation: str) -> None:
    problem = replace(PROBLEM, observation=observation)
    features = problem.observe(state(energy=20.0, memory=5.0), slot(rate_hz=1.25))
    assert features.shape == (5, problem.observation_size)
    np.testing.assert_allclose(features[:, :4], np.tile([1.0, 0.5, 2.0, 0.5], (5, 1)), rtol=1e-6)
    if observation == "extended":
        assert features[:, 4:].tolist() == [[1.0, 0.0, 1.0]] * 2 + [[0.0, 1.0, 1.0]] * 3


def test_metrics_are_means_and_shares_of_budgets() -> None:
    after, result = PROBLEM.transition(state(energy=1.0), LOCAL, slot())
    metrics = PROBLEM.metrics(after, result)
    assert metrics["delay_s"] == pytest.approx(result.delay_s.mean())
    assert metrics["energy_to_budget_alexnet"] == pytest.approx(result.energy_j[:2].mean() / 0.04)
    assert metrics["memory_to_budget_resnet18"] == pytest.approx(result.memory_gb[2:].mean() / 0.03)
    assert metrics["drift_plus_penalty"] == pytest.approx(result.drift + 10.0 * result.delay_s.sum())


def test_a_memory_table_by_hand() -> None:
    layers = DNNProfile.load("alexnet").layers
    problem = CooperativeInference(
        dnns=("alexnet",), dnn_of_device=(0,), energy_budget_j=(1.0,), memory_budget_gb=(1.0,)
    )
    for cut, found in enumerate(problem.cut_table.memory_gb[0]):
        local, remote = layers[:cut], layers[cut:]
        expected = (
            0.2 * sum(layer.parameter_mbyte for layer in local)
            + 0.8 * sum(layer.parameter_mbyte for layer in remote)
            + max((layer.output_mbit for layer in local), default=0.0) / 8.0
            + max((layer.output_mbit for layer in remote), default=0.0) / 8.0
        )
        assert found == pytest.approx(expected / 1e3)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"energy_budget_j": (0.04, 0.0)}, r"energy_budget_j\[1\] must be a finite number above 0, got 0.0"),
    ({"memory_budget_gb": (0.1,)}, r"memory_budget_gb must hold one number for each of the 2 dnns, got 1"),
    ({"dnn_of_device": ()}, "dnn_of_device must hold .* got none"),
    ({"dnn_of_device": (0, 2)}, r"dnn_of_device\[1\] must be an index of dnns, from 0 to 1, got 2"),
    ({"arrival_rate_hz": (0.0, 2.5)}, "arrival_rate_hz"),
    ({"arrival_profile_hz": (1.0, -1.0)}, r"arrival_profile_hz\[1\] must be .* got -1.0"),
    ({"server_ghz": 0.0}, "server_ghz must be .* got 0.0"),
    ({"allocation": "best"}, "allocation must be one of 'exact', 'learned', got 'best'"),
    ({"unstable": "x"}, "unstable must be one of .* got 'x'"),
    ({"reward": "x"}, "reward must be one of .* got 'x'"),
    ({"observation": "x"}, "observation must be one of .* got 'x'"),
    ({"episode_slots": 0}, "episode_slots must be .* got 0"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CooperativeInference(**options)


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (np.array([0, 0, 0, 0]), "a cut for each of 5 devices"),
        (np.array([0.0] * 5), "the cuts of an action must be integers"),
        (np.array([0, 0, -1, 0, 0]), "the cut of device 2 must be from 0 to .* got -1"),
        (np.array([0, 99, 0, 0, 0]), "the cut of device 1 must be from 0 to .* got 99"),
    ],
)
def test_wrong_cuts_are_refused(cuts: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outcome(cuts, state(), slot())


@pytest.mark.parametrize("wrong", [np.full((5, 4), np.nan), np.full((5, 4), 1.1), np.zeros((5, 3)), np.zeros((4, 4))])
def test_wrong_numbers_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="action"):
        outcome(wrong, state(), slot(), replace(PROBLEM, allocation="learned"))


def test_a_gain_of_zero_and_a_negative_rate_are_refused() -> None:
    with pytest.raises(ValueError, match=r"gain must be above 0, got 0.0"):
        outcome(EDGE, state(), slot(fading=0.0))
    with pytest.raises(ValueError, match=r"arrival_rate_hz must be at least 0, got -1.0"):
        outcome(EDGE, state(), slot(rate_hz=-1.0))


def test_slots_may_be_numpys_integers() -> None:
    assert type(replace(PROBLEM, episode_slots=np.int64(20)).episode_slots) is int
